"""Start an extraction on one screen: which model, under what name, how thoroughly, and what that will take.

The estimate beside the form is `registry.runs.estimates`; a change of the base model asks for it again.
"""

import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from registry.accounts.models import User
from registry.accounts.roles import Role, at_least
from registry.accounts.selectors import membership_list
from registry.catalog.models import BaseModelRevision
from registry.catalog.selectors import base_model_list
from registry.core.errors import RegistryError
from registry.datasets.models import DatasetVersion
from registry.datasets.selectors import dataset_version_get
from registry.runs.estimates import Estimate, extraction_estimates
from registry.runs.selectors import active_count, queue_get
from registry.runs.services import ExtractionRequest, extraction_start
from registry.web.durations import duration, span_of_time
from registry.web.forms_extract import ExtractForm
from registry.web.http import as_text, user_of


@dataclass(frozen=True, slots=True)
class ModelOption:
    """A base model to choose, with what tells it from the others."""

    tag: SafeString
    html_id: str
    row: BaseModelRevision
    scoring: str


@dataclass(frozen=True, slots=True)
class TierRow:
    """What one tier will take, in words."""

    name: str
    time: str
    rests_on: str
    rows: int
    is_counted: bool


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def dataset_extract(request: HttpRequest, owner: str, name: str, number: int) -> HttpResponse:
    """The form; sent, it starts the run and goes to its page, or comes back with the refusal."""
    user = user_of(request)
    version = dataset_version_get(viewer=user, owner=owner, name=name, number=number)
    if request.method != "POST":
        asked = {key: request.GET.get(key, "")[:129] for key in ("vector", "base_model")}
        wanted = {**asked, "vector": asked["vector"] or suggested_vector(name)}
        return _render(request, version, extract_form(user, initial={k: v for k, v in wanted.items() if v}))
    form = extract_form(user, request.POST)
    if form.is_valid():
        try:
            run, _ = extraction_start(
                actor=user,
                request=ExtractionRequest(dataset=str(version), **form.asked),
                idempotency_key=form.cleaned_data["idempotency_key"],
            )
            return redirect("web:run", as_text(run.pk))
        except RegistryError as error:
            if error.http_status >= 500:
                raise
            form.refuse(error)
    # A refused request was no request: the next one, mended, needs a key of its own.
    form.data = {**dict(form.data.items()), "idempotency_key": str(uuid.uuid4())}
    return _render(request, version, form, status=422)


@login_required
@never_cache
@require_safe
def extract_estimate(request: HttpRequest, owner: str, name: str, number: int) -> HttpResponse:
    """The estimate for `?base_model=`, as a part of the page; without htmx the page itself."""
    version = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
    chosen = request.GET.get("base_model", "")[:80]
    if not request.headers.get("HX-Request"):
        page = reverse("web:dataset_extract", args=(owner, name, number))
        return redirect(f"{page}?{urlencode({'base_model': chosen})}")
    row = next((row for row in base_model_list() if row.model_hash == chosen), None)
    return render(request, "runs/_estimate.html", _estimate_context(row, version))


def suggested_vector(dataset_name: str) -> str:
    """`formality-pairs` -> `formality`."""
    return dataset_name.removesuffix("-pairs").removesuffix("-dataset")


def extract_form(user: User, data: Any = None, initial: dict[str, str] | None = None) -> ExtractForm:
    """The form with the base models that are registered, and where the user may make vectors."""
    choices = [
        (row.model_hash, f"{row.name} ({row.n_layers} blocks, {row.model_hash[7:15]})")
        for row in base_model_list()
    ]
    rows = membership_list(user=user).filter(role__in=at_least(Role.WRITER))
    # One's own namespace comes first, whatever else is alphabetical.
    owners = sorted((row.namespace.slug for row in rows), key=lambda slug: (slug != user.username, slug))
    return ExtractForm(data, initial=initial, base_models=choices, owners=owners)


def _render(
    request: HttpRequest, version: DatasetVersion, form: ExtractForm, status: int = 200
) -> HttpResponse:
    rows = {row.model_hash: row for row in base_model_list()}
    options = [
        ModelOption(option.tag(), option.id_for_label, row, _scoring(row))
        for option in form["base_model"]
        if (row := rows.get(str(option.data["value"])))
    ]
    user = user_of(request)
    active, most = active_count(owner=user), settings.RUN_MAX_QUEUED_PER_USER
    context = {
        "version": version,
        "dataset": version.dataset,
        "usable": int(version.report.get("n_usable") or version.n_pairs),
        "form": form,
        "options": options,
        "active": active,
        "most_active": most,
        "is_full": active >= most,
        "queue": queue_get(),
        "time_limit": duration(settings.RUN_TIME_LIMIT_SECONDS),
        **_estimate_context(rows.get(str(form["base_model"].value())), version),
    }
    return render(request, "runs/extract.html", context, status=status)


def _estimate_context(row: BaseModelRevision | None, version: DatasetVersion) -> dict[str, Any]:
    found = extraction_estimates(base_model=row, n_pairs=version.n_pairs) if row else ()
    return {"estimated_model": row, "tiers": [_tier_row(estimate) for estimate in found]}


def _tier_row(found: Estimate) -> TierRow:
    if found.seconds is None or found.pairs is None:
        return TierRow(found.tier, "", "no run yet to judge by", found.forward_rows, False)
    low, middle, high = found.seconds
    fewest, most = found.pairs
    pairs = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    if found.n_runs == 1:
        return TierRow(
            found.tier, duration(middle), f"as one run here with {pairs} pairs", found.forward_rows, True
        )
    rests_on = f"{span_of_time(low, high)} in {found.n_runs} runs here with {pairs} pairs"
    return TierRow(found.tier, duration(middle), rests_on, found.forward_rows, True)


def _scoring(row: BaseModelRevision) -> str:
    if row.scorer:
        return "replies are scored exactly"
    return "measured with its own suite" if row.suite_id else "measured by the probabilities of the answers"
