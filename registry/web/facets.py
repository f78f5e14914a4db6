"""The catalog's filters as links: each turns one value on or off and keeps the rest, so that what is chosen
can be shared, and the back button undoes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.text import slugify

from registry.catalog.states import Access, Domain, Grade, Verdict
from registry.discovery.entries import WORKS_ON
from registry.discovery.facets import FacetCounts
from registry.discovery.search import ORDERS, Wanted
from registry.presets.models import Preset
from registry.presets.selectors import preset_counts

# As the address bar has them, in the order of the page -> what people read.
ALWAYS = {"domain": "Collection", "verdict": "Verdict", "base_model": "Base model", "grade": "Grade"}
MORE = {
    "trait": "Trait",
    "family": "Architecture",
    "language": "Language",
    "license": "Licence",
    "access": "Files",
    "method": "Method",
    "site": "Site",
}
# Asked for by other pages alone.
QUIET = {WORKS_ON: "Works with"}
LABELS: Mapping[str, Mapping[str, str]] = {
    "domain": dict(Domain.choices),
    "verdict": {"pass": "Passes", "warn": "Warns", "insufficient": "Too little data", "fail": "Fails"},
    "access": {Access.OPEN: "open to all", Access.GATED: "gated", Access.PAID: "paid"},
}
# These always show all their values, from best to worst.
WHOLE: Mapping[str, tuple[str, ...]] = {"verdict": tuple(Verdict.values), "grade": tuple(Grade.values)}
SORTS = {"relevance": "Best", "verdict": "Verdict", "downloads": "Most used", "newest": "Newest"}
AGES = {7: "week", 30: "month", 365: "year"}
# Of presets: as the address bar has them -> what people read, and where it stands.
PRESET_FACETS = {
    "domain": ("Collection", "domain"),
    "verdict": ("Verdict", "latest__verdict"),
    "base_model": ("Base model", "latest__base_model__name"),
}
VALUES_SHOWN = 8
VALUES_TAKEN = 20
LETTERS_TAKEN = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter as a link that turns it on, or off when it is on; no count where none was made.

    Attributes:
        id: of the element, so that the focus finds it again once the page around it was renewed.
    """

    label: str
    query: str
    is_on: bool
    count: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Facet:
    """A name and its choices."""

    label: str
    choices: list[Choice]

    @property
    def is_on(self) -> bool:
        """Whether something of it is chosen."""
        return any(choice.is_on for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Chip:
    """Something that is on, as a link that turns it off."""

    label: str
    value: str
    query: str


def clean_texts(query: QueryDict, name: str) -> tuple[str, ...]:
    """What the query string has under a name, without characters that the database has no place for."""
    texts = (value.replace("\0", "").strip()[:LETTERS_TAKEN] for value in query.getlist(name)[:VALUES_TAKEN])
    return tuple(dict.fromkeys(text for text in texts if text))


def wanted_of(query: QueryDict, *, is_mine: bool, domain: str = "") -> Wanted:
    """The search of an address; what makes no sense in it is left out or finds nothing, as it is a link.

    Args:
        domain: the collection whose page it is, whatever the address says.
    """
    first = {name: next(iter(clean_texts(query, name)), "") for name in ("q", "owner", "since", "sort")}
    wanted = Wanted(
        text=first["q"],
        owner=first["owner"],
        facets={name: values for name in (*ALWAYS, *MORE, *QUIET) if (values := clean_texts(query, name))},
        since=_day(first["since"]),
        mine=is_mine,
        sort=first["sort"] if first["sort"] in ORDERS else "relevance",
    )
    return replace(wanted, facets={**wanted.facets, "domain": (domain,)}) if domain else wanted


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
            more = "+" if counts.is_approximate else ""
            choices = [
                Choice(
                    label_of(name, value),
                    _toggled(request.GET, name, value),
                    value in chosen,
                    f"{n}{more}" if (n := counted.get(value, 0)) else "",
                    f"{name}-{slugify(value)}",
                )
                for value in values
            ]
            found.append(Facet(label, choices))
    return found


def preset_facets(request: HttpRequest, rows: QuerySet[Preset], chosen: Mapping[str, str]) -> list[Facet]:
    """Facets of presets, of each of which one value can be on; a query each."""
    found = []
    for name, (label, column) in PRESET_FACETS.items():
        others = {PRESET_FACETS[other][1]: value for other, value in chosen.items() if other != name}
        counted = dict(preset_counts(rows.filter(**others), column)[:VALUES_SHOWN])
        if on := chosen.get(name):
            counted.setdefault(on, 0)
        choices = [
            Choice(
                label_of(name, value),
                _set(request.GET, name, "" if value == on else value),
                value == on,
                str(n) if n else "",
                f"{name}-{slugify(value)}",
            )
            for value, n in counted.items()
        ]
        if len(choices) > 1 or on:
            found.append(Facet(label, choices))
    return found


def label_of(name: str, value: str) -> str:
    """A value of a facet as people read it."""
    return LABELS.get(name, {}).get(value, value)


def chips_of(request: HttpRequest, wanted: Wanted, known: Mapping[str, str], fixed: str = "") -> list[Chip]:
    """Everything that is on but the order.

    Args:
        known: names of base models by their hash, as far as the page knows them.
        fixed: the facet that the page itself stands for.
    """
    chips = []
    if wanted.text:
        chips.append(Chip("Words", wanted.text, _set(request.GET, "q", "")))
    if wanted.owner:
        chips.append(Chip("Owner", wanted.owner, _set(request.GET, "owner", "")))
    for name, label in {**ALWAYS, **MORE, **QUIET}.items():
        for value in wanted.facets.get(name, ()) if name != fixed else ():
            says = known.get(value) or label_of(name, value)
            chips.append(Chip(label, says, _toggled(request.GET, name, value)))
    if wanted.since:
        chips.append(Chip("Since", str(wanted.since.date()), _set(request.GET, "since", "")))
    return chips


def sorts_of(request: HttpRequest, wanted: Wanted) -> Facet:
    """Orders; exactly one is on."""
    return Facet("Order", one_of(request.GET, "sort", SORTS, wanted.sort))


def one_of(query: QueryDict, name: str, labels: Mapping[str, str], chosen: str) -> list[Choice]:
    """Values of which exactly one is on; the empty one takes the filter off."""
    return [
        Choice(label, _set(query, name, value), value == chosen, id=f"{name}-{value}")
        for value, label in labels.items()
    ]


def ages_of(request: HttpRequest, wanted: Wanted) -> Facet:
    """How new the newest version has to be."""
    today = timezone.now().date()
    days = {str(today - timedelta(days=n)): f"last {word}" for n, word in AGES.items()}
    if wanted.since:
        days.setdefault(str(wanted.since.date()), f"since {wanted.since.date()}")
    choices = []
    for day, label in days.items():
        is_on = wanted.since is not None and str(wanted.since.date()) == day
        choices.append(
            Choice(label, _set(request.GET, "since", "" if is_on else day), is_on, id=f"since-{day}")
        )
    return Facet("Published", choices)


def hidden_of(query: QueryDict) -> list[tuple[str, str]]:
    """What the search form keeps besides its words."""
    names = ("mine", "owner", "since", "sort", *ALWAYS, *MORE, *QUIET)
    return [(name, value) for name in names for value in clean_texts(query, name)]


def tidy_query(query: QueryDict) -> str:
    """What the address bar shows of a search: without what is empty, from the first page."""
    kept = QueryDict(mutable=True)
    for name in query:
        if name != "cursor" and (values := clean_texts(query, name)):
            kept.setlist(name, list(values))
    return f"?{kept.urlencode()}" if kept else ""


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
