"""Presets: the list, one preset with what was measured of it, and putting one together."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.accounts.access import may
from registry.accounts.roles import Role
from registry.core.errors import NotFoundError, RegistryError
from registry.core.naming import version_key
from registry.presets.drafts import PresetWish, preset_create
from registry.presets.models import Preset, PresetVersion
from registry.presets.notices import preset_notices
from registry.presets.publishing import preset_publish, preset_unyank, preset_yank
from registry.presets.selectors import (
    preset_get,
    preset_search,
    preset_version_get,
    preset_version_list,
    visible_members,
)
from registry.presets.states import RELEASED, PresetState
from registry.runs.composing import MeasureRequest, measurement_start
from registry.web.cards import preset_card, title_of
from registry.web.facets import PRESET_FACETS, preset_facets
from registry.web.forms_presets import MemberFormSet, PresetForm, PresetReleaseForm, vector_choices, wishes_of
from registry.web.http import as_text, user_of
from registry.web.mixes import mix_view, slider_views
from registry.web.paging import paginate
from registry.web.uses import mix_uses
from registry.web.views.catalog import clean_text, found_answer
from steering_core.evaluation.composition.record import MIN_MEMBERS

# Refusals that belong beside the form; anything else is a page of its own.
SHOWN_AT_THE_FORM = (409, 422)
ROWS = 4


@require_safe
def preset_index(request: HttpRequest) -> HttpResponse:
    """Published presets; `?mine=1` those that the signed-in user may change, drafts and all. As one types, a
    script asks for the results alone.
    """
    is_mine = bool(request.GET.get("mine")) and request.user.is_authenticated
    query, owner = clean_text(request, "q"), clean_text(request, "owner")
    found = preset_search(viewer=request.user, query=query, owner=owner, mine=is_mine)
    chosen = {name: value for name in PRESET_FACETS if (value := clean_text(request, name))}
    rows = found.filter(**{PRESET_FACETS[name][1]: value for name, value in chosen.items()})
    page = paginate(request, rows)
    context = {
        "page": page,
        "cards": [preset_card(row) for row in page.items],
        "n_found": rows.order_by().count(),
        "q": query,
        "owner": owner,
        "is_mine": is_mine,
        "is_filtered": bool(query or owner or chosen),
        "facets": preset_facets(request, found, chosen),
        "hidden": [
            *chosen.items(),
            *([("owner", owner)] if owner else []),
            *([("mine", "1")] if is_mine else []),
        ],
        "clear_query": request.path + ("?mine=1" if is_mine else ""),
    }
    return found_answer(request, "presets/list.html", "presets/_answer.html", context)


@require_safe
def preset_page(request: HttpRequest, owner: str, name: str, reference: str = "") -> HttpResponse:
    """A preset at a reference; without one the highest published version, or what there is instead."""
    preset = preset_get(viewer=request.user, owner=owner, name=name)
    versions = preset_version_list(viewer=request.user, preset=preset)
    if reference:
        chosen = preset_version_get(viewer=request.user, owner=owner, name=name, reference=reference)
    else:
        chosen = _default(preset, versions)
    return _page(request, chosen, versions)


@require_safe
def draft_page(request: HttpRequest, owner: str, name: str, draft_id: uuid.UUID) -> HttpResponse:
    """A draft, for those who may change the preset."""
    chosen = preset_version_get(viewer=request.user, owner=owner, name=name, reference=as_text(draft_id))
    return _page(request, chosen, preset_version_list(viewer=request.user, preset=chosen.preset))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def preset_new(request: HttpRequest) -> HttpResponse:
    """The form of a new preset; a refusal keeps what was typed."""
    user = user_of(request)
    if request.method == "POST":
        form, members = PresetForm(request.POST), MemberFormSet(request.POST, prefix="member")
        if form.is_valid() and members.is_valid():
            wish = PresetWish(**form.cleaned_data, members=wishes_of(members))
            try:
                row = preset_create(actor=user, wish=wish)
            except RegistryError as error:
                if error.http_status not in (404, *SHOWN_AT_THE_FORM):
                    raise
                form.refuse(error)
            else:
                messages.success(request, f"{row.preset} is put together. Measure it, then publish.")
                return redirect("web:preset_draft", row.preset.owner.slug, row.preset.name, as_text(row.pk))
        status = 422
    else:
        form = PresetForm()
        chosen = [text.replace("\0", "")[:300] for text in request.GET.getlist("vector")[:ROWS]]
        members = MemberFormSet(prefix="member", initial=[{"reference": text} for text in chosen])
        members.extra = max(0, ROWS - len(chosen))
        status = 200
    context = {"form": form, "members": members, "vectors": vector_choices(user)}
    return render(request, "presets/new.html", context, status=status)


@login_required
@require_POST
def preset_measure(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Start the measurement of a draft and go to its run."""
    draft_id = request.POST.get("draft_id", "")[:36]
    wish = MeasureRequest(owner=owner, name=name, reference=draft_id)
    try:
        run, _ = measurement_start(actor=user_of(request), request=wish)
    except RegistryError as error:
        if error.http_status not in (403, 404, *SHOWN_AT_THE_FORM):
            raise
        messages.error(request, error.message)
        return redirect("web:preset", owner, name)
    return redirect("web:run", as_text(run.pk))


