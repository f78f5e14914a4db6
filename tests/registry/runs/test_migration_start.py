"""Moves of a version to another base model: who may start which, and what a worker is told."""

from dataclasses import replace
from typing import Any

import pytest

from registry.accounts.models import User
from registry.catalog.models import BaseModelRevision, VectorVersion
from registry.core.errors import InvalidError, NotAllowedError, NotFoundError
from registry.datasets.services import dataset_make_public
from registry.runs.leases import run_claim
from registry.runs.models import Run
from registry.runs.services import MigrationRequest, migration_start
from tests.factories import MODEL_HASH, make_base_model, make_user, make_vector_version

pytestmark = pytest.mark.django_db
OTHER_HASH = "sha256:" + "cd" * 32


@pytest.fixture
def target() -> BaseModelRevision:
    return make_base_model(name="bearing/other", model_hash=OTHER_HASH)


@pytest.fixture
def version(owner: User) -> VectorVersion:
    """acme/formality@1.0.0, public, of pairs that are private."""
    return make_vector_version(owner=owner)


@pytest.fixture
def asked(version: VectorVersion, target: BaseModelRevision) -> MigrationRequest:
    return MigrationRequest("acme/formality@1.0.0", "bearing/other", "formality-two", "smoke")


def test_migration_start_makes_a_draft_on_the_target_that_names_its_source(
    owner: User, version: VectorVersion, target: BaseModelRevision, asked: MigrationRequest
) -> None:
    run, is_new = migration_start(actor=owner, request=asked)

    made = run.vector_version
    assert (run.kind, is_new) == (Run.Kind.MIGRATE, True)
    assert (made.base_model, made.migrated_from) == (target, version)
    assert made.dataset_version == version.dataset_version
    expected = {**version.spec, "model_hash": OTHER_HASH, "tier": "smoke", "migrated_from": version.digest}
    assert made.spec == expected
    assert made.spec_digest != version.spec_digest


def test_run_claim_of_a_migration_names_both_models_and_the_file(
    owner: User, version: VectorVersion, asked: MigrationRequest
) -> None:
    run, _ = migration_start(actor=owner, request=asked)

    claim = run_claim(run_id=str(run.pk))

    assert claim is not None
    assert claim.source is not None
    assert (claim.model_hash, claim.source.model_hash) == (OTHER_HASH, MODEL_HASH)
    assert claim.source.artifact_sha256 == version.artifact_id
    assert (claim.spec.model_hash, claim.spec.method) == (OTHER_HASH, version.spec["method"])


def test_migration_start_with_a_used_key_gives_the_same_run(owner: User, asked: MigrationRequest) -> None:
    first, _ = migration_start(actor=owner, request=asked, idempotency_key="k")

    again, is_new = migration_start(actor=owner, request=asked, idempotency_key="k")

    assert (again, is_new) == (first, False)


def test_migration_start_takes_an_unpublished_draft_of_ones_own_by_its_id(
    owner: User, asked: MigrationRequest
) -> None:
    draft = make_vector_version(owner=owner, name="other", state="extracted")

    run, _ = migration_start(actor=owner, request=replace(asked, source=str(draft.pk)))

    assert run.vector_version.migrated_from == draft


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"base_model": MODEL_HASH}, InvalidError, "migration.same_model"),
        ({"base_model": "bearing/none"}, NotFoundError, "base_model.not_found"),
        ({"source": "acme/formality@2.0.0"}, NotFoundError, "version.not_found"),
        ({"source": "acme/formality@2"}, InvalidError, "reference.invalid"),
        ({"source": "nonsense"}, NotFoundError, "version.not_found"),
        ({"vector": "Not A Slug"}, InvalidError, "name.invalid"),
        ({"tier": "magic"}, InvalidError, "extraction.unknown_tier"),
    ],
)
def test_migration_start_refuses(
    owner: User, asked: MigrationRequest, change: dict[str, str], error: Any, code: str
) -> None:
    before = Run.objects.count()

    with pytest.raises(error) as caught:
        migration_start(actor=owner, request=replace(asked, **change))

    assert caught.value.code == code
    assert Run.objects.count() == before


def test_migration_start_of_a_version_without_a_file_is_refused(owner: User, asked: MigrationRequest) -> None:
    waiting = make_vector_version(owner=owner, name="other", state="draft")

    with pytest.raises(NotFoundError) as caught:
        migration_start(actor=owner, request=replace(asked, source=str(waiting.pk)))

    assert caught.value.code == "artifact.not_found"


def test_migration_start_by_somebody_else_takes_public_pairs(
    owner: User, version: VectorVersion, asked: MigrationRequest
) -> None:
    lex = make_user("lex")
    with pytest.raises(NotAllowedError) as caught:
        migration_start(actor=lex, request=asked)

    dataset_make_public(actor=owner, name=version.dataset_version.dataset.name)

    assert caught.value.code == "migration.private_dataset"
    assert version.dataset_version.dataset.name not in caught.value.message
    assert migration_start(actor=lex, request=asked)[0].vector_version.vector.owner.slug == "lex"


def test_migration_start_of_somebody_elses_draft_is_not_found(owner: User, asked: MigrationRequest) -> None:
    draft = make_vector_version(owner=owner, name="other", state="extracted")

    with pytest.raises(NotFoundError):
        migration_start(actor=make_user("lex"), request=replace(asked, source=str(draft.pk)))
