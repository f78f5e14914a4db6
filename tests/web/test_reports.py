"""A report as a page shows it, whole or with parts missing."""

from typing import Any

import pytest

from registry.web.faders import EMPTY_REPLY
from registry.web.reports import default_strength, read_curve, view_report
from tests.reports import make_report, older_report, place, report_v1


def test_report_whole_shows_every_part() -> None:
    view = view_report(make_report())
    assert view is not None
    assert view.poles == ("casual", "formal")
    assert view.window == "−0.30 to +0.45"
    assert [row.is_chosen for row in view.blocks] == [False, False, True, False]
    assert [len(gate.metrics) for gate in view.gates] == [2, 2, 1, 1, 1, 1]
    assert (view.verdict, view.grade, view.tier) == ("pass", "B", "standard")
    assert len(view.points) == 11
    assert next(row.strength for row in view.points if row.in_window) == "−0.30"


def test_report_share_is_in_percent_and_ratio_has_three_digits() -> None:
    report = make_report()
    report["metrics"][3] |= {"value": 0.031, "low": 0.001, "high": 0.162}
    report["metrics"][1] |= {"value": 0.1461, "low": 0.131, "high": 0.158}
    view = view_report(report)
    assert view is not None
    assert (view.metrics[3].value, view.metrics[3].interval) == ("3 %", "0 % to 16 %")
    assert (view.metrics[1].value, view.metrics[1].interval) == ("0.146", "0.131 to 0.158")


def test_report_fader_starts_at_the_strength_to_try_first() -> None:
    view = view_report(make_report())
    assert view is not None
    fader = view.faders[0]
    assert fader.unsteered == "you can reset it ."
    assert [stop.label for stop in fader.stops if stop.is_default] == ["+0.30"]
    assert [stop.side for stop in fader.stops] == ["from", "none", "to"]


def test_report_fader_starts_at_the_recommended_strength() -> None:
    report = make_report()
    report["selection"]["strength"] = 0.1
    report["samples"].append(report["samples"][0] | {"strength": 0.1})
    view = view_report(report)
    assert view is not None
    assert [stop.label for stop in view.faders[0].stops if stop.is_default] == ["+0.10"]
    assert (view.start, view.default_strength) == ("+0.10", "0.1")


def test_report_never_recommends_more_than_the_window() -> None:
    report = make_report()
    report["dose_response"]["window"] = [-0.2, 0.2]
    report["selection"]["strength"] = 0.45
    view = view_report(report)
    assert view is not None
    assert (view.start, view.default_strength) == ("+0.20", "0.2")


def test_report_says_how_steady_the_direction_is() -> None:
    view = view_report(make_report())
    assert view is not None
    assert view.steadiness is not None
    assert (view.steadiness.reliability, view.steadiness.sign_flip_p) == ("0.971", "0.001")
    assert view.steadiness.influential == ((17, "3.1"), (4, "2.5"))
    assert view.pairs_needed == "About 9 train pairs give a cosine of 0.95; 12 were used."
    assert view.boundary == ""


def test_report_says_where_tokens_run_across_the_boundary_and_pairs_disagree() -> None:
    report = make_report()
    report["counts"] |= {"boundary_moved": 3, "train_needed": None}
    report["stability"] |= {"reliability": None, "influential": []}
    view = view_report(report)
    assert view is not None
    assert view.steadiness is not None
    assert view.steadiness.reliability == "–"
    assert view.boundary.startswith("In 3 of 40 answers a token runs across")
    assert "no direction in common" in view.pairs_needed


def test_report_made_before_these_parts_is_shown_without_them() -> None:
    view = view_report(older_report())
    assert view is not None
    assert (view.steadiness, view.pairs_needed, view.boundary, view.start) == (None, "", "", "")
    assert view.default_strength == "0.3"
    assert [(row.pooling, row.consistency, row.dose) for row in view.blocks] == [
        ("response mean", "–", "–")
    ] * 4


def test_report_of_version_1_has_its_metrics_in_one_table_and_no_gates() -> None:
    view = view_report(report_v1())
    assert view is not None
    assert (view.gates, view.headlines, view.prompting) == ((), (), None)
    assert (view.grade, view.tier, view.cost, view.suite) == ("", "", "", "")
    assert [row.question for row in view.metrics][:2] == [
        "Does the direction exist?",
        "Is the shift large enough to see?",
    ]
    assert {row.sample for row in view.metrics} == {""}


def test_report_with_many_places_shows_the_tried_ones_first() -> None:
    report = make_report()
    report["selection"]["block"] = 9
    report["selection"]["blocks"] = [
        place(block, pooling, is_tried=pooling == "response_mean" and block in (3, 9, 15))
        for pooling in ("response_mean", "next_turn")
        for block in range(20)
    ]
    view = view_report(report)
    assert view is not None
    assert [row.block for row in view.blocks] == [3, 9, 15]
    assert [row.block for row in view.blocks if row.is_chosen] == [9]
    assert len(view.more_blocks) == 37


def test_report_with_many_places_and_none_tried_shows_the_chosen_and_the_best() -> None:
    report = make_report()
    report["selection"]["blocks"] = [place(block, is_tried=False) for block in range(40)]
    view = view_report(report)
    assert view is not None
    assert [row.block for row in view.blocks] == [2, *range(29, 40)]
    assert len(view.more_blocks) == 28


def test_report_with_a_narrow_window_suggests_its_upper_end() -> None:
    report = make_report()
    report["dose_response"]["window"] = [-0.2, 0.1]
    assert default_strength(read_curve(report)) == 0.1


@pytest.mark.parametrize(
    "missing",
    [
        *("dose_response", "samples", "selection", "scale", "trait", "seeds", "software", "stability"),
        *("counts", "gates", "headlines", "sections", "cost", "suite", "metrics"),
    ],
)
def test_report_without_a_part_is_still_shown(missing: str) -> None:
    report: dict[str, Any] = make_report("insufficient") | {missing: None}
    view = view_report(report)
    assert view is not None
    assert view.verdict == "insufficient"


def test_report_that_is_not_there_is_none() -> None:
    assert view_report(None) is None


def test_metric_without_numbers_shows_dashes_and_its_reason() -> None:
    report = make_report("insufficient")
    report["metrics"][4] |= {"value": None, "low": None, "high": None, "beside": None, "reason": "Too few."}
    view = view_report(report)
    assert view is not None
    row = view.metrics[4]
    assert (row.value, row.interval, row.beside, row.reason) == ("–", "–", "", "Too few.")


def test_empty_reply_is_said_to_be_empty() -> None:
    report: dict[str, Any] = make_report()
    for sample in report["samples"]:
        sample["text"] = ""

    view = view_report(report)

    assert view is not None
    (fader,) = view.faders

    assert fader.unsteered == EMPTY_REPLY
    assert {"".join(part.text for part in stop.parts) for stop in fader.stops} == {EMPTY_REPLY}
