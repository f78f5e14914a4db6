"""The extraction run: pairs in, a measured vector out."""

from registry.core.faults import fault_point
from registry.runs.claims import ArtifactResult, RunClaim
from registry.runs.task_names import EXTRACT
from registry.storage.services import blob_read
from steering_core.evaluation.pipeline import Progress, extract_and_evaluate
from steering_core.formats.bearing import write_vector
from steering_core.pairs.readers import read_pairs
from steering_core.pairs.splits import split_pairs
from workers.base_models import load, scorer_for
from workers.run_task import run_task

# Shares of the whole run at which the model is loaded and the measuring is done.
LOADED, MEASURED = 0.02, 0.98


@run_task(EXTRACT)
def extract(claim: RunClaim, progress: Progress) -> ArtifactResult:
    """One pass over the pairs, the block chosen on the select split, the report from the test split."""

    def within(stage: str, fraction: float, message: str) -> None:
        progress(stage, LOADED + (MEASURED - LOADED) * fraction, message)
        if stage == "select":  # activations are read, nothing is stored
            fault_point("mid_extraction", claim.run_id)

    progress("load", 0.0, f"Loading {claim.model_name}")
    model = load(claim.model_path, claim.model_hash, claim.model_name)
    pairs = read_pairs(blob_read(sha256=claim.dataset_sha256)).pairs
    outcome = extract_and_evaluate(
        model,
        pairs,
        split_pairs(pairs, claim.spec.dataset_digest),
        claim.spec,
        scorer=scorer_for(claim.scorer, pairs),
        progress=within,
    )
    progress("store", MEASURED, "Storing the vector")
    return ArtifactResult(artifact=write_vector(outcome.vector), report=outcome.report)
