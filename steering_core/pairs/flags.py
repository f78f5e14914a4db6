"""Which rows a remark of the quality report is about, so that they can be looked at and mended.

`checks` counts and judges; here the rows are named, all of them. Names are those of `advice`, and a few more.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from steering_core.pairs.advice import LARGEST_GROUP_SHARE
from steering_core.pairs.confounds import letter_report
from steering_core.pairs.lexical import swapped_groups, weigh_sides
from steering_core.pairs.near import near_duplicate_places
from steering_core.pairs.pair import RAW, ContrastivePair
from steering_core.pairs.usable import Sorted, group_name, sort_pairs

UNEVEN = 3.0
_FEWEST_CHARS = 20
# What a page shows nothing of: zero-width signs, soft hyphens, marks of direction; joiners beside ASCII only,
# since emoji and some scripts need them.
HIDDEN = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u2060-\u2064]|(?<=[ -~])[\u200c\u200d]|[\u200c\u200d](?=[ -~])"
)


def flagged_rows(pairs: Sequence[ContrastivePair]) -> dict[str, list[int]]:
    """Indexes into the pairs by flag, ascending; a flag without rows is left out."""
    if not pairs:
        return {}
    kinds = sort_pairs(pairs)
    found = {
        "duplicates": list(kinds.duplicates),
        "identical": list(kinds.identical),
        "contradictory": list(kinds.contradictory),
        "swapped_groups": _swapped(pairs, kinds),
        "near_duplicates": _near(pairs, kinds),
        "shared_prompts": _sharing(pairs, kinds),
        "large_group": _large(pairs, kinds),
    }
    for index, pair in enumerate(pairs):
        for flag in _alone(pair):
            found.setdefault(flag, []).append(index)
    return {flag: sorted(rows) for flag, rows in found.items() if rows}


def _alone(pair: ContrastivePair) -> Iterator[str]:
    """Flags that a pair has by itself."""
    longer, shorter = sorted((len(pair.positive), len(pair.negative)), reverse=True)
    if longer >= _FEWEST_CHARS and longer >= UNEVEN * shorter:
        yield "uneven_length"
    if pair.template == RAW and pair.prompt[-1:].isspace():
        yield "prompt_space"
    spaced = pair.positive[:1].isspace(), pair.negative[:1].isspace()
    if pair.template != RAW and pair.prompt and any(spaced):
        yield "answer_space"
    if spaced[0] != spaced[1]:
        yield "uneven_space"
    if any(HIDDEN.search(text) for text in (pair.prompt, pair.positive, pair.negative)):
        yield "hidden_characters"


def _swapped(pairs: Sequence[ContrastivePair], kinds: Sorted) -> list[int]:
    usable = [pairs[index] for index in kinds.usable]
    if not usable or letter_report(usable) is not None:
        return []
    groups = {group_name(usable[place]) for place in swapped_groups(weigh_sides(usable))}
    return [index for index in kinds.usable if groups and group_name(pairs[index]) in groups]


def _near(pairs: Sequence[ContrastivePair], kinds: Sorted) -> list[int]:
    usable = [pairs[index] for index in kinds.usable]
    return [kinds.usable[place] for place in near_duplicate_places(usable)] if usable else []


def _sharing(pairs: Sequence[ContrastivePair], kinds: Sorted) -> list[int]:
    groups: dict[str, set[str]] = defaultdict(set)
    for index in kinds.usable:
        if prompt := pairs[index].prompt:
            groups[prompt].add(group_name(pairs[index]))
    return [index for index in kinds.usable if len(groups.get(pairs[index].prompt, ())) > 1]


def _large(pairs: Sequence[ContrastivePair], kinds: Sorted) -> list[int]:
    names = [group_name(pairs[index]) for index in kinds.usable]
    if not names:
        return []
    [(largest, count)] = Counter(names).most_common(1)
    if count <= LARGEST_GROUP_SHARE * len(names):
        return []
    return [index for index, name in zip(kinds.usable, names, strict=True) if name == largest]
