"""What a usable dataset should still be told about; each warning says what it does to the measurement."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from steering_core.pairs.pair import ContrastivePair

FEW_PAIRS = 50
FEW_TEST_PAIRS = 10
LENGTH_AUROC = 0.7
LETTER_IMBALANCE = 0.1
LARGEST_GROUP_SHARE = 0.3


def dataset_warnings(report: Mapping[str, Any], usable: Sequence[ContrastivePair]) -> list[dict[str, str]]:
    """`report` is the report of `checks` so far; `usable` its pairs without duplicates."""
    found = (
        *_left_out(report),
        *_too_little(report),
        *_confounded(report),
        *_shared(report, usable),
    )
    return [{"code": code, "message": message} for code, message in found]


def _left_out(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if count := report["n_duplicates"]:
        yield (
            "duplicates",
            f"Pairs that repeat an earlier one and are left out: {count:,}.",
        )
    if count := report["n_identical"]:
        yield (
            "identical",
            f"Pairs whose two texts are the same and are left out: {count:,}.",
        )
    if count := report["n_contradictory"]:
        yield (
            "contradictory",
            f"Pairs that also stand the other way round and cancel out: {count:,}.",
        )


def _too_little(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if (count := report["n_usable"]) < FEW_PAIRS:
        yield (
            "few_pairs",
            f"{count} usable pairs give wide intervals; {FEW_PAIRS} or more let a verdict be reached.",
        )
    if (count := report["splits"]["test"]) < FEW_TEST_PAIRS:
        yield (
            "few_test_pairs",
            f"Only {count} pairs are left for the test; more groups would help.",
        )
    largest, usable = report["groups"]["largest"], report["n_usable"]
    if largest > LARGEST_GROUP_SHARE * usable:
        yield (
            "large_group",
            f"One group holds {largest / usable:.0%} of the pairs, so the splits are uneven.",
        )


def _confounded(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    length, letters = report["length"], report["letters"]
    if letters is None and not 1 - LENGTH_AUROC <= length["auroc"] <= LENGTH_AUROC:
        longer = "longer" if length["auroc"] > 0.5 else "shorter"
        yield (
            "length_confound",
            f"Positive texts are so much {longer} that length alone tells the sides apart "
            f"(AUROC {length['auroc']:.2f}); the direction may be one of length.",
        )
    if letters is not None and letters["imbalance"] > LETTER_IMBALANCE:
        yield (
            "letter_imbalance",
            "One letter is the positive answer far more often than the others; swap the choices in some "
            "questions, or the direction will hold the letter.",
        )


def _shared(report: Mapping[str, Any], usable: Sequence[ContrastivePair]) -> Iterator[tuple[str, str]]:
    prompts = [pair.prompt for pair in usable if pair.prompt and not pair.group]
    if repeated := len(prompts) - len(set(prompts)):
        yield (
            "shared_prompts",
            f"Pairs without a group that repeat a prompt: {repeated:,}; the same prompt may stand in "
            "training and test. Give pairs of one prompt the same group.",
        )
