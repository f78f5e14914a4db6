"""Webhooks of one's own namespace and of an organisation's: make, change, try, replay. What arrives is asked
for again while something waits to be sent.
"""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.accounts.selectors import organisation_get
from registry.core.errors import RegistryError
from registry.web.acting import act
from registry.web.forms_webhooks import WebhookForm
from registry.web.http import as_text, user_of
from registry.web.paging import paginate
from registry.web.views.organisations import frame_of, managed
from registry.webhooks.models import Delivery, Webhook
from registry.webhooks.selectors import delivery_list, webhook_get, webhook_list
from registry.webhooks.services import (
    NewWebhook,
    delivery_replay,
    webhook_create,
    webhook_delete,
    webhook_rotate,
    webhook_test,
    webhook_update,
)

DELIVERIES_SHOWN = 20


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks_page(request: HttpRequest, slug: str = "") -> HttpResponse:
    """Those of a namespace, and a form for another. The answer to a POST shows its secret, this once."""
    frame = frame_of(managed(request, slug)) if slug else {}
    form = WebhookForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            wanted = NewWebhook(namespace=slug, **form.fields_sent)
            row, secret = webhook_create(actor=user_of(request), wanted=wanted)
            return _webhook(request, row, secret=secret)
        except RegistryError as error:
            form.refuse(error)
    page = paginate(request, webhook_list(viewer=user_of(request), namespace=slug))
    context = {**frame, "page": page, "form": form, "namespace": slug or user_of(request).username}
    template = "organisations/webhooks.html" if slug else "accounts/webhooks.html"
    return render(request, template, context, status=422 if form.is_bound else 200)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_page(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """One webhook, with what was sent to it; a POST changes it."""
    actor, text = user_of(request), as_text(webhook_id)
    row = webhook_get(viewer=actor, webhook_id=text)
    if request.method != "POST":
        return _webhook(request, row)
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            webhook_update(actor=actor, webhook_id=text, **form.fields_sent)
            return redirect("web:webhook", text)
        except RegistryError as error:
            form.refuse(error)
    return _webhook(request, row, form=form)


@login_required
@require_POST
def webhook_secret(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Give it a new secret; the answer shows it, this once."""
    row, secret = webhook_rotate(actor=user_of(request), webhook_id=as_text(webhook_id))
    return _webhook(request, row, secret=secret, is_rotated=True)


@login_required
@require_POST
def webhook_switch(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Switch it on or off."""
    is_active = request.POST.get("is_active") == "1"
    said = "It is on: events from now on are sent." if is_active else "It is off: what waited is given up."
    return _act(request, webhook_id, webhook_update, said, is_active=is_active)


@login_required
@require_POST
def webhook_try(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Send a test."""
    return _act(request, webhook_id, webhook_test, "A test is on its way; it shows below when it was sent.")


@login_required
@require_POST
def webhook_again(request: HttpRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> HttpResponse:
    """Send a delivery again."""
    said = "It is sent again, under the same webhook-id."
    return _act(request, webhook_id, delivery_replay, said, delivery_id=as_text(delivery_id))


@login_required
@require_POST
def webhook_end(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """Delete it."""
    row = webhook_get(viewer=user_of(request), webhook_id=as_text(webhook_id))
    return act(
        request,
        lambda: webhook_delete(actor=user_of(request), webhook_id=as_text(webhook_id)),
        said="The webhook is deleted, and what was sent to it forgotten.",
        back=_list_of(row, user_of(request).username),
    )


@login_required
@never_cache
@require_safe
def webhook_deliveries(request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
    """The part of its page that changes while something waits."""
    row = webhook_get(viewer=user_of(request), webhook_id=as_text(webhook_id))
    if not request.headers.get("HX-Request"):
        return redirect("web:webhook", as_text(webhook_id))
    return render(request, "webhooks/_deliveries.html", _deliveries(request, row))


def _act(
    request: HttpRequest, webhook_id: uuid.UUID, service: Callable[..., Any], said: str, **more: Any
) -> HttpResponse:
    text = as_text(webhook_id)
    return act(
        request,
        lambda: service(actor=user_of(request), webhook_id=text, **more),
        said=said,
        back=reverse("web:webhook", args=[text]),
    )


def _list_of(row: Webhook, username: str) -> str:
    slug = row.namespace.slug
    if slug == username:
        return reverse("web:webhook_list")
    return reverse("web:organisation_webhooks", args=[slug])


def _webhook(
    request: HttpRequest,
    row: Webhook,
    *,
    form: WebhookForm | None = None,
    secret: str = "",
    is_rotated: bool = False,
) -> HttpResponse:
    user, slug = user_of(request), row.namespace.slug
    words = {
        "url": row.url,
        "description": row.description,
        "actions": "\n".join(row.actions),
        "follows": " ".join(row.follows),
    }
    context = {
        "webhook": row,
        "form": form or WebhookForm(initial=words),
        "secret": secret,
        "is_rotated": is_rotated,
        "list_url": _list_of(row, user.username),
        "sections": "accounts/_sections.html",
        **_deliveries(request, row),
    }
    if slug != user.username:
        context |= frame_of(organisation_get(viewer=user, slug=slug))
        context["sections"] = "organisations/_sections.html"
    return render(request, "webhooks/detail.html", context, status=422 if form else 200)


def _deliveries(request: HttpRequest, row: Webhook) -> dict[str, Any]:
    state = request.GET.get("state", "")
    state = state if state in Delivery.State.values else ""
    rows = list(delivery_list(webhook=row, state=state)[:DELIVERIES_SHOWN])
    return {
        "webhook": row,
        "deliveries": rows,
        "state": state,
        "states": Delivery.State.values,
        "is_waiting": any(delivery.state == Delivery.State.WAITING for delivery in rows),
    }
