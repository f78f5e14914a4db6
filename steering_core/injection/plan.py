"""Works out what happens at each place of a model, from what was asked; refuses what cannot be meant.

Steps at one place run in this order, whatever the order they were asked in: `project`, `clamp`, `add` with
the norm kept, `add`. Projections and set points are about the state as the model makes it, so they come
before anything is added, and an addition arrives whole instead of being projected away again. A clamp comes
after the projections, so that its component ends where it is held. Several projections keep the order they
were asked in, and so do several clamps: they do not commute unless their directions are at right angles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steering_core.errors import InjectionError
from steering_core.injection import operators
from steering_core.injection.checks import check_vector
from steering_core.injection.mix import Condition, Positions, Span, Steering, check_positions
from steering_core.injection.positions import Gate
from steering_core.injection.strengths import OutsideWindow, row_strengths, within_window
from steering_core.models.sites import Sites
from steering_core.spec import ModelIdentity, Place, parse_site_key
from steering_core.vector import SteeringVector

Floats = npt.NDArray[np.float64]

# In a block, in the order in which modules return.
_SITE_ORDER = ("attn_out", "mlp_out", "resid_post")
_ROUNDING = 1e-5


@dataclass(frozen=True, eq=False, slots=True)
class Options:
    """What `steer` and `steer_batch` take beside the vectors; `steer` says what each means."""

    positions: Positions = "all"
    outside: Sequence[Span] = ()
    prompt_lengths: Sequence[int] | None = None
    outside_window: OutsideWindow = "warn"
    made_for: str | None = None
    cap: float = 2.0

    def __post_init__(self) -> None:
        check_positions(self.positions)
        known = get_args(OutsideWindow)
        if self.outside_window not in known:
            raise InjectionError(
                f"outside_window {self.outside_window!r} is not known; choose one of {', '.join(known)}",
                code="injection.outside_window",
            )


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One operation at one place.

    Attributes:
        operator: one of `operators`.
        tensors: float32 on the CPU, (rows, 1, ...) each, with rows 1 if all are treated alike.
    """

    operator: Callable[..., Tensor]
    gate: Gate
    tensors: tuple[Tensor, ...]

    @property
    def rows(self) -> int:
        """How many rows are told apart; 1 for none."""
        return self.tensors[0].shape[0]


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """What happens at each place; nothing at all if every strength is 0.

    Attributes:
        n_rows: how many rows the batch must have; None for any number.
        prompt_lengths: (n_rows,), or None.
        warnings: sentences for people.
    """

    steps: dict[Place, list[Step]]
    n_rows: int | None
    prompt_lengths: Tensor | None
    outside: tuple[Span, ...]
    warnings: tuple[str, ...]

    @property
    def gates(self) -> list[Gate]:
        """Each gate once."""
        return list(dict.fromkeys(step.gate for steps in self.steps.values() for step in steps))

    @property
    def conditions(self) -> list[Condition]:
        """Each condition once."""
        return list(dict.fromkeys(gate.when for gate in self.gates if gate.when is not None))

    @property
    def is_uniform(self) -> bool:
        """Whether every row and position is treated alike, so that no pass need be watched."""
        return self.n_rows is None and not self.outside and all(gate.is_everywhere for gate in self.gates)


def make_plan(
    sites: Sites,
    identity: ModelIdentity | None,
    mixes: Sequence[Sequence[Steering]],
    options: Options,
    *,
    per_row: bool,
) -> Plan:
    """What is to be done at each place.

    Args:
        identity: of the model; None if it is not known.
        mixes: one for each row, or a single one for all rows.
        per_row: whether it is one for each row.

    Raises:
        ModelMismatchError: `model.mismatch`.
        InjectionError: as `steer`.
    """
    items = [item for mix in mixes for item in mix]
    for vector in dict.fromkeys(v for item in items for v in _vectors(item)):
        check_vector(vector, len(sites.blocks), sites.d_model, identity, options.made_for)
    rows = len(mixes) if per_row else _rows_of_strengths(items)
    drawn = _Drawing(rows or 1, options)
    for row, mix in enumerate(mixes):
        for item in mix:
            drawn.put(item, row if per_row else None)
    drawn.check_cap()
    used = [gate.positions for gate in drawn.gates]
    lengths = None if options.prompt_lengths is None else torch.as_tensor(options.prompt_lengths).cpu()
    told = [lengths, *(positions for positions in used if isinstance(positions, Tensor))]
    plan = Plan(
        steps=drawn.steps(),
        n_rows=_agreed([rows, *(len(tensor) for tensor in told if tensor is not None)]),
        prompt_lengths=lengths,
        outside=tuple(options.outside),
        warnings=tuple(dict.fromkeys(drawn.warnings)),
    )
    _check_conditions(plan)
    return plan


