"""Pictures of a set of pairs: how long the sides are, and which words give them away. Bars to either side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.web.numbers import percent
from steering_core.pairs.pair import ContrastivePair

# More pairs than this change no bar that one can see.
MOST_PAIRS = 5_000
_WIDTH, _ROW, _MIDDLE = 340, 22, 92
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a picture: shares of the negative and of the positive texts, from 0 to 1."""

    label: str
    negative: float
    positive: float

    @property
    def negative_percent(self) -> str:
        """As a table has it."""
        return percent(self.negative)

    @property
    def positive_percent(self) -> str:
        """As a table has it."""
        return percent(self.positive)


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with the table behind it."""

    svg: SafeString
    bars: tuple[Bar, ...]


def lengths(pairs: Sequence[ContrastivePair]) -> Picture | None:
    """How many characters the texts of each side have, in bins that double; None where one bin holds all."""
    pairs = _sample(pairs)
    bins = [(len(pair.negative).bit_length(), len(pair.positive).bit_length()) for pair in pairs]
    if not bins or len({value for both in bins for value in both}) < 2:
        return None
    low, high = min(map(min, bins)), max(map(max, bins))
    bars = tuple(
        Bar(
            f"{2 ** (size - 1):,}–{2**size - 1:,}" if size > 1 else "1",
            sum(one == size for one, _ in bins) / len(bins),
            sum(other == size for _, other in bins) / len(bins),
        )
        for size in range(low, high + 1)
    )
    title = "Characters of the negative texts to the left, of the positive texts to the right."
    return Picture(_mirror(bars, title), bars)


def words(pairs: Sequence[ContrastivePair], telling: Sequence[str]) -> Picture | None:
    """In which share of the texts of each side the most telling words stand; None without such words."""
    pairs = _sample(pairs)
    if not pairs or not telling:
        return None
    asked = dict.fromkeys(telling)
    counts = {word: [0, 0] for word in asked}
    for pair in pairs:
        for side, text in enumerate((pair.negative, pair.positive)):
            for word in asked.keys() & set(_WORD.findall(text.lower())):
                counts[word][side] += 1
    bars = tuple(Bar(word, *(count / len(pairs) for count in both)) for word, both in counts.items())
    title = "Share of the negative texts with each word to the left, of the positive texts to the right."
    return Picture(_mirror(bars, title), bars)


def _sample(pairs: Sequence[ContrastivePair]) -> Sequence[ContrastivePair]:
    return pairs[:: -(-len(pairs) // MOST_PAIRS)] if pairs else pairs


def _mirror(bars: Sequence[Bar], title: str) -> SafeString:
    most = max(max(bar.negative, bar.positive) for bar in bars) or 1
    half = (_WIDTH - _MIDDLE) / 2
    scale = (half - 34) / most
    left, right = half, half + _MIDDLE
    rows = (
        (
            round(left - bar.negative * scale, 1),
            at * _ROW + 4,
            round(bar.negative * scale, 1),
            right,
            at * _ROW + 4,
            round(bar.positive * scale, 1),
            _WIDTH / 2,
            at * _ROW + 15,
            _short(bar.label),
            round(left - bar.negative * scale - 4, 1),
            at * _ROW + 15,
            bar.negative_percent,
            round(right + bar.positive * scale + 4, 1),
            at * _ROW + 15,
            bar.positive_percent,
        )
        for at, bar in enumerate(bars)
    )
    return format_html(
        '<svg class="mirror" viewBox="0 0 {} {}" role="img"><title>{}</title>{}</svg>',
        _WIDTH,
        len(bars) * _ROW,
        title,
        format_html_join(
            "",
            '<rect class="neg" x="{}" y="{}" width="{}" height="14" rx="2"/>'
            '<rect class="pos" x="{}" y="{}" width="{}" height="14" rx="2"/>'
            '<text class="label" x="{}" y="{}">{}</text>'
            '<text class="end" x="{}" y="{}">{}</text><text x="{}" y="{}">{}</text>',
            rows,
        ),
    )  # fmt: skip


def _short(label: str) -> str:
    return label if len(label) <= 12 else label[:11] + "…"
