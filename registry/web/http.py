"""Answers that several views give: signed-in requests with their user's type, and files."""

import uuid
from typing import cast

from django.http import HttpRequest, HttpResponse

from registry.accounts.models import User


def user_of(request: HttpRequest) -> User:
    """The signed-in user, for views behind `login_required`."""
    return cast(User, request.user)


def as_text(identifier: uuid.UUID) -> str:
    """An id from an address, as the services take it."""
    return str(identifier)


def file_answer(data: bytes, *, filename: str, media_type: str, digest: str, is_public: bool) -> HttpResponse:
    """A file named by its digest: it may be kept when everybody may have it."""
    response = HttpResponse(data, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["ETag"] = f'"{digest}"'
    response["Cache-Control"] = "public, max-age=300" if is_public else "private, no-store"
    return response
