"""SteeringVector: directions of one base model, their scale, and the algebra on them. Numpy only.

`formats.bearing` writes and reads it; `injection` applies it.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise
from operator import add
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from steering_core.errors import FormatError, ModelMismatchError
from steering_core.spec import OPERATIONS, SIGNS, ModelIdentity, Provenance, parse_site_key

Direction = npt.NDArray[np.float32]

# A sum this much smaller than its parts is rounding, not a direction.
_CANCELLED = 1e-6
_OPPOSITE = {"positive": "negative", "negative": "positive", "unknown": "unknown"}


@dataclass(frozen=True, eq=False, kw_only=True)
class SteeringVector:
    """Directions at one or more sites of one base model revision.

    Attributes:
        model: whose activations these are; `model_hash` decides whether two vectors fit together.
        directions: site key (`resid_post.3`) -> (d_model,) float32, the natural shift, not normalised.
        residual_norms: site key -> mean norm of the residual stream there, same unit as the directions.
        operation: the one the vector was calibrated for.
        sign: the pole of the pairs that the directions point to: `positive`, `negative` or `unknown`.
        set_points: site key -> mean projection of the negative and of the positive texts on the unit
            direction, same unit as the directions; what `clamp` moves a projection to. Sites without one were
            not measured.
        window: lowest and highest strength that work before the model degrades, or None if not measured.
        doses: (strength, nats), strengths rising: the 95th percentile over tokens of the divergence of the
            next-token distribution from the unsteered one. Empty if not measured.
        provenance: where it came from.

    Raises:
        FormatError: a direction does not fit the model, or a number is not finite.
    """

    model: ModelIdentity
    directions: Mapping[str, Direction]
    residual_norms: Mapping[str, float]
    provenance: Provenance
    operation: str = "add"
    sign: str = "unknown"
    set_points: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    window: tuple[float, float] | None = None
    doses: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        directions = {key: _checked(key, self.directions[key], self.model) for key in sorted(self.directions)}
        _check_scale(directions, self.residual_norms, self.operation, self.window)
        _check_measured(directions, self.sign, self.set_points, self.doses)
        norms = {key: float(self.residual_norms[key]) for key in directions}
        points = {key: _two(pair) for key, pair in sorted(self.set_points.items())}
        object.__setattr__(self, "directions", MappingProxyType(directions))
        object.__setattr__(self, "residual_norms", MappingProxyType(norms))
        object.__setattr__(self, "set_points", MappingProxyType(points))
        object.__setattr__(self, "doses", tuple(map(_two, self.doses)))
        if self.window is not None:
            object.__setattr__(self, "window", _two(self.window))

    def norm(self, site_key: str) -> float:
        """Euclidean norm of the stored direction, summed in float64."""
        return float(np.linalg.norm(self.directions[self._known(site_key)].astype(np.float64)))

    def ratio(self, site_key: str) -> float:
        """norm(direction) / residual norm: the strength of the natural shift."""
        return self.norm(site_key) / self.residual_norms[site_key]

    def multiplier(self, strength: float, site_key: str) -> float:
        """The raw factor on the stored direction that gives `strength`; 1 is the natural shift.

        Raises:
            FormatError: the direction is zero, so no factor gives any strength.
        """
        return strength / self._nonzero(self.ratio(site_key), site_key)

    def addition(self, strength: float, site_key: str) -> Direction:
        """What is added at a site: (d_model,) float32 of norm |strength| * residual norm.

        Raises:
            FormatError: the direction is zero.
        """
        direction = self.directions[self._known(site_key)].astype(np.float64)
        unit = direction / self._nonzero(self.norm(site_key), site_key)
        return (strength * self.residual_norms[site_key] * unit).astype(np.float32)

    @property
    def tensor_digest(self) -> str:
        """sha256 over each tensor in the order of the names: name, dtype, shape, little-endian bytes."""
        summed = hashlib.sha256()
        for key, direction in self.directions.items():
            summed.update(f"{key}\nF32\n{direction.shape[0]}\n".encode())
            summed.update(direction.astype("<f4").tobytes())
        return "sha256:" + summed.hexdigest()

    def __neg__(self) -> "SteeringVector":
        return self * -1.0

    def __mul__(self, factor: float) -> "SteeringVector":
        """Every direction times `factor`.

        A negative factor turns the sign and the set points, and for `add` all that was measured in strengths;
        `project` and `clamp` do the same along either of two opposite directions.
        """
        if not math.isfinite(factor):
            raise FormatError(
                f"cannot multiply a vector by {factor}; expected a finite number",
                code="format.not_finite",
            )
        scaled = {key: _scaled(direction, factor) for key, direction in self.directions.items()}
        if factor > 0:
            return replace(self, directions=scaled)
        if factor == 0:
            return replace(self, directions=scaled, sign="unknown", set_points={}, window=None, doses=())
        points = {key: (-negative, -positive) for key, (negative, positive) in self.set_points.items()}
        turned = replace(self, directions=scaled, sign=_OPPOSITE[self.sign], set_points=points)
        if self.operation != "add":
            return turned
        return replace(
            turned,
            window=None if self.window is None else (-self.window[1], -self.window[0]),
            doses=tuple((-strength, nats) for strength, nats in reversed(self.doses)),
        )

    __rmul__ = __mul__

    def __add__(self, other: "SteeringVector") -> "SteeringVector":
        """Site by site; a site that only one of them has is kept. Nothing is measured of the sum.

        Raises:
            ModelMismatchError: they belong to different base model revisions.
            FormatError: their operations or residual norms differ, so that strengths would not compare.
        """
        _check_addable(self, other)
        directions = dict(self.directions)
        with np.errstate(over="ignore"):  # the new vector's check names the site that overflowed
            for key, direction in other.directions.items():
                directions[key] = directions[key] + direction if key in directions else direction
        return replace(
            self,
            directions=directions,
            residual_norms={**other.residual_norms, **self.residual_norms},
            sign=self.sign if self.sign == other.sign else "unknown",
            set_points={},
            window=None,
            doses=(),
            provenance=_joined(self.provenance, other.provenance),
        )

    def _known(self, site_key: str) -> str:
        if site_key not in self.directions:
            raise FormatError(
                f"the vector has no direction at {site_key!r}; it has {', '.join(self.directions)}",
                code="format.site_key",
            )
        return site_key

    def _nonzero(self, value: float, site_key: str) -> float:
        if value == 0.0:
            raise FormatError(
                f"the direction at {site_key} is zero and points nowhere",
                code="format.zero",
            )
        return value


def combined(parts: Sequence[tuple[SteeringVector, float]]) -> SteeringVector:
    """The weighted sum of vectors of one base model at the same places; with one part and -1, its opposite.

    A single part keeps what was measured of it, turned where it has to be; of a sum nothing is known. The
    residual norms of a sum are the means of its parts': each was measured on the texts of its own pairs, and
    all estimate the same.

    Raises:
        ModelMismatchError: they belong to different base model revisions.
        FormatError: places or operations differ, a weight is not finite, or nothing is left of the sum.
    """
    vectors = [vector for vector, _ in parts]
    places = {tuple(vector.directions) for vector in vectors}
    if len(places) != 1:
        stand = "; ".join(", ".join(keys) for keys in sorted(places)) or "nowhere"
        raise FormatError(
            f"these vectors stand at different places ({stand}); a sum takes the same ones, so apply them "
            "side by side instead",
            code="format.site_key",
        )
    norms = {key: float(np.mean([vector.residual_norms[key] for vector in vectors])) for key in places.pop()}
    scaled = [replace(vector * weight, residual_norms=norms) for vector, weight in parts]
    total = reduce(add, scaled)
    for key in total.directions:
        if total.norm(key) <= _CANCELLED * max(vector.norm(key) for vector in scaled):
            raise FormatError(f"nothing is left of the sum at {key}", code="format.zero")
    method = "sum" if len(parts) > 1 else "scaled"
    return replace(total, provenance=replace(total.provenance, method=method, spec_digest=""))


def _two(pair: tuple[float, float]) -> tuple[float, float]:
    """As plain floats, zero without a sign, so that equal vectors have equal files."""
    return float(pair[0]) + 0.0, float(pair[1]) + 0.0


def _checked(key: str, direction: Direction, model: ModelIdentity) -> Direction:
    """A read-only float32 copy that fits the model."""
    _, block = parse_site_key(key)
    if block >= model.n_layers:
        raise FormatError(
            f"{key} is past the last block; the model has {model.n_layers}, counted from 0",
            code="format.block",
        )
    copied = np.array(direction, dtype=np.float32)
    if copied.shape != (model.d_model,):
        raise FormatError(
            f"{key} has shape {list(copied.shape)}; the model's d_model is {model.d_model}",
            code="format.dimension",
        )
    if not np.isfinite(copied).all():
        raise FormatError(
            f"{key} holds NaN or infinity; every value must be finite",
            code="format.not_finite",
        )
    copied.flags.writeable = False
    return copied


def _check_scale(
    directions: Mapping[str, Direction],
    residual_norms: Mapping[str, float],
    operation: str,
    window: tuple[float, float] | None,
) -> None:
    if not directions:
        raise FormatError("a steering vector needs at least one direction", code="format.no_tensors")
    if set(directions) != set(residual_norms):
        raise FormatError(
            f"directions at {sorted(directions)} but residual norms at {sorted(residual_norms)}; "
            "give one norm each",
            code="format.residual_norm",
        )
    for key, norm in residual_norms.items():
        if not (math.isfinite(norm) and norm > 0):
            raise FormatError(
                f"the residual norm at {key} is {norm}; expected above 0",
                code="format.residual_norm",
            )
    if operation not in OPERATIONS:
        raise FormatError(
            f"operation {operation!r} is not known; choose one of {', '.join(OPERATIONS)}",
            code="format.operation",
        )
    if window is not None and not (
        math.isfinite(window[0]) and math.isfinite(window[1]) and window[0] < window[1]
    ):
        raise FormatError(
            f"window {window} is not an interval of strengths, lowest first",
            code="format.window",
        )


def _check_measured(
    directions: Mapping[str, Direction],
    sign: str,
    set_points: Mapping[str, tuple[float, float]],
    doses: tuple[tuple[float, float], ...],
) -> None:
    if sign not in SIGNS:
        raise FormatError(f"sign {sign!r} is not known; choose one of {', '.join(SIGNS)}", code="format.sign")
    if not set(set_points) <= set(directions):
        raise FormatError(
            f"set points at {sorted(set_points)} but directions at {sorted(directions)}",
            code="format.set_points",
        )
    if not all(math.isfinite(value) for points in set_points.values() for value in points):
        raise FormatError("a set point is not a finite number", code="format.set_points")
    rising = all(left[0] < right[0] for left, right in pairwise(doses))
    if not rising or not all(math.isfinite(s) and math.isfinite(nats) and nats >= 0 for s, nats in doses):
        raise FormatError(
            "doses are not (strength, nats) in rising order of strength, with nats from 0 on",
            code="format.doses",
        )


def _scaled(direction: Direction, factor: float) -> Direction:
    # Overflow is caught as infinity by the check of the new vector.
    with np.errstate(over="ignore", under="ignore"):
        return (direction.astype(np.float64) * factor).astype(np.float32)


def _check_addable(left: SteeringVector, right: SteeringVector) -> None:
    if left.model.model_hash != right.model.model_hash:
        raise ModelMismatchError(
            f"one vector is for {left.model.name} ({left.model.model_hash}), the other for "
            f"{right.model.name} ({right.model.model_hash}); add vectors of one base model revision only"
        )
    if left.operation != right.operation:
        raise FormatError(
            f"operations {left.operation} and {right.operation} do not add up",
            code="format.operation",
        )
    for key in set(left.directions) & set(right.directions):
        if not math.isclose(left.residual_norms[key], right.residual_norms[key], rel_tol=1e-6):
            raise FormatError(
                f"residual norms at {key} are {left.residual_norms[key]} and {right.residual_norms[key]}: "
                "strengths do not compare; apply the two vectors side by side instead",
                code="format.residual_norm",
            )


def _joined(left: Provenance, right: Provenance) -> Provenance:
    """Only what both agree on; a sum is nobody's extraction, so its spec is empty unless they share it."""
    if left == right:
        return left
    return Provenance(
        method="sum",
        pooling=left.pooling if left.pooling == right.pooling else "mixed",
        dataset_digest=left.dataset_digest if left.dataset_digest == right.dataset_digest else "",
        spec_digest="",
        software=left.software if left.software == right.software else "",
        dtype=left.dtype if left.dtype == right.dtype else "",
    )
