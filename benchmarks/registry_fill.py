"""Fills a registry for `benchmarks.registry`: public vectors whose files have 200 KB, through the services
that a run and a publisher take. Run by it inside the service's environment; prints what it made as JSON.

The report is a real one, of the demo model at tier smoke, so that a version has the size that versions have.
"""

import json
import sys
import tempfile
from pathlib import Path

import django
import numpy as np

django.setup()

from registry.accounts.models import User  # noqa: E402  Django must be set up before
from registry.accounts.services import token_create  # noqa: E402
from registry.catalog.models import BaseModelRevision  # noqa: E402
from registry.catalog.releasing import version_publish  # noqa: E402
from registry.datasets.services import dataset_check, dataset_publish  # noqa: E402
from registry.runs.claims import ArtifactResult  # noqa: E402
from registry.runs.leases import run_claim, run_complete  # noqa: E402
from registry.runs.services import ExtractionRequest, extraction_start  # noqa: E402
from steering_core.demo import demo_pairs, demo_scorer, weights_path  # noqa: E402
from steering_core.demo.suite import demo_suite  # noqa: E402
from steering_core.evaluation.pipeline import extract_and_evaluate  # noqa: E402
from steering_core.formats.bearing import write_vector  # noqa: E402
from steering_core.models.load import load_model  # noqa: E402
from steering_core.pairs.jsonl import write_jsonl  # noqa: E402
from steering_core.pairs.splits import split_pairs  # noqa: E402
from steering_core.spec import ExtractionSpec, ModelIdentity, Provenance, digest  # noqa: E402
from steering_core.vector import SteeringVector  # noqa: E402

MODEL_HASH = "sha256:" + "be" * 32
D_MODEL, BLOCKS = 4096, 12  # 12 float32 directions of 4096: 196 KB
N_VECTORS = 50


def main() -> None:
    """Publish `N_VECTORS` vectors of one owner, all with the same report."""
    pairs = demo_pairs("formality", 64, seed=1)
    report = _report(pairs)
    owner = User.objects.create_user("bench", "bench@example.org")
    model, _ = BaseModelRevision.objects.get_or_create(
        model_hash=MODEL_HASH,
        defaults={
            "name": "bench/model",
            "path": "/nowhere",
            "architecture": "LlamaForCausalLM",
            "n_layers": 32,
            "d_model": D_MODEL,
            "max_positions": 4096,
            "files": {},
        },
    )
    checked = dataset_check(data=write_jsonl(pairs), filename="pairs.jsonl")
    dataset, _ = dataset_publish(actor=owner, name="pairs", checked=checked, visibility="public")
    for number in range(N_VECTORS):
        request = ExtractionRequest(str(dataset), model.model_hash, f"tone-{number}")
        run, _ = extraction_start(actor=owner, request=request)
        claim = run_claim(run_id=str(run.pk))
        if claim is None:
            raise RuntimeError("a new run could not be claimed")
        result = ArtifactResult(write_vector(_vector(number)), report, b"")
        run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result)
        row = version_publish(
            actor=owner, name=f"tone-{number}", version="1.0.0", license="MIT", visibility="public"
        )
    _, token = token_create(user=owner, name="bench", scopes=["read"])
    made = {
        "reference": f"bench/tone-{N_VECTORS - 1}@1.0.0",
        "digest": row.digest,
        "size_bytes": row.artifact.size_bytes if row.artifact else 0,
        "report_bytes": len(json.dumps(report)),
        "token": token,
    }
    json.dump(made, sys.stdout)


def _report(pairs: list) -> dict:  # type: ignore[type-arg]
    lm = load_model(weights_path(), name="bearing/demo")
    named = digest(write_jsonl(pairs))
    spec = ExtractionSpec(named, lm.identity.model_hash, tier="smoke")
    with tempfile.TemporaryDirectory() as folder:
        outcome = extract_and_evaluate(
            lm,
            pairs,
            split_pairs(pairs, named),
            spec,
            Path(folder),
            scorer=demo_scorer("formality"),
            suite=demo_suite(),
            progress=lambda *told: None,
        )
    report = dict(outcome.report)
    # Smoke screens nothing; published vectors were screened.
    gates = [{**gate, "verdict": "pass"} if gate["name"] == "safety" else gate for gate in report["gates"]]
    return {**report, "gates": gates}


def _vector(seed: int) -> SteeringVector:
    rng = np.random.default_rng(seed)
    keys = [f"resid_post.{block}" for block in range(8, 8 + BLOCKS)]
    return SteeringVector(
        model=ModelIdentity("bench/model", MODEL_HASH, "LlamaForCausalLM", 32, D_MODEL),
        directions={key: rng.normal(size=D_MODEL).astype(np.float32) for key in keys},
        residual_norms={key: 50.0 for key in keys},
        window=(-0.3, 0.3),
        provenance=Provenance("mean_difference", "response_mean", "sha256:" + "cd" * 32, "", "bench"),
    )


if __name__ == "__main__":
    main()
