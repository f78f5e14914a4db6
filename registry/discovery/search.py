"""Search by words and facets, page by page. What is searched is `entries`; how words are read is `words`.

No page looks at more rows than it has to: without words an index gives them in order; with words the best
matches by the stored score are ranked anew, a fixed number of them.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from django.contrib.postgres.search import SearchRank, TrigramWordSimilarity
from django.db import connection
from django.db.models import BooleanField, Case, ExpressionWrapper, F, FloatField, Func, QuerySet, Value, When

from registry.accounts.access import Visibility, held_by, listed_to
from registry.accounts.roles import Role
from registry.catalog.models import Vector
from registry.discovery.cards import Sample, with_shown
from registry.discovery.cursors import decode_cursor, encode_cursor
from registry.discovery.frequency import facet_condition, narrowed, word_condition
from registry.discovery.models import IS_RELEASED, SearchEntry
from registry.discovery.words import is_digest, prefix_query, words_of

# As many matches by words are ranked, the best by score, and those that are called just so; what comes after
# them is not shown.
CANDIDATES = 120
# A word in the name weighs as much as two steps of the verdict, one of the owner's a tenth of that.
WEIGHTS = (0.1, 0.3, 0.5, 1.0)  # of D, C, B, A
TEXT_WEIGHT = 4.0
NAME_BONUS = 3.0
# Sort orders and what each goes by, largest first; the id comes after all.
ORDERS: dict[str, tuple[str, ...]] = {
    "relevance": ("score",),
    "newest": ("fresh_at",),
    "downloads": ("downloads", "score"),
    "verdict": ("verdict_rank", "score"),
}
_RELATED = ("owner", "latest__base_model", "card")
# Large columns: lists read cards in place of the report, and of a base model its name and hash.
_LEFT = (
    *("card_text", "card__sample", "latest__report", "latest__manifest", "latest__spec"),
    *("latest__base_model__files", "latest__base_model__scorer"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody searches for; what is empty goes for all.

    Attributes:
        text: words, each of which something of the vector begins with; or a model hash.
        facets: facet -> values, of which one is enough. See `entries.FACETS` and `entries.WORKS_ON`.
        since: published then or later.
        mine: those that the viewer may change, unpublished ones too.
        sort: of `ORDERS`.
    """

    text: str = ""
    owner: str = ""
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    since: datetime | None = None
    mine: bool = False
    sort: str = "relevance"


class Found:
    """The vectors that somebody found, a page at a time: two queries each."""

    def __init__(self, viewer: Any, wanted: Wanted, related: tuple[str, ...] = ()) -> None:
        self.viewer = viewer
        self.related = related
        self.wanted = wanted
        self.rows = matching(viewer, wanted)
        # Whether a page holds what is called nearly like that, since nothing is called like that.
        self.is_near = False

    def page(self, limit: int, cursor: str = "") -> tuple[list[Vector], str]:
        """The vectors after a cursor, and the cursor after them, empty on the last page.

        Raises:
            InvalidError: a cursor that was not given out for this order.
        """
        rows, keys = self._ranked()
        if cursor:
            rows = rows.filter(_comes_after(keys, decode_cursor(cursor, self._order_name(), len(keys))))
        ordered = rows.order_by(*(F(key).desc() for key in keys), F("vector_id").desc())
        places = list(ordered.values_list(*keys, "vector_id")[: limit + 1])
        following = ""
        if len(places) > limit:
            following = encode_cursor(self._order_name(), places[limit - 1])
        if not (places or cursor):
            near = self._almost(limit)
            self.is_near = bool(near)
            return near, ""
        return _vectors([place[-1] for place in places[:limit]], self.related), following

    def _ranked(self) -> tuple[QuerySet[SearchEntry], tuple[str, ...]]:
        """The rows and what they are ordered by."""
        words = words_of(self.wanted.text)
        if self.wanted.sort != "relevance" or not words or is_digest(self.wanted.text):
            return self.rows, ORDERS[self.wanted.sort]
        name = "-".join(words).lower()
        by_score = self.rows.order_by(F("score").desc(), F("vector_id").desc()).values("pk")
        candidates = by_score[:CANDIDATES].union(by_score.filter(name=name)[:CANDIDATES])
        is_name = When(name=name, then=Value(NAME_BONUS))
        rank = ExpressionWrapper(
            F("score")
            + Value(TEXT_WEIGHT) * SearchRank(F("document"), prefix_query(words), weights=list(WEIGHTS))
            + Case(is_name, default=Value(0.0)),
            output_field=FloatField(),
        )
        return SearchEntry.objects.filter(pk__in=candidates).annotate(rank=rank), ("rank",)

    def _order_name(self) -> str:
        return f"{self.wanted.sort}{'-words' if words_of(self.wanted.text) else ''}"

    def _almost(self, limit: int) -> list[Vector]:
        """What is called nearly like that, where nothing is called like that and PostgreSQL has pg_trgm."""
        text = " ".join(words_of(self.wanted.text)).lower()
        if not text or is_digest(self.wanted.text) or not has_trigrams():
            return []
        likeness = TrigramWordSimilarity(text, "words")
        rows = matching(self.viewer, replace(self.wanted, text=""))
        rows = rows.filter(words__trigram_word_similar=text)
        ordered = rows.annotate(likeness=likeness).order_by("-likeness", "-score", "-vector_id")
        return _vectors(list(ordered.values_list("vector_id", flat=True)[:limit]), self.related)


