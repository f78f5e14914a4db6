"""Reading datasets: what the viewer may not see does not exist."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from registry.core.errors import NotFoundError
from registry.datasets.selectors import (
    dataset_get,
    dataset_list,
    dataset_version_get,
    upload_get,
)
from registry.datasets.services import dataset_check, upload_stage
from tests.factories import make_dataset_version, make_pairs_file

pytestmark = pytest.mark.django_db
NOBODY = AnonymousUser()


@pytest.mark.parametrize("viewer", [None, NOBODY])
def test_private_is_seen_by_its_owner_alone(owner: Any, other: Any, viewer: Any) -> None:
    version = make_dataset_version(owner=owner)
    assert dataset_version_get(viewer=owner, owner="acme", name="tone-pairs") == version
    for stranger in (viewer, other):
        assert not dataset_list(viewer=stranger)
        with pytest.raises(NotFoundError):
            dataset_get(viewer=stranger, owner="acme", name="tone-pairs")
        with pytest.raises(NotFoundError):
            dataset_version_get(viewer=stranger, owner="acme", name="tone-pairs", number=1)


def test_public_is_seen_by_everybody(owner: Any, other: Any) -> None:
    make_dataset_version(owner=owner, visibility="public")
    for viewer in (None, NOBODY, owner, other):
        assert dataset_get(viewer=viewer, owner="acme", name="tone-pairs").newest_number == 1


def test_list_counts_versions(owner: Any) -> None:
    for word in ("tone", "style"):
        make_dataset_version(owner=owner, data=make_pairs_file(word=word))
    row = dataset_list(viewer=owner).get()
    assert (row.newest_number, row.n_versions) == (2, 2)


def test_version_without_number_is_the_newest(owner: Any) -> None:
    for word in ("tone", "style"):
        make_dataset_version(owner=owner, data=make_pairs_file(word=word))
    assert dataset_version_get(viewer=owner, owner="acme", name="tone-pairs").number == 2
    assert dataset_version_get(viewer=owner, owner="acme", name="tone-pairs", number=1).number == 1


@pytest.mark.parametrize("number", [0, 3, 2**40])
def test_unknown_number_is_not_found(owner: Any, number: int) -> None:
    make_dataset_version(owner=owner)
    with pytest.raises(NotFoundError):
        dataset_version_get(viewer=owner, owner="acme", name="tone-pairs", number=number)


def test_upload_is_its_owners_alone(owner: Any, other: Any) -> None:
    upload = upload_stage(owner=owner, checked=dataset_check(data=make_pairs_file()))
    assert upload_get(owner=owner, upload_id=str(upload.pk)) == upload
    with pytest.raises(NotFoundError):
        upload_get(owner=other, upload_id=str(upload.pk))


@pytest.mark.parametrize("upload_id", ["x", "", "\0", str(uuid.UUID(int=7))])
def test_upload_of_no_id_is_not_found(owner: Any, upload_id: str) -> None:
    with pytest.raises(NotFoundError):
        upload_get(owner=owner, upload_id=upload_id)
