"""`Idempotency-Key`: a POST that is sent again with the same key happens once and gets the same answer.

Every POST that takes a token honours it (`endpoint.Endpoint` wraps them), for 24 hours and per user. An
answer that is no success is not kept, since it changed nothing: the same key may try again. Runs keep their
key in their own row instead, in the transaction that makes the run, and for good.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from registry.accounts.models import User
from registry.api.models import KeyedAnswer
from registry.core.errors import ConflictError, InvalidError
from steering_core.spec import canonical_json

KEPT = timedelta(hours=24)
# Longer than the web server lets a request take.
LOCKED = timedelta(seconds=120)
_HEADERS = ("Location", "ETag", "Link", "Retry-After", "X-Bearing-Digest", "Warning")

Post = Callable[Concatenate[Any, Request, ...], HttpResponse]


class InFlightError(ConflictError):
    """The first request with this key is still under way."""

    default_code = "idempotency.in_flight"


def idempotency_key(request: Request) -> str:
    """The key, or an empty string when there is none.

    Raises:
        InvalidError: it holds something else than printable ASCII, or is too long.
    """
    key: str = request.headers.get("Idempotency-Key", "")
    if len(key) > 200 or not (key.isascii() and key.isprintable()):
        raise InvalidError(
            "an Idempotency-Key is at most 200 printable ASCII characters; a UUID is a good one",
            code="idempotency.key_invalid",
        )
    return key


def once(post: Post) -> Post:
    """Make a POST honour the header."""

    @wraps(post)
    def keyed(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = "" if view.keeps_its_own_keys else idempotency_key(request)
        if not key or not isinstance(request.user, User):
            return post(view, request, *args, **kwargs)
        row = _claim(request.user, key, _fingerprint(request))
        if row.answer is not None:
            return _replay(key, bytes(row.answer))
        try:
            response = post(view, request, *args, **kwargs)
        except BaseException:
            row.delete()
            raise
        if isinstance(response, Response) and response.status_code < 300:
            KeyedAnswer.objects.filter(pk=row.pk).update(answer=_sealed(key, response))
        else:
            row.delete()
        return response

    return keyed


def _claim(user: User, key: str, request_digest: str) -> KeyedAnswer:
    """The row of this key, which is ours to answer unless it holds an answer.

    Raises:
        InvalidError: the key was used for another request.
        InFlightError: another request is at it.
    """
    now = timezone.now()
    KeyedAnswer.objects.filter(user=user, created_at__lt=now - KEPT).delete()
    row, is_new = KeyedAnswer.objects.get_or_create(
        user=user,
        key_sha256=hashlib.sha256(key.encode()).hexdigest(),
        defaults={"request_digest": request_digest, "locked_until": now + LOCKED},
    )
    if row.request_digest != request_digest:
        raise InvalidError(
            "this Idempotency-Key was used for a different request; use a new key",
            code="idempotency.mismatch",
        )
    if is_new or row.answer is not None:
        return row
    # Whoever held it has died; of all that come now, one takes it over.
    lapsed = Q(pk=row.pk, answer__isnull=True, locked_until__lt=now)
    if not KeyedAnswer.objects.filter(lapsed).update(locked_until=now + LOCKED):
        raise InFlightError("a request with this Idempotency-Key is under way; ask again in a moment")
    return row


def _fingerprint(request: Request) -> str:
    """The digest of what is asked: path, query and body, however the body was encoded."""
    digest = hashlib.sha256(request.get_full_path().encode())
    data = request.data
    if hasattr(data, "lists"):
        for name, values in sorted(data.lists()):
            for value in values:
                digest.update(canonical_json([name, _said(value)]))
    else:
        digest.update(canonical_json(data))
    return f"sha256:{digest.hexdigest()}"


def _said(value: Any) -> str:
    if not isinstance(value, UploadedFile):
        return str(value)
    content = hashlib.sha256()
    for chunk in value.chunks():
        content.update(chunk)
    value.seek(0)
    return f"{value.name}:{content.hexdigest()}"


def _sealed(key: str, response: Response) -> bytes:
    headers = {name: response[name] for name in _HEADERS if response.has_header(name)}
    kept = {"status": response.status_code, "headers": headers, "body": response.data}
    return _box(key).encrypt(JSONRenderer().render(kept))


def _replay(key: str, sealed: bytes) -> Response:
    kept = json.loads(_box(key).decrypt(sealed))
    response = Response(kept["body"], status=kept["status"], headers=kept["headers"])
    response["Idempotency-Replayed"] = "true"
    return response


def _box(key: str) -> Fernet:
    secret = hmac.new(settings.SECRET_KEY.encode(), b"idempotency:" + key.encode(), hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(secret.digest()))
