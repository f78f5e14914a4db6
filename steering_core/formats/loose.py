"""LooseVector: what an engine's file holds, in Bearing's words. Importers make it, exporters write it.

A loose vector says where its directions are (site and 0-based block) and how they act, which is all that an
engine needs; it need not name its model by hash or know a residual norm, so it is no `SteeringVector`. Each
engine's module says in its docstring which site, index, sign and scale its files mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from steering_core.errors import FormatError
from steering_core.formats.manifest import MAX_LAYERS
from steering_core.spec import OPERATIONS, parse_site_key, site_key
from steering_core.vector import Direction, SteeringVector


@dataclass(frozen=True, eq=False, kw_only=True)
class LooseVector:
    """Directions at sites of a model that is known by its size only.

    Attributes:
        source: what it was read from, for people: `llama.cpp GGUF`.
        directions: site key -> (d_model,) float32 as it acts at multiplier 1: `add` adds it, `project` takes
            the component along its unit vector away.
        operation: `add`, `project` or `clamp`.
        n_layers: the model's blocks, if the file says; a block index is below it.
        model: what the file calls its model; "" if it does not.
        multiplier: the factor that the file asks for.
        notes: what else the file says, in its own words, for people and for writing it back.
        warnings: what a user should know before relying on it, one sentence each.
        native: the vector that these directions were taken from, where there is one.

    Raises:
        FormatError: no direction, different lengths, a site key or a number that cannot be meant.
    """

    source: str
    directions: Mapping[str, Direction]
    operation: str = "add"
    n_layers: int | None = None
    model: str = ""
    multiplier: float = 1.0
    notes: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    native: SteeringVector | None = None

    def __post_init__(self) -> None:
        _check_size(self.directions, self.n_layers)
        if self.operation not in OPERATIONS:
            raise FormatError(
                f"operation {self.operation!r} is not known; choose one of {', '.join(OPERATIONS)}",
                code="format.operation",
            )
        kept: dict[str, Direction] = {}
        for key in sorted(self.directions, key=_place_order):
            copied = np.array(self.directions[key], dtype=np.float32)
            copied.flags.writeable = False
            kept[key] = copied
        object.__setattr__(self, "directions", MappingProxyType(kept))

    @property
    def d_model(self) -> int:
        """Length of every direction."""
        return len(next(iter(self.directions.values())))

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that have a direction, each once."""
        return tuple(dict.fromkeys(parse_site_key(key)[0] for key in self.directions))

    def blocks(self, site: str) -> tuple[int, ...]:
        """The blocks that have a direction at a site, rising."""
        return tuple(block for found, block in map(parse_site_key, self.directions) if found == site)

    def at(self, site: str, block: int) -> Direction:
        """The direction at a site of a block."""
        return self.directions[site_key(site, block)]


def loosen(vector: SteeringVector, strength: float | None = None) -> LooseVector:
    """A vector's directions for an engine: as stored, or so that multiplier 1 gives `strength`.

    Args:
        strength: a share of the residual norm for `add`, the share of the component for `project`.
    """
    directions: Mapping[str, Direction] = vector.directions
    multiplier = 1.0
    if strength is not None and vector.operation == "add":
        directions = {key: vector.addition(strength, key) for key in vector.directions}
    elif strength is not None:
        multiplier = strength
    return LooseVector(
        source="Bearing vector",
        directions=directions,
        operation=vector.operation,
        n_layers=vector.model.n_layers,
        model=vector.model.name,
        multiplier=multiplier,
        native=vector,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Exported:
    """A vector in an engine's form.

    Attributes:
        data: the file, for formats that are bytes; empty for those that only torch can write.
        torch_payload: for those, nested dicts and lists of plain values and arrays, for `torch.save`.
        sidecars: files beside it: what their names end with (`.json`) -> bytes.
        usage: how to run the engine with it, as a command or a few lines of code.
        warnings: what was left out or means something else there, one sentence each.
    """

    data: bytes = b""
    torch_payload: object = None
    sidecars: Mapping[str, bytes] = field(default_factory=dict)
    usage: str = ""
    warnings: tuple[str, ...] = ()


def _place_order(key: str) -> tuple[str, int]:
    return parse_site_key(key)


def _check_size(directions: Mapping[str, Direction], n_layers: int | None) -> None:
    if not directions:
        raise FormatError("the file holds no directions", code="format.no_tensors")
    lengths = {np.shape(direction) for direction in directions.values()}
    if len(lengths) > 1 or len(next(iter(lengths))) != 1:
        raise FormatError(
            f"directions have the shapes {sorted(lengths)}; expected one length for all of them",
            code="format.dimension",
        )
    if n_layers is not None and not 1 <= n_layers <= MAX_LAYERS:
        raise FormatError(
            f"the file says that the model has {n_layers:,} blocks; expected 1 to {MAX_LAYERS:,}",
            code="engine.n_layers",
        )
    for key, direction in directions.items():
        _, block = parse_site_key(key)
        if n_layers is not None and block >= n_layers:
            raise FormatError(
                f"{key} is past the last block; the model has {n_layers}, counted from 0", code="format.block"
            )
        if not np.isfinite(direction).all():
            raise FormatError(
                f"{key} holds NaN or infinity; every value must be finite", code="format.not_finite"
            )
