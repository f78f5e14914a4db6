"""The vector page: what it is, how to use it, how it was measured. The owner's actions are in `versions`."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from registry.accounts.access import Visibility, check_files, may, sees
from registry.accounts.roles import Role
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.screening import screening_problem, screening_verdict
from registry.catalog.selectors import (
    alias_list,
    artifact_read,
    base_model_list,
    vector_get,
    version_get,
    version_get_by_id,
    version_list,
)
from registry.catalog.states import RELEASED, Access, License, Verdict, VersionState
from registry.core.errors import NotFoundError
from registry.core.markdown import render_untrusted
from registry.core.naming import version_key
from registry.storage.services import blob_read
from registry.web.cards import title_of
from registry.web.files import converted_blob, file_rows
from registry.web.findings import view_findings
from registry.web.forms import MigrateForm, PageForm, PublishForm, VectorForm, YankForm
from registry.web.heat import heat_map
from registry.web.http import as_text, file_answer
from registry.web.likeness import copied_from, like_it
from registry.web.lineage import view_lineage
from registry.web.manifests import view_manifest
from registry.web.reports import view_report
from registry.web.small_plots import fader_gradient
from registry.web.vector_page import (
    blind_test,
    deprecations,
    file_gate,
    mixer_url,
    moved_from,
    names_of,
    places,
    uses_of,
)
from steering_core.formats.bearing import MEDIA_TYPE


@require_safe
def vector_page(request: HttpRequest, owner: str, name: str, reference: str = "") -> HttpResponse:
    """A vector at a reference; without one the newest published version, or what there is instead."""
    vector = vector_get(viewer=request.user, owner=owner, name=name)
    if vector.asked_as:
        return redirect(vector_path(vector, reference), permanent=False)
    versions = version_list(viewer=request.user, vector=vector)
    if reference:
        chosen = version_get(viewer=request.user, owner=owner, name=name, reference=reference)
    else:
        chosen = default_version(vector, versions)
    return render_vector(request, vector, chosen, versions)


@require_safe
def draft_page(request: HttpRequest, owner: str, name: str, draft_id: uuid.UUID) -> HttpResponse:
    """A version that is not published, for its owner."""
    vector = vector_get(viewer=request.user, owner=owner, name=name)
    versions = version_list(viewer=request.user, vector=vector)
    return render_vector(request, vector, find_version(versions, as_text(draft_id)), versions)


@require_safe
def vector_download(request: HttpRequest, owner: str, name: str, reference: str) -> HttpResponse:
    """The native file of a published version."""
    return _file(request, version_get(viewer=request.user, owner=owner, name=name, reference=reference))


@require_safe
def draft_download(request: HttpRequest, owner: str, name: str, draft_id: uuid.UUID) -> HttpResponse:
    """The native file of an extracted draft, for its owner."""
    version = version_get_by_id(viewer=request.user, version_id=as_text(draft_id))
    if (version.vector.owner.slug, version.vector.name) != (owner, name):
        raise NotFoundError("there is no such version", code="version.not_found")
    return _file(request, version)


def default_version(vector: Vector, versions: list[VectorVersion]) -> VectorVersion:
    """The newest published version, else the highest yanked one, else the owner's newest draft.

    Raises:
        NotFoundError: there is none.
    """
    rank = {VersionState.PUBLISHED: 0, VersionState.YANKED: 1, VersionState.EXTRACTED: 2}
    chosen = min(versions, key=lambda row: rank.get(VersionState(row.state), 3), default=None)
    if chosen is None:
        raise NotFoundError(f"{vector} has no version yet", code="version.not_found")
    return chosen


def find_version(versions: list[VectorVersion], version_id: str) -> VectorVersion:
    """One of these versions by its row id.

    Raises:
        NotFoundError: none of them has it.
    """
    for row in versions:
        if str(row.pk) == version_id:
            return row
    raise NotFoundError("there is no such version", code="version.not_found")


def next_version(versions: list[VectorVersion]) -> str:
    """The version to suggest: 1.0.0, then one minor step above the highest."""
    taken = [version_key(row.version) for row in versions if row.version]
    if not taken:
        return "1.0.0"
    major, minor, _ = max(taken)
    return f"{major}.{minor + 1}.0"


def render_vector(
    request: HttpRequest,
    vector: Vector,
    version: VectorVersion,
    versions: list[VectorVersion],
    bound: Mapping[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page itself; `bound` holds a form that was refused, by its name."""
    is_owner = may(request.user, Role.WRITER, vector)
    is_released = version.state in RELEASED
    dataset = version.dataset_version.dataset
    report = view_report(version.report, version.manifest)
    gate = file_gate(request.user, vector)
    names = names_of(alias_list(vector=vector))
    context: dict[str, Any] = {
        "vector": vector,
        "version": version,
        "versions": [(row, names.get(row.pk, [])) for row in versions],
        "title": title_of(vector),
        "reference": str(version) if version.version else str(vector),
        "report": report,
        "findings": view_findings(version.report),
        "heat": heat_map((version.report or {}).get("selection") or {}),
        "card": render_untrusted(vector.card_text) if vector.card_text else "",
        "lineage": view_lineage(request.user, version),
        "files": file_rows(version),
        "gate": gate,
        "manifest": view_manifest(version.manifest, report.poles if report else None),
        "fader_gradient": fader_gradient(),
        "is_owner": is_owner,
        "is_released": is_released,
        "is_private": vector.visibility == "private",
        "deprecations": deprecations(version),
        "copies": copied_from(request.user, version),
        "similar": like_it(request.user, version),
        "license_name": License(version.license).label if version.license else "",
        "sees_dataset": sees(request.user, dataset),
        "waiting": _waiting(version, versions),
        "compared": compared_with(version, versions),
        "public_url": settings.PUBLIC_URL,
        "screening": _screening(version) if is_owner else None,
        "is_unsafe": _is_unsafe(version),
        "run": getattr(version, "run", None) if is_owner else None,
    }
    if version.migrated_from_id:
        context |= moved_from(request.user, version)
    if report and report.has_blind:
        context |= blind_test(version)
    if is_released and version.manifest:
        context |= uses_of(vector.name, version.manifest, report)
        context["mixer_url"] = mixer_url(version, report.default_strength if report else "0.3")
    if is_owner:
        context |= _forms(vector, version, versions) | dict(bound or {})
    context["places"] = places(context)
    return render(request, "vectors/detail.html", context, status=status)


