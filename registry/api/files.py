"""Answers that are files: strong ETag, 304, single ranges, HEAD, digests (RFC 9110, RFC 9530).

Access is decided before. Who then sends the bytes, `SERVE_FILES` says: the app itself, which verifies them;
the store, by a redirect to a short-lived address; or nginx, told by `X-Accel-Redirect`. In the two latter
cases the bytes are for the caller to check against `Repr-Digest`.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import content_disposition_header, parse_etags
from rest_framework.request import Request

from registry.api.errors import RangeError
from registry.storage.blobs import Shown
from registry.storage.chosen import blob_store
from registry.storage.services import blob_read

IMMUTABLE = "public, max-age=31536000, immutable"
SHORT = "public, max-age=60, stale-while-revalidate=600"
PRIVATE = "private, no-store"
# For how long nginx may give everybody an answer without asking again, by what it may be kept for elsewhere;
# and a token a file that it was let have. A yank, a change to private, a revocation show within this.
KEPT_SECONDS = {IMMUTABLE: 60, SHORT: 10}
GRANTED_SECONDS = 5


@dataclass(frozen=True, slots=True)
class ServedFile:
    """What is known about a file before it is read: `sha256` in hex, `caching` as in Cache-Control."""

    sha256: str
    size_bytes: int
    media_type: str
    filename: str
    caching: str


def file_response(request: Request, file: ServedFile) -> HttpResponse:
    """The file, a part of it, where it is, or word that the caller has it.

    Raises:
        RangeError: the range lies outside the file.
        BlobMissingError, BlobCorruptError, BlobStoreError: from reading.
    """
    etag = f'"{file.sha256}"'
    if is_fresh(request, etag):
        return _with_headers(HttpResponse(status=304), file)
    span = _range(request, etag, file.size_bytes)
    if request.method == "HEAD":
        response = HttpResponse(headers={"Content-Length": str(file.size_bytes)})
        response["Content-Digest"] = _digest_header(bytes.fromhex(file.sha256))
        return _with_headers(response, file)
    if (elsewhere := _elsewhere(request, file, span)) is not None:
        return elsewhere
    return _with_headers(_own_response(file, span), file)


def is_fresh(request: Request, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag (compared weakly, as RFC 9110 wants it)."""
    wanted = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in wanted or etag in (item.removeprefix("W/") for item in wanted)


def _own_response(file: ServedFile, span: tuple[int, int] | None) -> HttpResponse:
    data = blob_read(sha256=file.sha256)
    part = data if span is None else data[span[0] : span[1]]
    response = HttpResponse(part, status=200 if span is None else 206)
    response["Content-Digest"] = _digest_header(hashlib.sha256(part).digest())
    if span is not None:
        response["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{file.size_bytes}"
    return response


def _elsewhere(request: Request, file: ServedFile, span: tuple[int, int] | None) -> HttpResponse | None:
    """An answer whose bytes others send; None where the app has to: for a range that it does not grant, since
    they would.
    """
    mode, wants_range = settings.SERVE_FILES, "Range" in request.headers
    if mode == "app" or (wants_range and span is None):
        return None
    if mode == "accel":
        # nginx may come back to it for as long as it keeps the answer.
        seconds = settings.FILE_LINK_SECONDS + max(KEPT_SECONDS.values())
        path = blob_store().inner_path(file.sha256, _shown(file), seconds=seconds)
        response = _with_headers(HttpResponse(headers={"X-Accel-Redirect": path}), file)
        # nginx says this itself, and would say it twice.
        del response["Accept-Ranges"]
        return response
    address = blob_store().link(file.sha256, _shown(file), seconds=settings.FILE_LINK_SECONDS)
    if address is None:
        return None
    response = _with_headers(HttpResponse(status=302, headers={"Location": address}), file)
    # Whoever kept this answer would give the address to others, or to the same caller when it works no more.
    response["Cache-Control"] = PRIVATE
    return response


def _shown(file: ServedFile) -> Shown:
    return Shown(file.media_type, _disposition(file), file.caching)


def _disposition(file: ServedFile) -> str:
    return str(content_disposition_header(True, file.filename))


def _with_headers(response: HttpResponse, file: ServedFile) -> HttpResponse:
    if response.status_code != 304:
        response["Content-Type"] = file.media_type
        response["Content-Disposition"] = _disposition(file)
    response["ETag"] = f'"{file.sha256}"'
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = file.caching
    response["Repr-Digest"] = _digest_header(bytes.fromhex(file.sha256))
    response["X-Bearing-Digest"] = f"sha256:{file.sha256}"
    return response


def _range(request: Request, etag: str, size: int) -> tuple[int, int] | None:
    """The half-open span of bytes that is asked for; None for all, also when several ranges are.

    Raises:
        RangeError: it begins after the end.
    """
    header = request.headers.get("Range", "")
    match = re.fullmatch(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", header, flags=re.ASCII)
    stale = request.headers.get("If-Range", etag) != etag
    if request.method != "GET" or match is None or stale or match[1] == match[2] == "":
        return None
    if match[1]:
        start, end = int(match[1]), min(int(match[2] or size) + 1, size)
        if match[2] and int(match[2]) < start:
            return None  # not a valid range at all, so it is ignored
    else:
        start, end = max(size - int(match[2]), 0), size
    if start >= end:
        raise RangeError(f"the file has {size} bytes; {header} lies outside", size_bytes=size)
    return start, end


def _digest_header(sha256: bytes) -> str:
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"
