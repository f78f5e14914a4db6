"""Datasets: the list, one version with its report, and its file. Extractions start in `extracting`."""

from collections import Counter

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from registry.accounts.access import may
from registry.accounts.roles import Role
from registry.catalog.extracted import extracted_list
from registry.datasets.drafts import draft_from_version
from registry.datasets.flags import FLAGS
from registry.datasets.searching import SPLITS, Row, version_rows
from registry.datasets.selectors import dataset_list, dataset_version_get, version_flags, version_pairs
from registry.datasets.services import MEDIA_TYPE, dataset_make_public
from registry.runs.selectors import dataset_runs
from registry.storage.services import blob_read
from registry.web import pair_plots
from registry.web.http import file_answer, user_of
from registry.web.paging import paginate
from registry.web.pair_rows import row_page, view_row, wanted_rows
from registry.web.quality import view_quality
from registry.web.run_pages import KIND_WORDS
from registry.web.vector_page import version_url
from registry.web.views.catalog import clean_text
from steering_core.pairs.readers import FORMAT_LABELS

PREVIEW_ROWS = 5
RUNS_SHOWN = 5


@require_safe
def dataset_index(request: HttpRequest) -> HttpResponse:
    """The datasets the viewer may see, newest first."""
    query, owner = clean_text(request, "q"), clean_text(request, "owner")
    page = paginate(request, dataset_list(viewer=request.user, owner=owner, query=query))
    return render(request, "datasets/list.html", {"page": page, "query": query, "owner": owner})


@require_safe
def dataset_page(request: HttpRequest, owner: str, name: str, number: int | None = None) -> HttpResponse:
    """One version, the newest by default."""
    version = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
    dataset = version.dataset
    pairs = version_pairs(version=version)
    lexical = version.report.get("lexical") or {}
    telling = [*lexical.get("negative_words", []), *lexical.get("positive_words", [])]
    user = request.user
    context = {
        "dataset": dataset,
        "version": version,
        "versions": dataset.versions.values("number", "n_pairs", "created_at", "notes"),
        "extracted": [(row, version_url(row)) for row in extracted_list(viewer=user, dataset=dataset)],
        "runs": [
            (run, KIND_WORDS[run.kind])
            for run in dataset_runs(viewer=user, dataset=dataset, limit=RUNS_SHOWN)
        ],
        "format_label": FORMAT_LABELS.get(version.source_format, version.source_format),
        "quality": view_quality(version.report, version_flags(version=version, pairs=pairs)),
        "lengths": pair_plots.lengths(pairs),
        "words": pair_plots.words(pairs, telling),
        "rows": [view_row(Row(number, pair)) for number, pair in enumerate(pairs[:PREVIEW_ROWS], start=1)],
        "is_owner": may(user, Role.WRITER, dataset),
    }
    return render(request, "datasets/detail.html", context)


@require_safe
def dataset_rows(request: HttpRequest, owner: str, name: str, number: int) -> HttpResponse:
    """Every row of a version: searched by text, filtered by split, domain and remark, in pages."""
    version = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
    rows = version_rows(version=version)
    counts = Counter(flag for row in rows for flag in row.flags)
    wanted = wanted_rows(request.GET)
    context = {
        "dataset": version.dataset,
        "version": version,
        "page": row_page(request, rows, wanted),
        "wanted": wanted,
        "splits": SPLITS,
        "domains": list(version.report.get("domains") or {}),
        "flag_choices": [(flag, counts[code]) for code, flag in FLAGS.items() if counts[code]],
    }
    return render(request, "datasets/rows.html", context)


@login_required
@require_POST
def dataset_edit(request: HttpRequest, owner: str, name: str, number: int) -> HttpResponse:
    """Open the rows of a version for editing; saved, they become the next version."""
    version = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
    upload = draft_from_version(actor=user_of(request), version=version)
    return redirect("web:dataset_preview", upload.pk)


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
