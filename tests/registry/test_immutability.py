"""What is released cannot be changed or removed: not by a service, a queryset, or SQL by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models.functions import Now

from registry.catalog.models import MOVABLE, VectorVersion
from registry.datasets.models import DatasetVersion
from registry.runs.models import RunEvent
from tests.factories import make_dataset_version, make_run, make_vector_version

pytestmark = pytest.mark.django_db

CHANGES: dict[str, Any] = {
    "version": "9.9.9",
    "spec": {},
    "spec_digest": "x",
    "artifact": None,
    "conformance": None,
    "conformance_missing": "because",
    "manifest": {},
    "report": {},
    "verdict": "fail",
    "grade": "A",
    "license": "MIT",
    "published_at": "2020-01-01T00:00:00Z",
    "created_at": "2020-01-01T00:00:00Z",
}


def refused(change: Callable[[], Any]) -> None:
    with pytest.raises(DatabaseError, match="pgtrigger"), transaction.atomic():
        change()


@pytest.mark.parametrize("state", ["published", "yanked"])
@pytest.mark.parametrize("field", CHANGES)
def test_released_version_keeps_every_field(owner: Any, state: str, field: str) -> None:
    row = make_vector_version(owner=owner)
    if state == "yanked":
        VectorVersion.objects.update(state="yanked", yank_reason="wrong")
    refused(lambda: VectorVersion.objects.filter(pk=row.pk).update(**{field: CHANGES[field]}))


def test_released_version_keeps_every_column_of_the_table(owner: Any) -> None:
    make_vector_version(owner=owner)
    names = {field.column for field in VectorVersion._meta.concrete_fields} - set(MOVABLE)
    with connection.cursor() as cursor:
        for name in names:
            # NULL already for a version that was extracted here; it cannot become another.
            value = {"migrated_from_id": "id", "imported_file_id": "artifact_id"}.get(name, "NULL")
            change = f"UPDATE catalog_vectorversion SET {name} = {value}"
            refused(lambda change=change: cursor.execute(change))


def test_released_version_cannot_be_deleted(owner: Any) -> None:
    row = make_vector_version(owner=owner)
    refused(lambda: VectorVersion.objects.filter(pk=row.pk)._raw_delete("default"))
    with connection.cursor() as cursor:
        refused(lambda: cursor.execute("DELETE FROM catalog_vectorversion"))


@pytest.mark.parametrize("state", ["draft", "extracted", "failed"])
def test_released_version_goes_back_to_no_earlier_state(owner: Any, state: str) -> None:
    make_vector_version(owner=owner)
    refused(lambda: VectorVersion.objects.update(state=state))


def test_draft_cannot_be_published_without_its_parts(owner: Any) -> None:
    make_vector_version(owner=owner, state="extracted")
    with pytest.raises(IntegrityError), transaction.atomic():
        VectorVersion.objects.update(state="published", version="1.0.0")


def test_draft_that_fails_the_safety_gate_cannot_be_published(owner: Any) -> None:
    make_vector_version(owner=owner, state="extracted", safety="fail")
    whole = {"version": "1.0.0", "license": "MIT", "published_at": Now()}
    with pytest.raises(IntegrityError, match="passes_the_safety_gate"), transaction.atomic():
        VectorVersion.objects.update(state="published", **whole)


def test_draft_cannot_skip_extraction(owner: Any) -> None:
    make_vector_version(owner=owner, state="draft")
    refused(lambda: VectorVersion.objects.update(state="published"))


@pytest.mark.parametrize("change", [{"number": 9}, {"report": {}}, {"n_pairs": 1}, {"source_filename": "x"}])
def test_dataset_version_keeps_every_field(change: dict[str, Any]) -> None:
    make_dataset_version()
    refused(lambda: DatasetVersion.objects.update(**change))


def test_dataset_version_cannot_be_deleted() -> None:
    version = make_dataset_version()
    refused(version.delete)
    with connection.cursor() as cursor:
        refused(lambda: cursor.execute("DELETE FROM datasets_datasetversion"))
        refused(lambda: cursor.execute("UPDATE datasets_datasetversion SET n_pairs = 0"))


def test_run_event_is_appended_only() -> None:
    run = make_run()
    refused(lambda: RunEvent.objects.update(message="something else"))
    refused(lambda: RunEvent.objects.all()._raw_delete("default"))
    refused(run.delete)
    with connection.cursor() as cursor:
        refused(lambda: cursor.execute("UPDATE runs_runevent SET message = 'x'"))
        refused(lambda: cursor.execute("DELETE FROM runs_runevent"))


def test_base_model_keeps_its_hash_and_files(owner: Any) -> None:
    model = make_vector_version(owner=owner).base_model
    for change in ({"model_hash": "sha256:" + "0" * 64}, {"files": {"config.json": "0"}}):
        refused(lambda change=change: type(model).objects.update(**change))
