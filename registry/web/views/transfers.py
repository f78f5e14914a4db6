"""Large files from the browser, part by part with the session; what arrived stays when the connection breaks.

The rules are those of `registry.uploads`, which REST clients use with a token. `static/js/transfer.js` asks.
"""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.core.errors import RegistryError
from registry.uploads.models import Upload
from registry.uploads.selectors import open_list, upload_get, upload_progress
from registry.uploads.services import (
    Announcement,
    upload_abort,
    upload_complete,
    upload_open,
    upload_part_put,
)
from registry.uploads.states import Method, Purpose
from registry.web.errors import HIDDEN, sentence
from registry.web.http import as_text, user_of

View = Callable[..., HttpResponse]


def answers_json(view: View) -> View:
    """A refusal is a message that the script shows, not a page."""

    @wraps(view)
    def answering(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except RegistryError as error:
            message = HIDDEN if error.http_status >= 500 else sentence(error.message)
            return JsonResponse({"message": message, "code": error.code}, status=error.http_status)

    return answering


@login_required
@never_cache
@require_POST
@answers_json
def transfer_open(request: HttpRequest) -> HttpResponse:
    """Announce a file. One that was begun and not finished is gone on with."""
    user, sha256 = user_of(request), request.POST.get("sha256", "")
    size = request.POST.get("size_bytes", "")
    begun = [row for row in open_list(viewer=user, purpose=Purpose.DATASET) if row.sha256 == sha256]
    if begun and begun[0].method == Method.APP:
        return _state(begun[0])
    announced = Announcement(
        sha256=sha256,
        size_bytes=int(size) if size.isascii() and size.isdecimal() and len(size) < 12 else 0,
        purpose=Purpose.DATASET,
        filename=request.POST.get("filename", "")[:255],
    )
    return _state(upload_open(actor=user, file=announced, method=Method.APP))


@login_required
@never_cache
@require_safe
@answers_json
def transfer_state(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """What arrived."""
    return _state(upload_get(viewer=user_of(request), upload_id=as_text(upload_id)))


@login_required
@require_http_methods(["PUT"])
@answers_json
def transfer_part(request: HttpRequest, upload_id: uuid.UUID, number: int) -> HttpResponse:
    """One part, with its digest in `Content-Digest`."""
    upload_part_put(
        actor=user_of(request),
        upload_id=as_text(upload_id),
        number=number,
        data=request.body,
        content_digest=request.headers.get("Content-Digest", ""),
    )
    return JsonResponse({"number": number})


@login_required
@require_POST
@answers_json
def transfer_complete(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Put the parts together and verify the whole."""
    return _state(upload_complete(actor=user_of(request), upload_id=as_text(upload_id)))


@login_required
@require_POST
def transfer_abort(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Give a file up that was begun: a plain form does it."""
    upload_abort(actor=user_of(request), upload_id=as_text(upload_id))
    return redirect("web:dataset_new")


def _state(upload: Upload) -> JsonResponse:
    """The parts that are missing, and where each step goes."""
    progress = upload_progress(upload=upload)
    part = reverse("web:transfer_part", args=[upload.pk, 0]).removesuffix("0")
    return JsonResponse(
        {
            "id": str(upload.pk),
            "state": upload.state_now,
            "part_bytes": upload.part_bytes,
            "size_bytes": upload.size_bytes,
            "digest": upload.digest,
            "missing": [part.number for part in progress.missing],
            "part_url": part,
            "state_url": reverse("web:transfer", args=[upload.pk]),
            "complete_url": reverse("web:transfer_complete", args=[upload.pk]),
        }
    )
