"""What changed between two versions of a data set, row by row."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from registry.datasets.comparing import DatasetDiff, dataset_diff
from registry.datasets.searching import Row
from registry.datasets.selectors import dataset_version_get
from registry.web.differing import differing, show
from registry.web.pair_rows import PAGE_ROWS, RowView, view_row
from steering_core.pairs.changes import KINDS, Change
from steering_core.pairs.pair import ContrastivePair


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that says something else now, with the words marked that went and came."""

    name: str
    before: SafeString
    after: SafeString


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change ready for its template: the fields of a changed row, or the whole of one that came or went."""

    kind: str
    row_before: int | None
    row_after: int | None
    is_swap: bool
    fields: tuple[FieldChange, ...]
    whole: RowView | None


@require_safe
def dataset_changes(request: HttpRequest, owner: str, name: str, number: int) -> HttpResponse:
    """The changes of a version since another, the one before by default."""
    version = dataset_version_get(viewer=request.user, owner=owner, name=name, number=number)
    numbers = list(version.dataset.versions.exclude(number=number).values_list("number", flat=True))
    asked = request.GET.get("since", "")
    since = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else number - 1
    context = {"dataset": version.dataset, "version": version, "others": numbers, "since": since}
    if since in numbers:
        older = dataset_version_get(viewer=request.user, owner=owner, name=name, number=since)
        context |= {"older": older, **_page(request, dataset_diff(before=older, after=version))}
    return render(request, "datasets/changes.html", context)


def view_change(change: Change) -> ChangeView:
    """A change as it is shown."""
    before, after = change.before, change.after
    fields: tuple[FieldChange, ...] = ()
    whole = None
    if before and after:
        fields = tuple(_field(name, before, after) for name in change.fields)
    elif pair := before or after:
        whole = view_row(Row(change.row_after or change.row_before or 0, pair))
    return ChangeView(change.kind, change.row_before, change.row_after, change.is_swap, fields, whole)


def _page(request: HttpRequest, diff: DatasetDiff) -> dict[str, object]:
    kind = kind if (kind := request.GET.get("kind", "")) in KINDS else ""
    asked = request.GET.get("page", "1")
    shown = diff.of_kind(kind)
    n_pages = max(1, -(-len(shown) // PAGE_ROWS))
    page = min(max(1, int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else 1), n_pages)
    return {
        "kind": kind,
        "counts": list(diff.counts.items()),
        "total": len(diff.changes),
        "changes": [view_change(change) for change in shown[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]],
        "number": page,
        "n_pages": n_pages,
        "previous": page - 1,
        "next": page + 1 if page < n_pages else 0,
    }


def _field(name: str, before: ContrastivePair, after: ContrastivePair) -> FieldChange:
    left, right = differing(getattr(before, name), getattr(after, name))
    return FieldChange(name, show(left, "del", 1000).html, show(right, "ins", 1000).html)
