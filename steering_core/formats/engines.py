"""Every engine that a vector can be written for or read from, in one table. docs/engines.md shows it.

What a form means in full stands in the docstring of its module.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from steering_core.errors import FormatError
from steering_core.formats import (
    bearing,
    ds4,
    easysteer_gguf,
    easysteer_request,
    easysteer_wire,
    glp,
    llama_cpp,
    lm_eval,
    neuronpedia,
    persona,
    python_hook,
    svec,
    vllm_lens,
)
from steering_core.formats.gguf_file import refused
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.formats.loose import Exported, LooseVector, loosen
from steering_core.spec import OPERATIONS, SITES

Read = Callable[[bytes, bytes | None], LooseVector]

_ALL_SITES = (*SITES, "resid_post@k")
# How a file begins that is something else, and what it is.
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (rb"PK\x03\x04|PK\x05\x06", "a zip archive, as torch.save and numpy.savez write"),
    (rb"\x80[\x02-\x05]", "a Python pickle, as torch.save and pickle write"),
    (rb"\x93NUMPY", "a NumPy array"),
    (rb"\x89HDF\r\n", "an HDF5 file"),
    (rb"\x1f\x8b\x08", "a gzip file"),
    (rb"\x28\xb5\x2f\xfd", "a zstd file"),
    (rb"BZh|\xfd7zXZ|7z\xbc\xaf|Rar!", "a compressed archive"),
    (rb"PAR1|ARROW1", "a Parquet or Arrow file"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF", "an image or a sound"),
    (rb"%PDF", "a PDF"),
    (rb"\x7fELF|MZ", "a program"),
    (rb"\s*<", "HTML or XML"),
    (rb"\x08[\x01-\x20][\x12\x1a\x22\x2a\x32\x3a\x42]", "a protocol buffer, as ONNX files are"),
)
_BY_SUFFIX = {
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib"), "a Python pickle"),
    **dict.fromkeys((".npy", ".npz"), "NumPy's"),
    **dict.fromkeys((".h5", ".hdf5"), "an HDF5 file"),
    ".onnx": "an ONNX file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One engine's form.

    Attributes:
        name: what `--to` is given.
        title: for people.
        suffix: what names of its files end with.
        sites: where it can steer; `resid_post@k` is one of several residual streams.
        operations: what it can do there.
        index, sign, scale: what its block index, a positive factor and a factor mean, half a line each.
        export: a vector in its form; raises FormatError for what the form cannot say.
        matches: whether bytes are of its form; None for forms that are not read.
        read: the vector of a file and, where there is one, the file beside it.
    """

    name: str
    title: str
    suffix: str
    sites: tuple[str, ...]
    operations: tuple[str, ...]
    index: str
    sign: str
    scale: str
    export: Callable[[LooseVector], Exported]
    matches: Callable[[bytes], bool] | None = None
    read: Read | None = None

    @property
    def is_read(self) -> bool:
        """Whether its files can be read."""
        return self.read is not None


def read_any(data: bytes, name: str = "", sidecar: bytes | None = None) -> tuple[Engine, LooseVector]:
    """What a file is, and its vector.

    Args:
        name: the file's name; where the bytes do not say what they are, its suffix does.
        sidecar: the file beside it, for forms that need one.

    Raises:
        FormatError: `engine.not_read` for forms that are known and not read, `engine.unknown` for all others,
            and what the form's own reader refuses.
    """
    engine = identify(data, name, has_sidecar=sidecar is not None)
    assert engine.read is not None
    return engine, engine.read(data, sidecar)


