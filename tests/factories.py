"""Rows for tests, made through the services a user's request takes; no argument gives a good default."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from registry.accounts.models import Membership, Namespace, User
from registry.accounts.services import token_create
from registry.catalog.models import BaseModelRevision, VectorVersion
from registry.catalog.releasing import version_publish
from registry.catalog.states import RELEASED, VersionState
from registry.datasets.models import DatasetVersion
from registry.datasets.services import dataset_check, dataset_publish
from registry.runs.claims import ArtifactResult
from registry.runs.leases import run_claim, run_complete
from registry.runs.models import Run
from registry.runs.services import ExtractionRequest, extraction_start
from steering_core.demo.datasets import demo_pairs
from steering_core.extraction.statistics import POLES, Labels, Reading, write_statistics
from steering_core.formats.bearing import write_vector
from steering_core.formats.conformance import Certificate, Decoy, Probe, write_certificate
from steering_core.pairs.jsonl import write_jsonl
from steering_core.pairs.pair import ContrastivePair
from steering_core.spec import ModelIdentity, Provenance
from steering_core.vector import SteeringVector
from tests.reports import make_report

MODEL_HASH = "sha256:" + "ab" * 32


def make_user(username: str = "acme", **fields: Any) -> User:
    return User.objects.create_user(
        username, fields.pop("email", f"{username}@example.org"), "a-good-password", **fields
    )


def make_organisation(slug: str = "initech", **roles: User) -> Namespace:
    """An organisation with members: `make_organisation(admin=user)`."""
    row = Namespace.objects.create(slug=slug, kind=Namespace.Kind.ORGANISATION)
    for role, user in roles.items():
        Membership.objects.create(namespace=row, user=user, role=role)
    return row


def make_token(user: User, scopes: tuple[str, ...] = ("read", "write")) -> str:
    """The text of a new token."""
    return token_create(user=user, name="test", scopes=list(scopes))[1]


def make_pairs_file(n: int = 20, word: str = "tone") -> bytes:
    """A small valid dataset file in the house format."""
    pairs = [
        ContrastivePair(
            prompt=f"Question {i} about {word}?",
            positive=f"Certainly. Answer {i}.",
            negative=f"Dunno, {i}.",
            group=f"g{i % 10}",
            domain="test",
        )
        for i in range(n)
    ]
    return write_jsonl(pairs)


def make_dataset_version(
    owner: User | None = None, name: str = "tone-pairs", visibility: str = "", data: bytes | None = None
) -> DatasetVersion:
    checked = dataset_check(data=data or make_pairs_file(), filename="pairs.jsonl")
    return dataset_publish(actor=owner or make_user(), name=name, checked=checked, visibility=visibility)[0]


def make_demo_dataset(owner: User, axis: str = "formality", n: int = 48) -> DatasetVersion:
    """Pairs in the language of the demo model; few, so that a run takes seconds."""
    return make_dataset_version(
        owner=owner, name=f"{axis}-pairs", data=write_jsonl(demo_pairs(axis, n, seed=1))
    )


def make_text_dataset(owner: User, n: int = 24) -> DatasetVersion:
    """Texts without prompts, on which no reply can be written: a run on them takes a second."""
    texts = [replace(pair, prompt="") for pair in demo_pairs("formality", n, seed=1)]
    return make_dataset_version(owner=owner, name="texts", data=write_jsonl(texts))


def make_base_model(name: str = "bearing/demo", model_hash: str = MODEL_HASH) -> BaseModelRevision:
    """A registered model without a folder behind it: enough for everything but a worker."""
    row, _ = BaseModelRevision.objects.get_or_create(
        model_hash=model_hash,
        defaults={
            "name": name,
            "path": "/nowhere",
            "architecture": "LlamaForCausalLM",
            "n_layers": 4,
            "d_model": 8,
            "max_positions": 1024,
            "files": {},
            "scorer": "demo",
        },
    )
    return row


def make_vector(seed: int = 0) -> SteeringVector:
    """A small vector with one direction."""
    direction = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    return SteeringVector(
        model=ModelIdentity("bearing/demo", MODEL_HASH, "LlamaForCausalLM", 4, 8),
        directions={"resid_post.2": direction},
        residual_norms={"resid_post.2": 12.5},
        window=(-0.3, 0.45),
        provenance=Provenance(
            "mean_difference", "response_mean", "sha256:" + "cd" * 32, "sha256:" + "ef" * 32, "test"
        ),
    )


def make_artifact(seed: int = 0) -> bytes:
    """The native file of `make_vector`."""
    return write_vector(make_vector(seed))


def make_certificate(seed: int = 0) -> bytes:
    """A small certificate of `make_vector`, with one decoy; its numbers are made up."""
    vector, rng = make_vector(seed), np.random.default_rng(seed)
    strengths, probe, watched = (-0.3, 0.3), Probe((5, 7, 11), (1, 2)), (1, 2, 3)
    points = (len(probe.positions), len(watched))
    changes = rng.normal(size=(len(strengths), *points)).astype(np.float32)
    certificate = Certificate(
        tensor_digest=vector.tensor_digest,
        model_hash=vector.model.model_hash,
        model=vector.model.name,
        operation=vector.operation,
        dtype="float32",
        strengths=strengths,
        probes=(probe,),
        watched=watched,
        unsteered=rng.normal(size=points).astype(np.float32),
        changes=changes,
        decoys=(Decoy("wrong sign", "the vector is negated", -changes),),
    )
    return write_certificate(certificate)


def certified(seed: int) -> dict[str, Any]:
    """What an `ArtifactResult` says about the certificate."""
    return {"conformance": make_certificate(seed)}


def make_statistics(seed: int = 0) -> bytes:
    """A small statistics file: six pairs at the place of `make_vector`."""
    rng, n_pairs = np.random.default_rng(seed), 6
    labels = Labels(
        np.arange(n_pairs),
        np.array([0, 0, 0, 0, 1, 2], np.uint8),
        rng.integers(0, 256, (n_pairs, 32), np.uint8),
    )
    reading = Reading(("resid_post",), (2,), ("response_mean",))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "statistics.safetensors"
        with write_statistics(file, make_vector(seed).model, reading, labels) as writer:
            writer.put("norms", 0, np.full((n_pairs, 1), 12.5))
            for pole, shift in zip(POLES, (1, -1), strict=True):
                writer.put(f"response_mean/resid_post.2/{pole}", 0, rng.normal(shift, 1, (n_pairs, 8)))
        return file.read_bytes()


def make_run(owner: User | None = None, vector: str = "formality", **changes: str) -> Run:
    """A queued run on a dataset of its owner."""
    user = owner or make_user()
    request = ExtractionRequest(
        **{
            "dataset": str(make_dataset_version(owner=user)),
            "base_model": make_base_model().model_hash,
            "vector": vector,
            **changes,
        }
    )
    return extraction_start(actor=user, request=request)[0]


def make_vector_version(
    owner: User | None = None,
    name: str = "formality",
    state: str = VersionState.PUBLISHED,
    version: str = "1.0.0",
    visibility: str = "public",
    verdict: str = "pass",
    safety: str = "pass",
    seed: int = 0,
    artifact: bytes = b"",
) -> VectorVersion:
    """A version in any state, brought there the way a worker and a publisher would; `name` may be
    `organisation/name`. An artifact of one's own comes without a certificate.
    """
    run = make_run(owner=owner, vector=name)
    if state == VersionState.DRAFT:
        return run.vector_version
    claim = run_claim(run_id=str(run.pk))
    if claim is None:
        raise RuntimeError("a new run could not be claimed")
    result = ArtifactResult(
        artifact or make_artifact(seed),
        make_report(verdict, safety),
        make_statistics(seed),
        **({} if artifact else certified(seed)),
    )
    run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result)
    row = VectorVersion.objects.select_related("vector__owner").get(pk=run.vector_version_id)
    if state in RELEASED:
        row = version_publish(
            actor=run.owner,
            owner=row.vector.owner.slug,
            name=row.vector.name,
            version=version,
            license="CC-BY-4.0",
            draft_id=str(row.pk),
            visibility=visibility,
        )
    return row
