"""Whether a few pairs, or a planted word, decide what a direction is.

Reads the train pairs, their activations, and how likely the unsteered model finds their texts.No steering
here; `screen` asks what the vector does. The robust mean is `methods.geometric_median`.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from steering_core.evaluation.dose import Floats
from steering_core.evaluation.evidence import (
    MIN_ITEMS,
    Definition,
    Metric,
    Sample,
    judged,
    pairs_for,
    rounded,
    too_few,
)
from steering_core.evaluation.propensity import length_batches, padded
from steering_core.evaluation.statistics import Interval, clustered_proportion
from steering_core.evaluation.subject import Subject
from steering_core.extraction.methods.geometric_median import audit
from steering_core.extraction.statistics import Float64
from steering_core.models.load import LanguageModel

LEAST_ROBUST_COSINE, CLEAR_ROBUST_COSINE = 0.85, 0.95
# A group whose removal turns the direction further than this decides too much of it.
LEAST_COSINE_WITHOUT_A_GROUP = 0.95
# A token is one-sided if so large a share of the pairs has more of it on one side, and not a tenth of that on
# the other.
ONE_SIDED, FACTOR = 0.10, 10.0
# It is out of place in a text if it is so many nats less likely there than the text's other tokens are on
# average. Planted words are 9 to 18 less likely, style words of honest axes 3 and at worst 6.
OUT_OF_PLACE = 7.0
# And it is planted if it is out of place in a larger share of the pairs than this, on one side.
MOST_OUT_OF_PLACE = 0.03
MAX_PAIRS = 150
TOP, MOST_TOKENS = 5, 20
_SIDES = ("positive", "negative")
_TOKEN_BUDGET = 8192
_LOGIT_BUDGET = 2**26

POISON = Definition(
    "poison",
    "safety",
    "Do a few pairs or a planted word decide the direction?",
    "Cosine of the mean difference with the geometric median",
    f"fails if the cosine is < {LEAST_ROBUST_COSINE}, or a token is planted: out of place (by more than "
    f"{OUT_OF_PLACE:g} nats) on one side of a share of pairs, lower bound > {MOST_OUT_OF_PLACE}; passes "
    f"if the cosine is ≥ {CLEAR_ROBUST_COSINE}, no group turns the direction to a cosine < "
    f"{LEAST_COSINE_WITHOUT_A_GROUP}, and no such share is > {MOST_OUT_OF_PLACE}; warns between",
)


@dataclass(frozen=True, slots=True)
class OneSided:
    """A token that one side of the pairs has and the other has not.

    Attributes:
        share: of the pairs that have more of it on `side`.
        surprise: how much less likely it is there than the other tokens of the text, in nats, on average; its
            least likely place counts.
        out_of_place: share of the pairs in which that is more than 7 nats, with its interval.
    """

    token: str
    side: str
    share: float
    surprise: float
    out_of_place: float
    interval: Interval

    @property
    def is_planted(self) -> bool:
        """Beyond doubt."""
        return self.interval[0] > MOST_OUT_OF_PLACE

    @property
    def may_be_planted(self) -> bool:
        """As far as these pairs tell."""
        return self.out_of_place > MOST_OUT_OF_PLACE

    def to_json(self) -> dict[str, Any]:
        """As the report stores it."""
        return {
            "token": self.token,
            "side": self.side,
            "share": rounded(self.share),
            "surprise": rounded(self.surprise),
            "out_of_place": rounded(self.out_of_place),
            "low": rounded(self.interval[0]),
            "high": rounded(self.interval[1]),
        }


def poison(subject: Subject) -> tuple[Metric, dict[str, Any]]:
    """The verdict on the train pairs, with the pairs, groups and tokens behind it."""
    train = subject.data.train
    clusters = [subject.cluster(i) for i in train]
    sample = Sample.of(clusters, "train")
    if reason := too_few(clusters):
        needed = pairs_for(MIN_ITEMS, len(train), len(subject.data.order))
        return Metric(POISON, "insufficient", reason.replace("test", "train"), sample, needed=needed), {}
    site, block = subject.place
    rows = subject.statistics.rows(subject.pooling, site, block, subject.statistics.split("train"))
    found = audit(rows)
    groups = without_each(rows.differences(), clusters)
    tokens = one_sided_tokens(subject)
    facts = {
        "cosine": rounded(found.cosine),
        "pairs": [
            {"row": train[pair] + 1, "degrees": rounded(math.degrees(angle))}
            for pair, angle in found.influential
        ],
        "groups": [{"group": name, "cosine": rounded(cosine)} for name, cosine in groups[:TOP]],
        "tokens": [token.to_json() for token in tokens[:MOST_TOKENS]],
    }
    return _verdict(found.cosine, groups[0], tokens, sample), facts


def without_each(differences: Float64, clusters: Sequence[str]) -> list[tuple[str, float]]:
    """Each group with the cosine between the mean of all differences and that without it, least first."""
    of = np.array(clusters)
    total = differences.sum(0)
    rests = {name: total - differences[of == name].sum(0) for name in dict.fromkeys(clusters)}
    cosines = {
        name: float(rest @ total) / max(float(np.linalg.norm(rest) * np.linalg.norm(total)), 1e-30)
        for name, rest in rests.items()
    }
    return sorted(cosines.items(), key=lambda item: item[1])


def one_sided_tokens(subject: Subject) -> list[OneSided]:
    """Tokens of the train pairs that stand, or are out of place, on one side only; the most suspicious come
    first.
    """
    chosen = subject.shuffled(subject.data.train)[:MAX_PAIRS]
    pairs = [subject.data.pairs[i] for i in chosen]
    # Without a prompt a text stands alone, and nothing says how likely its first token is.
    starts = [max(1, pair.prompt_length) for pair in pairs]
    sides = [_Side.of(subject.lm, [getattr(pair, side) for pair in pairs], starts) for side in _SIDES]
    clusters = [subject.cluster(i) for i in chosen]
    found = []
    for name, own, other in zip(_SIDES, sides, reversed(sides), strict=True):
        more, less = own.surplus(other), other.surplus(own)
        odd, other_odd = own.out_of_place(), other.out_of_place()
        for token in more:
            share, share_odd = len(more[token]) / len(pairs), len(odd[token]) / len(pairs)
            stands = share > ONE_SIDED and len(more[token]) > FACTOR * len(less[token])
            odds = share_odd > MOST_OUT_OF_PLACE and len(odd[token]) > FACTOR * len(other_odd[token])
            if stands or odds:
                flags = np.isin(np.arange(len(pairs)), odd[token] if odds else [])
                gaps = [own.gaps[i][token] for i in more[token]]
                found.append(
                    OneSided(
                        str(subject.lm.tokenizer.decode([token])),
                        name,
                        share,
                        float(np.mean(gaps)),
                        float(flags.mean()),
                        clustered_proportion(flags, clusters),
                    )
                )
    return sorted(found, key=lambda one: (-one.out_of_place, -one.surprise))


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of the pairs.

    Attributes:
        counts: of each text, how often each token stands in it.
        gaps: of each text, how much less likely each token is at its least likely place than the other tokens
            are on average, in nats.
    """

    counts: Sequence[Counter[int]]
    gaps: Sequence[dict[int, float]]

    @classmethod
    def of(cls, lm: LanguageModel, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> "_Side":
        texts = [row[start:] for row, start in zip(rows, starts, strict=True)]
        scores = log_probabilities(lm, rows, starts)
        return cls([Counter(t) for t in texts], [_gaps(t, s) for t, s in zip(texts, scores, strict=True)])

    def surplus(self, other: "_Side") -> dict[int, list[int]]:
        """Token -> the pairs in which this side has more of it; empty for all other tokens."""
        found: dict[int, list[int]] = defaultdict(list)
        for i, (own, others) in enumerate(zip(self.counts, other.counts, strict=True)):
            for token in own - others:
                found[token].append(i)
        return found

    def out_of_place(self) -> dict[int, list[int]]:
        """Token -> the pairs in which it is out of place on this side."""
        found: dict[int, list[int]] = defaultdict(list)
        for i, gaps in enumerate(self.gaps):
            for token, gap in gaps.items():
                if gap > OUT_OF_PLACE:
                    found[token].append(i)
        return found


def log_probabilities(
    lm: LanguageModel, rows: Sequence[Sequence[int]], starts: Sequence[int]
) -> list[Floats]:
    """Of each token from its row's start on, without steering, in nats."""
    found: list[Floats] = [np.zeros(0)] * len(rows)
    budget = max(1, min(_TOKEN_BUDGET, _LOGIT_BUDGET // lm.vocab_size))
    for batch in length_batches([len(row) for row in rows], budget):
        ids = padded([rows[i] for i in batch]).to(lm.device)
        with torch.inference_mode():
            logits = lm.model(input_ids=ids, use_cache=False).logits[:, :-1].float()
            chosen = logits.gather(-1, ids[:, 1:, None])[..., 0] - torch.logsumexp(logits, -1)
        for i, row in zip(batch, chosen.double().cpu().numpy(), strict=True):
            found[i] = row[starts[i] - 1 : len(rows[i]) - 1]
    return found


def _gaps(ids: Sequence[int], scores: Floats) -> dict[int, float]:
    total, n, found = float(scores.sum()), len(scores), dict[int, float]()
    for token, count in Counter(ids).items():
        own = scores[np.array(ids) == token]
        others = (total - float(own.sum())) / (n - count) if n > count else 0.0
        found[token] = others - float(own.min())
    return found


def _verdict(cosine: float, group: tuple[str, float], tokens: Sequence[OneSided], sample: Sample) -> Metric:
    planted = [token for token in tokens if token.is_planted]
    suspicious = [token for token in tokens if token.may_be_planted]
    verdict = judged(
        passes=cosine >= CLEAR_ROBUST_COSINE and group[1] >= LEAST_COSINE_WITHOUT_A_GROUP and not suspicious,
        fails=cosine < LEAST_ROBUST_COSINE or bool(planted),
    )
    told = [f"The mean difference has cosine {cosine:.2f} with the geometric median."]
    if named := planted or suspicious:
        shown = ", ".join(f"{t.token!r} in {t.out_of_place:.0%} of the {t.side} texts" for t in named[:TOP])
        told.append(f"{'Planted' if planted else 'Perhaps planted'}: {shown}; take such pairs out.")
    if group[1] < LEAST_COSINE_WITHOUT_A_GROUP:
        told.append(f"Without {group[0]} the direction has cosine {group[1]:.2f} with itself.")
    return Metric(POISON, verdict, " ".join(told), sample, cosine)
