"""Upload pairs: choose a file, read the preview and the report, then commit or discard."""

import re
import uuid
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from registry.core.errors import RegistryError
from registry.datasets.models import DatasetUpload
from registry.datasets.selectors import upload_get
from registry.datasets.services import dataset_check, upload_commit, upload_discard, upload_stage
from registry.web.forms import CommitForm, UploadForm
from registry.web.http import as_text, user_of
from registry.web.quality import view_quality
from steering_core.pairs.readers import FORMAT_LABELS

MEBIBYTE = 1024 * 1024


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def dataset_new(request: HttpRequest) -> HttpResponse:
    """The upload form; a readable file leads to its preview, a refusal keeps what was typed."""
    if request.method != "POST":
        form = UploadForm(initial={"name": request.GET.get("name", "")[:64]})
        return render(request, "datasets/new.html", {"form": form})
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
        return render(request, "datasets/new.html", {"form": form}, status=422)
    address = reverse("web:dataset_preview", args=[upload.pk])
    name = form.cleaned_data["name"]
    return redirect(f"{address}?{urlencode({'name': name})}" if name else address)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def dataset_preview(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """What was recognised, the first rows and the report; a POST commits."""
    upload = upload_get(owner=user_of(request), upload_id=as_text(upload_id))
    status = 200
    if request.method == "POST":
        form = CommitForm(request.POST)
        if form.is_valid() and (answer := _commit(request, form, upload)):
            return answer
        status = 422
    else:
        name = request.GET.get("name", "")[:64] or name_from(upload.source_filename)
        form = CommitForm(initial={"name": name})
    context = {
        "form": form,
        "upload": upload,
        "format_label": FORMAT_LABELS.get(upload.source_format, upload.source_format),
        "quality": view_quality(upload.report),
        "pairs": upload.preview,
    }
    return render(request, "datasets/preview.html", context, status=status)


@login_required
@require_POST
def dataset_discard(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Forget a staged upload."""
    upload_discard(owner=user_of(request), upload_id=as_text(upload_id))
    messages.success(request, "The upload is discarded.")
    return redirect("web:dataset_new")


def name_from(filename: str) -> str:
    """A dataset name out of a file's: `My Pairs (2).jsonl` -> `my-pairs-2`; empty when nothing is left."""
    stem = filename.rsplit(".", 1)[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:64].strip("-")


def _stage(request: HttpRequest, form: UploadForm) -> DatasetUpload | None:
    file: UploadedFile = form.cleaned_data["file"]
    negative: UploadedFile | None = form.cleaned_data["negative_file"]
    try:
        checked = dataset_check(
            data=file.read(), filename=file.name or "", negative=negative.read() if negative else None
        )
        return upload_stage(owner=user_of(request), checked=checked)
    except RegistryError as error:
        if error.http_status >= 500:
            raise
        form.refuse(error)
        return None


def _commit(request: HttpRequest, form: CommitForm, upload: DatasetUpload) -> HttpResponse | None:
    try:
        version = upload_commit(
            actor=user_of(request),
            upload_id=as_text(upload.pk),
            name=form.cleaned_data["name"],
            visibility=form.cleaned_data["visibility"],
            description=form.cleaned_data["description"],
        )
    except RegistryError as error:
        if error.http_status not in (409, 422):
            raise
        form.refuse(error)
        return None
    messages.success(request, f"{version} is stored. Its pairs will never change.")
    return redirect("web:dataset_version", version.dataset.owner.slug, version.dataset.name, version.number)
