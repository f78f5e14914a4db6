"""The quality report of a dataset: what is in it, what will mislead a measurement, and whether it is enough.

`confounds`, `lexical` and `near` measure, `splits` deals; extraction goes on with both.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from steering_core.errors import PairsError
from steering_core.pairs.advice import dataset_warnings
from steering_core.pairs.confounds import boundary_report, length_report, letter_report
from steering_core.pairs.jsonl import write_jsonl
from steering_core.pairs.lexical import lexical_report, swapped_groups, weigh_sides
from steering_core.pairs.limits import DEFAULT_LIMITS, Limits
from steering_core.pairs.near import near_duplicates
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.rows import check_one_template
from steering_core.pairs.splits import Splits, split_pairs
from steering_core.pairs.usable import Sorted, group_name, sort_pairs
from steering_core.spec import digest

SHOWN_ROWS = 20
SHOWN_GROUPS = 20
MOST_REPEATED = 0.5
MOST_CONTRADICTORY = 0.1
_NO_WORDS: dict[str, Any] = {"lexical": None, "swapped": {"count": 0, "groups": []}}


def check_pairs(
    pairs: Sequence[ContrastivePair], *, notes: Sequence[str] = (), limits: Limits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """The report, ready for JSON; lengths are in characters, rows count from 1.

    Args:
        notes: what the reader of the file had to say; they come first among the warnings.
    Raises:
        PairsError: mostly repeated, mostly contradictory, raw texts among turns, or too few pairs or groups
            to measure anything.
    """
    check_one_template(pairs)
    kinds = sort_pairs(pairs)
    usable = [pairs[index] for index in kinds.usable]
    _refuse_repeats(kinds, len(pairs))
    _refuse_too_few(usable, limits)
    seed = digest(write_jsonl(pairs))
    letters = letter_report(usable)
    report = {
        "notes": list(notes),
        "n_pairs": len(pairs),
        "n_usable": len(usable),
        "n_duplicates": len(kinds.duplicates),
        "duplicate_rows": _rows(kinds.duplicates),
        "n_identical": len(kinds.identical),
        "identical_rows": _rows(kinds.identical),
        "n_contradictory": len(kinds.contradictory),
        "length": length_report(usable),
        "letters": letters,
        "boundary": boundary_report(usable),
        # Answers that are letters, or yes and no, have no other words.
        **(_words(pairs, kinds) if letters is None else _NO_WORDS),
        "n_near_duplicates": near_duplicates(usable),
        "groups": _groups(usable),
        "domains": dict(sorted(Counter(pair.domain for pair in usable if pair.domain).items())),
        "splits": _sizes(split_pairs(pairs, seed), seed),
    }
    return {**report, "warnings": dataset_warnings(report, usable)}


def judge_pairs(
    pairs: Sequence[ContrastivePair], *, notes: Sequence[str] = (), limits: Limits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """As `check_pairs`, for pairs that are still being worked on: what is refused is said in the report.

    Returns:
        The report; or, where the pairs cannot be used yet, the counts that there are, with `refusal` (`code`,
        `message`) and `missing` (how many `pairs` and `groups` the limits still ask for).
    """
    try:
        return check_pairs(pairs, notes=notes, limits=limits)
    except PairsError as error:
        kinds = sort_pairs(pairs)
        groups = Counter(group_name(pairs[index]) for index in kinds.usable)
        return {
            "notes": list(notes),
            "n_pairs": len(pairs),
            "n_usable": len(kinds.usable),
            "n_duplicates": len(kinds.duplicates),
            "n_identical": len(kinds.identical),
            "n_contradictory": len(kinds.contradictory),
            "groups": {
                "count": len(groups),
                "largest": max(groups.values(), default=0),
                "smallest": min(groups.values(), default=0),
            },
            "refusal": {"code": error.code, "message": error.message},
            "missing": {
                "pairs": max(0, limits.min_pairs - len(kinds.usable)),
                "groups": max(0, limits.min_groups - len(groups)),
            },
            "warnings": [],
        }


def _refuse_repeats(kinds: Sorted, total: int) -> None:
    if len(kinds.identical) > MOST_REPEATED * total:
        raise PairsError(
            f"in {len(kinds.identical):,} of {total:,} pairs both texts are the same "
            f"(rows {_some(kinds.identical)}); "
            "the two texts of a pair must differ in the trait",
            code="dataset.mostly_identical",
        )
    if len(kinds.duplicates) > MOST_REPEATED * total:
        raise PairsError(
            f"{len(kinds.duplicates):,} of {total:,} pairs repeat an earlier one "
            f"(rows {_some(kinds.duplicates)}); "
            "repeated pairs measure nothing new, send each once",
            code="dataset.mostly_duplicates",
        )
    if len(kinds.contradictory) > MOST_CONTRADICTORY * len(kinds.usable):
        raise PairsError(
            f"{len(kinds.contradictory):,} of {len(kinds.usable):,} pairs also stand the other way round "
            f"(rows {_some(kinds.contradictory)}); they cancel out, so decide which text is the positive one",
            code="dataset.contradictory",
        )


def _refuse_too_few(usable: Sequence[ContrastivePair], limits: Limits) -> None:
    if len(usable) < limits.min_pairs:
        raise PairsError(
            f"{len(usable)} usable pairs; at least {limits.min_pairs} are needed, "
            "and about 100 for narrow intervals",
            code="dataset.too_few_pairs",
        )
    groups = len({group_name(pair) for pair in usable})
    if groups < limits.min_groups:
        raise PairsError(
            f"{groups} {'group' if groups == 1 else 'groups'} over all pairs; at least {limits.min_groups} "
            "are needed, since training and test must not share one. Name the topic or template of each pair "
            "in its group, or leave the group out where pairs have nothing in common",
            code="dataset.too_few_groups",
        )


def _words(pairs: Sequence[ContrastivePair], kinds: Sorted) -> dict[str, Any]:
    """Groups are named; a pair without one is named by its row."""
    weighed = weigh_sides([pairs[index] for index in kinds.usable])
    swapped = [kinds.usable[place] for place in swapped_groups(weighed)]
    named = [pairs[index].group or f"row {index + 1}" for index in swapped[:SHOWN_GROUPS]]
    return {"lexical": lexical_report(weighed), "swapped": {"count": len(swapped), "groups": named}}


def _groups(usable: Sequence[ContrastivePair]) -> dict[str, int]:
    sizes = Counter(group_name(pair) for pair in usable)
    return {
        "count": len(sizes),
        "largest": max(sizes.values()),
        "smallest": min(sizes.values()),
        "unnamed": sum(not pair.group for pair in usable),
    }


def _sizes(splits: Splits, seed: str) -> dict[str, int | str]:
    return {
        "train": len(splits.train),
        "select": len(splits.select),
        "test": len(splits.test),
        "seed": seed,
    }


def _rows(indexes: Sequence[int]) -> list[int]:
    return [index + 1 for index in indexes[:SHOWN_ROWS]]


def _some(indexes: Sequence[int]) -> str:
    return ", ".join(str(index + 1) for index in indexes[:5]) + (", …" if len(indexes) > 5 else "")
