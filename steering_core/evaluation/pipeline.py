"""From pairs to a measured steering vector: extract, choose the place, measure once on the test split,
report.

`extract_and_evaluate` is the way in; `evaluate_vector` measures a vector that came from elsewhere. Each step
is a file beside this one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steering_core.errors import EvaluationError, ModelMismatchError
from steering_core.evaluation.choosing import Chooser
from steering_core.evaluation.evaluate import WHOLE, Plan, Progress, evaluate
from steering_core.evaluation.interim import Interim, place_facts, unheard
from steering_core.evaluation.ranking import ScoredPlace, place_vector
from steering_core.evaluation.report import Extracted, build_report
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.subject import Subject
from steering_core.evaluation.suite import EMPTY_SUITE, Suite
from steering_core.extraction.derive import Recipe
from steering_core.extraction.extract import EncodedSplits, Pilot, encode_splits, extract, read_pilot
from steering_core.extraction.methods.geometric_median import audit
from steering_core.extraction.pooling import resolve_poolings
from steering_core.extraction.statistics import Statistics
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from steering_core.spec import (
    BUDGETS,
    POOLINGS,
    ExtractionSpec,
    Provenance,
    canonical_json,
    digest,
    parse_site_key,
    seed_from,
    software,
)
from steering_core.vector import SteeringVector

# Stage -> where it ends, as a fraction of the whole.
_ENDS = {"extract": 0.07, "select": 0.2}
_STARTS = dict(zip(_ENDS, [0.0, *_ENDS.values()], strict=False))
_MESSAGES = {
    "extract": "Reading activations at every block",
    "select": "Choosing block, pooling and strength on the select split",
}


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
    suite: Suite = EMPTY_SUITE,
    progress: Progress,
    shared: dict[str, Any] | None = None,
    others: Sequence[SteeringVector] = (),
    plan: Plan = WHOLE,
    interim: Interim = unheard,
) -> Outcome:
    """Extract a steering vector from the train pairs, choose its place on select, measure it once on test.

    The same spec, pairs and machine give the same vector and, but for its duration, the same report.

    Args:
        folder: where `statistics.safetensors` is written, see `extraction.statistics`.
        scorer: how to score generated replies; None measures the log-probabilities of the pairs' own answers.
        suite: the base model's own prompts and questions.
        progress: told (stage, fraction of the whole, message); what it raises passes through and ends the
            run.
        shared: results that depend on the model and the suite alone, kept from run to run; see `Subject`.
        others: vectors of other traits on this model, tried as controls of the wrong concept; see `Subject`.
        plan: what of the tier is measured, see `evaluate`.
        interim: told what is measured on the way, see `interim`.

    Raises:
        ExtractionError: too few pairs fit the model, or the poles do not differ inside it.
        ModelMismatchError: the spec names another model than the one that is loaded.
    """
    started = time.monotonic()
    _check_model(lm, spec.model_hash)
    run = _Run(lm, pairs, spec, scorer, progress, interim)
    data = encode_splits(lm, pairs, splits)
    statistics, pilot = run.read(data, folder)
    place, places = run.choose(data, statistics)
    strength = run.strength(data, place)
    chosen = f"The place is {place.site}.{place.score.block}, read at {place.score.pooling}"
    interim(chosen, place_facts(place, strength))
    vector = run.vector(data, place)
    subject = Subject(
        lm=lm,
        vector=vector,
        pairs=pairs,
        data=data,
        statistics=statistics,
        suite=suite,
        budget=spec.budget,
        tier=spec.tier,
        digest=spec.digest,
        strength=strength,
        scorer=scorer,
        shared={} if shared is None else shared,
        others=others,
    )
    train = statistics.rows(place.score.pooling, *place.at, statistics.split("train"))
    rows = [index + 1 for index in data.train]
    extracted = Extracted(place, places, audit(train), rows, pilot.needed)
    measured, report = _report(subject, extracted, _after(_ENDS["select"], progress), plan, started, interim)
    return Outcome(measured, report, statistics, place, places)


def evaluate_vector(
    lm: LanguageModel,
    vector: SteeringVector,
    pairs: Sequence[ContrastivePair],
    splits: Splits,
    folder: Path,
    *,
    tier: str,
    dataset_digest: str,
    scorer: TraitScorer | None,
    suite: Suite = EMPTY_SUITE,
    progress: Progress,
    shared: dict[str, Any] | None = None,
    others: Sequence[SteeringVector] = (),
    plan: Plan = WHOLE,
    interim: Interim = unheard,
) -> tuple[SteeringVector, dict[str, Any]]:
    """Measure a vector that was made elsewhere, on the test split of pairs about its trait.

    Its window is taken as what was advertised, and is measured like all else.

    Args:
        vector: with one direction; its provenance says how activations are read, and where that is no pooling
            of this library, the first that fits the pairs is.
    Returns:
        The vector with the window that was found, and the report.
    Raises:
        ModelMismatchError: it belongs to another model.
        EvaluationError: it has more than one direction.
        ExtractionError: too few pairs fit the model.
    """
    started = time.monotonic()
    _check_model(lm, vector.model.model_hash)
    if len(vector.directions) != 1:
        raise EvaluationError(
            f"a report is about one direction, this vector has {len(vector.directions)}; measure one",
            code="evaluation.several_directions",
        )
    data = encode_splits(lm, pairs, splits)
    site, block = parse_site_key(next(iter(vector.directions)))
    named = vector.provenance.pooling
    fitting = resolve_poolings(named if named in POOLINGS else "auto", list(data.pairs.values()))
    statistics = extract(
        lm,
        pairs,
        data,
        folder / "statistics.safetensors",
        sites=(site,),
        blocks=(block,),
        pooling=fitting[0],
        dataset_digest=dataset_digest,
        progress=_stage("extract", progress),
    )
    spec_digest = digest(canonical_json([vector.tensor_digest, lm.identity.model_hash, dataset_digest, tier]))
    subject = Subject(
        lm=lm,
        vector=vector,
        pairs=pairs,
        data=data,
        statistics=statistics,
        suite=suite,
        budget=BUDGETS[tier],
        tier=tier,
        digest=spec_digest,
        advertised=vector.window,
        scorer=scorer,
        shared={} if shared is None else shared,
        others=others,
    )
    return _report(subject, None, _after(_ENDS["extract"], progress), plan, started, interim)


def _report(
    subject: Subject,
    extracted: Extracted | None,
    progress: Progress,
    plan: Plan,
    started: float,
    interim: Interim,
) -> tuple[SteeringVector, dict[str, Any]]:
    """Measure a subject: its vector with the window that was found, and the report."""
    evaluation = evaluate(subject, progress, plan, interim)
    measured = replace(subject.vector, window=evaluation.findings.window)
    report = build_report(evaluation, measured, extracted, time.monotonic() - started)
    progress("report", 1.0, "Done")
    return measured, report


def pilot_message(pilot: Pilot, n_train: int) -> str:
    """How many pairs the trait takes, in a sentence for people."""
    if pilot.needed is None:
        return f"The first {pilot.n_pairs} pairs have no direction in common; {n_train} train pairs are read"
    needed = f"{pilot.needed:,} train {'pair is' if pilot.needed == 1 else 'pairs are'}"
    enough = "are there" if n_train >= pilot.needed else "only are there"
    return f"About {needed} needed for a cosine of 0.95; {n_train:,} {enough}"


class _Run:
    """One extraction's fixed inputs and its steps."""

    def __init__(
        self,
        lm: LanguageModel,
        pairs: Sequence[ContrastivePair],
        spec: ExtractionSpec,
        scorer: TraitScorer | None,
        progress: Progress,
        interim: Interim,
    ) -> None:
        self._lm, self._pairs, self._spec = lm, pairs, spec
        self._progress, self._interim = progress, interim
        seed = seed_from(spec.digest, "sampling")
        self._chooser = Chooser(lm, pairs, scorer, spec.budget.max_new_tokens, seed)

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
            progress=_stage("extract", self._progress),
        )
        return statistics, pilot

    def choose(self, data: EncodedSplits, statistics: Statistics) -> tuple[ScoredPlace, list[ScoredPlace]]:
        """The place, and all of them with what was found there."""
        recipe, site = Recipe(self._spec.method), self._spec.site
        tell = _stage("select", self._progress)
        return self._chooser.choose(data, statistics, recipe, site, tell, self._interim)

    def strength(self, data: EncodedSplits, place: ScoredPlace) -> float | None:
        """The strength to start with; None where steering cannot be tried."""
        return self._chooser.strength(data, place, _stage("select", self._progress))

    def vector(self, data: EncodedSplits, place: ScoredPlace) -> SteeringVector:
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


def _check_model(lm: LanguageModel, model_hash: str) -> None:
    if lm.identity.model_hash != model_hash:
        raise ModelMismatchError(
            f"this is for model {model_hash}, but {lm.identity.name} is {lm.identity.model_hash}"
        )


def _stage(stage: str, progress: Progress) -> Callable[[float], None]:
    """Progress within one stage of an extraction, as progress of the whole."""
    start, end = _STARTS[stage], _ENDS[stage]
    return lambda fraction: progress(stage, start + (end - start) * fraction, _MESSAGES[stage])


def _after(start: float, progress: Progress) -> Progress:
    """Progress of what comes after a part that is done."""
    return lambda stage, fraction, said: progress(stage, start + (1 - start) * fraction, said)
