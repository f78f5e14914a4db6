"""Check, publish, stage and commit files of pairs."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from registry.core.errors import InvalidError, NotFoundError
from registry.datasets import services
from registry.datasets.models import Dataset, DatasetUpload, DatasetVersion
from registry.datasets.services import (
    dataset_check,
    dataset_make_public,
    dataset_publish,
    upload_commit,
    upload_stage,
)
from registry.storage.models import Blob
from registry.storage.services import blob_read
from steering_core.pairs.readers import read_pairs
from tests.factories import make_pairs_file

pytestmark = pytest.mark.django_db
PAIRS = make_pairs_file()


def checked(word: str = "tone") -> Any:
    return dataset_check(data=make_pairs_file(word=word), filename="pairs.jsonl")


def test_check_gives_what_would_be_stored() -> None:
    found = checked()
    assert read_pairs(found.canonical).pairs == read_pairs(PAIRS).pairs
    assert (found.n_pairs, found.source_format, len(found.preview)) == (20, "jsonl", 5)
    assert found.digest.startswith("sha256:")
    assert not Blob.objects.exists()


def test_check_of_the_same_pairs_in_another_form_gives_the_same_digest() -> None:
    spaced = PAIRS.replace(b'":"', b'": "')
    one, two = dataset_check(data=PAIRS), dataset_check(data=spaced)
    assert one.digest == two.digest
    assert one.source_digest != two.source_digest


def test_check_of_a_bad_row_keeps_code_and_row() -> None:
    with pytest.raises(InvalidError) as error:
        dataset_check(data=PAIRS + b"{oops\n")
    assert error.value.code == "dataset.not_json"
    assert error.value.fields == {"row": "21"}


def test_publish_stores_the_canonical_pairs(owner: Any) -> None:
    version, is_new = dataset_publish(actor=owner, name="tone", checked=checked(), description="Tone.")
    assert is_new
    assert str(version) == "acme/tone@1"
    assert blob_read(sha256=version.blob_id) == checked().canonical
    assert (version.dataset.visibility, version.dataset.description) == ("private", "Tone.")


def test_publish_of_the_newest_pairs_adds_nothing(owner: Any) -> None:
    first, _ = dataset_publish(actor=owner, name="tone", checked=checked())
    assert dataset_publish(actor=owner, name="tone", checked=checked()) == (first, False)


def test_publish_of_older_pairs_adds_a_version(owner: Any) -> None:
    for number, word in enumerate(("tone", "style", "tone"), start=1):
        version, _ = dataset_publish(actor=owner, name="tone", checked=checked(word))
        assert version.number == number


def test_publish_again_keeps_the_visibility(owner: Any) -> None:
    dataset_publish(actor=owner, name="tone", checked=checked())
    dataset_publish(actor=owner, name="tone", checked=checked("style"), visibility="public")
    assert Dataset.objects.get().visibility == "private"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"name": "Tone"}, "name.invalid"), ({"visibility": "secret"}, "visibility.invalid")],
)
def test_publish_with_bad_field_stores_nothing(owner: Any, change: dict[str, str], code: str) -> None:
    with pytest.raises(InvalidError) as error:
        dataset_publish(**{"actor": owner, "name": "tone", "checked": checked(), **change})
    assert error.value.code == code
    assert not Blob.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_publish_by_eight_at_once_numbers_without_gaps(owner: Any) -> None:
    files = [checked(f"word{number}") for number in range(8)]

    def publish(found: Any) -> int:
        try:
            return dataset_publish(actor=owner, name="tone", checked=found)[0].number
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(publish, files)) == list(range(1, 9))


def test_stage_then_commit_makes_the_version_and_forgets_the_upload(owner: Any) -> None:
    upload = upload_stage(owner=owner, checked=checked())
    version = upload_commit(actor=owner, upload_id=str(upload.pk), name="tone", visibility="public")
    assert (version.number, version.n_pairs, version.report) == (1, 20, upload.report)
    assert not DatasetUpload.objects.exists()


def test_upload_that_is_saved_twice_at_once_makes_one_version(owner: Any, monkeypatch: Any) -> None:
    upload_id = str(upload_stage(owner=owner, checked=checked()).pk)
    find = services.draft_get

    def then_the_other_saves(**which: Any) -> Any:
        found = find(**which)
        monkeypatch.undo()
        upload_commit(actor=owner, upload_id=upload_id, name="first")
        return found

    monkeypatch.setattr(services, "draft_get", then_the_other_saves)
    with pytest.raises(NotFoundError, match="meanwhile"):
        upload_commit(actor=owner, upload_id=upload_id, name="second")
    assert [str(version.dataset.name) for version in DatasetVersion.objects.all()] == ["first"]


def test_commit_of_another_users_upload_is_not_found(owner: Any, other: Any) -> None:
    upload = upload_stage(owner=owner, checked=checked())
    with pytest.raises(NotFoundError):
        upload_commit(actor=other, upload_id=str(upload.pk), name="tone")


@pytest.mark.parametrize("upload_id", ["x", "", "\0", str(uuid.UUID(int=7))])
def test_commit_of_nothing_is_not_found(owner: Any, upload_id: str) -> None:
    with pytest.raises(NotFoundError):
        upload_commit(actor=owner, upload_id=upload_id, name="tone")


def test_upload_is_gone_a_week_after_it_was_last_touched(owner: Any) -> None:
    upload = upload_stage(owner=owner, checked=checked())
    DatasetUpload.objects.update(touched_at=timezone.now() - timedelta(days=8))
    with pytest.raises(NotFoundError):
        upload_commit(actor=owner, upload_id=str(upload.pk), name="tone")
    upload_stage(owner=owner, checked=checked())
    assert DatasetUpload.objects.count() == 1
    assert not DatasetVersion.objects.exists()


def test_commit_under_a_bad_name_keeps_the_upload(owner: Any) -> None:
    upload = upload_stage(owner=owner, checked=checked())
    with pytest.raises(InvalidError):
        upload_commit(actor=owner, upload_id=str(upload.pk), name="Not A Name")
    assert DatasetUpload.objects.exists()


def test_make_public_shows_the_dataset(owner: Any) -> None:
    dataset_publish(actor=owner, name="tone", checked=checked())
    assert dataset_make_public(actor=owner, name="tone").visibility == "public"
    with pytest.raises(NotFoundError):
        dataset_make_public(actor=owner, name="nothing")