def vector_search(*, viewer: Any, wanted: Wanted | None = None, related: tuple[str, ...] = ()) -> Found:
    """Published vectors that the viewer may see in lists; with `mine` those that they may change.

    Args:
        related: what to fetch with each vector besides its owner and newest version.
    """
    return Found(viewer, wanted or Wanted(), related)


def example_find(known: Iterable[Vector] = ()) -> tuple[Vector, Sample] | None:
    """The best public vector that has a stored reply with it and without it.

    Args:
        known: vectors as a search with `downloads` gave them; one query if the best is among them, else two.
    """
    rows = SearchEntry.objects.filter(
        IS_RELEASED,
        visibility=Visibility.PUBLIC,
        is_deprecated=False,
        # What passes or warns; of these the index gives the best first.
        verdict_rank__gte=2,
        vector__card__sample__isnull=False,
    ).order_by(F("verdict_rank").desc(), F("score").desc(), F("vector_id").desc())
    best = rows.values_list("vector_id", "vector__card__sample").first()
    if best is None or best[1] is None:
        return None
    found = [row for row in known if row.pk == best[0]] or _vectors([best[0]], ("downloads",))
    return (found[0], best[1]) if found else None


def matching(viewer: Any, wanted: Wanted) -> QuerySet[SearchEntry]:
    """The entries that fit, in no order."""
    if wanted.mine:
        rows = SearchEntry.objects.filter(held_by(viewer, Role.WRITER))
    else:
        rows = SearchEntry.objects.filter(listed_to(viewer), IS_RELEASED)
    if wanted.owner:
        rows = rows.filter(owner__slug=wanted.owner)
    if wanted.since:
        rows = rows.filter(fresh_at__gte=wanted.since)
    facets = [[_held(facet, value) for value in values] for facet, values in wanted.facets.items() if values]
    words: list[str] = []
    if is_digest(text := wanted.text.strip()):
        facets.append([f"model_hash={text}"])
    elif text and not (words := words_of(text)):
        # Signs alone are in no word of any vector.
        return rows.none()
    return narrowed(rows, [*map(facet_condition, facets), *map(word_condition, words)])


@cache
def has_trigrams() -> bool:
    """Whether the database compares words that are almost alike; asked once in a process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
        return cursor.fetchone() is not None


def _held(facet: str, value: str) -> str:
    """As entries hold it; a base model is asked for by its name or its hash."""
    return f"model_hash={value}" if facet == "base_model" and is_digest(value) else f"{facet}={value}"


def _vectors(ids: list[uuid.UUID], related: tuple[str, ...]) -> list[Vector]:
    """These vectors with what cards show of them, in this order."""
    if not ids:
        return []
    rows = Vector.objects.filter(pk__in=ids).order_by().select_related(*_RELATED, *related).defer(*_LEFT)
    found = {row.pk: row for row in rows}
    return [with_shown(found[pk]) for pk in ids if pk in found]


def _comes_after(keys: tuple[str, ...], place: list[Any]) -> Func:
    """Comparison of whole rows, which an index answers from the place on, however many rows are equal."""
    columns = _row(*(F(key) for key in keys), F("vector_id"))
    return Func(
        columns,
        _row(*map(Value, place)),
        template="%(expressions)s",
        arg_joiner=" < ",
        output_field=BooleanField(),
    )


def _row(*parts: Any) -> Func:
    return Func(*parts, template="(%(expressions)s)", output_field=BooleanField())