@dataclass(eq=False)
class _Slot:
    """A projection or a clamp that each row does once; `bounds` are low and high, (rows, 2)."""

    operation: str
    gate: Gate
    units: Floats
    shares: Floats
    bounds: Floats

    def step(self) -> Step:
        tensors = [_tensor(self.units), _tensor(self.shares[:, None])]
        if self.operation == "project":
            return Step(operators.project, self.gate, tuple(tensors))
        return Step(operators.clamp, self.gate, (*tensors, *(_tensor(b[:, None]) for b in self.bounds.T)))


@dataclass(eq=False)
class _Drawing:
    """A plan in the making, for `rows` rows."""

    rows: int
    options: Options
    gates: list[Gate] = field(default_factory=list)
    # By place: (gate, norm kept) -> (rows, d_model).
    added: dict[Place, dict[tuple[Gate, bool], Floats]] = field(default_factory=dict)
    slots: dict[Place, list[_Slot]] = field(default_factory=dict)
    norms: dict[Place, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def put(self, item: Steering, row: int | None) -> None:
        """Put an item at all its places, in one row or in all."""
        gate = self._gate(item)
        for key in item.vector.directions:
            strengths, warning = within_window(item, row_strengths(item, key), self.options.outside_window)
            if warning:
                self.warnings.append(warning)
            if row is not None and len(strengths) > 1:
                raise InjectionError(
                    f"a mix of steer_batch is for one row, and an item has {len(strengths)} strengths; give "
                    "it one strength in each mix",
                    code="injection.rows",
                )
            amounts = np.zeros(self.rows)
            amounts[slice(None) if row is None else slice(row, row + 1)] = strengths
            acting = amounts.nonzero()[0]
            if len(acting) == 0:
                continue
            place, vector = parse_site_key(key), item.vector
            self.norms[place] = min(self.norms.get(place, np.inf), vector.residual_norms[key])
            if item.acts_by == "add":
                total = self.added.setdefault(place, {}).setdefault(
                    (gate, item.keep_norm), np.zeros((self.rows, vector.model.d_model))
                )
                for i in acting:
                    total[i] += vector.addition(amounts[i], key)
            else:
                self._put_slot(item, key, gate, amounts, acting)

    def check_cap(self) -> None:
        """Refuse what adds up to too much at one place, gate by gate and all together."""
        for place, totals in self.added.items():
            stacks = [*totals.values(), sum(totals.values(), np.zeros(1))]
            most = max(float(np.linalg.norm(stack, axis=-1).max()) for stack in stacks) / self.norms[place]
            if most > self.options.cap * (1 + _ROUNDING):
                raise InjectionError(
                    f"what is added at {place[0]}.{place[1]} comes to {most:.3g} of the mean residual norm, "
                    f"over the cap of {self.options.cap:g}; take lower strengths, or raise cap=",
                    code="injection.cap",
                )

    def steps(self) -> dict[Place, list[Step]]:
        """Project, clamp, add with the norm kept, add."""
        found: dict[Place, list[Step]] = {}
        for place in dict.fromkeys([*self.slots, *self.added]):
            slots, totals = self.slots.get(place, []), self.added.get(place, {})
            ordered = [s for operation in ("project", "clamp") for s in slots if s.operation == operation]
            found[place] = [slot.step() for slot in ordered]
            for (gate, keep), total in sorted(totals.items(), key=lambda entry: not entry[0][1]):
                operator = operators.add_keeping_norm if keep else operators.add
                found[place].append(Step(operator, gate, (_tensor(total),)))
        return found

    def _gate(self, item: Steering) -> Gate:
        positions = self.options.positions if item.positions is None else item.positions
        check_positions(positions)
        asked = Gate(positions, item.when)
        gate = next((known for known in self.gates if known.equals(asked)), asked)
        if gate is asked:
            self.gates.append(gate)
        return gate

    def _put_slot(
        self, item: Steering, key: str, gate: Gate, amounts: Floats, acting: npt.NDArray[np.intp]
    ) -> None:
        """Each row's first projection goes with the other rows' first, and so on: one step for all rows."""
        slots = self.slots.setdefault(parse_site_key(key), [])
        mine = [(i, slot) for i, slot in enumerate(slots) if slot.operation == item.acts_by]
        taken = max((i for i, slot in mine if slot.shares[acting].any()), default=-1)
        slot = next((slot for i, slot in mine if i > taken and slot.gate is gate), None)
        if slot is None:
            width = item.vector.model.d_model
            zeros = np.zeros((self.rows, width)), np.zeros(self.rows), np.zeros((self.rows, 2))
            slot = _Slot(item.acts_by, gate, *zeros)
            slots.append(slot)
        direction = item.vector.addition(1.0, key).astype(np.float64)
        slot.units[acting] = direction / np.linalg.norm(direction)
        slot.shares[acting] = amounts[acting]
        if item.acts_by == "clamp":
            slot.bounds[acting] = [_bounds(item, key, amount) for amount in amounts[acting]]
            if item.interval is None:
                slot.shares[acting] = np.abs(amounts[acting])


def _bounds(item: Steering, key: str, amount: float) -> tuple[float, float]:
    """The interval to move into: the one asked for, or one of the vector's set points."""
    if item.interval is not None:
        return item.interval
    if key not in item.vector.set_points:
        raise InjectionError(
            f"no set points were measured for this vector at {key}; give an interval (low, high) in the unit "
            "of the activation",
            code="injection.set_points",
        )
    negative, positive = item.vector.set_points[key]
    point = positive if amount > 0 else negative
    return point, point


def _tensor(rows: Floats) -> Tensor:
    """(rows, 1, ...) float32."""
    return torch.from_numpy(rows[:, None].astype(np.float32))


def _vectors(item: Steering) -> list[SteeringVector]:
    return [item.vector] if item.when is None else [item.vector, item.when.vector]


def _rows_of_strengths(items: Sequence[Steering]) -> int | None:
    told: list[Any] = [item.strength for item in items if np.ndim(item.strength) > 0]  # type: ignore[arg-type]
    return _agreed([len(strengths) for strengths in told])


def _agreed(counts: Sequence[int | None]) -> int | None:
    """The one number of rows that all name; None where nobody does."""
    found = sorted({count for count in counts if count is not None})
    if len(found) > 1:
        raise InjectionError(
            f"mixes, strengths, masks and prompt lengths are for {' and '.join(map(str, found))} rows; give "
            "one of each for every row of the batch",
            code="injection.rows",
        )
    return found[0] if found else None


def _check_conditions(plan: Plan) -> None:
    """A condition must be decided before anything on the prompt is steered, or it would judge its own work.

    Raises:
        InjectionError: `injection.condition_order`.
    """
    for when in plan.conditions:
        probe = parse_site_key(when.key)
        for place, steps in plan.steps.items():
            if _order(place) > _order(probe) or not any(step.gate.is_on_prompt for step in steps):
                continue
            raise InjectionError(
                f"the condition looks at {when.key}, at or after {place[0]}.{place[1]}, which is steered "
                "while the prompt is read. Let it look at an earlier block, or steer the response only with "
                "positions='response'",
                code="injection.condition_order",
            )


def _order(place: Place) -> tuple[int, int]:
    return place[1], _SITE_ORDER.index(place[0].partition("@")[0])
