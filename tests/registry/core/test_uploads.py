"""The upload handler on Django's own form parser; the REST interface is tested in tests/api."""

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import RequestFactory


def posted(size: int) -> Any:
    return RequestFactory().post(
        "/", {"file": SimpleUploadedFile("pairs.jsonl", b"x" * size), "name": "tone"}
    )


def test_upload_within_the_limit_is_a_temporary_file(settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 100_000
    request = posted(100_000)
    assert isinstance(request.FILES["file"], TemporaryUploadedFile)
    assert not hasattr(request, "upload_was_cut")
    request.close()


def test_upload_over_the_limit_is_cut(settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 100_000
    request = posted(100_001)
    assert "file" not in request.FILES
    assert request.upload_was_cut is True


def test_form_without_a_file_is_read() -> None:
    request = RequestFactory().post("/", {"name": "tone", "file": BytesIO(b"")})
    assert request.POST["name"] == "tone"
    request.close()
