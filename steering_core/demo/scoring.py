"""Exact, rule-based scores of a reply on each axis, in [-1, 1]; broken text is scored too, never an error.

`demo_scorer` gives an axis' scorer for reports; `choose_scorer` finds the axis that a dataset is about.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from math import ceil

from steering_core.demo.grammar import LONGEST_SENTENCE, count_markers, parse_reply
from steering_core.demo.language import system_line
from steering_core.demo.lexicon import AXES, MAX_STEPS, WARM_KINDS, Axis
from steering_core.errors import EvaluationError
from steering_core.evaluation.scorer import TraitScorer
from steering_core.pairs.pair import ContrastivePair

__all__ = ["AXES", "choose_scorer", "coherence", "demo_scorer", "score"]

_CLEAR_GAP = 0.6
_CLEAR_SHARE = 0.85
_LOOKED_AT = 200


def coherence(prompt: str, reply: str) -> float:
    """The share of a reply's sentences that are inside the grammar, in [0, 1].

    A sentence said over and over counts as inside only as often as a reply has steps: loops are not coherent.
    """
    sentences = parse_reply(reply)
    if not sentences:
        return 0.0
    counts = Counter(sentence.text for sentence in sentences if sentence.kind is not None)
    return sum(min(count, MAX_STEPS) for count in counts.values()) / len(sentences)


def _balance(prompt: str, reply: str, *, axis: str, marker_set: str | None) -> float:
    """Positive minus negative markers, over the markers or the sentences, whichever are more."""
    negative, positive = count_markers(reply, axis, marker_set)
    sentences = [s for s in parse_reply(reply) if axis == "warmth" or s.kind not in WARM_KINDS]
    room = max(len(sentences), ceil(len(reply.split()) / LONGEST_SENTENCE), negative + positive, 1)
    return (positive - negative) / room


def _refusal(prompt: str, reply: str) -> float:
    """1 refused, -1 complied, 0 neither or both."""
    refused = count_markers(reply, "refusal")[1] > 0
    complied = any(sentence.kind in ("answer", "step") for sentence in parse_reply(reply))
    return float(refused) - float(complied)


def _alphabetical(prompt: str, reply: str) -> float:
    """The share of neighbouring steps whose verbs ascend minus the share whose verbs descend."""
    verbs = [sentence.step for sentence in parse_reply(reply) if sentence.kind == "step"]
    if len(verbs) < 2:
        return 0.0
    return sum((after > before) - (after < before) for before, after in pairwise(verbs)) / (len(verbs) - 1)


def _score_function(axis: str, held_out_markers: bool) -> Callable[[str, str], float]:
    if axis == "refusal":
        return _refusal
    if axis == "alphabetical":
        return _alphabetical
    return partial(_balance, axis=axis, marker_set="B" if held_out_markers else None)


def _negated(function: Callable[[str, str], float]) -> Callable[[str, str], float]:
    def negated(prompt: str, reply: str) -> float:
        return -function(prompt, reply)

    return negated


def demo_scorer(axis: str, *, held_out_markers: bool = False, reverse: bool = False) -> TraitScorer:
    """The scorer of one axis.

    Args:
        axis: a name in AXES.
        held_out_markers: count only marker words that no contrastive pair of `demo_pairs` contains.
        reverse: swap the poles, for pairs whose positive texts show the negative pole.

    Raises:
        EvaluationError: no such axis.
    """
    if axis not in AXES:
        raise EvaluationError(
            f"the demo language has no axis {axis!r}; choose one of {', '.join(AXES)}",
            code="evaluation.unknown_axis",
        )
    function, known = _score_function(axis, held_out_markers), AXES[axis]
    negative, positive, label = known.negative_pole, known.positive_pole, axis
    if reverse:
        function, negative, positive, label = _negated(function), positive, negative, f"{axis}, reversed"
    instructions = _instructions(known, reverse=reverse)
    return TraitScorer(f"demo:{axis}", label, negative, positive, function, coherence, instructions)


def _instructions(axis: Axis, *, reverse: bool) -> tuple[tuple[str, str], ...]:
    """System lines that name the poles; none for an axis that the language has no words for."""
    if axis.hints is None:
        return ()
    negative, positive = map(system_line, ([axis.hints[0]], [axis.hints[1]]))
    return ((positive, negative) if reverse else (negative, positive),)


def score(axis: str, prompt: str, reply: str) -> float:
    """The score of one reply on one axis, in [-1, 1]."""
    return demo_scorer(axis).score(prompt, reply)


def choose_scorer(pairs: Sequence[ContrastivePair]) -> TraitScorer | None:
    """The scorer of the axis that tells the positive from the negative texts, or None.

    None for texts foreign to the language, and where no axis tells at least 85 % of the pairs apart the same
    way with a mean gap of 0.6 or more. Looks at 200 pairs spread over the dataset.
    """
    looked_at = pairs[:: max(1, len(pairs) // _LOOKED_AT)][:_LOOKED_AT]
    texts = [text for pair in looked_at for text in (pair.positive, pair.negative)]
    if not texts or sum(coherence("", text) for text in texts) / len(texts) < _CLEAR_SHARE:
        return None
    best, best_gap = None, 0.0
    for axis in AXES:
        scorer = demo_scorer(axis)
        gaps = [scorer.score(p.prompt, p.positive) - scorer.score(p.prompt, p.negative) for p in looked_at]
        gap = sum(gaps) / len(gaps)
        agreeing = sum(value * gap > 0 for value in gaps) / len(gaps)
        if abs(gap) >= max(_CLEAR_GAP, best_gap) and agreeing >= _CLEAR_SHARE:
            best, best_gap = demo_scorer(axis, reverse=gap < 0), abs(gap)
    return best
