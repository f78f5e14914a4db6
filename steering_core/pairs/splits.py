"""Train, select and test: by group, fixed by the dataset's digest, the same on every machine."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steering_core.errors import PairsError
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.usable import group_name, sort_pairs

SHARES = (0.6, 0.2, 0.2)
_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Splits:
    """Ascending indexes into the pairs; no group stands in two of them."""

    train: tuple[int, ...]
    select: tuple[int, ...]
    test: tuple[int, ...]


def split_pairs(pairs: Sequence[ContrastivePair], seed: str) -> Splits:
    """60 / 20 / 20 of the usable pairs, as near as whole groups allow; none of the three is empty.

    Groups are dealt in the order of sha256(seed/group), each to the split that lacks most. Where groups of
    unequal size leave a split more than five points off its share, the largest are dealt first instead.

    Args:
        seed: the dataset digest, `sha256:…`; equal seeds give equal splits whatever the order of the rows.

    Raises:
        PairsError: fewer than three groups.
    """
    groups: dict[str, list[int]] = {}
    for index in sort_pairs(pairs).usable:
        groups.setdefault(group_name(pairs[index]), []).append(index)
    if len(groups) < len(SHARES):
        raise PairsError(
            f"{len(groups)} groups cannot be split into train, select and test; give at least three",
            code="dataset.too_few_groups",
        )
    order = sorted(
        groups,
        key=lambda name: hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogatepass")).digest(),
    )
    dealt = _deal(order, groups)
    if _deviation(dealt) > _TOLERANCE:
        by_size = _deal(sorted(order, key=lambda name: -len(groups[name])), groups)
        dealt = min(dealt, by_size, key=_deviation)
    train, select, test = (tuple(sorted(part)) for part in dealt)
    return Splits(train, select, test)


def _deal(order: Sequence[str], groups: Mapping[str, list[int]]) -> list[list[int]]:
    total = sum(len(groups[name]) for name in order)
    parts: list[list[int]] = [[] for _ in SHARES]
    for left, name in zip(range(len(order), 0, -1), order, strict=True):
        empty = [number for number, part in enumerate(parts) if not part]
        open_to = empty if left <= len(empty) else range(len(parts))
        chosen = max(open_to, key=lambda number: SHARES[number] * total - len(parts[number]))
        parts[chosen].extend(groups[name])
    return parts


def _deviation(parts: Sequence[Sequence[int]]) -> float:
    total = sum(len(part) for part in parts)
    return max(abs(len(part) / total - share) for part, share in zip(parts, SHARES, strict=True))
