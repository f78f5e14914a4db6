"""`/import`: a version of a vector file that one has. It is read strictly here and measured by a worker."""

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from registry.catalog.selectors import base_model_list
from registry.core.errors import RegistryError
from registry.runs.importing import ImportRequest, import_start
from registry.uploads.states import Purpose
from registry.uploads.whole import upload_whole
from registry.web.forms import NAME_HELP, TIER_WORDS, PageForm
from registry.web.http import as_text, user_of
from steering_core.spec import TIERS

MEBIBYTE = 1024 * 1024


class ImportForm(PageForm):
    """A file, what it is for, and what to measure it with."""

    file = forms.FileField(
        label="Vector file",
        allow_empty_file=True,
        help_text="Safetensors, GGUF, JSON or the forms of other engines; a pickle (.pt, .bin) is refused.",
    )
    vector = forms.CharField(
        label="Vector name",
        max_length=129,
        help_text=f"{NAME_HELP} With the organisation and a slash before it if it is not your own.",
    )
    base_model = forms.ChoiceField(label="Base model", help_text="Whose activations its directions are.")
    dataset = forms.CharField(
        label="Dataset to measure it with",
        max_length=160,
        help_text="Pairs about its trait, such as acme/formality-pairs or acme/formality-pairs@2.",
    )
    direction = forms.CharField(
        label="Direction",
        required=False,
        max_length=40,
        help_text="Which of several in the file, such as resid_post.3; empty for a file with one.",
    )
    tier = forms.ChoiceField(
        label="Tier",
        choices=[(name, TIER_WORDS[name]) for name in TIERS],
        initial="standard",
        widget=forms.RadioSelect,
    )
    # Sent twice, by a double click or a reload, it starts one run.
    idempotency_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = [(row.model_hash, f"{row.name} ({row.model_hash[7:15]})") for row in base_model_list()]
        self.fields["base_model"].choices = rows  # type: ignore[attr-defined]  # it is a ChoiceField
        self.fields["idempotency_key"].initial = as_text(uuid.uuid4())


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def import_page(request: HttpRequest) -> HttpResponse:
    """The form; a file that can be read leads to its run, a refusal keeps all but the file."""
    if request.method != "POST":
        return _page(request, ImportForm(initial={"dataset": request.GET.get("dataset", "")[:160]}))
    form = ImportForm(request.POST, request.FILES)
    if getattr(request, "upload_was_cut", False):
        form.errors.pop("file", None)
        limit = settings.UPLOAD_MAX_BYTES // MEBIBYTE
        form.add_error("file", f"The file is larger than {limit} MiB; send the directions alone.")
    if form.is_valid():
        try:
            return redirect("web:run", _start(request, form))
        except RegistryError as error:
            if error.http_status >= 500:
                raise
            form.refuse(error)
    # A refused request was no request: the next one, mended, needs a key of its own.
    form.data = {**dict(form.data.items()), "idempotency_key": as_text(uuid.uuid4())}
    return _page(request, form, status=422)


def _start(request: HttpRequest, form: ImportForm) -> str:
    given, actor = form.cleaned_data, user_of(request)
    file = given["file"]
    upload = upload_whole(actor=actor, data=file.read(), purpose=Purpose.VECTOR, filename=file.name)
    names = ("base_model", "dataset", "vector", "direction", "tier")
    wanted = ImportRequest(upload=as_text(upload.pk), **{name: given[name].strip() for name in names})
    run, _ = import_start(actor=actor, request=wanted, idempotency_key=given["idempotency_key"])
    return as_text(run.pk)


def _page(request: HttpRequest, form: ImportForm, status: int = 200) -> HttpResponse:
    limit = settings.UPLOAD_MAX_BYTES // MEBIBYTE
    return render(request, "accounts/import.html", {"form": form, "limit": limit}, status=status)