@login_required
@require_POST
def preset_release(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Publish a draft."""
    user, form = user_of(request), PresetReleaseForm(request.POST)
    draft_id = request.POST.get("draft_id", "")[:36]
    if form.is_valid():
        said = {**form.cleaned_data, "draft_id": as_text(form.cleaned_data["draft_id"])}
        try:
            row = preset_publish(actor=user, owner=owner, name=name, **said)
        except RegistryError as error:
            if error.http_status not in SHOWN_AT_THE_FORM:
                raise
            form.refuse(error)
        else:
            messages.success(request, f"{row} is published. It will never change.")
            return redirect("web:preset", owner, name)
    chosen = preset_version_get(viewer=user, owner=owner, name=name, reference=draft_id or "latest")
    versions = preset_version_list(viewer=user, preset=chosen.preset)
    return _page(request, chosen, versions, form, status=422)


@login_required
@require_POST
def preset_withdraw(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Yank a published version with a reason, or take a yank back."""
    named: dict[str, Any] = {"actor": user_of(request), "owner": owner, "name": name}
    version, reason = request.POST.get("version", "")[:32], request.POST.get("reason", "")
    if request.POST.get("back"):
        preset_unyank(**named, version=version)
        messages.success(request, f"Version {version} is published again.")
    else:
        preset_yank(**named, version=version, reason=reason)
        messages.success(request, f"Version {version} is yanked. Exact pins still resolve, with your reason.")
    return redirect("web:preset_version", owner, name, version)


def _page(
    request: HttpRequest,
    version: PresetVersion,
    versions: list[PresetVersion],
    form: PresetReleaseForm | None = None,
    status: int = 200,
) -> HttpResponse:
    preset = version.preset
    is_owner = may(request.user, Role.WRITER, preset)
    seen = visible_members(request.user, version)
    members = version.ordered
    urls = {
        m.pk: reverse("web:vector_version", args=(v.vector.owner.slug, v.vector.name, v.version))
        for m in members
        if (v := m.vector_version).version
    }
    context: dict[str, Any] = {
        "preset": preset,
        "version": version,
        "versions": versions,
        "title": title_of(preset),
        "is_owner": is_owner,
        "is_released": version.state in RELEASED,
        "sliders": slider_views(version, seen, urls),
        "mix": mix_view(version.composition),
        "notices": [n for n in preset_notices(version) if n.code != "preset.unmeasured"],
        "uses": _uses(version) if len(seen) == len(members) else [],
        "public_url": settings.PUBLIC_URL,
    }
    if is_owner and version.state == PresetState.DRAFT:
        context["can_be_measured"] = len(members) >= MIN_MEMBERS
        context["publish_form"] = form or PresetReleaseForm(
            initial={
                "draft_id": version.pk,
                "version": _next(versions),
                "visibility": "public" if not preset.latest_id else preset.visibility,
            }
        )
    return render(request, "presets/detail.html", context, status=status)


def _uses(version: PresetVersion) -> list[Any]:
    pairs = zip(version.ordered, version.strengths, strict=True)
    return mix_uses(
        (member.label, str(member.vector_version), member.vector_version.manifest or {}, strength)
        for member, strength in pairs
    )


def _default(preset: Preset, versions: list[PresetVersion]) -> PresetVersion:
    """The highest published version, else the highest yanked one, else the newest draft."""
    rank = {PresetState.PUBLISHED: 0, PresetState.YANKED: 1}
    chosen = min(versions, key=lambda row: rank.get(PresetState(row.state), 2), default=None)
    if chosen is None:
        raise NotFoundError(f"{preset} has no version yet", code="preset.version_not_found")
    chosen.preset = preset
    return chosen


def _next(versions: list[PresetVersion]) -> str:
    taken = [version_key(row.version) for row in versions if row.version]
    if not taken:
        return "1.0.0"
    major, minor, _ = max(taken)
    return f"{major}.{minor + 1}.0"
