"""What each engine is told to apply a mix of vectors: a request body, flags, or a few lines of Python.

Every member goes through its engine's own export, so that an engine that cannot say one gives its own reason.
Files for engines that read files are made with `bearing convert … --strength 1`: a factor is a strength then.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from steering_core.errors import FormatError
from steering_core.formats import easysteer_request, llama_cpp
from steering_core.formats.easysteer_gguf import ALGORITHMS
from steering_core.formats.engines import ENGINES
from steering_core.formats.loose import Exported, LooseVector, loosen
from steering_core.vector import SteeringVector


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A member of a mix as it is applied: which vector, under which reference, how hard, after the mode."""

    label: str
    reference: str
    vector: SteeringVector
    strength: float

    @property
    def stem(self) -> str:
        """What its converted file is called, without an ending."""
        return self.reference.partition("@")[0].replace("/", "-")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MixUse:
    """One engine's way to apply a mix. `reason` says why it has none, and the rest is empty then.

    Attributes:
        body: the request body's `steering` field, for engines that take one.
        convert: commands that make the files which `usage` names.
        refused: for each member that the engine cannot say, by label, why.
        notes: what is left out or means something else there.
    """

    engine: str
    title: str
    usage: str = ""
    body: dict[str, Any] | None = None
    convert: tuple[str, ...] = ()
    reason: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def mix_use(engine: str, parts: Sequence[Part]) -> MixUse:
    """How an engine of `SHOWN` applies a mix; parts at strength 0 are left out.

    Raises:
        FormatError: `preset.engine`: no such engine is known here.
    """
    if engine not in _SAY:
        raise FormatError(
            f"engine {engine[:40]!r} is not known; choose one of {', '.join(SHOWN)}", code="preset.engine"
        )
    on = [part for part in parts if part.strength != 0]
    exported: dict[str, Exported] = {}
    refused: dict[str, str] = {}
    # Our own library takes every vector as it is.
    for part in on if engine != "bearing" else ():
        try:
            exported[part.label] = ENGINES[engine].export(_loose(part))
        except FormatError as error:
            refused[part.label] = error.message
    title, reason = SHOWN[engine], _no_mix(engine, on, refused)
    if reason:
        return MixUse(engine=engine, title=title, reason=reason, refused=refused)
    usage, body = _SAY[engine](on, exported)
    notes = dict.fromkeys(note for one in exported.values() for note in one.warnings)
    return MixUse(
        engine=engine,
        title=title,
        usage=usage,
        body=body,
        convert=tuple(_convert(engine, part) for part in on) if engine in _FROM_FILES else (),
        notes=tuple(notes),
    )


def _loose(part: Part) -> LooseVector:
    """The vector so that the factor an engine is given is its strength."""
    if part.vector.operation != "add":
        return loosen(part.vector, part.strength)
    return replace(loosen(part.vector, 1.0), multiplier=part.strength)


def _no_mix(engine: str, on: Sequence[Part], refused: dict[str, str]) -> str:
    title = SHOWN[engine]
    if not on:
        return "Every slider is at 0, so there is nothing to apply"
    if refused:
        return f"{title} cannot say " + "; ".join(f"{label}: {why}" for label, why in refused.items())
    if engine == "ds4" and len(on) > 1:
        return f"{title} takes one direction file, and this mix has {len(on)} vectors that are not at 0"
    return ""


def _convert(engine: str, part: Part) -> str:
    name = _file(engine, part)
    return f"bearing convert {part.reference} {name} --to {engine} --strength 1"


def _file(engine: str, part: Part) -> str:
    # A module's name takes no hyphen and does not begin with a digit.
    stem = f"steer_{re.sub(r'[^a-z0-9]', '_', part.stem)}" if engine == "python" else part.stem
    return stem + ENGINES[engine].suffix


def _say_bearing(on: Sequence[Part], exported: dict[str, Exported]) -> tuple[str, None]:
    rows = "".join(f'    (pull("{part.reference}"), {part.strength:g}),\n' for part in on)
    return (
        "from steering_core.client import pull\n"
        "from steering_core.injection import steer\n"
        f"\nmix = [\n{rows}]\n"
        "with steer(model, mix):\n    model.generate(**inputs)"
    ), None


def _say_easysteer(on: Sequence[Part], exported: dict[str, Exported]) -> tuple[str, dict[str, Any]]:
    usage = easysteer_request.usage([ALGORITHMS[part.vector.operation] for part in on])
    body = easysteer_request.joined(exported[part.label].data for part in on)
    return usage.replace("FILE.json", "steering.json"), body


def _say_llama_cpp(on: Sequence[Part], exported: dict[str, Exported]) -> tuple[str, None]:
    files = ((_file("llama.cpp", part), part.strength) for part in on)
    return f"llama-server -m MODEL.gguf {llama_cpp.scaled_files(files)}", None


def _say_ds4(on: Sequence[Part], exported: dict[str, Exported]) -> tuple[str, None]:
    (part,) = on
    return exported[part.label].usage.replace("FILE.f32", _file("ds4", part)), None


def _say_python(on: Sequence[Part], exported: dict[str, Exported]) -> tuple[str, None]:
    modules = [_file("python", part).removesuffix(".py") for part in on]
    imports = "".join(f"import {module}\n" for module in modules)
    calls = ", ".join(
        f"{module}.steered(model, {part.strength:g})" for module, part in zip(modules, on, strict=True)
    )
    return f"{imports}\nwith {calls}:\n    model.generate(**inputs)", None


# Engine -> what people call it; `bearing` is our own library, on transformers.
SHOWN = {
    "bearing": "Python, with transformers",
    "easysteer-request": "EasySteer, on vLLM",
    "llama.cpp": "llama.cpp",
    "ds4": "ds4",
    "python": "Python, plain hooks",
}
_FROM_FILES = ("llama.cpp", "ds4", "python")
_Say = Callable[[Sequence[Part], dict[str, Exported]], tuple[str, dict[str, Any] | None]]
_SAY: dict[str, _Say] = {
    "bearing": _say_bearing,
    "easysteer-request": _say_easysteer,
    "llama.cpp": _say_llama_cpp,
    "ds4": _say_ds4,
    "python": _say_python,
}
