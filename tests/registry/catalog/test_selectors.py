"""Reading the catalog: what the viewer may not see does not exist."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from registry.catalog.lifecycle import version_yank
from registry.catalog.models import VectorVersion
from registry.catalog.selectors import (
    artifact_read,
    base_model_get,
    base_model_list,
    vector_get,
    version_by_digest,
    version_get,
    version_get_by_id,
    version_list,
)
from registry.core.errors import InvalidError, NotFoundError
from registry.discovery.search import vector_search
from tests.factories import MODEL_HASH, make_artifact, make_base_model, make_vector_version

pytestmark = pytest.mark.django_db
NOBODY = AnonymousUser()
NAMED = {"owner": "acme", "name": "formality"}


def test_base_model_by_name_is_the_newest() -> None:
    make_base_model()
    newer = make_base_model(model_hash="sha256:" + "0" * 64)
    assert base_model_get(reference="bearing/demo") == newer
    assert base_model_get(reference=MODEL_HASH) != newer
    assert base_model_list().count() == 2


def test_unknown_base_model_names_the_known() -> None:
    make_base_model()
    with pytest.raises(NotFoundError, match="bearing/demo"):
        base_model_get(reference="other/model")


@pytest.mark.parametrize("viewer", [None, NOBODY])
def test_private_is_seen_by_its_owner_alone(owner: Any, other: Any, viewer: Any) -> None:
    row = make_vector_version(owner=owner, visibility="private")
    assert (
        version_get(viewer=owner, **NAMED) == version_get_by_id(viewer=owner, version_id=str(row.pk)) == row
    )
    for stranger in (viewer, other):
        assert vector_search(viewer=stranger).page(20) == ([], "")
        for call in (
            lambda who: vector_get(viewer=who, **NAMED),
            lambda who: version_get(viewer=who, **NAMED),
            lambda who: version_get_by_id(viewer=who, version_id=str(row.pk)),
            lambda who: version_by_digest(viewer=who, sha256=row.artifact_id),
        ):
            with pytest.raises(NotFoundError):
                call(stranger)


def test_vector_without_a_released_version_is_its_owners_alone(owner: Any) -> None:
    draft = make_vector_version(owner=owner, state="extracted")
    type(draft.vector).objects.update(visibility="public")
    assert vector_get(viewer=owner, **NAMED) == draft.vector
    for viewer in (None, NOBODY):
        with pytest.raises(NotFoundError):
            vector_get(viewer=viewer, **NAMED)


def test_version_by_exact_name_digest_and_latest(owner: Any) -> None:
    one, two = (make_vector_version(owner=owner, version=f"{n}.0.0", seed=n) for n in (1, 2))
    assert version_get(viewer=None, **NAMED) == two
    assert version_get(viewer=None, reference="1.0.0", **NAMED) == one
    assert version_get(viewer=None, reference=one.digest, **NAMED) == one


def test_yanked_version_resolves_by_pin_alone(owner: Any) -> None:
    row = make_vector_version(owner=owner)
    version_yank(actor=owner, name="formality", version="1.0.0", reason="wrong")
    for reference in ("1.0.0", row.digest):
        assert version_get(viewer=None, reference=reference, **NAMED) == row
    with pytest.raises(NotFoundError):
        version_get(viewer=None, **NAMED)


def test_digest_under_two_versions_gives_the_one_that_is_not_yanked(owner: Any) -> None:
    for version in ("1.0.0", "2.0.0"):
        row = make_vector_version(owner=owner, version=version)
    version_yank(actor=owner, name="formality", version="2.0.0", reason="wrong")
    assert version_get(viewer=None, reference=row.digest, **NAMED).version == "1.0.0"
    assert version_by_digest(viewer=None, sha256=row.artifact_id).version == "1.0.0"


def test_digest_under_a_private_and_a_public_vector_gives_the_public_one(owner: Any) -> None:
    make_vector_version(owner=owner, name="open")
    row = make_vector_version(owner=owner, name="closed", visibility="private")
    assert version_by_digest(viewer=owner, sha256=row.artifact_id).vector.name == "open"


def test_draft_is_not_found_by_reference(owner: Any) -> None:
    draft = make_vector_version(owner=owner, state="extracted")
    for reference in ("latest", draft.digest):
        with pytest.raises(NotFoundError):
            version_get(viewer=owner, reference=reference, **NAMED)
    assert version_by_digest(viewer=owner, sha256=draft.artifact_id) == draft


def test_unknown_reference_is_refused(owner: Any) -> None:
    make_vector_version(owner=owner)
    with pytest.raises(InvalidError):
        version_get(viewer=None, reference="2.x", **NAMED)


@pytest.mark.parametrize("version_id", ["x", "", "\0", "00000000-0000-0000-0000-000000000000"])
def test_unknown_id_is_not_found(version_id: str) -> None:
    with pytest.raises(NotFoundError):
        version_get_by_id(viewer=None, version_id=version_id)


def test_list_is_highest_first_with_drafts_for_the_owner(owner: Any, other: Any) -> None:
    for number, version in enumerate(("1.2.0", "1.10.0")):
        row = make_vector_version(owner=owner, version=version, seed=number)
    make_vector_version(owner=owner, state="draft")
    names = [[v.version for v in version_list(viewer=who, vector=row.vector)] for who in (owner, other, None)]
    assert names == [[None, "1.10.0", "1.2.0"], ["1.10.0", "1.2.0"], ["1.10.0", "1.2.0"]]


def test_artifact_read_gives_the_file(owner: Any) -> None:
    assert artifact_read(version=make_vector_version(owner=owner)) == make_artifact()


def test_artifact_read_of_a_draft_is_not_found(owner: Any) -> None:
    draft: VectorVersion = make_vector_version(owner=owner, state="draft")
    with pytest.raises(NotFoundError):
        artifact_read(version=draft)
