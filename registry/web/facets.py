"""The catalog's filters as links: each turns one value on or off and keeps the rest, so that what is chosen
can be shared, and the back button undoes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_date

from registry.catalog.states import Access, Grade, Verdict
from registry.discovery.facets import FacetCounts
from registry.discovery.search import ORDERS, Wanted

# As the address bar has them, in the order of the page -> what people read.
ALWAYS = {"base_model": "Base model", "verdict": "Verdict", "grade": "Grade"}
MORE = {
    "trait": "Trait",
    "family": "Architecture",
    "language": "Language",
    "license": "Licence",
    "access": "Files",
    "method": "Method",
    "site": "Site",
}
LABELS: Mapping[str, Mapping[str, str]] = {
    "verdict": {"pass": "Passes", "warn": "Warns", "insufficient": "Too little data", "fail": "Fails"},
    "access": {Access.OPEN: "open to all", Access.GATED: "gated", Access.PAID: "paid"},
}
# These always show all their values, from best to worst.
WHOLE: Mapping[str, tuple[str, ...]] = {"verdict": tuple(Verdict.values), "grade": tuple(Grade.values)}
SORTS = {"relevance": "Best", "newest": "Newest", "downloads": "Most downloaded", "verdict": "Verdict"}
AGES = {7: "week", 30: "month", 365: "year"}
VALUES_SHOWN = 8
VALUES_TAKEN = 20
LETTERS_TAKEN = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter as a link that turns it on, or off when it is on; no count where none was made."""

    label: str
    query: str
    is_on: bool
    count: str = ""


@dataclass(frozen=True, slots=True)
class Facet:
    """A name and its choices."""

    label: str
    choices: list[Choice]


def clean_texts(query: QueryDict, name: str) -> tuple[str, ...]:
    """What the query string has under a name, without characters that the database has no place for."""
    texts = (value.replace("\0", "").strip()[:LETTERS_TAKEN] for value in query.getlist(name)[:VALUES_TAKEN])
    return tuple(dict.fromkeys(text for text in texts if text))


def wanted_of(query: QueryDict, *, is_mine: bool) -> Wanted:
    """The search of an address; what makes no sense in it is left out or finds nothing, as it is a link."""
    first = {name: next(iter(clean_texts(query, name)), "") for name in ("q", "owner", "since", "sort")}
    return Wanted(
        text=first["q"],
        owner=first["owner"],
        facets={name: values for name in (*ALWAYS, *MORE) if (values := clean_texts(query, name))},
        since=_day(first["since"]),
        mine=is_mine,
        sort=first["sort"] if first["sort"] in ORDERS else "relevance",
    )


def facets_of(
    request: HttpRequest, wanted: Wanted, counts: FacetCounts, names: Mapping[str, str]
) -> list[Facet]:
    """Facets with something to choose."""
    found = []
    for name, label in names.items():
        chosen = wanted.facets.get(name, ())
        counted = dict(counts.values[name][:VALUES_SHOWN])
        values = WHOLE.get(name) or tuple(dict.fromkeys((*chosen, *counted)))
        if len(values) > 1 or chosen or (values and name in ALWAYS):
            words = LABELS.get(name, {})
            more = "+" if counts.is_approximate else ""
            choices = [
                Choice(
                    words.get(value, value),
                    _toggled(request.GET, name, value),
                    value in chosen,
                    f"{n}{more}" if (n := counted.get(value, 0)) else "",
                )
                for value in values
            ]
            found.append(Facet(label, choices))
    return found


def sorts_of(request: HttpRequest, wanted: Wanted) -> Facet:
    """Orders; exactly one is on."""
    choices = [
        Choice(label, _set(request.GET, "sort", name), name == wanted.sort) for name, label in SORTS.items()
    ]
    return Facet("Order", choices)


def ages_of(request: HttpRequest, wanted: Wanted) -> Facet:
    """How new the newest version has to be."""
    today = timezone.now().date()
    days = {str(today - timedelta(days=n)): f"last {word}" for n, word in AGES.items()}
    if wanted.since:
        days.setdefault(str(wanted.since.date()), f"since {wanted.since.date()}")
    choices = []
    for day, label in days.items():
        is_on = wanted.since is not None and str(wanted.since.date()) == day
        choices.append(Choice(label, _set(request.GET, "since", "" if is_on else day), is_on))
    return Facet("Published", choices)


def hidden_of(query: QueryDict) -> list[tuple[str, str]]:
    """What the search form keeps besides its words."""
    names = ("mine", "owner", "since", "sort", *ALWAYS, *MORE)
    return [(name, value) for name in names for value in clean_texts(query, name)]


def _toggled(query: QueryDict, name: str, value: str) -> str:
    values = list(clean_texts(query, name))
    kept = [each for each in values if each != value]
    return _with(query, name, kept if value in values else [*values, value])


def _set(query: QueryDict, name: str, value: str) -> str:
    return _with(query, name, [value] if value else [])


def _with(query: QueryDict, name: str, values: list[str]) -> str:
    changed = query.copy()
    changed.pop("cursor", None)
    if values:
        changed.setlist(name, values)
    else:
        changed.pop(name, None)
    return "?" + changed.urlencode()


def _day(text: str) -> datetime | None:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return datetime.combine(day, time.min, UTC) if day else None
