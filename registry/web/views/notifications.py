"""What one is told: the list, unread first; and which kinds one wants."""

import uuid

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.notifications.mailing import verified_address
from registry.notifications.models import ALWAYS_TOLD, Kind
from registry.notifications.selectors import notification_list, sends_mail, wishes_get
from registry.notifications.services import notification_read, notifications_read_all, wishes_set
from registry.web.http import as_text, user_of
from registry.web.paging import paginate

UNREAD_SHOWN = 50


class WishesForm(forms.Form):
    """Two lists of kinds; what is always told is ticked and fixed."""

    shown = forms.MultipleChoiceField(choices=Kind.choices, required=False)
    mailed = forms.MultipleChoiceField(choices=Kind.choices, required=False)


@login_required
@never_cache
@require_safe
def notification_index(request: HttpRequest) -> HttpResponse:
    """The unread ones on the first page, and the read ones by pages, newest first."""
    user = user_of(request)
    page = paginate(request, notification_list(viewer=user, is_read=True))
    is_first = "cursor" not in request.GET
    unread = list(notification_list(viewer=user, is_read=False)[: UNREAD_SHOWN + 1]) if is_first else []
    context = {"page": page, "unread": unread[:UNREAD_SHOWN], "has_more": len(unread) > UNREAD_SHOWN}
    return render(request, "notifications/list.html", context)


@login_required
@require_POST
def notification_open(request: HttpRequest, notification_id: uuid.UUID) -> HttpResponse:
    """Mark one as read and go to what it is about; with `stay`, back to the list."""
    row = notification_read(actor=user_of(request), notification_id=as_text(notification_id))
    # The table holds no link but a path of ours.
    return redirect("web:notification_list") if request.POST.get("stay") else redirect(row.link)


@login_required
@require_POST
def notification_clear(request: HttpRequest) -> HttpResponse:
    """Mark all as read."""
    notifications_read_all(actor=user_of(request))
    return redirect("web:notification_list")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def notification_wishes(request: HttpRequest) -> HttpResponse:
    """Which kinds to be told, and which by mail too."""
    user = user_of(request)
    form = WishesForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        wishes_set(actor=user, shown=form.cleaned_data["shown"], mailed=form.cleaned_data["mailed"])
        messages.success(request, "Saved.")
        return redirect("web:notification_wishes")
    wishes = wishes_get(user=user)
    context = {
        "kinds": [
            (kind.value, kind.label, kind in wishes.shown, kind in wishes.mailed, kind in ALWAYS_TOLD)
            for kind in Kind
        ],
        "sends_mail": sends_mail(),
        "address": verified_address(user),
        "refusal": "A kind that was sent is not known; nothing was changed." if form.errors else "",
    }
    return render(request, "notifications/wishes.html", context, status=422 if form.errors else 200)
