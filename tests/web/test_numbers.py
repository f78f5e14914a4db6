"""Numbers as people read them."""

import pytest

from registry.web.numbers import minus, percent, plain, short, signed, signed_short, span


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.50"), (-1, "−1.00"), (0, "0.00"), (0.0012, "0.0012"), (None, "–")]
)
def test_plain_number_has_two_digits_or_two_significant_ones(value: float | None, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.3, "+0.30"), (-0.3, "−0.30"), (0, "0"), (None, "–")])
def test_signed_number_shows_its_sign(value: float | None, text: str) -> None:
    assert signed(value) == text


def test_short_number_keeps_only_needed_digits() -> None:
    assert [short(v) for v in (0.3, -0.45, 2.0)] == ["0.3", "−0.45", "2"]
    assert signed_short(0.6) == "+0.6"


def test_percent_and_span_show_a_dash_for_nothing() -> None:
    assert percent(0.031) == "3 %"
    assert (percent(None), span(None, 1.0)) == ("–", "–")
    assert span(-0.1, 0.25) == "−0.10 to 0.25"


def test_minus_before_a_number_is_a_true_one_and_hyphens_stay() -> None:
    assert (
        minus("works from -0.3 to 0.45, log-prob, 2026-11-22")
        == "works from −0.3 to 0.45, log-prob, 2026-11-22"
    )
