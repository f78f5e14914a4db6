"""What an owner does with a vector: publish, yank, take a yank back, move, change the words around it."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from registry.catalog.lifecycle import version_unyank, version_yank
from registry.catalog.releasing import version_publish
from registry.catalog.selectors import vector_get, version_get_by_id, version_list
from registry.catalog.vectors import vector_update
from registry.core.errors import ConflictError, RegistryError
from registry.core.markdown import render_untrusted
from registry.runs.services import MigrationRequest, migration_start
from registry.web.forms import PageForm, PublishForm, VectorForm, YankForm
from registry.web.http import as_text, user_of
from registry.web.views.vectors import default_version, find_version, migrate_form, render_vector

# Refusals that belong beside the form; anything else is a page of its own.
SHOWN_AT_THE_FORM = (409, 422)
CARD_LENGTH = 20_000


@login_required
@require_POST
def vector_publish(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Publish an extracted version."""
    user = user_of(request)
    form = PublishForm(request.POST)
    draft_id = as_text(form.cleaned_data["draft_id"]) if form.is_valid() else request.POST.get("draft_id", "")
    if form.is_valid():
        try:
            row = version_publish(
                actor=user,
                owner=owner,
                name=name,
                version=form.cleaned_data["version"],
                license=form.cleaned_data["license"],
                draft_id=draft_id,
                visibility=form.cleaned_data["visibility"],
                domain=form.cleaned_data["domain"],
            )
        except RegistryError as error:
            _refuse(form, error)
        else:
            messages.success(request, f"{owner}/{name}@{row.version} is published. It will never change.")
            return redirect("web:vector_version", owner, name, row.version)
    return _again(request, owner, name, {"publish_form": form}, version_id=draft_id)


@login_required
@require_POST
def vector_yank(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Withdraw a published version, with the reason."""
    user = user_of(request)
    form = YankForm(request.POST)
    if form.is_valid():
        version = form.cleaned_data["version"]
        try:
            version_yank(
                actor=user, owner=owner, name=name, version=version, reason=form.cleaned_data["reason"]
            )
        except RegistryError as error:
            _refuse(form, error)
        else:
            messages.success(
                request, f"Version {version} is yanked. An exact pin still resolves, with your reason."
            )
            return redirect("web:vector_version", owner, name, version)
    return _again(request, owner, name, {"yank_form": form}, version_name=request.POST.get("version", ""))


@login_required
@require_POST
def vector_unyank(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Take a yank back."""
    user = user_of(request)
    row = version_unyank(actor=user, owner=owner, name=name, version=request.POST.get("version", "")[:32])
    messages.success(request, f"Version {row.version} is published again.")
    return redirect("web:vector_version", owner, name, row.version)


@login_required
@require_POST
def vector_migrate(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Start the move of a version to another base model and go to its run."""
    user = user_of(request)
    version_id = request.POST.get("version_id", "")
    version = version_get_by_id(viewer=user, version_id=version_id)
    form = migrate_form(version, request.POST)
    if form is None:
        raise ConflictError("there is no other base model to move it to", code="migration.no_other_model")
    if form.is_valid():
        try:
            run, _ = migration_start(
                actor=user,
                request=MigrationRequest(**form.asked),
                idempotency_key=form.cleaned_data["idempotency_key"],
            )
            return redirect("web:run", as_text(run.pk))
        except RegistryError as error:
            _refuse(form, error)
    # A refused request was no request: the next one, mended, needs a key of its own.
    form.data = {**request.POST.dict(), "idempotency_key": str(uuid.uuid4())}
    return _again(request, owner, name, {"migrate_form": form}, version_id=version_id)


@login_required
@require_POST
def vector_edit(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Change title, description, card and visibility; or show what the card would look like."""
    user = user_of(request)
    form = VectorForm(request.POST)
    if "preview" in request.POST:
        shown = render_untrusted(request.POST.get("card_text", "")[:CARD_LENGTH])
        if request.headers.get("HX-Request"):
            return render(request, "vectors/_preview.html", {"preview": shown})
        return _again(request, owner, name, {"edit_form": form, "preview": shown}, status=200)
    if form.is_valid():
        try:
            # What the form that was sent does not have stays as it is.
            sent = {field: value for field, value in form.cleaned_data.items() if field in request.POST}
            vector_update(actor=user, owner=owner, name=name, **sent)
        except RegistryError as error:
            _refuse(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("web:vector", owner, name)
    return _again(request, owner, name, {"edit_form": form})


def _refuse(form: PageForm, error: RegistryError) -> None:
    if error.http_status not in SHOWN_AT_THE_FORM:
        raise error
    form.refuse(error)


def _again(
    request: HttpRequest,
    owner: str,
    name: str,
    bound: dict[str, Any],
    version_id: str = "",
    version_name: str = "",
    status: int = 422,
) -> HttpResponse:
    """The vector page with the refused form, what was typed still in it."""
    vector = vector_get(viewer=request.user, owner=owner, name=name)
    versions = version_list(viewer=request.user, vector=vector)
    named = next((row for row in versions if version_name and row.version == version_name), None)
    if version_id:
        named = find_version(versions, version_id)
    chosen = named or default_version(vector, versions)
    return render_vector(request, vector, chosen, versions, bound, status=status)
