"""The pairs as the vector's direction sees them: what all metrics of `geometry` read. Numpy only.

Test pairs are projected on the direction; differences of all pairs at its place serve what is cross-fitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from steering_core.evaluation.evidence import MIN_CLUSTERS, MIN_ITEMS, Sample, pairs_for, too_few
from steering_core.evaluation.ranking import Projections
from steering_core.evaluation.subject import Subject
from steering_core.extraction.statistics import Float64, Indices, Rows

MAX_PAIRS = 2000
MAX_TEXTS = 500
_POLES = ("positive", "negative")


@dataclass(frozen=True, eq=False)
class Axis:
    """One subject's direction with the pairs along it.

    Attributes:
        chosen: test pairs by their index in the data set, at most 2000, drawn by seed.
    """

    subject: Subject
    chosen: tuple[int, ...]

    @classmethod
    def of(cls, subject: Subject) -> "Axis":
        """The axis of a vector; reads activations when they are asked for."""
        return cls(subject, tuple(subject.shuffled(subject.data.test)[:MAX_PAIRS]))

    @cached_property
    def unit(self) -> Float64:
        """(d_model,), the direction at length 1."""
        direction = self.subject.vector.directions[self.subject.key].astype(np.float64)
        unit: Float64 = direction / np.linalg.norm(direction)
        return unit

    @cached_property
    def clusters(self) -> list[str]:
        """Of the chosen test pairs."""
        return [self.subject.cluster(i) for i in self.chosen]

    @cached_property
    def train_clusters(self) -> list[str]:
        """Of the train pairs."""
        return [self.subject.cluster(i) for i in self.subject.data.train]

    @property
    def sample(self) -> Sample:
        """The chosen test pairs."""
        return Sample.of(self.clusters)

    @cached_property
    def test(self) -> Projections:
        """The chosen test pairs on the unit direction, in residual norms."""
        axis = self.unit / self.subject.vector.residual_norms[self.subject.key]
        rows = self.rows("test")
        order = {index: row for row, index in enumerate(self.subject.data.test)}
        kept = [order[index] for index in self.chosen]
        return Projections(*(rows.pole(pole).astype(np.float64)[kept] @ axis for pole in _POLES))

    @cached_property
    def differences(self) -> Float64:
        """(n_pairs, d_model), positive minus negative: train, then select, then test pairs."""
        return np.concatenate([self.rows(split).differences() for split in ("train", "select", "test")])

    @property
    def train_differences(self) -> Float64:
        """(n_train, d_model)."""
        return self.differences[: len(self.subject.data.train)]

    @property
    def test_differences(self) -> Float64:
        """(n_test, d_model), all of the split."""
        return self.differences[len(self.differences) - len(self.subject.data.test) :]

    @cached_property
    def texts(self) -> Float64:
        """(n, d_model), how train texts lie about their mean whatever their pole: the mean of a pair's two
        texts, for at most 500 pairs.
        """
        rows = self.rows("train")
        poles = [rows.load(pole, 0, min(rows.n_pairs, MAX_TEXTS)).astype(np.float64) for pole in _POLES]
        means = (poles[0] + poles[1]) / 2
        centred: Float64 = means - means.mean(0)
        return centred

    def groups(self, split: str) -> Indices:
        """(n,) equal numbers for pairs of a split that belong together."""
        statistics = self.subject.statistics
        return statistics.labels.groups[statistics.split(split)]

    def rows(self, split: str) -> Rows:
        """Activations of a split at the vector's place and pooling."""
        subject, (site, block) = self.subject, self.subject.place
        return subject.statistics.rows(subject.pooling, site, block, subject.statistics.split(split))

    @property
    def needed(self) -> int | None:
        """About how many pairs the data set needs for a verdict on test pairs; None where it has enough."""
        return needed(self.subject, self.clusters)


def needed(subject: Subject, clusters: Sequence[str], least_clusters: int = MIN_CLUSTERS) -> int | None:
    """About how many pairs the data set needs so that so many items in so many groups can be measured; None
    where they can.
    """
    n_pairs, n_clusters = len(subject.data.order), len(set(clusters))
    if not too_few(clusters) and n_clusters >= least_clusters:
        return None
    for_items = pairs_for(MIN_ITEMS, len(clusters), n_pairs) or 0
    return max(for_items, pairs_for(least_clusters, n_clusters, n_pairs) or 0)


def cosine(one: Float64, other: Float64) -> float:
    """Between two vectors; 0 where one is zero."""
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norms if norms else 0.0


def units(rows: Float64) -> Float64:
    """Each row at length 1, but for rows of zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Float64 = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return found
