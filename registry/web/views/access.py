"""Who may have the files of gated vectors: what waits for the user's word, what they asked for themselves,
and the page of one vector.
"""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.accounts.access import may
from registry.accounts.roles import Role
from registry.catalog.gating import (
    ENTITLEMENTS,
    access_ask,
    access_decide,
    access_requests_of,
    access_requests_to_decide,
    access_set,
    access_states,
    access_withdraw,
)
from registry.catalog.models import Vector
from registry.catalog.selectors import vector_get
from registry.catalog.states import Access, AccessMode
from registry.core.errors import RegistryError
from registry.web.acting import act
from registry.web.forms import PageForm
from registry.web.http import user_of
from registry.web.paging import paginate

SHOWN = 50


class AccessForm(PageForm):
    """Who may have the files."""

    access = forms.ChoiceField(label="Files", choices=Access.choices, widget=forms.RadioSelect)
    mode = forms.ChoiceField(
        label="Who lets people in, where they are gated", choices=AccessMode.choices, widget=forms.RadioSelect
    )
    terms = forms.CharField(
        label="Terms",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What whoever asks has to accept; empty for nothing.",
    )


class AskForm(PageForm):
    """A wish for the files."""

    message = forms.CharField(
        label="What you want them for",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    accepts_terms = forms.BooleanField(label="I accept the terms", required=False)


@login_required
@never_cache
@require_safe
def access_index(request: HttpRequest) -> HttpResponse:
    """Requests that the user decides, and their own."""
    user = user_of(request)
    page = paginate(request, access_requests_to_decide(actor=user))
    context = {"page": page, "own": list(access_requests_of(user=user)[:SHOWN])}
    return render(request, "accounts/access.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def vector_access(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """One vector's: its admins set the rule, others ask. A POST asks."""
    vector = vector_get(viewer=request.user, owner=owner, name=name)
    form = AskForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            _, is_new = access_ask(actor=user_of(request), owner=owner, name=name, **form.cleaned_data)
        except RegistryError as error:
            form.refuse(error)
        else:
            messages.success(request, "You asked for the files." if is_new else "You have asked before.")
            return redirect("web:vector_access", vector.owner.slug, vector.name)
    return _page(request, vector, ask=form)


@login_required
@require_POST
def vector_access_rule(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Set who may have the files."""
    form = AccessForm(request.POST)
    if form.is_valid():
        try:
            access_set(actor=user_of(request), owner=owner, name=name, **form.cleaned_data)
        except RegistryError as error:
            if error.http_status in (403, 404):
                raise
            form.refuse(error)
        else:
            messages.success(request, "Saved. Whoever was let in before stays so.")
            return redirect("web:vector_access", owner, name)
    return _page(request, vector_get(viewer=request.user, owner=owner, name=name), rule=form)


@login_required
@require_POST
def vector_access_decide(request: HttpRequest, owner: str, name: str, username: str) -> HttpResponse:
    """Let somebody in, refuse them, or take access back."""
    state, reason = request.POST.get("state", ""), request.POST.get("reason", "")
    return act(
        request,
        lambda: access_decide(
            actor=user_of(request), owner=owner, name=name, username=username, state=state, reason=reason
        ),
        said=f"{username}: {state}.",
        back=reverse("web:access_list"),
    )


@login_required
@require_POST
def vector_access_withdraw(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Take one's request back."""
    return act(
        request,
        lambda: access_withdraw(actor=user_of(request), owner=owner, name=name),
        said=f"You gave up access to {owner}/{name}.",
        back=reverse("web:access_list"),
    )


def _page(
    request: HttpRequest, vector: Vector, *, ask: AskForm | None = None, rule: AccessForm | None = None
) -> HttpResponse:
    is_admin = may(request.user, Role.ADMIN, vector)
    set_now = {"access": vector.access, "mode": vector.access_mode, "terms": vector.access_terms}
    is_refused = any(form is not None and form.is_bound for form in (ask, rule))
    context = {
        "vector": vector,
        "is_admin": is_admin,
        "state": access_states(request.user, [vector])[vector.pk],
        "ask": ask or AskForm(),
        "rule": rule or AccessForm(initial=set_now),
        "may_sell": bool(ENTITLEMENTS),
    }
    return render(request, "accounts/vector_access.html", context, status=422 if is_refused else 200)
