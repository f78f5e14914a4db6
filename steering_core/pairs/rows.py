"""From the named fields of one row to a pair, for each of the shapes that a row may have."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from steering_core.errors import PairsError
from steering_core.pairs.limits import Limits
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.text import checked_text


@dataclass(frozen=True, slots=True)
class Shape:
    """Which field of a file becomes which field of a pair."""

    name: str
    positive: str
    negative: str
    prompt: str
    prompt_required: bool = False
    labels: tuple[str, ...] = ("group", "domain")

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field that a row of this shape may have."""
        return (self.prompt, self.positive, self.negative, *self.labels)

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that a row must have."""
        return (
            *((self.prompt,) if self.prompt_required else ()),
            self.positive,
            self.negative,
        )


HOUSE = Shape("house", "positive", "negative", "prompt")
PREFERENCE = Shape("preference", "chosen", "rejected", "prompt", prompt_required=True)
CAA = Shape(
    "caa",
    "answer_matching_behavior",
    "answer_not_matching_behavior",
    "question",
    prompt_required=True,
    labels=(),
)


def row_shape(fields: Collection[str], row: int | None, *shapes: Shape) -> Shape:
    """The one shape whose texts stand among `fields`.

    Raises:
        PairsError: none of them does, or more than one.
    """
    found = [shape for shape in shapes if shape.positive in fields or shape.negative in fields]
    if len(found) == 1:
        return found[0]
    known = " or ".join(f"{shape.positive} and {shape.negative}" for shape in shapes)
    if not found:
        message = f"has the fields {_listed(fields)}; expected {known}"
        raise PairsError(message, code="dataset.missing_field", row=row)
    raise PairsError(
        f"mixes two forms ({_listed(fields)}); keep either {known}",
        code="dataset.unknown_field",
        row=row,
    )


def check_fields(fields: Collection[str], shape: Shape, row: int | None) -> None:
    """Exactly the fields of `shape`: none unknown, no required one absent.

    Raises:
        PairsError: `dataset.unknown_field` or `dataset.missing_field`.
    """
    if unknown := [field for field in fields if field not in shape.fields]:
        raise PairsError(
            f"has the unknown field {_listed(unknown)}; take it out, known are {', '.join(shape.fields)}",
            code="dataset.unknown_field",
            row=row,
        )
    if absent := [field for field in shape.required if field not in fields]:
        raise PairsError(
            f"has no {' and no '.join(absent)}; add it",
            code="dataset.missing_field",
            row=row,
        )


def pair_from_row(fields: Mapping[str, object], shape: Shape, row: int, limits: Limits) -> ContrastivePair:
    """One pair from one row.

    Raises:
        PairsError: a field is unknown, absent or not a usable text; it names `row`.
    """
    check_fields(fields.keys(), shape, row)
    texts = {
        field: checked_text(fields.get(field, ""), field, row, limits, required=field in shape.required)
        for field in shape.fields
    }
    return ContrastivePair(
        positive=texts[shape.positive],
        negative=texts[shape.negative],
        prompt=texts[shape.prompt],
        group=texts.get("group", ""),
        domain=texts.get("domain", ""),
    )


def check_row_count(count: int, limits: Limits) -> None:
    """Raises PairsError past the limit, before the rest of the file is read."""
    if count > limits.max_rows:
        raise PairsError(
            f"the file has more than {limits.max_rows:,} rows; send the best of them, more pairs than that "
            "do not make a direction better",
            code="dataset.too_many_rows",
        )


def _listed(fields: Collection[str]) -> str:
    shown = ", ".join(repr(field[:40]) for field in list(fields)[:8])
    return shown + (f" and {len(fields) - 8} more" if len(fields) > 8 else "") if fields else "none"
