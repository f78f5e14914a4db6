"""Datasets: the list, one version with its report, and its file. Extractions start in `extracting`."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from registry.accounts.access import may
from registry.accounts.roles import Role
from registry.datasets.models import DatasetVersion
from registry.datasets.selectors import dataset_list, dataset_version_get, dataset_version_preview
from registry.datasets.services import MEDIA_TYPE, dataset_make_public
from registry.storage.services import blob_read
from registry.web.forms_extract import ExtractForm
from registry.web.http import file_answer, user_of
from registry.web.paging import paginate
from registry.web.quality import view_quality
from registry.web.views.catalog import clean_text
from registry.web.views.extracting import extract_form, suggested_vector
from steering_core.pairs.readers import FORMAT_LABELS


@require_safe
def dataset_index(request: HttpRequest) -> HttpResponse:
    """The datasets the viewer may see, newest first."""
    query, owner = clean_text(request, "q"), clean_text(request, "owner")
    page = paginate(request, dataset_list(viewer=request.user, owner=owner, query=query))
    return render(request, "datasets/list.html", {"page": page, "query": query, "owner": owner})


@require_safe
def dataset_page(request: HttpRequest, owner: str, name: str, number: int | None = None) -> HttpResponse:
    """One version, the newest by default; with the extraction form for whoever is signed in."""
    version = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
    form = None
    if request.user.is_authenticated:
        form = extract_form(user_of(request), initial={"vector": suggested_vector(name)})
    return _render(request, version, form)


@require_safe
def dataset_download(request: HttpRequest, owner: str, name: str, number: int) -> HttpResponse:
    """The canonical JSON Lines of a version."""
    version = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
    return file_answer(
        blob_read(sha256=version.blob_id),
        filename=f"{owner}-{name}-{number}.jsonl",
        media_type=MEDIA_TYPE,
        digest=version.digest,
        is_public=version.dataset.visibility == "public",
    )


@login_required
@require_POST
def dataset_publish(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Show a dataset to everybody."""
    dataset_make_public(actor=user_of(request), name=f"{owner}/{name}")
    messages.success(request, f"{owner}/{name} is public now.")
    return redirect("web:dataset", owner, name)


def _render(
    request: HttpRequest, version: DatasetVersion, form: ExtractForm | None, status: int = 200
) -> HttpResponse:
    dataset = version.dataset
    context = {
        "dataset": dataset,
        "version": version,
        "versions": dataset.versions.values("number", "n_pairs", "created_at"),
        "format_label": FORMAT_LABELS.get(version.source_format, version.source_format),
        "quality": view_quality(version.report),
        "pairs": dataset_version_preview(version=version),
        "form": form,
        "is_owner": may(request.user, Role.WRITER, dataset),
    }
    return render(request, "datasets/detail.html", context, status=status)
