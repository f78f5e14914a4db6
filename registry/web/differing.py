"""Two texts side by side with the words marked that stand in one alone; clipped, hidden characters shown."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from steering_core.pairs.flags import HIDDEN

CLIP_CHARS = 420
_LEAD_CHARS = 80
# Longer stretches are marked as a whole: comparing them word by word would take seconds.
_MOST_WORDS = 300
_WORD = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text, and whether the other text has it too."""

    text: str
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as it is shown; `hidden` counts the characters that were clipped."""

    html: SafeString
    hidden: int = 0


def side_by_side(negative: str, positive: str, clip: int | None = CLIP_CHARS) -> tuple[Shown, Shown]:
    """Both texts with what differs in `<del>` and `<ins>`; without `clip` they are whole."""
    left, right = differing(negative, positive)
    return show(left, "del", clip), show(right, "ins", clip)


def plain_text(text: str, clip: int | None = CLIP_CHARS) -> Shown:
    """One text without marks."""
    return show([Part(text)], "ins", clip)


def differing(one: str, other: str) -> tuple[list[Part], list[Part]]:
    """The parts of each text. Words are runs of letters and digits, and single signs."""
    left, right = _WORD.findall(one), _WORD.findall(other)
    start = _common(left, right)
    end = _common(left[start:][::-1], right[start:][::-1])
    one_marked, other_marked = _marks(left[start : len(left) - end], right[start : len(right) - end])
    return _parts(left, start, end, one_marked), _parts(right, start, end, other_marked)


def show(parts: Sequence[Part], tag: str, clip: int | None) -> Shown:
    """The parts as HTML, from shortly before the first mark on where they are clipped."""
    total = sum(len(part.text) for part in parts)
    before = "".join(_until_mark(parts))
    start = max(0, len(before) - _LEAD_CHARS) if clip and len(before) > clip - 2 * _LEAD_CHARS else 0
    if clip is None or total <= clip + _LEAD_CHARS:
        return Shown(_html(parts, tag))
    cut = list(_cut(parts, start, start + clip))
    lead = mark_safe("… ") if start else mark_safe("")
    tail = mark_safe(" …") if start + clip < total else mark_safe("")
    return Shown(format_html("{}{}{}", lead, _html(cut, tag), tail), total - sum(len(p.text) for p in cut))


def _parts(words: Sequence[str], start: int, end: int, marked: Sequence[tuple[str, bool]]) -> list[Part]:
    """The words with those in the middle marked; `start` and `end` count what both texts share around it."""
    before = [(word, False) for word in words[:start]]
    after = [(word, False) for word in words[len(words) - end :]]
    return list(_merged([*before, *marked, *after]))


def _until_mark(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        if part.differs:
            return
        yield part.text


def _cut(parts: Iterable[Part], start: int, end: int) -> Iterator[Part]:
    at = 0
    for part in parts:
        text = part.text[max(0, start - at) : max(0, end - at)]
        at += len(part.text)
        if text:
            yield Part(text, part.differs)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """How many words both begin with; white space behind a word does not count."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one.rstrip() != other.rstrip():
            break
        count += 1
    return count


def _marks(left: list[str], right: list[str]) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    if len(left) > _MOST_WORDS or len(right) > _MOST_WORDS:
        return [(word, True) for word in left], [(word, True) for word in right]
    bare = [word.rstrip() for word in left], [word.rstrip() for word in right]
    same_left, same_right = set[int](), set[int]()
    for block in SequenceMatcher(None, *bare, autojunk=False).get_matching_blocks():
        same_left.update(range(block.a, block.a + block.size))
        same_right.update(range(block.b, block.b + block.size))
    return (
        [(word, at not in same_left) for at, word in enumerate(left)],
        [(word, at not in same_right) for at, word in enumerate(right)],
    )


def _merged(words: Sequence[tuple[str, bool]]) -> Iterator[Part]:
    """Neighbours of one kind joined; the white space behind a marked stretch stays unmarked."""
    for differs, group in groupby(words, key=lambda word: word[1]):
        whole = "".join(text for text, _ in group)
        bare = whole.rstrip() if differs else whole
        if bare:
            yield Part(bare, differs)
        if bare != whole:
            yield Part(whole[len(bare) :])


def _html(parts: Iterable[Part], tag: str) -> SafeString:
    opening, closing = mark_safe(f"<{tag}>"), mark_safe(f"</{tag}>")  # noqa: S308  one of two constants
    nothing = mark_safe("")
    return format_html_join(
        "",
        "{}{}{}",
        (
            (opening if part.differs else nothing, _visible(part.text), closing if part.differs else nothing)
            for part in parts
        ),
    )


def _visible(text: str) -> SafeString:
    """Escaped, with each hidden character as its number: nobody should publish what nobody has seen."""
    if text.isascii():
        return format_html("{}", text)
    pieces: list[SafeString] = []
    at = 0
    for found in HIDDEN.finditer(text):
        pieces.append(format_html("{}", text[at : found.start()]))
        pieces.append(format_html('<span class="sign">U+{}</span>', f"{ord(found[0]):04X}"))
        at = found.end()
    return format_html_join("", "{}", ((piece,) for piece in [*pieces, format_html("{}", text[at:])]))