def identify(data: bytes, name: str = "", *, has_sidecar: bool = False) -> Engine:
    """Which readable form a file has.

    Raises:
        FormatError: as `read_any`.
    """
    if len(data) > MAX_FILE_BYTES:
        raise refused("too_large", f"the file has {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are read")
    suffix = _suffix(name)
    # Bare floats may begin like anything, and reading them as floats harms nobody.
    if ds4.matches(data) and (has_sidecar or suffix == ENGINES["ds4"].suffix):
        return ENGINES["ds4"]
    for engine in ENGINES.values():
        if engine.matches is not None and engine.name != "ds4" and engine.matches(data):
            return engine
    what = _foreign(data) or _BY_SUFFIX.get(suffix)
    if what is not None:
        raise refused("not_read", f"the file is {what}, which is not read here. {_advice(what)}")
    if suffix == ENGINES["bearing"].suffix:
        return ENGINES["bearing"]  # its reader says what is wrong
    raise refused("unknown", f"the file is of no known form. Read are: {_readable()}")


def refusals(loose: LooseVector) -> dict[str, FormatError | None]:
    """For each engine, why a vector cannot be written for it; None where it can."""
    return {name: _refusal(engine, loose) for name, engine in ENGINES.items()}


def _refusal(engine: Engine, loose: LooseVector) -> FormatError | None:
    try:
        engine.export(loose)
    except FormatError as error:
        return error
    return None


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2].lower() if "." in name else ""


def _foreign(data: bytes) -> str | None:
    begins = data[:64]
    return next((what for pattern, what in _FOREIGN if re.match(pattern, begins)), None)


def _advice(what: str) -> str:
    if "torch.save" in what or "pickle" in what:
        return (
            "Such a file can run code when it is opened, so it is never read. Where you trust it, load its "
            "tensors yourself and write them as one of the forms that are read; see bearing engines"
        )
    return f"Read are: {_readable()}"


def _readable() -> str:
    return ", ".join(engine.name for engine in ENGINES.values() if engine.is_read) + "; see bearing engines"


