"""From pairs to a measured steering vector: extract, choose the place, measure once on the test split,
report.

`extract_and_evaluate` is the way in; each step is a file beside this one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steering_core.errors import ModelMismatchError
from steering_core.evaluation import dose, metrics
from steering_core.evaluation.choosing import Chooser, has_prompts
from steering_core.evaluation.metrics import Metric, Resampling
from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.ranking import Projections, ScoredPlace, place_vector, project
from steering_core.evaluation.report import Measured, build_report
from steering_core.evaluation.scorer import TraitScorer
from steering_core.extraction.derive import Recipe
from steering_core.extraction.extract import EncodedSplits, Pilot, encode_splits, extract, read_pilot
from steering_core.extraction.methods.geometric_median import audit
from steering_core.extraction.statistics import Statistics
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from steering_core.pairs.usable import group_name
from steering_core.spec import ExtractionSpec, Provenance, parse_site_key, seed_from, site_key, software
from steering_core.vector import SteeringVector

Progress = Callable[[str, float, str], None]

# Stage -> where it ends, as a fraction of the whole.
_ENDS = {"extract": 0.1, "select": 0.2, "steerability": 0.35, "dose_response": 0.97, "report": 1.0}
_STARTS = dict(zip(_ENDS, [0.0, *_ENDS.values()], strict=False))
_MESSAGES = {
    "extract": "Reading activations at every block",
    "select": "Choosing block, pooling and strength on the select split",
    "steerability": "Measuring log-probabilities on the test split",
    "dose_response": "Measuring the response to each strength, beside random vectors",
    "report": "Writing the report",
}
MAX_SEPARATION_PAIRS = 2000
_PAIRS_PER_PROMPT = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gives: the vector with its window, the report as JSON, and the activations it was made of.

    Attributes:
        places: every place with its score; `place` is the chosen one.
    """

    vector: SteeringVector
    report: dict[str, Any]
    statistics: Statistics
    place: ScoredPlace
    places: Sequence[ScoredPlace]


def extract_and_evaluate(
    lm: LanguageModel,
    pairs: Sequence[ContrastivePair],
    splits: Splits,
    spec: ExtractionSpec,
    folder: Path,
    *,
    scorer: TraitScorer | None,
    progress: Progress,
) -> Outcome:
    """Extract a steering vector from the train pairs, choose its place on select, measure it once on test.

    The same spec, pairs and machine give the same vector and, but for its duration, the same report.

    Args:
        folder: where `statistics.safetensors` is written, see `extraction.statistics`.
        scorer: how to score generated replies; None measures the log-probabilities of the pairs' own answers.
        progress: told (stage, fraction of the whole, message); what it raises passes through and ends the
            run.

    Raises:
        ExtractionError: too few pairs fit the model, or the poles do not differ inside it.
        ModelMismatchError: the spec names another model than the one that is loaded.
    """
    started = time.monotonic()
    if lm.identity.model_hash != spec.model_hash:
        raise ModelMismatchError(
            f"the spec is for model {spec.model_hash}, but {lm.identity.name} is {lm.identity.model_hash}"
        )
    run = _Run(lm, pairs, spec, scorer, progress)
    data = encode_splits(lm, pairs, splits)
    statistics, pilot = run.read(data, folder)
    place, places = run.choose(data, statistics)
    strength = run.strength(data, place)
    measured = run.measure(data, statistics, place, places, strength, pilot)
    progress("report", _STARTS["report"], _MESSAGES["report"])
    report = build_report(lm, measured, run.resampling, time.monotonic() - started)
    progress("report", 1.0, "Done")
    return Outcome(measured.vector, report, statistics, place, places)


def pilot_message(pilot: Pilot, n_train: int) -> str:
    """How many pairs the trait takes, in a sentence for people."""
    if pilot.needed is None:
        return f"The first {pilot.n_pairs} pairs have no direction in common; {n_train} train pairs are read"
    needed = f"{pilot.needed:,} train {'pair is' if pilot.needed == 1 else 'pairs are'}"
    enough = "are there" if n_train >= pilot.needed else "only are there"
    return f"About {needed} needed for a cosine of 0.95; {n_train:,} {enough}"


