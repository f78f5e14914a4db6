"""What every family of metrics is given: one vector on one model, held-out data, and how to judge replies.

`evaluate` builds it and goes through the families; `Findings` carries what an earlier family found to later
ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from steering_core.evaluation.dose import Response
from steering_core.evaluation.evidence import Resampling, Section
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.statistics import Interval
from steering_core.evaluation.suite import Suite
from steering_core.extraction.extract import EncodedSplits
from steering_core.extraction.statistics import Statistics
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.usable import group_name
from steering_core.spec import EvaluationBudget, Place, parse_site_key, seed_from
from steering_core.vector import SteeringVector

T = TypeVar("T")
# Told the fraction of a family that is done; what it raises passes through and ends the run.
Tell = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Subject:
    """One vector under measurement.

    Attributes:
        vector: with one direction.
        statistics: activations of `data` at least at the vector's own place and pooling.
        strength: the one to recommend, chosen on the select split; None where none was.
        advertised: the window that the vector came with; None where it is still to be found.
        scorer: how to score replies; None measures log-probabilities of the pairs' own answers.
        digest: seeds are drawn from it.
        shared: what depends on the model and the suite alone, kept for the next subject.
        others: vectors of other traits; those with a direction at the same place are tried as controls.
    """

    lm: LanguageModel
    vector: SteeringVector
    pairs: Sequence[ContrastivePair]
    data: EncodedSplits
    statistics: Statistics
    suite: Suite
    budget: EvaluationBudget
    tier: str
    digest: str
    strength: float | None = None
    advertised: Interval | None = None
    scorer: TraitScorer | None = None
    shared: dict[str, Any] = field(default_factory=dict)
    others: Sequence[SteeringVector] = ()

    @property
    def key(self) -> str:
        """Site key of the vector's direction."""
        return next(iter(self.vector.directions))

    @property
    def place(self) -> Place:
        """Where the vector is written."""
        return parse_site_key(self.key)

    @property
    def pooling(self) -> str:
        """How activations are read: as those that the vector is made of, where its provenance says so."""
        named, read = self.vector.provenance.pooling, self.statistics.reading.poolings
        return named if named in read else read[0]

    @property
    def has_prompts(self) -> bool:
        """Whether the pairs are answers to prompts, so that steering can be tried on them."""
        return any(pair.prompt_length for pair in self.data.pairs.values())

    @property
    def resampling(self) -> Resampling:
        """How intervals are drawn."""
        return Resampling(self.budget.bootstrap, self.seed("bootstrap"))

    def seed(self, purpose: str) -> int:
        """A seed for one purpose; equal subjects have equal ones."""
        return seed_from(self.digest, purpose)

    def additions(self, strengths: Sequence[float]) -> npt.NDArray[np.float32]:
        """(n_strengths, d_model), what the vector adds at each strength."""
        return np.stack([self.vector.addition(strength, self.key) for strength in strengths])

    def shuffled(self, part: Sequence[int]) -> list[int]:
        """The same order for the same seed; data sets often come sorted by topic."""
        order = np.random.default_rng(self.seed("sampling")).permutation(len(part))
        return [part[i] for i in order]

    def test_items(self, most: int) -> tuple[list[int], list[EncodedPair], list[str]]:
        """At most so many test pairs: their indices, token ids and clusters."""
        chosen = self.shuffled(self.data.test)[:most]
        return chosen, [self.data.pairs[i] for i in chosen], [self.cluster(i) for i in chosen]

    def test_prompts(self, most: int) -> tuple[list[str], list[str]]:
        """At most so many different prompts of the test split, and their clusters."""
        found: dict[str, str] = {}
        for i in self.shuffled(self.data.test):
            if self.pairs[i].prompt:
                found.setdefault(self.pairs[i].prompt, self.cluster(i))
        few = list(found.items())[:most]
        return [prompt for prompt, _ in few], [cluster for _, cluster in few]

    def cluster(self, index: int) -> str:
        """What the interval of a pair is clustered by."""
        return group_name(self.pairs[index])

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` gives, made once for all subjects that share a store; the key names all that it
        depends on.
        """
        if key not in self.shared:
            self.shared[key] = make()
        found: T = self.shared[key]
        return found


@dataclass(slots=True)
class Findings:
    """What has been found so far; families that come later read it.

    Attributes:
        window: the strengths at which text stays whole; None until found, and where there is none.
    """

    sections: dict[str, Section] = field(default_factory=dict)
    window: Interval | None = None
    response: Response | None = None
