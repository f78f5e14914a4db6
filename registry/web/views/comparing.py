"""Two versions of a vector beside each other, and other engines' forms of one, made when somebody asks."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from registry.accounts.access import check_files
from registry.catalog.comparing import version_diff, version_other
from registry.catalog.models import VectorVersion
from registry.catalog.selectors import vector_get, version_get, version_get_by_id, version_list
from registry.core.errors import NotFoundError, RegistryError
from registry.serving.conversions import conversion_request
from registry.serving.models import Conversion
from registry.web.cards import title_of
from registry.web.differences import view_diff
from registry.web.errors import sentence
from registry.web.vector_page import version_url
from registry.web.views.vectors import compared_with, default_version

LONGEST, ROW_ID = 300, 36


@require_safe
def vector_diff(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """What changed `from` one version `to` another; without them, the newest and the one before it."""
    vector = vector_get(viewer=request.user, owner=owner, name=name)
    versions = version_list(viewer=request.user, vector=vector)
    start, end = (request.GET.get(side, "").strip()[:LONGEST] for side in ("from", "to"))
    after = _named(request, owner, name, end) if end else default_version(vector, versions)
    before = version_other(viewer=request.user, version=after, other=start) if start else None
    before = before or compared_with(after, versions)
    context = {
        "vector": vector,
        "title": title_of(vector),
        "versions": [row for row in versions if row.version],
        "before": before,
        "after": after,
        "before_url": version_url(before) if before else "",
        "after_url": version_url(after),
        "diff": view_diff(version_diff(viewer=request.user, before=before, after=after)) if before else None,
    }
    return render(request, "vectors/diff.html", context)


@login_required
@require_POST
def vector_form(request: HttpRequest, owner: str, name: str, reference: str) -> HttpResponse:
    """Ask for a version in the form of another engine: a worker makes it, once for all."""
    version = version_get(viewer=request.user, owner=owner, name=name, reference=reference)
    check_files(request.user, version.vector)
    if version.artifact is None:
        raise NotFoundError("this version has no file yet", code="artifact.not_found")
    try:
        made = conversion_request(artifact=version.artifact, format=request.POST.get("format", "")[:40])
    except RegistryError as error:
        if error.http_status == 422:
            messages.error(request, sentence(error.message))
        else:
            raise
    else:
        later = "A worker makes it now; reload in some seconds."
        messages.info(request, "It is there." if made.state == Conversion.State.DONE else later)
    here = reverse("web:vector_version", args=(version.vector.owner.slug, version.vector.name, reference))
    return redirect(f"{here}#files")


def _named(request: HttpRequest, owner: str, name: str, reference: str) -> VectorVersion:
    """A version by what an address says: a reference, or the row id of a draft."""
    if len(reference) == ROW_ID:
        return version_get_by_id(viewer=request.user, version_id=reference)
    return version_get(viewer=request.user, owner=owner, name=name, reference=reference)
