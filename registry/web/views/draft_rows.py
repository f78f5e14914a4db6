"""Mend the rows of an upload: look at one, write, add, swap, leave out, bring back, undo.

With htmx a row is replaced where it stands and the report follows; without, each step is a form and a page.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.core.errors import InvalidError, RegistryError
from registry.datasets.drafts import Draft, draft_edit, draft_get, draft_report, draft_undo
from registry.datasets.flags import FLAGS
from registry.datasets.models import DatasetEdit
from registry.datasets.searching import draft_rows, flags_by_row
from registry.datasets.states import EditKind
from registry.web import pair_plots
from registry.web.forms_datasets import RowForm
from registry.web.http import as_text, user_of
from registry.web.pair_rows import PAGE_ROWS, STATES, row_page, view_row, wanted_rows
from registry.web.quality import view_quality

TOGGLES = (EditKind.SWAP, EditKind.EXCLUDE, EditKind.RESTORE)
CHANGED = "draft-changed"


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def draft_row(request: HttpRequest, upload_id: uuid.UUID, number: int) -> HttpResponse:
    """One row, whole; a POST does something to it. With htmx, `?edit` asks for its form."""
    draft = draft_get(owner=user_of(request), upload_id=as_text(upload_id))
    if not 1 <= number <= len(draft.rows):
        raise Http404(f"this upload has the rows 1 to {len(draft.rows)}")
    if request.method == "POST":
        return _edited(request, draft, number)
    pair = draft.rows[number - 1].pair
    form = RowForm(initial={name: getattr(pair, name) for name in RowForm.base_fields})
    if _is_htmx(request) and "edit" not in request.GET:
        return _row_answer(request, draft, number, clip="whole" not in request.GET)
    return _form_answer(request, draft, form, number)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def draft_row_add(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """A row more, at the end."""
    draft = draft_get(owner=user_of(request), upload_id=as_text(upload_id))
    if request.method != "POST":
        return _form_answer(request, draft, RowForm(), None)
    form = RowForm(request.POST)
    if not form.is_valid() or not _done(request, form, draft, EditKind.ADD):
        return _form_answer(request, draft, form, None, status=422)
    number = len(draft.rows) + 1
    messages.success(request, f"Row {number} is added.")
    pages = -(-number // PAGE_ROWS)
    return redirect(f"{_address(draft)}?page={pages}#row-{number}")


@login_required
@require_POST
def draft_batch(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """One edit to all rows of a flag, or to all there are."""
    user, kind, flag = user_of(request), request.POST.get("kind", ""), request.POST.get("flag", "")
    draft = draft_report(draft=draft_get(owner=user, upload_id=as_text(upload_id)))
    rows = draft.upload.flags.get(flag, []) if flag else []
    if flag and not rows:
        messages.info(request, "No row has that remark any more.")
        return redirect(_address(draft))
    edit = draft_edit(owner=user, upload_id=as_text(upload_id), kind=kind, rows=rows)
    messages.success(request, _said(edit))
    return redirect(_address(draft) + _back(request))


@login_required
@require_POST
def draft_step_back(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Undo the newest edit."""
    edit = draft_undo(owner=user_of(request), upload_id=as_text(upload_id))
    address = reverse("web:dataset_preview", args=[upload_id]) + _back(request)
    if edit is None:
        messages.info(request, "There is nothing to undo.")
        return redirect(address)
    messages.success(request, f"Undone: {edit_words(edit)}.")
    return redirect(f"{address}#row-{edit.rows[0]}" if len(edit.rows) == 1 else address)