class _Run:
    """One run's fixed inputs and its steps."""

    def __init__(
        self,
        lm: LanguageModel,
        pairs: Sequence[ContrastivePair],
        spec: ExtractionSpec,
        scorer: TraitScorer | None,
        progress: Progress,
    ) -> None:
        self._lm, self._pairs, self._spec, self._scorer, self._progress = lm, pairs, spec, scorer, progress
        self._budget = spec.budget
        self._seed = seed_from(spec.digest, "sampling")
        self._chooser = Chooser(lm, pairs, scorer, self._budget.max_new_tokens, self._seed)
        self.resampling = Resampling(self._budget.bootstrap, seed_from(spec.digest, "bootstrap"))

    def tell(self, stage: str) -> Callable[[float], None]:
        """Progress within one stage, as progress of the whole."""
        start, end = _STARTS[stage], _ENDS[stage]
        return lambda fraction: self._progress(stage, start + (end - start) * fraction, _MESSAGES[stage])

    def read(self, data: EncodedSplits, folder: Path) -> tuple[Statistics, Pilot]:
        """The one pass; before it, what the first pairs say of how many the trait takes."""
        site, pooling = self._spec.site, self._spec.pooling
        pilot = read_pilot(self._lm, data, site, pooling, folder)
        self._progress("pilot", 0.0, pilot_message(pilot, len(data.train)))
        statistics = extract(
            self._lm,
            self._pairs,
            data,
            folder / "statistics.safetensors",
            sites=(site,),
            pooling=pooling,
            dataset_digest=self._spec.dataset_digest,
            progress=self.tell("extract"),
        )
        return statistics, pilot

    def choose(self, data: EncodedSplits, statistics: Statistics) -> tuple[ScoredPlace, list[ScoredPlace]]:
        """The place, and all of them with what was found there."""
        recipe, site = Recipe(self._spec.method), self._spec.site
        return self._chooser.choose(data, statistics, recipe, site, self.tell("select"))

    def strength(self, data: EncodedSplits, place: ScoredPlace) -> float | None:
        """The strength to start with; None where steering cannot be tried."""
        return self._chooser.strength(data, place, self.tell("select"))

    def measure(
        self,
        data: EncodedSplits,
        statistics: Statistics,
        place: ScoredPlace,
        places: Sequence[ScoredPlace],
        strength: float | None,
        pilot: Pilot,
    ) -> Measured:
        """Everything that touches the test split, once."""
        vector, key = self._vector(data, place), site_key(*place.at)
        lines = self._geometry(data, statistics, place)
        response: dose.Response | None = None
        samples: list[dose.Sample] = []
        reason = "No test items are left."
        if not has_prompts(statistics):
            reason = "The pairs have no prompts, so replies cannot be compared."
        elif data.test:
            lines += self._steerability(data, vector, key)
            response, samples = self._respond(data, self._doses(vector, key))
        window = metrics.find_window(response) if response else None
        if response:
            lines.append(metrics.effect(response, self.resampling))
            lines.append(metrics.coherence(response, window, self.resampling))
        lines += [Metric(name, "insufficient", reason) for name in metrics.ORDER[len(lines) :]]
        train = statistics.rows(place.score.pooling, *place.at, statistics.split("train"))
        return Measured(
            spec=self._spec,
            vector=replace(vector, window=window),
            key=key,
            counts=self._counts(data, pilot),
            place=place,
            places=places,
            strength=strength,
            audit=audit(train),
            train_rows=[index + 1 for index in data.train],
            metrics=lines,
            response=response,
            window=window,
            samples=samples,
            scorer=self._scorer if has_prompts(statistics) else None,
        )

    def _vector(self, data: EncodedSplits, place: ScoredPlace) -> SteeringVector:
        """The direction of one place as a steering vector, with its doses and without a window yet."""
        vector = place_vector(
            [place],
            self._lm.identity,
            Provenance(
                method=self._spec.method,
                pooling=place.score.pooling,
                dataset_digest=self._spec.dataset_digest,
                spec_digest=self._spec.digest,
                software=software("torch", "transformers"),
                dtype=dtype_name(self._lm.model.dtype),
            ),
        )
        return replace(vector, doses=self._chooser.doses(data, vector))

    def _geometry(self, data: EncodedSplits, statistics: Statistics, place: ScoredPlace) -> list[Metric]:
        kept = self._chooser.shuffled(range(len(data.test)))[:MAX_SEPARATION_PAIRS]
        score = place.score
        every = project(statistics, score.pooling, place.site, score.block, place.direction, "test")
        test = Projections(every.positive[kept], every.negative[kept])
        clusters = [self._cluster(data.test[i]) for i in kept]
        rows = [data.pairs[data.test[i]] for i in kept]
        lengths = np.array(
            [[len(ids) - row.prompt_length for ids in (row.positive, row.negative)] for row in rows],
            dtype=np.float64,
        ).reshape(-1, 2)
        return [
            metrics.separation(test, clusters, (lengths[:, 0], lengths[:, 1]), self.resampling),
            metrics.shift(test, clusters, score.ratio, self.resampling),
        ]

    def _steerability(self, data: EncodedSplits, vector: SteeringVector, key: str) -> tuple[Metric, Metric]:
        tell = self.tell("steerability")
        tell(0.0)
        items = self._chooser.shuffled(data.test)[: _PAIRS_PER_PROMPT * self._budget.n_prompts]
        strengths = [s for s in self._budget.strengths if abs(s) <= dose.CONTROL_STRENGTH]
        additions = np.stack([vector.addition(s, key) for s in strengths])
        place = parse_site_key(key)
        measured = propensities(self._lm, [data.pairs[i] for i in items], place, additions, tell)
        clusters = [self._cluster(i) for i in items]
        return metrics.steerability(measured.preference, strengths, clusters, self.resampling)

    def _doses(self, vector: SteeringVector, key: str) -> dose.Doses:
        seed = seed_from(self._spec.digest, "controls")
        return dose.doses(vector, key, self._budget.strengths, self._budget.random_controls, seed)

    def _respond(self, data: EncodedSplits, given: dose.Doses) -> tuple[dose.Response, list[dose.Sample]]:
        tell = self.tell("dose_response")
        tell(0.0)
        chosen = self._chooser.prompts(data.test)[: self._budget.n_prompts]
        prompts, clusters = [prompt for prompt, _ in chosen], [cluster for _, cluster in chosen]
        tokens = self._budget.max_new_tokens
        if self._scorer is not None:
            return dose.generated_response(
                self._lm,
                given,
                prompts,
                clusters,
                self._scorer,
                max_new_tokens=tokens,
                seed=self._seed,
                progress=tell,
            )
        items = self._chooser.shuffled(data.test)[: self._budget.n_prompts]
        response = dose.propensity_response(
            self._lm,
            given,
            [data.pairs[i] for i in items],
            [self._cluster(i) for i in items],
            lambda fraction: tell(0.8 * fraction),
        )
        samples = dose.samples_only(
            self._lm,
            given,
            prompts,
            max_new_tokens=tokens,
            seed=self._seed,
            progress=lambda fraction: tell(0.8 + 0.2 * fraction),
        )
        return response, samples

    def _cluster(self, index: int) -> str:
        return group_name(self._pairs[index])

    def _counts(self, data: EncodedSplits, pilot: Pilot) -> dict[str, int | None]:
        return {
            "train": len(data.train),
            "select": len(data.select),
            "test": len(data.test),
            "test_groups": len({self._cluster(i) for i in data.test}),
            "left_out": data.left_out,
            "train_needed": pilot.needed,
            "boundary_checked": data.boundary.checked,
            "boundary_moved": data.boundary.moved,
        }
