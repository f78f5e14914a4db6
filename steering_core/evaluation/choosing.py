"""Chooses the place and the strength of one run: what `ranking` puts first is steered by `selection`.

`pipeline` measures the chosen place on the test split; a vector that is made without a report ends here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from steering_core.evaluation import ranking, selection
from steering_core.evaluation.divergence import dose_curve, equal_doses
from steering_core.evaluation.interim import Interim, effects_facts, places_facts, unheard
from steering_core.evaluation.ranking import ScoredPlace
from steering_core.evaluation.scorer import TraitScorer
from steering_core.extraction.derive import Recipe
from steering_core.extraction.extract import EncodedSplits
from steering_core.extraction.statistics import Statistics
from steering_core.models.load import LanguageModel
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.usable import group_name
from steering_core.vector import SteeringVector

_DOSE_TEXTS = 8

Tell = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Chooser:
    """What is needed to try steering on the select split.

    Attributes:
        scorer: how to score generated replies; None measures the log-probabilities of the pairs' own answers.
        max_new_tokens: of a reply that a scorer reads.
        seed: orders the pairs and samples the replies.
    """

    lm: LanguageModel
    pairs: Sequence[ContrastivePair]
    scorer: TraitScorer | None
    max_new_tokens: int
    seed: int

    def choose(
        self,
        data: EncodedSplits,
        statistics: Statistics,
        recipe: Recipe,
        site: str,
        tell: Tell,
        interim: Interim = unheard,
    ) -> tuple[ScoredPlace, list[ScoredPlace]]:
        """The place, and all of them with what was found there.

        Steering is tried where the pairs have prompts and some are held out for selection. `interim` is told
        how well each place separates the poles, and then what steering did.

        Raises:
            ExtractionError: the poles differ nowhere.
        """
        tell(0.0)
        n_layers = self.lm.identity.n_layers
        places = ranking.score_places(statistics, recipe, site)
        interim("How well each block tells the poles apart", places_facts(places))
        tried = ranking.candidates(places, n_layers)
        if has_prompts(statistics) and data.select and len(tried) > 1:
            tried = self._try(data, tried, tell)
            interim(f"Steered at {len(tried)} places by equal doses", effects_facts(tried))
        by_place = {(p.score.pooling, p.score.block): p for p in (*places, *tried)}
        return ranking.choose(tried, n_layers), list(by_place.values())

    def strength(self, data: EncodedSplits, place: ScoredPlace, tell: Tell) -> float | None:
        """The strength to start with, found on the select split; None where steering cannot be tried."""
        if place.score.pooling == "prompt_last":
            return None
        if self.scorer is None:
            encoded = [data.pairs[i] for i in self.shuffled(data.select)]
            return selection.propensity_strength(self.lm, place, encoded)
        return selection.generation_strength(
            self.lm,
            place,
            [prompt for prompt, _ in self.prompts(data.select)],
            self.scorer,
            max_new_tokens=self.max_new_tokens,
            seed=self.seed,
            progress=lambda fraction: tell(0.9 + 0.1 * fraction),
        )

    def doses(self, data: EncodedSplits, vector: SteeringVector) -> tuple[tuple[float, float], ...]:
        """What the vector does in nats, on the texts that places are compared on."""
        return dose_curve(self.lm, self._dose_texts(data, data.select or data.train), vector)

    def prompts(self, part: Sequence[int]) -> list[tuple[str, str]]:
        """Different prompts of a split with their clusters, in the seeded order."""
        seen = {self.pairs[i].prompt: group_name(self.pairs[i]) for i in reversed(self.shuffled(part))}
        return list(reversed(seen.items()))

    def shuffled(self, part: Sequence[int]) -> list[int]:
        """The same order for the same seed; data sets often come sorted by topic."""
        order = np.random.default_rng(self.seed).permutation(len(part))
        return [part[i] for i in order]

    def _dose_texts(self, data: EncodedSplits, part: Sequence[int]) -> list[Sequence[int]]:
        """A few of a split, of either pole in turn, as token ids."""
        few = self.shuffled(part)[:_DOSE_TEXTS]
        return [data.pairs[i].positive if n % 2 else data.pairs[i].negative for n, i in enumerate(few)]

    def _try(self, data: EncodedSplits, places: Sequence[ScoredPlace], tell: Tell) -> list[ScoredPlace]:
        """Steer at each place, by a dose that is the same for all."""
        shuffled = self.shuffled(data.select)
        units = [(place.at, place.addition(1.0)) for place in places]
        texts = self._dose_texts(data, data.select)
        doses = equal_doses(self.lm, texts, units, lambda fraction: tell(0.4 * fraction))

        def later(fraction: float) -> None:
            tell(0.4 + 0.5 * fraction)

        if self.scorer is None:
            encoded = [data.pairs[i] for i in shuffled]
            effects = selection.propensity_effects(self.lm, places, doses, encoded, later)
        else:
            effects = selection.generation_effects(
                self.lm,
                places,
                doses,
                [prompt for prompt, _ in self.prompts(data.select)],
                self.scorer,
                max_new_tokens=self.max_new_tokens,
                seed=self.seed,
                progress=later,
            )
        return [ranking.with_effect(*tried) for tried in zip(places, doses, effects, strict=True)]


def has_prompts(statistics: Statistics) -> bool:
    """Whether answers to prompts were read, so that steering can be tried."""
    return "prompt_last" not in statistics.reading.poolings
