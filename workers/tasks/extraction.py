"""The extraction run: pairs in, a measured vector out, with its certificate and the activations that it was
made of.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from registry.core.faults import fault_point
from registry.runs.claims import ArtifactResult, RunClaim
from registry.runs.task_names import EXTRACT
from registry.storage.services import blob_read
from steering_core.errors import EvaluationError, FormatError, InjectionError
from steering_core.evaluation.conformance import certify
from steering_core.evaluation.pipeline import extract_and_evaluate
from steering_core.extraction.merging import copy_statistics
from steering_core.extraction.statistics import POLES, Reading, Statistics
from steering_core.formats.bearing import write_vector
from steering_core.formats.conformance import write_certificate
from steering_core.models.load import LanguageModel
from steering_core.pairs.readers import read_pairs
from steering_core.pairs.splits import split_pairs
from steering_core.vector import SteeringVector
from workers.base_models import load, scorer_for, suite_for
from workers.controls import read_controls
from workers.run_task import Report, run_task

# Shares of the whole run at which the model is loaded and the measuring is done.
LOADED, MEASURED = 0.02, 0.98
# A blob is whole in memory when it is stored or sent, in a worker twice over, to compare what was written.
MAX_STATISTICS_BYTES = 256 * 1024 * 1024
_FLOAT32_BYTES = 4
_MIB = 1024 * 1024


@run_task(EXTRACT)
def extract(claim: RunClaim, progress: Report) -> ArtifactResult:
    """One pass over the pairs, the block chosen on the select split, the report from the test split."""

    def within(stage: str, fraction: float, message: str) -> None:
        progress(stage, LOADED + (MEASURED - LOADED) * fraction, message)
        if stage == "select":  # activations are read, nothing is stored
            fault_point("mid_extraction", claim.run_id)

    progress("load", 0.0, f"Loading {claim.model_name}")
    model = load(claim.model_path, claim.model_hash, claim.model_name)
    pairs = read_pairs(blob_read(sha256=claim.dataset_sha256)).pairs
    with scratch(claim.run_id) as folder:
        outcome = extract_and_evaluate(
            model,
            pairs,
            split_pairs(pairs, claim.spec.dataset_digest),
            claim.spec,
            folder,
            scorer=scorer_for(claim.scorer, pairs),
            suite=suite_for(claim.scorer, claim.suite_sha256),
            others=read_controls(
                claim.controls, claim.model_hash, lambda said: progress("others", LOADED, said)
            ),
            progress=within,
            interim=progress.found,
        )
        reading = tried(outcome.report["selection"])
        statistics = kept_statistics(folder, reading, lambda said: progress("statistics", MEASURED, said))
    progress("certify", MEASURED, "Recording what any engine must do with the vector")
    certificate, missing = certified(model, outcome.vector)
    if missing:
        progress("no certificate", MEASURED, f"No certificate: {missing}")
    progress("store", MEASURED, "Storing the vector")
    return ArtifactResult(write_vector(outcome.vector), outcome.report, statistics, certificate, missing)


@contextmanager
def scratch(run_id: str) -> Iterator[Path]:
    """A folder for one attempt; what a killed attempt at the same run left here is removed first."""
    prefix = f"bearing-run-{run_id}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        yield Path(name)


def certified(lm: LanguageModel, vector: SteeringVector) -> tuple[bytes, str]:
    """The certificate of a vector as bytes; empty, and why, where right and wrong cannot be told apart."""
    try:
        return write_certificate(certify(lm, vector)), ""
    except (EvaluationError, FormatError, InjectionError) as error:
        return b"", error.message


def kept_statistics(folder: Path, least: Reading, say: Callable[[str], None]) -> bytes:
    """What is kept of the activations in `folder`, as a file's bytes; empty if even the least is too much.

    All of them up to 256 MiB, else what `least` names. `say` is told when something is left out.
    """
    whole = folder / "statistics.safetensors"
    size = whole.stat().st_size
    if size <= MAX_STATISTICS_BYTES:
        return whole.read_bytes()
    statistics = Statistics(whole)
    if _rows_bytes(statistics, least) > MAX_STATISTICS_BYTES:
        say(f"{size / _MIB:,.0f} MiB of activations are too much to be kept")
        return b""
    say(f"Of {size / _MIB:,.0f} MiB of activations those at the {len(least.blocks)} tried blocks are kept")
    part = folder / "kept.safetensors"
    copy_statistics([(statistics, np.arange(statistics.n_pairs))], part, reading=least)
    return part.read_bytes()


def tried(selection: dict[str, Any]) -> Reading:
    """The chosen site and pooling, at the blocks where steering was tried and the chosen one: enough to
    choose among them and derive again.
    """
    blocks = {row["block"] for row in selection["blocks"] if row["effect"] is not None}
    return Reading(
        (selection["site"],), tuple(sorted({*blocks, selection["block"]})), (selection["pooling"],)
    )


def _rows_bytes(statistics: Statistics, reading: Reading) -> int:
    """Nearly the size of a file with this reading; labels and norms are small beside the rows."""
    rows = len(reading.places) * len(reading.poolings) * len(POLES) * statistics.n_pairs
    return rows * statistics.model.d_model * _FLOAT32_BYTES
