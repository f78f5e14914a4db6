"""The migration run: a vector of one base model in, the vector on another one out, measured there in full."""

from collections.abc import Sequence

from registry.catalog.artifacts import stored_vector
from registry.runs.claims import ArtifactResult, RunClaim, SourceClaim
from registry.runs.task_names import MIGRATE
from registry.storage.services import blob_read
from steering_core.errors import EvaluationError, ModelError
from steering_core.evaluation.evaluate import Progress
from steering_core.evaluation.interim import Interim
from steering_core.evaluation.migration import MIN_TEXTS, Migration, migrate_and_evaluate
from steering_core.evaluation.suite import Suite, Turn, spread
from steering_core.formats.bearing import write_vector
from steering_core.models.load import LanguageModel
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.readers import read_pairs
from steering_core.pairs.splits import Splits, split_pairs
from workers.base_models import load, scorer_for, suite_for
from workers.run_task import Report, run_task
from workers.tasks.extraction import LOADED, MEASURED, certified, scratch

# A map gains little from more, and each takes a pass through both models.
MAP_TEXTS = 400


@run_task(MIGRATE)
def migrate(claim: RunClaim, progress: Report) -> ArtifactResult:
    """A map between the two models, the vector through it, and the report of any other vector."""

    def within(stage: str, fraction: float, message: str) -> None:
        progress(stage, LOADED + (MEASURED - LOADED) * fraction, message)

    if claim.source is None:
        raise ValueError("a migration without a source")
    progress("load", 0.0, f"Loading {claim.source.model_name} and {claim.model_name}")
    models = (_source_model(claim.source), load(claim.model_path, claim.model_hash, claim.model_name))
    moved = _moved(claim, claim.source, models, within, progress.found)
    progress("certify", MEASURED, "Recording what any engine must do with the vector")
    certificate, missing = certified(models[1], moved.vector)
    if missing:
        progress("no certificate", MEASURED, f"No certificate: {missing}")
    progress("store", MEASURED, "Storing the vector")
    facts = {"source": f"sha256:{claim.source.artifact_sha256}", **moved.to_json()}
    report = {**moved.report, "sections": {**moved.report["sections"], "migration": facts}}
    return ArtifactResult(
        write_vector(moved.vector), report, conformance=certificate, conformance_missing=missing
    )


def map_turns(suite: Suite, pairs: Sequence[ContrastivePair], splits: Splits) -> list[Turn]:
    """What the map is fitted on: the suite's neutral turns, else prompts and answers of the train pairs. The
    test pairs judge the result, so they are left out.
    """
    if len(suite.neutral) >= MIN_TEXTS:
        return spread(suite.neutral, MAP_TEXTS)
    train = [pairs[i] for i in splits.train]
    return spread(
        [Turn(pair.prompt, reply) for pair in train for reply in (pair.positive, pair.negative)], MAP_TEXTS
    )


def _source_model(source: SourceClaim) -> LanguageModel:
    return load(source.model_path, source.model_hash, source.model_name)


def _moved(
    claim: RunClaim,
    source: SourceClaim,
    models: tuple[LanguageModel, LanguageModel],
    progress: Progress,
    interim: Interim,
) -> Migration:
    pairs = read_pairs(blob_read(sha256=claim.dataset_sha256)).pairs
    splits = split_pairs(pairs, claim.spec.dataset_digest)
    suite = suite_for(claim.scorer, claim.suite_sha256)
    try:
        with scratch(claim.run_id) as folder:
            return migrate_and_evaluate(
                *models,
                stored_vector(source.artifact_sha256),
                map_turns(suite, pairs, splits),
                pairs,
                splits,
                folder,
                tier=claim.spec.tier,
                dataset_digest=claim.spec.dataset_digest,
                scorer=scorer_for(claim.scorer, pairs),
                suite=suite,
                progress=progress,
                interim=interim,
            )
    except ModelError as error:
        # Both models are loaded, so what fails is the couple: the target has no such place.
        raise EvaluationError(error.message, code=error.code) from error
