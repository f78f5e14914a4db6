"""Rows that a remark is about are named, and only those; changes between versions are told apart."""

from dataclasses import replace

import pytest

from steering_core.pairs.changes import changes_between
from steering_core.pairs.checks import check_pairs, judge_pairs
from steering_core.pairs.flags import flagged_rows
from steering_core.pairs.pair import RAW, ContrastivePair

PLAIN = [ContrastivePair(f"Warm answer {i}.", f"Cold answer {i}.", f"Question {i}?") for i in range(20)]


@pytest.mark.parametrize(
    ("pair", "flag"),
    [
        (PLAIN[3], "duplicates"),
        (ContrastivePair("Same.", "Same.", "Why?"), "identical"),
        (replace(PLAIN[3], positive=PLAIN[3].negative, negative=PLAIN[3].positive), "contradictory"),
        (ContrastivePair("Yes. " * 20, "No.", "Why?"), "uneven_length"),
        (ContrastivePair(" Yes.", "No.", "Why?"), "uneven_space"),
        (ContrastivePair("Yes.", "N\u200bo.", "Why?"), "hidden_characters"),
        (ContrastivePair("Yes.", "No.", PLAIN[3].prompt, group="other"), "shared_prompts"),
    ],
)
def test_flagged_rows_names_the_row(pair: ContrastivePair, flag: str) -> None:
    assert 20 in flagged_rows([*PLAIN, pair])[flag]
    assert flag not in flagged_rows(PLAIN)


def test_flagged_rows_spaces_of_raw_prompts_and_large_groups() -> None:
    raw = [replace(pair, template=RAW, prompt=f"{pair.prompt} ", group="one") for pair in PLAIN]

    assert flagged_rows(raw) == {"prompt_space": list(range(20)), "large_group": list(range(20))}
    assert flagged_rows([]) == {}


def test_flagged_rows_leaves_emoji_and_persian_joiners_alone() -> None:
    fine = ContrastivePair("👩\u200d🚀 می\u200cخواهم", "👩\u200d🚀 نمی\u200cخواهم", "Why?")

    assert "hidden_characters" not in flagged_rows([fine])


def test_judge_pairs_says_what_is_missing_where_check_pairs_refuses() -> None:
    report = judge_pairs(PLAIN[:7])

    assert report["refusal"]["code"] == "dataset.too_few_pairs"
    assert (report["n_usable"], report["missing"]) == (7, {"pairs": 3, "groups": 0})
    assert judge_pairs([])["missing"] == {"pairs": 10, "groups": 5}
    assert judge_pairs(PLAIN) == check_pairs(PLAIN)


def test_changes_between_tells_changed_added_and_removed_rows_apart() -> None:
    changed = replace(PLAIN[1], positive="Warmer answer 1.")
    swapped = replace(PLAIN[2], positive=PLAIN[2].negative, negative=PLAIN[2].positive)
    new = ContrastivePair("New.", "Old.", "Which?")

    found = changes_between(PLAIN, [PLAIN[0], changed, swapped, *reversed(PLAIN[4:]), new])

    assert [(c.kind, c.row_before, c.row_after) for c in found] == [
        ("changed", 2, 2),
        ("changed", 3, 3),
        ("added", None, 20),
        ("removed", 4, None),
    ]
    assert changes_between(PLAIN, list(reversed(PLAIN))) == []


def test_changes_between_counts_repeated_rows() -> None:
    found = changes_between([PLAIN[0], PLAIN[0]], [PLAIN[0]])

    assert [(c.kind, c.row_before) for c in found] == [("removed", 2)]