def _is_native(data: bytes) -> bool:
    """Whether the bytes begin as safetensors; the strict reader says what is wrong with another's."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data)


def _read_native(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    return loosen(bearing.read_vector(data))


def _export_native(loose: LooseVector) -> Exported:
    if loose.native is None:
        raise refused(
            "native",
            "a native vector names its model by hash and knows its residual norms, which this file does not "
            "say; give the model's folder, and both are measured",
        )
    return Exported(data=bearing.write_vector(loose.native), usage=_NATIVE_USAGE)


_NATIVE_USAGE = """\
from pathlib import Path
from steering_core.formats.bearing import read_vector
from steering_core.injection import steer
vector = read_vector(Path("FILE.safetensors").read_bytes())
with steer(model, [(vector, 0.3)]):
    ..."""

_RESIDUAL = ("resid_post",)

_TABLE = (
    Engine(
        name="llama.cpp",
        title="llama.cpp control vector",
        suffix=".gguf",
        sites=_RESIDUAL,
        operations=("add",),
        index="0-based block; block 0 cannot be steered",
        sign="adds",
        scale="raw factor, --control-vector-scaled FILE:SCALE",
        export=llama_cpp.export,
        matches=llama_cpp.matches,
        read=llama_cpp.read,
    ),
    Engine(
        name="repeng",
        title="repeng control vector",
        suffix=".gguf",
        sites=_RESIDUAL,
        operations=("add",),
        index="0-based block; block 0 is left out",
        sign="adds",
        scale="raw factor, set_control(vector, FACTOR)",
        export=llama_cpp.export,
    ),
    Engine(
        name="glp",
        title="GLP control vector",
        suffix=".gguf",
        sites=SITES,
        operations=("add", "project"),
        index="0-based block; block 0 cannot be said",
        sign="adds; project takes away",
        scale="alpha on directions as added, of norm 1 for project",
        export=glp.export,
        matches=glp.matches,
        read=glp.read,
    ),
    Engine(
        name="easysteer",
        title="EasySteer control vector",
        suffix=".gguf",
        sites=_RESIDUAL,
        operations=("add", "project"),
        index="0-based block, block 0 included",
        sign="adds; erase takes all away",
        scale="raw factor in the request; none for erase",
        export=easysteer_gguf.export,
        matches=easysteer_gguf.matches,
        read=easysteer_gguf.read,
    ),
    Engine(
        name="easysteer-wire",
        title="EasySteer payload",
        suffix=".json",
        sites=_RESIDUAL,
        operations=("add",),
        index="0-based block, block 0 included",
        sign="adds",
        scale="raw factor in the request",
        export=easysteer_wire.export,
        matches=easysteer_wire.matches,
        read=easysteer_wire.read,
    ),
    Engine(
        name="easysteer-request",
        title="EasySteer steering spec",
        suffix=".json",
        sites=_RESIDUAL,
        operations=("add", "project"),
        index="0-based block, block 0 included",
        sign="adds; erase takes all away",
        scale="raw factor in the file; none for erase",
        export=easysteer_request.export,
        matches=easysteer_request.matches,
        read=easysteer_request.read,
    ),
    Engine(
        name="ds4",
        title="ds4 direction file",
        suffix=".f32",
        sites=("mlp_out", "attn_out"),
        operations=("project",),
        index="row of the 0-based block, all blocks",
        sign="takes away; below 0 strengthens",
        scale="share of the component, --dir-steering-ffn or -attn",
        export=ds4.export,
        matches=ds4.matches,
        read=ds4.read,
    ),
    Engine(
        name="lm-eval",
        title="lm-eval steered model",
        suffix=".pt",
        sites=SITES,
        operations=OPERATIONS,
        index="module name with the 0-based block",
        sign="adds; clamp sets the component",
        scale="raw factor in the file; for clamp an activation",
        export=lm_eval.export,
    ),
    Engine(
        name="persona",
        title="Persona Vectors tensor",
        suffix=".pt",
        sites=_RESIDUAL,
        operations=("add",),
        index="row and --layer are block + 1; row 0 is the embeddings",
        sign="adds",
        scale="raw factor, --coef",
        export=persona.export,
    ),
    Engine(
        name="svec",
        title="IBM .svec",
        suffix=".svec",
        sites=_RESIDUAL,
        operations=("add",),
        index="layer whose input is steered: block + 1",
        sign="adds",
        scale="raw factor, behavior_vector_strength",
        export=svec.export,
        matches=svec.matches,
        read=svec.read,
    ),
    Engine(
        name="vllm-lens",
        title="vllm-lens steering vector",
        suffix=".json",
        sites=_RESIDUAL,
        operations=("add",),
        index="0-based block, block 0 included",
        sign="adds",
        scale="raw factor in the file",
        export=vllm_lens.export,
        matches=vllm_lens.matches,
        read=vllm_lens.read,
    ),
    Engine(
        name="neuronpedia",
        title="Neuronpedia upload",
        suffix=".json",
        sites=_RESIDUAL,
        operations=("add",),
        index="0-based block, block 0 included",
        sign="adds",
        scale="raw factor to start from, within ±300",
        export=neuronpedia.export,
        matches=neuronpedia.matches,
        read=neuronpedia.read,
    ),
    Engine(
        name="python",
        title="Python script of plain hooks",
        suffix=".py",
        sites=_ALL_SITES,
        operations=OPERATIONS,
        index="0-based block, block 0 included",
        sign="adds; project takes away",
        scale="raw factor, steered(model, FACTOR); a share but for add",
        export=python_hook.export,
    ),
    Engine(
        name="bearing",
        title="Bearing vector",
        suffix=".safetensors",
        sites=_ALL_SITES,
        operations=OPERATIONS,
        index="0-based block, block 0 included",
        sign="adds; project takes away",
        scale="strength: share of the mean residual norm",
        export=_export_native,
        matches=_is_native,
        read=_read_native,
    ),
)

ENGINES: dict[str, Engine] = {engine.name: engine for engine in _TABLE}
