"""What a set of vectors does together, as a preset stores it: one canonical JSON, and its strict reader.

`compose` measures it, `solver` finds strengths with it, docs/composition.md says what the fields mean. No
torch, so that a registry can read it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from steering_core.errors import FormatError
from steering_core.evaluation.evidence import rounded
from steering_core.formats.manifest import is_visible_text
from steering_core.spec import canonical_json, digest_hex, parse_json, parse_site_key

FORMAT_NAME = "bearing-composition"
FORMAT_VERSION = 1
MAX_BYTES = 1024 * 1024
MIN_MEMBERS, MAX_MEMBERS = 2, 12
# The least share of its own effect that a vector has to keep beside others.
RETAINED = 0.7

Mode = Literal["sum", "equal_dose", "lowdin"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean or a ratio of means with its 95 % interval; no bounds where the items are too few for one."""

    value: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise _refused("value", "an interval has two ends or none")


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """One vector of the set, and how its trait was measured.

    Attributes:
        places: site keys that it writes at.
        strength: what it was measured at, + and -; a share of the residual norm.
        window: strengths that it may be given.
        scorer: a trait scorer's name, or `log_prob`, nats per token of a preference.
        unsteered: the trait without any vector.
    """

    name: str
    tensor_digest: str
    places: tuple[str, ...]
    strength: float
    window: tuple[float, float]
    scorer: str
    n: int
    n_groups: int
    unsteered: Estimate


@dataclass(frozen=True, slots=True)
class Point:
    """What is left with so many vectors on.

    Attributes:
        scale: what every strength was multiplied by.
        dose: the squared norm of all that is added, in residual norms.
        retention: for each of `members`, effect with all on over effect alone; None for one that has no
            effect alone.
        coherence: over that without steering, of the worse of the two signs.
        nats: 95th percentile of the tokens' divergence on neutral texts, of the worse sign; None without any.
    """

    members: tuple[str, ...]
    scale: float
    dose: float
    retention: tuple[Estimate | None, ...]
    coherence: Estimate
    nats: float | None

    @property
    def least(self) -> float:
        """The lowest retention; minus infinity if a member has none."""
        return min(-math.inf if kept is None else kept.value for kept in self.retention)


@dataclass(frozen=True, slots=True)
class Curve:
    """Retention from one vector to all of them.

    Attributes:
        order: `greedy`, or `worst`: at each size the worst set of those that were tried.
        max_axes: the most vectors up to which every point keeps the limits, by value.
        max_axes_shown: the same by the lower bounds of retention; what may be promised.
    """

    mode: Mode
    order: Literal["greedy", "worst"]
    points: tuple[Point, ...]
    max_axes: int
    max_axes_shown: int


@dataclass(frozen=True, slots=True)
class Budget:
    """How coherence falls with dose, fitted: never rising.

    Attributes:
        kept: the share of coherence that has to be kept.
        doses: squared norms of what a mix adds, rising, from 0.
        coherence: fitted, over that without steering.
        residual: root mean square of what the fit leaves, in the unit of coherence.
        most: the largest dose at which the fit keeps `kept`; never beyond what was measured.
    """

    kept: float
    doses: tuple[float, ...]
    coherence: tuple[float, ...]
    residual: float
    most: float


@dataclass(frozen=True, slots=True)
class Solution:
    """Strengths for effects that were wanted, or of a mix that was chosen, and what came of them.

    Attributes:
        wanted: change of the trait from the unsteered model, by member; empty where strengths were chosen.
        strengths, predicted, measured: for each member, in the order of the composition.
        alone: measured too, each member with its own strength and no other.
        missing: what the prediction falls short of, by member; empty where all can be had.
        at_window: members whose strength stands at an end of its window.
        at_budget: whether the dose is all that the budget allows.
    """

    wanted: Mapping[str, float]
    strengths: tuple[float, ...]
    predicted: tuple[float, ...]
    missing: Mapping[str, float]
    at_window: tuple[str, ...]
    at_budget: bool
    dose: float
    measured: tuple[Estimate, ...] = ()
    alone: tuple[Estimate, ...] = ()
    coherence: Estimate | None = None
    nats: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What was measured of a set of vectors; matrices have the steered vector as row, the trait as column.

    Attributes:
        cosines: of what two vectors add to the residual stream in all: what doses are made of, and of the
            effects a prior, not a measurement.
        effects: change of the column's trait as the row's vector goes from minus to plus its strength.
        relative: the same over the column's own effect; None where that is not above 0.
        interactions: the column's trait with both vectors on, minus with its own alone; 0 on the diagonal.

    Raises:
        FormatError: `composition.value` or `composition.shape`: fields that do not fit each other.
    """

    model_hash: str
    model: str
    members: tuple[MemberRecord, ...]
    cosines: tuple[tuple[float, ...], ...]
    effects: tuple[tuple[Estimate, ...], ...]
    relative: tuple[tuple[Estimate | None, ...], ...]
    interactions: tuple[tuple[Estimate, ...], ...]
    curves: tuple[Curve, ...]
    budget: Budget
    seed: int
    cost: Mapping[str, float]
    solution: Solution | None = None

    def __post_init__(self) -> None:
        _check_members(self)
        _check_shapes(self)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the members, in order."""
        return tuple(member.name for member in self.members)

    def to_json(self) -> dict[str, Any]:
        """As it is stored; numbers have six decimals."""
        stored: dict[str, Any] = _plain(asdict(self))
        return {"format": FORMAT_NAME, "format_version": FORMAT_VERSION, **stored}


