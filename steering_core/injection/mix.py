"""What is to be applied: vectors with strengths, at which positions, and on what condition.

`plan` checks it against a model and works out what happens at each place; `hooks` does it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from steering_core.errors import InjectionError
from steering_core.spec import OPERATIONS
from steering_core.vector import SteeringVector

Named = Literal["all", "last", "prompt", "response"]
NAMED: tuple[str, ...] = get_args(Named)


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A strength said as the raw factor on the stored direction: `h + value * direction`. For `add` only."""

    value: float


@dataclass(frozen=True, slots=True)
class Nats:
    """A strength said as a dose: the divergence that it causes, read off the vector's measured `doses`.

    The sign picks the side of the curve: `Nats(-0.5)` is the negative strength that costs half a nat.
    """

    value: float


@dataclass(frozen=True, slots=True)
class Window:
    """Positions `start` to `stop`, without `stop`, in real tokens from the first one on; padding not counted.

    Raises:
        InjectionError: `injection.positions`: not 0 <= start < stop.
    """

    start: int
    stop: int | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise InjectionError(
                f"Window({self.start}, {self.stop}) holds no position; expected 0 <= start < stop",
                code="injection.positions",
            )


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of tokens between two markers, such as thinking or a tool call.

    It begins with the last token of an opening marker and ends before the last token of the closing one: from
    the first on the model reads inside, from the second on it predicts what comes after. A token is judged by
    what stands before it, so a text read at once and the same text written token by token are steered alike.
    Markers that never occur change nothing; a span that is not closed goes on.

    Attributes:
        open_ids: token ids of the opening marker, one or more.
        close_ids: of the closing one; the same ids as `open_ids` open and close in turn.
    """

    open_ids: Sequence[int]
    close_ids: Sequence[int]

    def __post_init__(self) -> None:
        if not self.open_ids or not self.close_ids:
            raise InjectionError(
                "a Span has an empty marker; give the token ids that open it and those that close it",
                code="injection.span",
            )


@dataclass(frozen=True, eq=False, slots=True)
class Condition:
    """Whether a prompt is of a kind: decided once for each row, while the prompt is read.

    The mean over the prompt's real tokens of the projection on the unit direction at `key` is compared with
    `threshold`. An item with this condition acts in the rows where it holds, from the block after `key` on
    and for the rest of the reply.

    Attributes:
        vector: whose direction is looked along; it need not be one that is applied.
        key: where, such as `resid_post.3`; before every block that is steered on the prompt.
        threshold: in the activation's own unit.
        above: hold above the threshold; False: at or below it.

    Raises:
        FormatError: the vector has no direction at `key`, or it is zero.
        InjectionError: `injection.threshold`: not a finite number.

    Source: Lee et al. 2024, arXiv 2409.05907 (CAST). What differs from the paper: the mean projection decides
    and not a cosine, so that the threshold has the unit of the vector's set points.
    """

    vector: SteeringVector
    key: str
    threshold: float
    above: bool = True

    def __post_init__(self) -> None:
        self.vector.addition(1.0, self.key)  # refuses an unknown key and a zero direction
        if not math.isfinite(self.threshold):
            raise InjectionError(
                f"threshold {self.threshold} is not a finite number; take one between the mean projections "
                "of the prompts to tell apart",
                code="injection.threshold",
            )


Strength: TypeAlias = float | Multiplier | Nats | Sequence[float]
Positions: TypeAlias = Named | Window | Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Steering:
    """One vector as it is to be applied.

    Attributes:
        vector: its directions at all their sites.
        strength: a number; a `Multiplier`; `Nats`; or a number for each row of the batch.
            `add`: the norm of what is added as a share of the mean residual norm.
            `project`: the share of the component along the direction that is taken away, h - s (h·u) u. So a
            positive strength suppresses: 1 removes it exactly, 2 reflects it, a negative strength amplifies
            it (the sign of ds4 and GLP, opposite to that of `add`).
            `clamp`: how far the component is moved into the interval, or to a set point: 1 all the way.
        operation: `add`, `project` or `clamp`; None takes the vector's own.
        keep_norm: scale the sum back to the norm that the state had. For `add` only.
        interval: (low, high), in the activation's unit, for `clamp`: h + s (clip(h·u, low, high) - h·u) u.
            Either end may be infinite. None takes the vector's set points: a positive strength moves to the
            positive texts' mean projection, a negative one to the negative texts', |s| of the way, up to 1.
        positions: where in the text; None takes what the `with` block says.
        when: act only in rows whose prompt meets a condition.

    Raises:
        InjectionError: `injection.operation`, `injection.keep_norm` or `injection.interval`.
    """

    vector: SteeringVector
    strength: Strength
    operation: str | None = None
    keep_norm: bool = False
    interval: tuple[float, float] | None = None
    positions: Positions | None = None
    when: Condition | None = None

    def __post_init__(self) -> None:
        if self.acts_by not in OPERATIONS:
            raise InjectionError(
                f"operation {self.operation!r} is not known; choose one of {', '.join(OPERATIONS)}",
                code="injection.operation",
            )
        if self.keep_norm and self.acts_by != "add":
            raise InjectionError(
                f"keep_norm belongs to add, and this is {self.acts_by}; leave it out",
                code="injection.keep_norm",
            )
        if self.interval is not None:
            _check_interval(self.interval, self.acts_by)

    @property
    def acts_by(self) -> str:
        """The operation: the one asked for, or the vector's own."""
        return self.operation or self.vector.operation


Item: TypeAlias = Steering | tuple[SteeringVector, Strength]


def as_steering(item: Item) -> Steering:
    """The item itself, or (vector, strength) as one."""
    return item if isinstance(item, Steering) else Steering(*item)


def check_positions(positions: Positions) -> None:
    """Refuse what names no positions.

    Raises:
        InjectionError: `injection.positions`.
    """
    is_mask = isinstance(positions, Tensor) and positions.dim() == 2 and positions.dtype == torch.bool
    if not (is_mask or isinstance(positions, Window) or (isinstance(positions, str) and positions in NAMED)):
        shown = repr(positions)
        if isinstance(positions, Tensor):
            shown = f"{positions.dtype} {tuple(positions.shape)}"
        raise InjectionError(
            f"positions {shown} is not known; choose one of {', '.join(NAMED)}, a Window, or a boolean "
            "tensor (batch, tokens)",
            code="injection.positions",
        )


def _check_interval(interval: tuple[float, float], operation: str) -> None:
    low, high = interval
    if operation != "clamp":
        raise InjectionError(
            f"an interval belongs to clamp, and this is {operation}; leave it out, or ask for clamp",
            code="injection.interval",
        )
    if not (low <= high and low < math.inf and high > -math.inf):
        raise InjectionError(
            f"interval ({low}, {high}) holds no number; expected (low, high) with low <= high",
            code="injection.interval",
        )
