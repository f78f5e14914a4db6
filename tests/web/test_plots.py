"""Curves as SVG: well-formed, inside their frame, escaped, and silent about what was not measured."""

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.web.curves import read_curve
from registry.web.plots import NARROW, WIDE, Size, dose_response, nice_ticks
from registry.web.small_plots import sparkline, track
from tests.reports import make_report

NUMBERS = st.floats(-50, 50).filter(lambda v: abs(v) > 1e-6 or v == 0)


def report_with(means: list[float]) -> dict[str, object]:
    report = make_report()
    for point, mean in zip(report["dose_response"]["points"], means, strict=False):
        point |= {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
    return report


@pytest.mark.parametrize("size", [WIDE, NARROW])
@given(means=st.lists(NUMBERS, min_size=11, max_size=11))
def test_dose_response_any_numbers_gives_points_inside_the_frame(size: Size, means: list[float]) -> None:
    curve = read_curve(report_with(means))
    assert curve is not None
    svg = ET.fromstring(str(dose_response(curve, size)))
    dots = [node for node in svg.iter("circle") if "dot " in node.attrib["class"]]
    assert len(dots) == 11
    for dot in dots:
        assert 0 <= float(dot.attrib["cx"]) <= size.width
        # Below the words of the upper pole and above those of the lower one.
        assert 52 + 24 <= float(dot.attrib["cy"]) <= size.height - 50 - size.strip - 16 - 24


def test_dose_response_describes_itself_for_those_who_do_not_see_it() -> None:
    curve = read_curve(make_report())
    assert curve is not None
    title = ET.fromstring(str(dose_response(curve))).find("desc")
    assert title is not None
    assert "from −0.90 at strength −0.6 to 0.90 at +0.6; 19 random vectors" in (title.text or "")


def test_dose_response_has_no_inline_style_and_escapes_words() -> None:
    report = make_report()
    report["trait"]["positive_pole"] = "<script>alert(1)</script>"
    report["dose_response"]["score"] = '"><img src=x>'
    curve = read_curve(report)
    assert curve is not None
    svg = str(dose_response(curve))
    assert "style=" not in svg
    assert "<script" not in svg
    assert "<img" not in svg


def test_dose_response_without_window_and_control_draws_neither() -> None:
    report = make_report()
    report["dose_response"] |= {"window": None, "control": None}
    curve = read_curve(report)
    assert curve is not None
    svg = str(dose_response(curve))
    assert 'class="window"' not in svg
    assert "control" not in svg


def test_dose_response_second_axis_is_in_multiples_of_the_natural_shift() -> None:
    curve = read_curve(make_report())
    assert curve is not None
    assert curve.per_multiplier == pytest.approx(1 / 6)
    assert ">2×<" in str(dose_response(curve))


@pytest.mark.parametrize("report", [None, {}, {"dose_response": None}, {"dose_response": {"points": []}}])
def test_curve_of_a_report_without_points_is_none(report: dict[str, object] | None) -> None:
    assert read_curve(report) is None
    assert sparkline(read_curve(report), "fail") == ""


def test_curve_leaves_out_points_that_were_not_measured() -> None:
    report = make_report()
    report["dose_response"]["points"][0]["mean"] = None
    curve = read_curve(report)
    assert curve is not None
    assert len(curve.points) == 10


def test_sparkline_of_a_failed_vector_is_flat_and_grey() -> None:
    report = report_with([0.01 * i for i in range(11)])
    svg = ET.fromstring(str(sparkline(read_curve(report), "fail")))
    heights = [float(place.split()[1]) for place in svg.findall("path")[0].attrib["d"][1:].split("L")]
    assert max(heights) - min(heights) < 3
    assert svg.attrib["class"] == "spark flat"


def test_track_is_solid_from_the_first_to_the_last_stop_in_the_window() -> None:
    svg = str(track([-0.6, -0.3, 0.0, 0.3], (-0.3, 0.3)))
    assert '<rect class="solid" x="150" y="12" width="200"' in svg
    assert "solid" not in str(track([-0.6, 0.6], None))


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-3, 1e6), wanted=st.integers(1, 12))
def test_nice_ticks_are_few_ordered_and_inside(low: float, width: float, wanted: int) -> None:
    ticks = nice_ticks(low, low + width, wanted)
    assert ticks == sorted(ticks)
    assert len(ticks) <= wanted + 2
    assert all(low - width * 1e-6 <= t <= low + width * (1 + 1e-6) for t in ticks)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (math.nan, 1), (0, math.inf)])
def test_nice_ticks_of_no_interval_are_none(low: float, high: float) -> None:
    assert nice_ticks(low, high, 5) == []