def write_composition(composition: Composition) -> bytes:
    """Canonical JSON."""
    return canonical_json(composition.to_json())


def read_composition(data: bytes) -> Composition:
    """The composition in a file, if the file is exactly what `write_composition` writes for it.

    Raises:
        FormatError: `composition.…`, or `format.…` for what is no JSON at all.
    """
    if len(data) > MAX_BYTES:
        raise _refused("too_large", f"a composition has at most {MAX_BYTES:,} bytes, and this is longer")
    try:
        found = parse_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _refused("fields", "not UTF-8; expected the JSON of a composition") from error
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT_NAME:
        raise _refused("fields", f"no composition: expected an object with format {FORMAT_NAME!r}")
    version = found.pop("format_version", None)
    if version != FORMAT_VERSION or type(version) is not int:
        raise _refused(
            "version",
            f"the composition has format version {str(version)[:16]!a}; version {FORMAT_VERSION} is read "
            "here. If it is newer, update this program",
        )
    composition: Composition = _typed(Composition, found, "composition")
    if write_composition(composition) != data:
        raise _refused("not_canonical", "not the canonical encoding of what it says; use write_composition")
    return composition


def _plain(value: Any) -> Any:
    """Nested lists and dicts; floats rounded, so that they read well and are equal after reading."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return rounded(value) if isinstance(value, float) else value


def _typed(kind: Any, value: Any, where: str) -> Any:
    """JSON as the type that a field has, and nothing that is only alike."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        some = next(one for one in arguments if one is not NoneType)
        return None if value is None else _typed(some, value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) == len(value):
            return tuple(
                _typed(one, v, f"{where}[{i}]") for i, (one, v) in enumerate(zip(kinds, value, strict=True))
            )
    if origin is Mapping and isinstance(value, dict):
        return {key: _typed(arguments[1], v, f"{where}.{key[:40]}") for key, v in value.items()}
    if is_dataclass(kind) and isinstance(value, dict):
        hints, names = get_type_hints(kind), {field.name for field in fields(kind)}
        if value.keys() == names:
            return cast(Callable[..., Any], kind)(
                **{name: _typed(hints[name], value[name], f"{where}.{name}") for name in names}
            )
        raise _refused("fields", f"{where} must have exactly the fields {', '.join(sorted(names))}")
    if kind in (str, int, bool, float) and type(value) is kind:
        return value
    raise _refused("fields", f"{where} is {str(value)[:40]!a}, which is not of its form")


def _check_members(composition: Composition) -> None:
    members, names = composition.members, composition.names
    if not MIN_MEMBERS <= len(members) <= MAX_MEMBERS or len(set(names)) != len(names):
        raise _refused("value", f"expected {MIN_MEMBERS} to {MAX_MEMBERS} members with names of their own")
    for named in (composition.model_hash, *(member.tensor_digest for member in members)):
        digest_hex(named)
    for text in (composition.model, *names, *(member.scorer for member in members)):
        if not text or not is_visible_text(text):
            raise _refused("value", f"{text[:40]!a} is not 1 to 200 visible characters")
    for member in members:
        for place in member.places:
            parse_site_key(place)
        low, high = member.window
        if not (low <= -member.strength < 0 < member.strength <= high):
            raise _refused(
                "value",
                f"{member.name!a} has strength {member.strength}; expected one above 0, and both signs "
                f"within the window {low:g} to {high:g}",
            )


def _check_shapes(composition: Composition) -> None:
    k, names = len(composition.members), set(composition.names)
    matrices = (composition.cosines, composition.effects, composition.relative, composition.interactions)
    if any(len(matrix) != k or any(len(row) != k for row in matrix) for matrix in matrices):
        raise _refused("shape", f"a matrix is not {k} by {k}, one row and column for each member")
    for point in (point for curve in composition.curves for point in curve.points):
        if len(point.retention) != len(point.members) or not set(point.members) <= names:
            raise _refused("shape", "a point of a curve does not fit its members")
    if len(composition.budget.doses) != len(composition.budget.coherence):
        raise _refused("shape", "the budget has another number of doses than of coherences")
    solution = composition.solution
    if solution is None:
        return
    known = {*solution.wanted, *solution.missing, *solution.at_window} <= names
    optional = (solution.predicted, solution.measured, solution.alone)
    if not known or len(solution.strengths) != k or {*map(len, optional)} - {0, k}:
        raise _refused("shape", "the solution does not fit the members")


def _refused(code: str, message: str) -> FormatError:
    return FormatError(message, code=f"composition.{code}")
