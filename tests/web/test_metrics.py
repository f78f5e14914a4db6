"""Gates, metrics and prompts as a page shows them: any metric, silent about what was not said."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.web.metrics import informing, view_gates, view_headlines, view_metrics
from registry.web.plots import NARROW, WIDE, Size
from registry.web.prompting import Bar, draw_bars, view_prompting
from tests.reports import PROMPTING, make_report, metric

NUMBERS = st.floats(-50, 50)


def test_gates_a_metric_that_nobody_knows_is_shown_at_its_gate() -> None:
    report = make_report()
    report["metrics"].append(
        metric("auroc", "warn") | {"id": "new", "question": "New?", "gate": "safety", "source": "suite"}
    )

    gates = {gate.name: gate for gate in view_gates(report)}

    row = gates["safety"].metrics[-1]
    assert (row.question, row.verdict) == ("New?", "warn")
    assert row.sample == "24 in 20 groups, the base model’s own texts"
    assert [row.question for row in informing(report)] == ["Would a prompt do as well?"]


def test_gates_are_open_where_something_is_wrong() -> None:
    gates = view_gates(make_report("warn", "fail"))

    assert {gate.name for gate in gates if gate.is_open} == {gate.name for gate in gates}
    assert not any(gate.is_open for gate in view_gates(make_report("insufficient")))


def test_headlines_of_gates_begin_with_their_names_in_order() -> None:
    report = make_report("insufficient")
    for gate in report["gates"]:
        gate["reason"] = "Nothing of this was measured."
    report["headlines"] = [PROMPTING, *(gate["reason"] for gate in report["gates"][:2])]

    assert view_headlines(report) == (
        PROMPTING,
        "Existence: Nothing of this was measured.",
        "Effect: Nothing of this was measured.",
    )


@pytest.mark.parametrize("missing", ["rule", "n", "n_groups", "source", "needed", "beside", "label", "low"])
def test_metrics_without_a_part_are_shown(missing: str) -> None:
    report = make_report()
    for row in report["metrics"]:
        row.pop(missing)

    assert len(view_metrics(report)) == len(report["metrics"])


def test_prompting_says_what_each_way_does_and_costs() -> None:
    view = view_prompting(make_report())

    assert view is not None
    assert view.rows[0] == ("Steering", "+0.90", "0.80 to 1.00", "0")
    assert view.rows[3] == ("Steering with a system prompt", "+1.40", "1.30 to 1.50", "9")
    assert view.instruction == ("be casual", "be formal")


@pytest.mark.parametrize(
    "found", [{}, {"bars": {}}, {"bars": {"steer": None}}, {"bars": {"steer": {"mean": 1}}}]
)
def test_prompting_without_bars_is_none(found: dict[str, Any]) -> None:
    assert view_prompting({"sections": {"prompting": found}}) is None


@pytest.mark.parametrize("size", [WIDE, NARROW])
@given(means=st.lists(NUMBERS, min_size=1, max_size=4))
def test_draw_bars_any_numbers_gives_bars_inside_the_frame(size: Size, means: list[float]) -> None:
    bars = [Bar("steer", "<Steering>", mean, mean - 1, mean + 1) for mean in means]

    svg = ET.fromstring(str(draw_bars(bars, size)))

    drawn = list(svg.iter("rect"))
    assert len(drawn) == len(means)
    for bar in drawn:
        left, width = float(bar.attrib["x"]), float(bar.attrib["width"])
        assert 0 <= left <= left + width <= size.width
