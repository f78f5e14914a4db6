"""`/settings/tokens/`: make, list and revoke access tokens."""

import uuid

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from registry.accounts.selectors import token_list
from registry.accounts.services import token_create, token_revoke
from registry.core.errors import RegistryError
from registry.web.forms import TokenForm
from registry.web.http import as_text, user_of


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_page(request: HttpRequest) -> HttpResponse:
    """The user's tokens. The answer to a POST shows the new token; nothing else ever does."""
    form = TokenForm(request.POST if request.method == "POST" else None)
    text, status = "", 200
    if form.is_bound:
        text = _create(request, form)
        status = 200 if text else 422
    context = {
        "form": TokenForm() if text else form,
        "tokens": token_list(user=user_of(request)),
        "new_token": text,
        "public_url": settings.PUBLIC_URL,
    }
    return render(request, "accounts/tokens.html", context, status=status)


@login_required
@require_POST
def token_drop(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Revoke one token."""
    token_revoke(user=user_of(request), token_id=as_text(token_id))
    messages.success(request, "The token is revoked; requests that use it are refused from now on.")
    return redirect("web:token_list")


def _create(request: HttpRequest, form: TokenForm) -> str:
    """The text of a new token, or empty when the form was refused."""
    if not form.is_valid():
        return ""
    try:
        _, text = token_create(
            user=user_of(request),
            name=form.cleaned_data["name"],
            scopes=form.scopes,
            expires_at=form.expires_at,
        )
    except RegistryError as error:
        form.refuse(error)
        return ""
    return text
