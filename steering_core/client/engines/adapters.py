"""The engines that can be run to see how they apply a vector. `running` runs them."""

from collections.abc import Callable
from dataclasses import dataclass

from safetensors.numpy import save

from steering_core.errors import ClientError
from steering_core.formats.control_vector import check_operation
from steering_core.formats.engines import ENGINES
from steering_core.formats.gguf_file import refused
from steering_core.formats.loose import Exported, LooseVector
from steering_core.spec import SITES


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """How one engine is run.

    Attributes:
        name: what `--engine` is given.
        side: its program, a module of `sides`.
        packages: what has to be installed, the engine first; the version of the first is the engine's.
        install: how, with versions that are known to work.
        model: what it loads, for people.
        suffix: what the names of the vector's files end with.
        export: the vector in its form; raises FormatError for what the form cannot say.
    """

    name: str
    side: str
    packages: tuple[str, ...]
    install: str
    model: str
    suffix: str
    export: Callable[[LooseVector], Exported]

    def files(self, exported: Exported, stem: str) -> dict[str, bytes]:
        """What `export` gave as files, by name; the first is the one to open."""
        beside = {f"{stem}{suffix}": data for suffix, data in exported.sidecars.items()}
        return {f"{stem}{self.suffix}": exported.data, **beside}


def adapter_named(name: str) -> Adapter:
    """The adapter of an engine.

    Raises:
        ClientError: `client.engine`: there is none.
    """
    if name not in ADAPTERS:
        raise ClientError(
            f"the engine {name!a} cannot be run from here; choose one of {', '.join(ADAPTERS)}",
            code="client.engine",
        )
    return ADAPTERS[name]


def _named_tensors(loose: LooseVector) -> Exported:
    """steering-vectors has no file of its own: its directions by site and block, as safetensors."""
    check_operation(loose, ("add",), "steering-vectors", "Run it in transformers")
    for site in loose.sites:
        if site not in SITES:
            raise refused("site", f"the vector has {site}; steering-vectors steers at {', '.join(SITES)}")
    return Exported(data=save(dict(loose.directions)))


_FOLDER, _GGUF = "a folder in the Hugging Face layout", "a GGUF file"

_TABLE = (
    Adapter(
        name="transformers",
        side="transformers_side",
        packages=("transformers", "bearing", "torch"),
        install="the Python that runs bearing has it: leave --python out",
        model=_FOLDER,
        suffix=".safetensors",
        export=ENGINES["bearing"].export,
    ),
    Adapter(
        name="python",
        side="python_side",
        packages=("transformers", "torch"),
        install="pip install torch transformers==5.23.0",
        model=_FOLDER,
        suffix=".py",
        export=ENGINES["python"].export,
    ),
    Adapter(
        name="repeng",
        side="repeng_side",
        packages=("repeng", "transformers", "torch"),
        install="pip install repeng==0.4.0 'numpy<2' transformers==4.57.6",
        model=_FOLDER,
        suffix=".gguf",
        export=ENGINES["repeng"].export,
    ),
    Adapter(
        name="llama.cpp",
        side="llama_cpp_side",
        packages=("llama-cpp-python", "numpy"),
        install="pip install llama-cpp-python==0.3.36, which takes 5 to 10 minutes to build",
        model=_GGUF,
        suffix=".gguf",
        export=ENGINES["llama.cpp"].export,
    ),
    Adapter(
        name="steering-vectors",
        side="steering_vectors_side",
        packages=("steering-vectors", "transformers", "torch"),
        install="pip install steering-vectors==0.12.2 transformers==4.57.6",
        model=_FOLDER,
        suffix=".safetensors",
        export=_named_tensors,
    ),
)

ADAPTERS: dict[str, Adapter] = {adapter.name: adapter for adapter in _TABLE}
