"""The derivation run: a vector is computed from released ones, then measured like any other."""

from collections.abc import Sequence
from dataclasses import replace

from registry.catalog.artifacts import stored_vector
from registry.runs.claims import ArtifactResult, ParentClaim, RunClaim
from registry.runs.task_names import DERIVE
from registry.storage.services import blob_read
from steering_core.evaluation.choosing import Chooser
from steering_core.evaluation.pipeline import evaluate_vector
from steering_core.evaluation.transfer import trial
from steering_core.formats.bearing import write_vector
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.readers import read_pairs
from steering_core.pairs.splits import split_pairs
from steering_core.vector import SteeringVector, combined
from workers.base_models import load, scorer_for, suite_for
from workers.controls import read_controls
from workers.run_task import Report, run_task
from workers.tasks.extraction import LOADED, MEASURED, certified, scratch


@run_task(DERIVE)
def derive(claim: RunClaim, progress: Report) -> ArtifactResult:
    """The sum or the opposite of its parents, with a report and a certificate of its own."""

    def within(stage: str, fraction: float, message: str) -> None:
        progress(stage, LOADED + (MEASURED - LOADED) * fraction, message)

    progress("load", 0.0, f"Loading {claim.model_name}")
    model = load(claim.model_path, claim.model_hash, claim.model_name)
    vector = computed(claim.parents)
    pairs = facing(vector, read_pairs(blob_read(sha256=claim.dataset_sha256)).pairs)
    splits = split_pairs(pairs, claim.spec.dataset_digest)
    scorer, tier = scorer_for(claim.scorer, pairs), claim.spec.tier
    parents = {parent.artifact_sha256 for parent in claim.parents}
    # A parent of another data set is no control of the wrong concept.
    others = [sha256 for sha256 in claim.controls if sha256 not in parents]
    with scratch(claim.run_id) as folder:
        tried = trial(model, vector, pairs, splits, folder, tier=tier)
        chooser = Chooser(model, pairs, scorer, tried.budget.max_new_tokens, tried.seed("sampling"))
        measured, report = evaluate_vector(
            model,
            replace(vector, doses=chooser.doses(tried.data, vector)),
            pairs,
            splits,
            folder,
            tier=tier,
            dataset_digest=claim.spec.dataset_digest,
            scorer=scorer,
            suite=suite_for(claim.scorer, claim.suite_sha256),
            others=read_controls(
                tuple(others), claim.model_hash, lambda said: progress("others", LOADED, said)
            ),
            progress=within,
            interim=progress.found,
        )
    progress("certify", MEASURED, "Recording what any engine must do with the vector")
    certificate, missing = certified(model, measured)
    if missing:
        progress("no certificate", MEASURED, f"No certificate: {missing}")
    progress("store", MEASURED, "Storing the vector")
    facts = [{"digest": f"sha256:{p.artifact_sha256}", "weight": p.weight} for p in claim.parents]
    report = {**report, "sections": {**report["sections"], "derivation": {"parents": facts}}}
    return ArtifactResult(
        write_vector(measured), report, conformance=certificate, conformance_missing=missing
    )


def computed(parents: Sequence[ParentClaim]) -> SteeringVector:
    """The vector that these give, as the service saw it when the run was asked for."""
    return combined([(stored_vector(p.artifact_sha256), p.weight) for p in parents])


def facing(vector: SteeringVector, pairs: Sequence[ContrastivePair]) -> list[ContrastivePair]:
    """The pairs with the pole first that the vector points to, so that a turned one is asked for what it is
    for.
    """
    if vector.sign != "negative":
        return list(pairs)
    return [replace(pair, positive=pair.negative, negative=pair.positive) for pair in pairs]