def compared_with(version: VectorVersion, versions: list[VectorVersion]) -> VectorVersion | None:
    """The released version before this one, to compare it with; of the first, the one after."""
    released = [row for row in versions if row.state in RELEASED and row.pk != version.pk]
    if not version.version:
        return released[0] if released else None
    here = version_key(version.version)
    older = [row for row in released if version_key(row.version or "0.0.0") < here]
    return older[0] if older else released[-1] if released else None


def vector_path(vector: Vector, reference: str = "") -> str:
    """The page of a vector at a reference, or at the one that it chooses itself."""
    place = (vector.owner.slug, vector.name, reference) if reference else (vector.owner.slug, vector.name)
    return reverse("web:vector_version" if reference else "web:vector", args=place)


def migrate_form(version: VectorVersion, data: Mapping[str, Any] | None = None) -> MigrateForm | None:
    """The form that moves a version; None without a file, and where there is no other base model."""
    others = base_model_list().exclude(pk=version.base_model_id) if version.artifact_id else ()
    choices = [
        (row.model_hash, f"{row.name} ({row.n_layers} blocks, {row.model_hash[7:15]})") for row in others
    ]
    initial = {"version_id": version.pk, "vector": f"{version.vector.name[:58]}-moved"}
    return MigrateForm(data, initial=initial, base_models=choices) if choices else None


def _waiting(version: VectorVersion, versions: list[VectorVersion]) -> VectorVersion | None:
    """An extracted draft, shown beside a published version; others never have one in their list."""
    if version.state not in RELEASED:
        return None
    return next((row for row in versions if row.state == VersionState.EXTRACTED), None)


def _screening(version: VectorVersion) -> str | None:
    """Why an extracted version may not be public, or not be published at all."""
    if version.state != VersionState.EXTRACTED:
        return None
    return screening_problem(version.report, Visibility.PUBLIC)


def _is_unsafe(version: VectorVersion) -> bool:
    return screening_verdict(version.report) == Verdict.FAIL


def _suggested(version: VectorVersion) -> str:
    return Visibility.PRIVATE if _screening(version) else Visibility.PUBLIC


def _forms(vector: Vector, version: VectorVersion, versions: list[VectorVersion]) -> dict[str, PageForm]:
    forms: dict[str, PageForm] = {
        "edit_form": VectorForm(
            initial={
                "title": vector.title,
                "description": vector.description,
                "domain": vector.domain,
                "card_text": vector.card_text,
                "visibility": vector.visibility,
            }
        )
    }
    if version.state == VersionState.EXTRACTED and not _is_unsafe(version):
        is_first = not any(row.state in RELEASED for row in versions)
        forms["publish_form"] = PublishForm(
            initial={
                "draft_id": version.pk,
                "version": next_version(versions),
                "visibility": _suggested(version) if is_first else vector.visibility,
                "domain": vector.domain,
            }
        )
    if form := migrate_form(version):
        forms["migrate_form"] = form
    if version.state == VersionState.PUBLISHED:
        forms["yank_form"] = YankForm(initial={"version": version.version})
    return forms


def _file(request: HttpRequest, version: VectorVersion) -> HttpResponse:
    """The native file, or with `?format=` the form of another engine that was made of it before."""
    vector = version.vector
    check_files(request.user, vector)
    is_public = vector.visibility == "public" and vector.access == Access.OPEN and version.state in RELEASED
    stem = f"{vector.owner.slug}-{vector.name}-{version.version or 'draft'}"
    if request.GET.get("format"):
        blob, suffix = converted_blob(version, request.GET["format"], request.GET.get("part", ""))
        data, filename = blob_read(sha256=str(blob.pk)), stem + suffix
        return file_answer(
            data, filename=filename, media_type=blob.media_type, digest=blob.digest, is_public=is_public
        )
    return file_answer(
        artifact_read(version=version),
        filename=f"{stem}.safetensors",
        media_type=MEDIA_TYPE,
        digest=version.digest,
        is_public=is_public,
    )
