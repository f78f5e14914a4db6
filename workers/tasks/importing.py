"""The import run: a file in, its direction as a vector of the base model out, measured there in full."""

from registry.runs.claims import ArtifactResult, RunClaim
from registry.runs.task_names import IMPORT
from registry.storage.services import blob_read
from steering_core.evaluation.importing import import_and_evaluate
from steering_core.formats.bearing import write_vector
from steering_core.formats.importing import read_importable
from steering_core.pairs.readers import read_pairs
from steering_core.pairs.splits import split_pairs
from workers.base_models import load, scorer_for, suite_for
from workers.controls import read_controls
from workers.run_task import Report, run_task
from workers.tasks.extraction import LOADED, MEASURED, certified, scratch


@run_task(IMPORT)
def import_vector(claim: RunClaim, progress: Report) -> ArtifactResult:
    """The report of any other vector; what the file says of itself beside the direction is not taken over."""

    def within(stage: str, fraction: float, message: str) -> None:
        progress(stage, LOADED + (MEASURED - LOADED) * fraction, message)

    if claim.imported is None:
        raise ValueError("an import without a file")
    progress("load", 0.0, f"Loading {claim.model_name}")
    model = load(claim.model_path, claim.model_hash, claim.model_name)
    asked = claim.imported
    found = read_importable(
        blob_read(sha256=asked.file_sha256), model.identity, name=asked.filename, key=asked.direction
    )
    pairs = read_pairs(blob_read(sha256=claim.dataset_sha256)).pairs
    with scratch(claim.run_id) as folder:
        vector, report = import_and_evaluate(
            model,
            found,
            pairs,
            split_pairs(pairs, claim.spec.dataset_digest),
            folder,
            tier=claim.spec.tier,
            dataset_digest=claim.spec.dataset_digest,
            scorer=scorer_for(claim.scorer, pairs),
            suite=suite_for(claim.scorer, claim.suite_sha256),
            others=read_controls(
                claim.controls, claim.model_hash, lambda said: progress("others", LOADED, said)
            ),
            progress=within,
            interim=progress.found,
        )
    progress("certify", MEASURED, "Recording what any engine must do with the vector")
    certificate, missing = certified(model, vector)
    if missing:
        progress("no certificate", MEASURED, f"No certificate: {missing}")
    progress("store", MEASURED, "Storing the vector")
    facts = {
        "provenance": "imported: provenance unknown",
        "file": f"sha256:{asked.file_sha256}",
        "filename": asked.filename,
        "form": found.form,
        "direction": found.key,
    }
    report = {**report, "sections": {**report["sections"], "import": facts}}
    return ArtifactResult(write_vector(vector), report, conformance=certificate, conformance_missing=missing)
