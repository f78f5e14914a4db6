"""Removal: for good, by staff, said why; files are served to nobody, names stay taken."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from registry.audit.models import AuditEvent
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.releasing import version_publish
from registry.catalog.removal import vector_remove, version_remove
from registry.catalog.selectors import (
    vector_get,
    version_by_digest,
    version_get,
    version_get_by_id,
    version_list,
)
from registry.core.errors import (
    ConflictError,
    IllegalTransitionError,
    InvalidError,
    LegallyRemovedError,
    NotAllowedError,
    NotFoundError,
    RemovedError,
)
from registry.discovery.search import Wanted, vector_search
from tests.factories import make_run, make_user, make_vector_version

pytestmark = pytest.mark.django_db
NAME = {"owner": "acme", "name": "formality"}


@pytest.fixture
def staff(db: None) -> Any:
    return make_user("operator", is_staff=True, is_superuser=True)


@pytest.mark.parametrize(("kind", "error"), [("safety", RemovedError), ("legal", LegallyRemovedError)])
def test_removed_version_is_gone_for_everybody_and_says_why(
    owner: Any, staff: Any, kind: str, error: type[RemovedError]
) -> None:
    row = make_vector_version(owner=owner)
    version_remove(actor=staff, version=row, kind=kind, reason="it does harm")
    for viewer in (None, owner, staff):
        for get in (
            lambda v: version_get(viewer=v, reference="1.0.0", **NAME),
            lambda v: version_get(viewer=v, reference=row.digest, **NAME),
            lambda v: version_get_by_id(viewer=v, version_id=str(row.pk)),
            lambda v: version_by_digest(viewer=v, sha256=row.artifact_id),
        ):
            with pytest.raises(error, match="it does harm") as caught:
                get(viewer)
            assert type(caught.value) is error
        assert version_list(viewer=viewer, vector=row.vector) == []
    with pytest.raises(NotFoundError):
        version_get(viewer=None, reference="latest", **NAME)
    assert vector_get(viewer=None, **NAME).latest is None
    assert AuditEvent.objects.get(action="version.removed").data == {"kind": kind, "reason": "it does harm"}


def test_latest_falls_back_and_the_number_stays_taken(owner: Any, staff: Any) -> None:
    make_vector_version(owner=owner)
    newer = make_vector_version(owner=owner, version="2.0.0", seed=1)
    version_remove(actor=staff, version=newer, kind="safety", reason="harm")
    assert version_get(viewer=None, reference="latest", **NAME).version == "1.0.0"
    draft = make_vector_version(owner=owner, state="extracted", seed=2)
    with pytest.raises(ConflictError):
        version_publish(actor=owner, name="formality", version="2.0.0", license="MIT", draft_id=str(draft.pk))


def test_a_copy_elsewhere_is_still_served_by_digest(owner: Any, staff: Any, other: Any) -> None:
    row = make_vector_version(owner=owner)
    make_vector_version(owner=other, name="copy")
    version_remove(actor=staff, version=row, kind="safety", reason="harm")
    assert str(version_by_digest(viewer=None, sha256=row.artifact_id)) == "mallory/copy@1.0.0"


def test_removed_vector_takes_all_along_and_keeps_its_name(owner: Any, staff: Any) -> None:
    row = make_vector_version(owner=owner)
    draft = make_vector_version(owner=owner, state="extracted", seed=1)
    vector_remove(actor=staff, vector=row.vector, kind="legal", reason="a court said so")
    for viewer in (None, owner):
        with pytest.raises(LegallyRemovedError, match="a court said so"):
            vector_get(viewer=viewer, **NAME)
    with pytest.raises(RemovedError):
        version_get_by_id(viewer=owner, version_id=str(draft.pk))
    with pytest.raises(NotFoundError):
        version_by_digest(viewer=owner, sha256=draft.artifact_id)
    with pytest.raises(RemovedError):
        make_run(owner=owner, vector="formality")
    with pytest.raises(RemovedError):
        version_publish(actor=owner, name="formality", version="1.0.1", license="MIT")
    assert vector_search(viewer=owner, wanted=Wanted(mine=True)).page(20) == ([], "")
    assert VectorVersion.objects.get(pk=row.pk).state == "removed"


def test_removed_private_vector_stays_unknown_to_others(owner: Any, other: Any, staff: Any) -> None:
    row = make_vector_version(owner=owner, visibility="private")
    vector_remove(actor=staff, vector=row.vector, kind="safety", reason="harm")
    with pytest.raises(NotFoundError) as caught:
        vector_get(viewer=other, **NAME)
    assert not isinstance(caught.value, RemovedError)


def test_only_staff_removes_and_only_what_is_released(owner: Any, staff: Any) -> None:
    row = make_vector_version(owner=owner)
    draft = make_vector_version(owner=owner, state="extracted", seed=1)
    said = {"kind": "safety", "reason": "harm"}
    with pytest.raises(NotAllowedError):
        version_remove(actor=owner, version=row, **said)
    with pytest.raises(NotAllowedError):
        vector_remove(actor=owner, vector=row.vector, **said)
    for wrong in ({"kind": "whim", "reason": "x"}, {"kind": "safety", "reason": " "}):
        with pytest.raises(InvalidError):
            version_remove(actor=staff, version=row, **wrong)
    with pytest.raises(IllegalTransitionError):
        version_remove(actor=staff, version=draft, **said)
    version_remove(actor=staff, version=row, **said)
    with pytest.raises(IllegalTransitionError):
        version_remove(actor=staff, version=row, **said)


def test_the_database_keeps_what_was_removed(owner: Any, staff: Any) -> None:
    row = make_vector_version(owner=owner)
    vector_remove(actor=staff, vector=row.vector, kind="safety", reason="harm")
    for change in (
        lambda: VectorVersion.objects.update(state="published"),
        lambda: VectorVersion.objects.update(report={}),
        lambda: VectorVersion.objects.all()._raw_delete("default"),
        lambda: Vector.objects.update(removed_at=None),
    ):
        with pytest.raises(DatabaseError, match="pgtrigger"), transaction.atomic():
            change()


def test_staff_page_asks_why_then_removes(owner: Any, staff: Any) -> None:
    row = make_vector_version(owner=owner)
    make_vector_version(owner=owner, name="copy")
    client = Client()
    client.force_login(staff)
    path = reverse("admin:catalog_vectorversion_changelist")
    ticked = {"action": "remove", "_selected_action": [str(row.pk)]}

    asked = client.post(path, ticked)
    assert asked.status_code == 200
    assert "acme/copy@1.0.0" in asked.content.decode()
    assert VectorVersion.objects.get(pk=row.pk).state == "published"
    client.post(path, {**ticked, "kind": "legal", "reason": "a court said so"})

    removed = VectorVersion.objects.get(pk=row.pk)
    assert (removed.state, removed.removal_kind) == ("removed", "legal")
    path = reverse("admin:catalog_vector_changelist")
    ticked = {"action": "remove", "_selected_action": [str(row.vector_id)]}
    client.post(path, {**ticked, "kind": "safety", "reason": "harm"})
    assert Vector.objects.get(pk=row.vector_id).removal_reason == "harm"


def test_staff_without_the_permission_have_no_such_action(owner: Any) -> None:
    row = make_vector_version(owner=owner)
    client = Client()
    client.force_login(make_user("helper", is_staff=True))
    client.post(
        reverse("admin:catalog_vector_changelist"),
        {"action": "remove", "_selected_action": [str(row.vector_id)], "kind": "legal", "reason": "x"},
    )
    assert Vector.objects.get(pk=row.vector_id).removed_at is None
