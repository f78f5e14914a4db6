"""`/report/…`: say that something is wrong; `/staff/review`: staff decide, others find nothing there."""

import uuid

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.catalog.models import VectorVersion
from registry.catalog.states import RELEASED, RemovalKind
from registry.core.errors import RegistryError
from registry.trust.flags import FINDERS, Decision, flag_decide, flag_list, flag_open, outcomes_of
from registry.trust.models import Flag
from registry.web.acting import act
from registry.web.forms import PageForm
from registry.web.http import as_text, user_of
from registry.web.paging import paginate
from registry.web.tabs import Tab


class FlagForm(PageForm):
    """What is wrong."""

    reason = forms.ChoiceField(
        label="What is wrong",
        choices=[(reason.value, reason.label) for reason in Flag.Reason if reason in Flag.FOR_USERS],
        widget=forms.RadioSelect,
    )
    text = forms.CharField(
        label="In your words",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="What happens, at which version and strength, and how to see it. Only operators read this.",
    )


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def report_page(request: HttpRequest, kind: str, owner: str, name: str) -> HttpResponse:
    """Report a vector, a preset or a data set that the user sees."""
    row = FINDERS[kind](viewer=request.user, owner=owner, name=name)
    back = reverse(f"web:{kind}", args=[row.owner.slug, row.name])
    form = FlagForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            flag_open(actor=user_of(request), kind=kind, owner=owner, name=name, **form.cleaned_data)
        except RegistryError as error:
            form.refuse(error)
        else:
            messages.success(request, "Thank you: the operators will look at it.")
            return redirect(back)
    context = {"form": form, "kind": kind, "row": row, "back": back}
    return render(request, "review/report.html", context, status=422 if form.is_bound else 200)


@never_cache
@require_safe
def review_queue(request: HttpRequest) -> HttpResponse:
    """What waits for staff, newest first; `?state=decided` is what was decided."""
    state = Flag.State.DECIDED if request.GET.get("state") == Flag.State.DECIDED else Flag.State.OPEN
    reason = request.GET.get("reason", "")
    reason = reason if reason in Flag.Reason.values else ""
    page = paginate(request, flag_list(actor=user_of(request), state=state, reason=reason))
    context = {
        "page": page,
        "flags": [(flag, subject_url(flag), outcomes_of(flag)) for flag in page.items],
        "tabs": [
            Tab("?", "Open", is_current=state == Flag.State.OPEN),
            Tab("?state=decided", "Decided", is_current=state == Flag.State.DECIDED),
        ],
        "state": state,
        "reason": reason,
        "reasons": Flag.Reason.choices,
        "removals": RemovalKind.choices,
    }
    return render(request, "review/queue.html", context)


@require_POST
def review_decide(request: HttpRequest, flag_id: uuid.UUID) -> HttpResponse:
    """Decide one."""
    decision = Decision(
        outcome=request.POST.get("outcome", ""),
        reason=request.POST.get("reason", ""),
        removal=request.POST.get("removal", RemovalKind.SAFETY),
    )
    return act(
        request,
        lambda: flag_decide(actor=user_of(request), flag_id=as_text(flag_id), decision=decision),
        said=f"Decided: {decision.outcome}.",
        back=reverse("web:review_queue"),
    )


def subject_url(flag: Flag) -> str:
    """The page of what a flag is about; of a draft, which its owner alone sees, none."""
    if flag.version:
        return _version_url(flag.version)
    kind = "vector" if flag.vector else "preset" if flag.preset else "dataset"
    row = flag.vector or flag.preset or flag.dataset
    return reverse(f"web:{kind}", args=[row.owner.slug, row.name]) if row else ""


def _version_url(version: VectorVersion) -> str:
    if version.state not in RELEASED:
        return ""
    vector = version.vector
    return reverse("web:vector_version", args=[vector.owner.slug, vector.name, version.version])
