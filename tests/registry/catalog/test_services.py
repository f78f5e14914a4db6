"""Register base models; draft, publish and yank."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.catalog.base_models import base_model_register
from registry.catalog.drafts import artifact_attach, version_fail
from registry.catalog.lifecycle import version_unyank, version_yank
from registry.catalog.models import BaseModelRevision, Vector, VectorVersion
from registry.catalog.releasing import check_publish_request, version_publish
from registry.catalog.vectors import vector_update
from registry.core.errors import ConflictError, IllegalTransitionError, InvalidError, NotFoundError
from registry.storage.models import Blob
from registry.storage.services import blob_put
from steering_core.demo.paths import weights_path
from steering_core.errors import ModelError
from steering_core.formats.conformance import MEDIA_TYPE
from tests.factories import make_certificate, make_vector_version
from tests.reports import make_report

pytestmark = pytest.mark.django_db


def publish(owner: Any, version: str, **changes: str) -> VectorVersion:
    return version_publish(actor=owner, name="formality", version=version, license="MIT", **changes)


def test_register_makes_a_row_once(tmp_path: Path) -> None:
    row, is_new = base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")
    moved = shutil.copytree(weights_path(), tmp_path / "moved")
    again, is_new_again = base_model_register(path=moved, name="bearing/other")
    assert (is_new, is_new_again) == (True, False)
    assert again.pk == row.pk
    assert (again.name, again.scorer, again.path) == ("bearing/other", "", str(moved))
    assert BaseModelRevision.objects.get().files == row.files


def test_register_of_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        base_model_register(path=tmp_path, name="bearing/demo")


@pytest.mark.parametrize("change", [{"name": "demo"}, {"name": "A/b"}, {"scorer": "magic"}])
def test_register_with_bad_field_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidError):
        base_model_register(**{"path": weights_path(), "name": "bearing/demo", **change})


def test_publish_freezes_and_points_latest(owner: Any) -> None:
    row = make_vector_version(owner=owner)
    vector = Vector.objects.get()
    assert (row.state, row.version, row.license) == ("published", "1.0.0", "CC-BY-4.0")
    assert row.published_at is not None
    assert (vector.latest, vector.visibility) == (row, "public")


def test_latest_is_the_highest_version_not_the_last(owner: Any) -> None:
    for number, version in enumerate(("1.10.0", "1.9.0")):
        make_vector_version(owner=owner, version=version, seed=number)
    latest = Vector.objects.get().latest
    assert latest is not None
    assert latest.version == "1.10.0"


def test_publish_of_a_taken_name_is_a_conflict_and_changes_nothing(owner: Any) -> None:
    make_vector_version(owner=owner)
    draft = make_vector_version(owner=owner, state="extracted", seed=1)
    with pytest.raises(ConflictError):
        publish(owner, "1.0.0")
    draft.refresh_from_db()
    assert draft.state == "extracted"


def test_publish_with_unknown_visibility_changes_nothing(owner: Any) -> None:
    draft = make_vector_version(owner=owner, state="extracted")
    with pytest.raises(InvalidError):
        publish(owner, "1.0.0", visibility="secret")
    draft.refresh_from_db()
    assert draft.state == "extracted"


def test_publish_of_a_damaged_file_is_refused(owner: Any, settings: Any) -> None:
    draft = make_vector_version(owner=owner, state="extracted")
    VectorVersion.objects.filter(pk=draft.pk).update(manifest={"format_version": 2})
    with pytest.raises(InvalidError) as error:
        publish(owner, "1.0.0")
    assert error.value.code == "version.not_publishable"


def test_publish_with_a_damaged_certificate_is_refused(owner: Any, settings: Any) -> None:
    draft = make_vector_version(owner=owner, state="extracted")
    of_another = blob_put(data=make_certificate(seed=1), media_type=MEDIA_TYPE)
    VectorVersion.objects.filter(pk=draft.pk).update(conformance=of_another)

    with pytest.raises(InvalidError, match="the certificate is about") as error:
        publish(owner, "1.0.0")

    assert error.value.code == "version.not_publishable"


def test_publish_with_unknown_license_is_refused(owner: Any) -> None:
    make_vector_version(owner=owner, state="extracted")
    with pytest.raises(InvalidError):
        version_publish(actor=owner, name="formality", version="1.0.0", license="GPL")


@pytest.mark.parametrize("draft_id", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_publish_without_a_draft_is_not_found(owner: Any, draft_id: str) -> None:
    make_vector_version(owner=owner, state="draft")
    with pytest.raises(NotFoundError):
        publish(owner, "1.0.0", draft_id=draft_id)


def test_publish_of_another_users_draft_is_not_found(owner: Any, other: Any) -> None:
    draft = make_vector_version(owner=owner, state="extracted")
    with pytest.raises(NotFoundError):
        publish(other, "1.0.0", draft_id=str(draft.pk))


def test_yank_moves_latest_back(owner: Any) -> None:
    for number, version in enumerate(("1.0.0", "2.0.0")):
        make_vector_version(owner=owner, version=version, seed=number)
    row = version_yank(actor=owner, name="formality", version="2.0.0", reason=" wrong poles ")
    assert (row.state, row.yank_reason) == ("yanked", "wrong poles")
    assert Vector.objects.get().latest.version == "1.0.0"
    version_unyank(actor=owner, name="formality", version="2.0.0")
    assert Vector.objects.get().latest.version == "2.0.0"


def test_yank_of_the_only_version_leaves_none(owner: Any) -> None:
    make_vector_version(owner=owner)
    version_yank(actor=owner, name="formality", version="1.0.0", reason="wrong")
    assert Vector.objects.get().latest is None
    with pytest.raises(IllegalTransitionError):
        version_yank(actor=owner, name="formality", version="1.0.0", reason="again")


def test_yank_of_what_is_not_released_is_not_found(owner: Any, other: Any) -> None:
    make_vector_version(owner=owner)
    for user, version in ((owner, "9.9.9"), (other, "1.0.0"), (owner, "")):
        with pytest.raises(NotFoundError):
            version_yank(actor=user, name="formality", version=version, reason="x")


def test_attach_of_a_pending_blob_is_refused(owner: Any) -> None:
    draft = make_vector_version(owner=owner, state="draft")
    pending = Blob.objects.create(sha256="0" * 64, size_bytes=1, media_type="x/y")
    with pytest.raises(ConflictError):
        artifact_attach(version=draft, artifact=pending, manifest={}, report=make_report())


def test_attach_twice_is_refused(owner: Any) -> None:
    row = make_vector_version(owner=owner, state="extracted")
    blob = blob_put(data=b"other", media_type="x/y")
    with pytest.raises(IllegalTransitionError):
        artifact_attach(version=row, artifact=blob, manifest={}, report=make_report())


def test_fail_ends_a_draft_alone(owner: Any) -> None:
    draft = make_vector_version(owner=owner, state="draft")
    version_fail(version=draft)
    assert draft.state == "failed"
    with pytest.raises(IllegalTransitionError):
        version_fail(version=draft)


def test_update_writes_what_was_sent_alone(owner: Any) -> None:
    make_vector_version(owner=owner)
    vector_update(actor=owner, name="formality", title=" Formality ")
    with CaptureQueriesContext(connection) as queries:
        vector_update(actor=owner, name="formality", description="From casual to formal.")
    [update] = [q["sql"] for q in queries if q["sql"].startswith('UPDATE "catalog_vector"')]
    assert "visibility" not in update.partition("WHERE")[0]
    assert Vector.objects.get().title == "Formality"


@pytest.mark.parametrize(
    "change", [{"title": "x" * 121}, {"description": "x" * 4001}, {"visibility": "secret"}]
)
def test_update_with_bad_field_is_refused(owner: Any, change: dict[str, str]) -> None:
    make_vector_version(owner=owner)
    with pytest.raises(InvalidError):
        vector_update(actor=owner, name="formality", **change)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": "1"}, "version.invalid"),
        ({"license": ""}, "license.invalid"),
        ({"visibility": "secret"}, "visibility.invalid"),
    ],
)
def test_check_publish_request_names_the_fault(owner: Any, change: dict[str, str], code: str) -> None:
    wish = {"name": "formality", "version": "1.0.0", "license": "MIT", "visibility": "", **change}
    with pytest.raises(InvalidError) as error:
        check_publish_request(actor=owner, **wish)
    assert error.value.code == code


def test_check_publish_request_tells_nothing_of_what_is_private(owner: Any, other: Any) -> None:
    make_vector_version(owner=owner, visibility="private")
    wish = {"name": "acme/formality", "version": "1.0.0", "license": "MIT", "visibility": ""}
    with pytest.raises(ConflictError):
        check_publish_request(actor=owner, **wish)
    check_publish_request(actor=other, **wish)
