"""Marked words, values with intervals, the map of blocks, the layout of a lineage: from numbers alone."""

import xml.etree.ElementTree as ET

from registry.runs.lineage import Edge, Node
from registry.web.faders import view_faders
from registry.web.findings import view_findings
from registry.web.forest import Row, forest
from registry.web.heat import heat_map
from registry.web.lineage import columns
from registry.web.prompting import read_reaches, view_prompting
from registry.web.reports import read_curve
from tests.reports import make_report, older_report, place, selection


def test_words_that_the_unsteered_reply_does_not_have_are_marked() -> None:
    replies = ((0.0, "you can reset it ."), (0.3, "kindly reset it ."))
    report = {"samples": [{"prompt": "how?", "strength": s, "text": text} for s, text in replies]}
    (fader,) = view_faders(report, None, 0.3)
    unsteered, steered = fader.stops
    assert "".join(part.text for part in steered.parts) == "kindly reset it ."
    assert [part.text for part in steered.parts if part.differs] == ["kindly"]
    assert not any(part.differs for part in unsteered.parts)


def test_fader_gives_the_factor_and_says_what_lies_outside_the_window() -> None:
    report = make_report()
    report["samples"].append(report["samples"][0] | {"strength": 0.6})
    (fader,) = view_faders(report, read_curve(report), 0.3)
    assert [(stop.value, stop.multiplier, stop.in_window) for stop in fader.stops] == [
        ("-0.3", "−1.8×", True),
        ("0", "", True),
        ("0.3", "+1.8×", True),
        ("0.6", "+3.6×", False),
    ]


def test_prompt_is_drawn_beside_the_curve_only_on_the_same_scale() -> None:
    report = make_report()
    reaches = read_reaches(report, read_curve(report))
    assert [(one.name, round(one.high - one.low, 3)) for one in reaches] == [
        ("steer", 0.9),
        ("prompt", 1.1),
        ("few_shot", 0.6),
    ]
    report["sections"]["prompting"]["unit"] = "log_prob"
    assert read_reaches(report, read_curve(report)) == ()


def test_prompt_does_more_only_where_the_interval_of_the_difference_says_so() -> None:
    report = make_report()
    (judged,) = (metric for metric in report["metrics"] if metric["id"] == "prompting")
    for low, high, is_beaten in ((-0.4, -0.1, True), (-0.4, 0.1, False), (0.1, 0.4, False)):
        judged |= {"low": low, "high": high}
        view = view_prompting(report)
        assert view is not None
        assert view.is_beaten is is_beaten


def test_forest_has_every_row_in_words_and_escapes_them() -> None:
    assert forest("x", "Title", "unit", []) is None
    found = forest("x", "Title", "unit", [Row("<b>one", 0.5, 0.2, 0.8), Row("two", -1.0)], marks=(1.0,))
    assert found is not None
    for plot in found.plots:
        root = ET.fromstring(str(plot))
        assert root.findtext("desc") == "<b>one 0.50 (0.20 to 0.80); two −1.00"
        assert len(root.findall(".//circle")) == 2
        assert len(root.findall(".//line[@class='whisker']")) == 1


def test_findings_are_those_of_the_report_and_none_of_an_older_one() -> None:
    found = view_findings(make_report())
    assert found is not None
    assert found.side_effects is not None
    assert found.side_effects.traits is not None
    assert [row.label for row in found.side_effects.traits.rows] == [
        "formality, what it is for",
        "warmth",
        "certainty",
    ]
    assert found.safety is not None
    assert found.safety.rows[0] == ("asked plainly", "−0.3", "10 %", "12 %", "−1 to 5", "2 %")
    assert found.transfer is not None
    assert [row.label for row in found.transfer.rows][:2] == [
        "Home → work",
        "Under a system prompt for the positive pole",
    ]
    assert found.audit is not None
    assert found.audit.pairs == ((17, "3.1"),)
    older = view_findings(older_report())
    assert older is not None
    assert (older.side_effects, older.safety, older.transfer, older.audit) == (None, None, None, None)


def test_heat_map_has_a_cell_for_each_value_and_a_ring_at_the_place() -> None:
    assert heat_map({}) == ()
    asked = selection() | {
        "blocks": [place(b, p, b > 1) for p in ("response_mean", "next_turn") for b in range(4)]
    }
    for plot in heat_map(asked):
        root = ET.fromstring(str(plot))
        assert len(root.findall(".//rect[@class='cell']")) == 2 * (4 + 4 + 4 + 2)
        assert len(root.findall(".//rect[@class='cell none']")) == 2 * 2
        assert len(root.findall(".//rect[@class='ring']")) == 4
        assert "acts at block 2" in (root.findtext("desc") or "")


def test_lineage_puts_what_came_first_at_the_left() -> None:
    nodes = [Node(name, "hidden") for name in ("child", "parent", "data", "preset")]
    edges = [
        Edge("parent", "child", "negated", -1.0),
        Edge("data", "parent", "extracted"),
        Edge("data", "child", "measured"),
        Edge("child", "preset", "mixed", 0.2),
    ]
    assert columns(nodes, edges) == {"data": 0, "parent": 1, "child": 2, "preset": 3}
