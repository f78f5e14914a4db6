"""Rows as people paste them: tables with other signs are read, and what is no table is refused as before."""

import pytest

from steering_core.errors import PairsError
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.readers.loose import read_loosely


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Gladly.\tNo.\nOf course.\tNever.", "two_columns"),
        ("Gladly. | No.\r\nOf course. | Never.\r\n", "two_columns"),
        ('"Gladly.";"No."\n"Of course.";"Never."', "two_columns"),
        ("positive\tnegative\nGladly.\tNo.\nOf course.\tNever.", "csv"),
        ("negative;positive\nNo.;Gladly.\nNever.;Of course.", "csv"),
        ("chosen|rejected|prompt\nGladly.|No.|Help?\nOf course.|Never.|Really?", "preference_csv"),
        (
            '{"positive": "Gladly.", "negative": "No."}\n{"positive": "Of course.", "negative": "Never."}',
            "jsonl",
        ),
    ],
)
def test_read_loosely_finds_the_two_sides(text: str, form: str) -> None:
    found = read_loosely(text.encode(), filename="rows.tsv" if "\t" in text else "")

    assert found.format == form
    assert [(p.positive, p.negative) for p in found.pairs] == [("Gladly.", "No."), ("Of course.", "Never.")]


def test_read_loosely_keeps_a_single_quote_between_tabs() -> None:
    found = read_loosely(b'She said "yes\tShe said no')

    assert found.pairs == (ContrastivePair('She said "yes', "She said no"),)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("one line\nanother line", "dataset.unknown_format"),
        ("a | b\nc", "dataset.unknown_format"),
        ("a|b|c\nd|e|f", "dataset.unknown_format"),
        ("a |  \nc | d", "dataset.empty_text"),
        ('{"prompt": "x"}', "dataset.missing_field"),
        ("Gladly.\t\u202eNo.", "dataset.bidi_control"),
    ],
)
def test_read_loosely_refuses_what_is_no_pair(text: str, code: str) -> None:
    with pytest.raises(PairsError) as error:
        read_loosely(text.encode())

    assert error.value.code == code