@login_required
@never_cache
@require_safe
def draft_report_part(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """The report as it is now, and with it the remarks on the rows that are shown."""
    draft = draft_report(draft=draft_get(owner=user_of(request), upload_id=as_text(upload_id)))
    by_row = flags_by_row(draft.upload.flags)
    numbers = (text[:9] for text in request.GET.getlist("shown")[:100])
    shown = [int(text) for text in numbers if text.isascii() and text.isdecimal()]
    context = {
        **report_context(draft),
        "refreshed": [(number, [FLAGS[flag] for flag in by_row.get(number, ())]) for number in shown],
    }
    return render(request, "datasets/_draft_report.html", context)


def rows_context(request: HttpRequest, draft: Draft) -> dict[str, Any]:
    """The rows that an address asks for."""
    flags, wanted = draft.upload.flags, wanted_rows(request.GET)
    return {
        "page": row_page(request, draft_rows(draft.rows, flags), wanted),
        "wanted": wanted,
        "states": STATES,
        "flag_choices": [(FLAGS[flag], len(numbers)) for flag, numbers in flags.items() if flag in FLAGS],
        **bar_context(draft),
    }


def bar_context(draft: Draft) -> dict[str, Any]:
    """How many rows are kept, and what an undo would take back."""
    edit = draft.newest_edit
    return {
        "upload": draft.upload,
        "n_rows": len(draft.rows),
        "n_kept": len(draft.kept),
        "undo": edit_words(edit) if edit else "",
    }


def report_context(draft: Draft) -> dict[str, Any]:
    """The report with its pictures."""
    pairs = [row.pair for row in draft.kept]
    lexical = draft.upload.report.get("lexical") or {}
    telling = [*lexical.get("negative_words", []), *lexical.get("positive_words", [])]
    return {
        "upload": draft.upload,
        "quality": view_quality(draft.upload.report, draft.upload.flags),
        "lengths": pair_plots.lengths(pairs),
        "words": pair_plots.words(pairs, telling),
    }


def edit_words(edit: DatasetEdit) -> str:
    """`row 12 left out`, `7 rows with their sides swapped`."""
    what = EditKind(edit.kind).label
    if edit.kind == EditKind.ADD:
        return "row added"
    if not edit.rows:
        return f"all rows {what}"
    return f"row {edit.rows[0]} {what}" if len(edit.rows) == 1 else f"{len(edit.rows):,} rows {what}"


def _edited(request: HttpRequest, draft: Draft, number: int) -> HttpResponse:
    kind = request.POST.get("kind", "")
    if kind == EditKind.EDIT:
        form = RowForm(request.POST)
        if not form.is_valid() or not _done(request, form, draft, kind, [number]):
            return _form_answer(request, draft, form, number, status=422)
    elif kind in TOGGLES:
        draft_edit(owner=user_of(request), upload_id=as_text(draft.upload.pk), kind=kind, rows=[number])
    else:
        raise InvalidError(f"{kind[:20]!r} cannot be done to a row", code="upload.row")
    if not _is_htmx(request):
        return redirect(f"{_address(draft)}{_back(request)}#row-{number}")
    after = draft_get(owner=user_of(request), upload_id=as_text(draft.upload.pk))
    return _row_answer(request, after, number, is_news=True)


def _done(
    request: HttpRequest, form: RowForm, draft: Draft, kind: str, rows: list[int] | None = None
) -> bool:
    """Make the edit of a valid form; a refusal goes to the form."""
    try:
        draft_edit(
            owner=user_of(request),
            upload_id=as_text(draft.upload.pk),
            kind=kind,
            rows=rows,
            pair=form.cleaned_data,
        )
    except RegistryError as error:
        if error.http_status not in (422, 429):
            raise
        form.refuse(error)
        return False
    return True


def _row_answer(
    request: HttpRequest, draft: Draft, number: int, *, clip: bool = True, is_news: bool = False
) -> HttpResponse:
    """The row alone; after an edit with what else on the page must follow."""
    [row] = draft_rows(draft.rows[number - 1 : number], draft.upload.flags)
    view = view_row(row) if clip else view_row(row, None)
    context = {
        "view": view,
        "is_editable": True,
        "is_news": is_news,
        "page": {"query": _back(request)},
        **bar_context(draft),
    }
    response = render(request, "datasets/_row_answer.html", context)
    if is_news:
        response["HX-Trigger"] = CHANGED
    return response


def _form_answer(
    request: HttpRequest, draft: Draft, form: RowForm, number: int | None, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "number": number, "back": _back(request), **bar_context(draft)}
    if _is_htmx(request):
        return render(request, "datasets/_row_form.html", context, status=status)
    if number is not None:
        [row] = draft_rows(draft.rows[number - 1 : number], draft.upload.flags)
        context["view"] = view_row(row, None)
    return render(request, "datasets/row.html", context, status=status)


def _said(edit: DatasetEdit) -> str:
    words = edit_words(edit)
    return f"{words[:1].upper()}{words[1:]}. Undo takes it back."


def _address(draft: Draft) -> str:
    return reverse("web:dataset_preview", args=[draft.upload.pk])


def _back(request: HttpRequest) -> str:
    """The query of the rows that were shown, taken apart and put together again; htmx says where it is."""
    here = request.headers.get("HX-Current-URL", "").partition("?")[2].partition("#")[0]
    asked = request.POST.get("back") or request.GET.get("back") or here
    query = QueryDict(asked.lstrip("?")[:1000])
    known = {name: query[name] for name in ("q", "show", "flag", "page") if query.get(name)}
    found = QueryDict(mutable=True)
    found.update(known)
    return f"?{found.urlencode()}" if known else ""


def _is_htmx(request: HttpRequest) -> bool:
    return bool(request.headers.get("HX-Request"))
