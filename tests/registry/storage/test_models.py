"""The Blob row keeps its name and size, whoever writes."""

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models import ProtectedError
from django.db.utils import Error

from registry.storage.models import Blob
from registry.storage.services import blob_put
from tests.factories import make_dataset_version

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("sha256", ["", "x" * 64, "A" * 64, "a" * 63])
def test_name_that_is_no_digest_is_refused_by_the_database(sha256: str) -> None:
    with pytest.raises(IntegrityError):
        Blob.objects.create(sha256=sha256, size_bytes=1, media_type="text/plain")


@pytest.mark.parametrize("change", ["size_bytes = 0", "sha256 = repeat('0', 64)"])
def test_name_and_size_cannot_change(change: str) -> None:
    blob_put(data=b"bytes that stay", media_type="text/plain")
    with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE storage_blob SET {change}")


def test_blob_in_use_cannot_be_deleted() -> None:
    version = make_dataset_version()
    with pytest.raises((ProtectedError, Error)):
        version.blob.delete()
