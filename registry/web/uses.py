"""How to use a vector in other engines: the words of each engine's own export, or why it refuses.

A stand-in with the vector's sites, operation and model is exported, since a page view should not read the
file; what `bearing convert` says of the file itself differs in the numbers of its directions only.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from registry.web.curves import Curve
from registry.web.numbers import plain, signed_short
from steering_core.errors import FormatError
from steering_core.formats.engines import ENGINES
from steering_core.formats.loose import loosen
from steering_core.formats.preset_engines import SHOWN as SHOWN_FOR_MIXES
from steering_core.formats.preset_engines import MixUse, Part, mix_use
from steering_core.spec import ModelIdentity, Provenance
from steering_core.vector import SteeringVector

Json = Mapping[str, Any]
# Site key, residual norm and set points of each direction.
Places = tuple[tuple[str, float, tuple[float, ...]], ...]

# Engine -> what a page calls it; repeng reads and writes the file of llama.cpp.
SHOWN = {
    "llama.cpp": "llama.cpp and repeng",
    "easysteer-request": "EasySteer, on vLLM",
    "ds4": "ds4",
    "python": "Python, plain hooks",
}


@dataclass(frozen=True, slots=True)
class EngineUse:
    """One engine's block; `reason` is empty where the engine can say the vector, else the rest is.

    Attributes:
        engine: the name that `bearing convert --to` takes.
        slug: the same, fit for an id.
        file: what to call the converted file.
        notes: what is left out or means something else there.
    """

    engine: str
    slug: str
    title: str
    file: str = ""
    usage: str = ""
    notes: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Multipliers:
    """The raw factors on the stored direction: at the strength to start with, and over the window."""

    strength: str
    at: str
    window: str


def checked_with(uses: tuple[EngineUse, ...]) -> tuple[str, str]:
    """(engine, model) of the command that shows how to check a certificate."""
    says = {use.engine for use in uses if not use.reason}
    return ("llama.cpp", "model.gguf") if "llama.cpp" in says else ("transformers", "FOLDER")


def engine_uses(manifest: Json, strength: float, name: str) -> tuple[EngineUse, ...]:
    """A block for each engine that a page shows, of a file that has `strength` at its scale 1.

    Args:
        name: what the converted file is called, without an ending.
    """
    return _uses(*_said(manifest), strength, name)


def mix_uses(
    members: Iterable[tuple[str, str, Json, float]],
) -> list[MixUse]:
    """A block for each engine, of the mix of these: label, reference, manifest, and the strength applied."""
    parts = [
        Part(label, reference, _stand_in(*_said(manifest)), strength)
        for label, reference, manifest, strength in members
    ]
    return [mix_use(engine, parts) for engine in SHOWN_FOR_MIXES]


def _said(manifest: Json) -> tuple[ModelIdentity, Places, str]:
    """What a manifest says of model, places and operation."""
    places = tuple(
        (str(row["key"]), float(row["residual_norm"]), tuple(row.get("set_points") or ()))
        for row in manifest["directions"]
    )
    return ModelIdentity(**manifest["model"]), places, str(manifest["operation"])


def multipliers(manifest: Json, strength: float, curve: Curve | None) -> Multipliers | None:
    """`multiplier = strength / ratio`; None for several directions, since each has its own."""
    ratios = [row["ratio"] for row in manifest["directions"]]
    if len(ratios) != 1 or not ratios[0]:
        return None
    (ratio,) = ratios
    window = (
        "" if curve is None or curve.window is None else " to ".join(plain(s / ratio) for s in curve.window)
    )
    return Multipliers(signed_short(strength), plain(strength / ratio), window)


@lru_cache(maxsize=512)
def _uses(
    model: ModelIdentity,
    places: Places,
    operation: str,
    strength: float,
    name: str,
) -> tuple[EngineUse, ...]:
    """Kept, since a version never changes and an export may go through a file."""
    vector = _stand_in(model, places, operation)
    return tuple(_use(engine, title, vector, strength, name) for engine, title in SHOWN.items())


def _stand_in(model: ModelIdentity, places: Places, operation: str) -> SteeringVector:
    unit = np.zeros(model.d_model, np.float32)
    unit[0] = 1
    return SteeringVector(
        model=model,
        directions={key: unit for key, _, _ in places},
        residual_norms={key: norm for key, norm, _ in places},
        set_points={key: (points[0], points[1]) for key, _, points in places if points},
        operation=operation,
        provenance=Provenance("", "", "", "", ""),
    )


def _use(engine_name: str, title: str, vector: SteeringVector, strength: float, name: str) -> EngineUse:
    engine, slug = ENGINES[engine_name], engine_name.replace(".", "-")
    try:
        exported = engine.export(loosen(vector, strength))
    except FormatError as error:
        return EngineUse(engine_name, slug, title, reason=f"{error.message}.")
    # A module's name takes no hyphen and does not begin with a digit.
    stem = f"steer_{name.replace('-', '_')}" if engine.suffix == ".py" else name
    usage = re.sub(r"\bFILE\b", stem, exported.usage)
    return EngineUse(engine_name, slug, title, stem + engine.suffix, usage, exported.warnings)
