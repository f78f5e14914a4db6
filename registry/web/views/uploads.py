"""The upload wizard: send or paste rows, look at them, save them as a version or discard them.

Single rows are mended in `draft_rows`; large files arrive in parts through `transfers`.
"""

import re
import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from registry.core.errors import RegistryError
from registry.datasets.drafts import Draft, draft_get, draft_report
from registry.datasets.models import DatasetUpload
from registry.datasets.selectors import draft_list
from registry.datasets.services import (
    CheckedDataset,
    DatasetWords,
    dataset_read,
    dataset_read_uploaded,
    upload_commit,
    upload_discard,
    upload_stage,
)
from registry.uploads.selectors import open_list, received_bytes
from registry.uploads.states import Method, Purpose
from registry.web.forms_datasets import CommitForm, UploadForm
from registry.web.http import as_text, user_of
from registry.web.recognised import recognised
from registry.web.views.draft_rows import report_context, rows_context
from steering_core.pairs.limits import DEFAULT_LIMITS

MEBIBYTE = 1024 * 1024


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def dataset_new(request: HttpRequest) -> HttpResponse:
    """The first step; readable rows lead to the second, a refusal keeps what was typed."""
    if request.method != "POST":
        return _new(request, UploadForm(initial={"name": request.GET.get("name", "")[:64]}))
    form = UploadForm(request.POST, request.FILES)
    if getattr(request, "upload_was_cut", False):
        limit = settings.UPLOAD_MAX_BYTES // MEBIBYTE
        form.errors.pop("file", None)
        form.add_error(
            "file",
            f"The upload is larger than {limit} MiB and was not kept. Send fewer pairs, or shorter ones.",
        )
    upload = _stage(request, form) if form.is_valid() else None
    if upload is None:
        return _new(request, form, status=422)
    return redirect("web:dataset_preview", upload.pk)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def dataset_preview(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """The second step: the rows, the report and what can be done; a POST saves a version."""
    draft = draft_get(owner=user_of(request), upload_id=as_text(upload_id))
    if request.method != "POST":
        return _preview(request, draft, CommitForm(initial=_initial(draft.upload)))
    form = CommitForm(request.POST)
    if form.is_valid() and (answer := _commit(request, form, draft.upload)):
        return answer
    return _preview(request, draft, form, status=422)


@login_required
@require_POST
def dataset_discard(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Forget an upload."""
    upload_discard(owner=user_of(request), upload_id=as_text(upload_id))
    messages.success(request, "The upload is discarded.")
    return redirect("web:dataset_new")


def name_from(filename: str) -> str:
    """A dataset name out of a file's: `My Pairs (2).jsonl` -> `my-pairs-2`; empty when nothing is left."""
    stem = filename.rsplit(".", 1)[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:64].strip("-")


def _new(request: HttpRequest, form: UploadForm, status: int = 200) -> HttpResponse:
    user = user_of(request)
    begun = open_list(viewer=user, purpose=Purpose.DATASET)
    context = {
        "form": form,
        "drafts": draft_list(owner=user),
        "transfers": [(row, received_bytes(upload=row)) for row in begun],
        "limit_bytes": DEFAULT_LIMITS.max_bytes,
        "parts_over": settings.UPLOAD_PART_BYTES[Method.APP],
    }
    return render(request, "datasets/new.html", context, status=status)


def _stage(request: HttpRequest, form: UploadForm) -> DatasetUpload | None:
    name = form.cleaned_data["name"]
    try:
        return upload_stage(owner=user_of(request), checked=_read(request, form), name=name)
    except RegistryError as error:
        if error.http_status >= 500:
            raise
        form.refuse(error)
        return None


def _read(request: HttpRequest, form: UploadForm) -> CheckedDataset:
    given = form.cleaned_data
    if given["upload"]:
        negative = given["negative_upload"]
        return dataset_read_uploaded(
            actor=user_of(request),
            upload_id=as_text(given["upload"]),
            negative_id=as_text(negative) if negative else "",
        )
    if given["file"]:
        other = given["negative_file"]
        return dataset_read(
            data=given["file"].read(),
            filename=given["file"].name or "",
            negative=other.read() if other else None,
        )
    return dataset_read(data=given["text"].encode("utf-8", "surrogatepass"))


def _preview(request: HttpRequest, draft: Draft, form: CommitForm, status: int = 200) -> HttpResponse:
    draft = draft_report(draft=draft)
    context: dict[str, Any] = {
        "form": form,
        "recognised": recognised(draft),
        **report_context(draft),
        **rows_context(request, draft),
    }
    return render(request, "datasets/preview.html", context, status=status)


def _initial(upload: DatasetUpload) -> dict[str, str]:
    """What is known about the version before it is saved."""
    if upload.based_on is None:
        return {"name": upload.name or name_from(upload.source_filename)}
    dataset = upload.based_on.dataset
    return {
        "name": str(dataset),
        "description": dataset.description,
        "license": dataset.license,
        "language": dataset.language,
        "visibility": dataset.visibility,
    }


def _commit(request: HttpRequest, form: CommitForm, upload: DatasetUpload) -> HttpResponse | None:
    words = {name: form.cleaned_data[name] for name in ("description", "license", "language", "notes")}
    try:
        version = upload_commit(
            actor=user_of(request),
            upload_id=as_text(upload.pk),
            name=form.cleaned_data["name"],
            visibility=form.cleaned_data["visibility"],
            words=DatasetWords(**words),
        )
    except RegistryError as error:
        if error.http_status not in (403, 404, 409, 422):
            raise
        form.refuse(error)
        return None
    messages.success(request, f"{version} is saved. Its pairs will never change.")
    return redirect("web:dataset_version", version.dataset.owner.slug, version.dataset.name, version.number)
