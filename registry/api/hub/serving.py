"""Who sends the bytes of a file, and the short-lived links to them.

The client sends its token to the host that it asks, and keeps what it was told there only if the bytes come
from another one. So large files are a redirect: to the object store, or to this service under its second name
(`FILES_URL`). Where there is no other host, the answer is the file itself, as for small files.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from rest_framework.request import Request

from registry.api.counting import counted
from registry.api.files import PRIVATE, ServedFile, file_response
from registry.api.hub.content import VECTOR_FILE, HubFile
from registry.api.hub.revisions import commit_of
from registry.catalog.models import VectorVersion
from registry.core.errors import NotAllowedError
from registry.storage.blobs import Shown
from registry.storage.chosen import blob_store
from registry.storage.models import Blob

SALT = "registry.api.hub.serving"
# One machine, two names: what a service on somebody's own computer has by itself.
_OTHER_NAME = {"localhost": "127.0.0.1", "127.0.0.1": "localhost"}


def file_answer(request: Request, row: VectorVersion, file: HubFile) -> HttpResponse:
    """A file, or where it is. Whether the caller may have it was decided before."""
    if file.blob is None:
        response = _small(request, file)
    else:
        address = _address(request, row, file.name, file.blob)
        if address is None:
            response = blob_answer(request, row, file.blob, file.name)
        else:
            response = HttpResponse(status=302, headers={"Location": address})
            # Of bytes that the store sends this is all that is asked here; others are counted as they go.
            if settings.SERVE_FILES == "redirect" and file.name == VECTOR_FILE:
                counted(request, response, row, methods=("GET", "HEAD"))
        response["X-Linked-ETag"] = f'"{file.etag}"'
        response["X-Linked-Size"] = str(file.size_bytes)
    response["X-Repo-Commit"] = commit_of(row)
    response["Cache-Control"] = PRIVATE
    return response


def blob_answer(request: Request, row: VectorVersion, blob: Blob, name: str) -> HttpResponse:
    """The bytes of a blob, from here or from nginx."""
    file = ServedFile(blob.sha256, blob.size_bytes, blob.media_type, name, PRIVATE)
    response = file_response(request, file)
    return counted(request, response, row) if blob.sha256 == row.artifact_id else response


def read_link(signed: str) -> tuple[str, str]:
    """The version's id and the sha256 that a link was made for.

    Raises:
        NotAllowedError: it is not one of ours, or its time is over.
    """
    try:
        version_id, sha256 = signing.loads(signed, salt=SALT, max_age=settings.FILE_LINK_SECONDS)
    except signing.BadSignature as error:
        raise NotAllowedError(
            f"this link is not valid, or older than {settings.FILE_LINK_SECONDS} s; ask for the file again",
            code="link.invalid",
        ) from error
    return str(version_id), str(sha256)


def _address(request: Request, row: VectorVersion, name: str, blob: Blob) -> str | None:
    """A short-lived address of a blob on another host; None where there is no other."""
    if settings.SERVE_FILES == "redirect":
        shown = Shown(blob.media_type, str(content_disposition_header(True, name)), PRIVATE)
        address = blob_store().link(blob.sha256, shown, seconds=settings.FILE_LINK_SECONDS)
        if address is not None:
            return address
    base = _other_host(request)
    if base is None:
        return None
    signed = signing.dumps([str(row.pk), blob.sha256], salt=SALT)
    return base + reverse("hub:file", args=[signed, name])


def _other_host(request: Request) -> str | None:
    """This service under another name than the one that was asked."""
    if settings.FILES_URL:
        is_other = urlsplit(settings.FILES_URL).netloc != request.get_host()
        return str(settings.FILES_URL) if is_other else None
    name, colon, port = request.get_host().partition(":")
    other = _OTHER_NAME.get(name)
    return f"{request.scheme}://{other}{colon}{port}" if other else None


def _small(request: Request, file: HubFile) -> HttpResponse:
    """A file that is written from the row."""
    headers: dict[str, Any] = {"Content-Length": str(file.size_bytes), "ETag": f'"{file.etag}"'}
    body = b"" if request.method == "HEAD" else file.data
    return HttpResponse(body, content_type=file.media_type, headers=headers)
