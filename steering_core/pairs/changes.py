"""What became of the pairs between two versions of a data set: which are new, gone, or changed."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from steering_core.pairs.pair import ContrastivePair

KINDS = ("changed", "added", "removed")
Key = Callable[[ContrastivePair], Hashable]

_FIELDS = ("prompt", "negative", "positive", "group", "domain", "template")
# By what a changed pair is known again, the surest first; None is no key.
_KEYS: tuple[Key, ...] = (
    lambda pair: (pair.prompt, frozenset((pair.positive, pair.negative))),
    lambda pair: (pair.prompt, pair.positive, "+"),
    lambda pair: (pair.prompt, pair.negative, "-"),
    lambda pair: (pair.positive, pair.negative),
    lambda pair: (pair.prompt, pair.group) if pair.prompt else None,
)


@dataclass(frozen=True, slots=True)
class Change:
    """A pair before and after, with its row in each version, counted from 1; None where it is not there."""

    before: ContrastivePair | None
    after: ContrastivePair | None
    row_before: int | None
    row_after: int | None

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a changed pair that say something else now; none of one that came or went."""
        if self.before is None or self.after is None:
            return ()
        return tuple(name for name in _FIELDS if getattr(self.before, name) != getattr(self.after, name))

    @property
    def is_swap(self) -> bool:
        """Whether the two texts of a changed pair stand the other way round now."""
        if self.before is None or self.after is None:
            return False
        return (self.before.positive, self.before.negative) == (self.after.negative, self.after.positive)


def changes_between(old: Sequence[ContrastivePair], new: Sequence[ContrastivePair]) -> list[Change]:
    """What differs, in the order of the new version; what is gone stands last. Moved rows are no change."""
    gone, fresh = _unmatched(old, new), _unmatched(new, old)
    found: list[Change] = []
    for key in _KEYS:
        waiting: dict[Hashable, deque[int]] = defaultdict(deque)
        for index in gone:
            if (name := key(old[index])) is not None:
                waiting[name].append(index)
        for index in list(fresh):
            if places := waiting.get(key(new[index])):
                before = places.popleft()
                found.append(Change(old[before], new[index], before + 1, index + 1))
                del gone[before]
                del fresh[index]
    found += [Change(None, new[index], None, index + 1) for index in fresh]
    found.sort(key=lambda change: change.row_after or 0)
    return [*found, *(Change(old[index], None, index + 1, None) for index in gone)]


def _unmatched(pairs: Sequence[ContrastivePair], others: Sequence[ContrastivePair]) -> dict[int, None]:
    """Places of the pairs that do not stand among the others as often, in order; quick to take one out."""
    there = Counter(others)
    left: dict[int, None] = {}
    for index, pair in enumerate(pairs):
        if there[pair]:
            there[pair] -= 1
        else:
            left[index] = None
    return left
