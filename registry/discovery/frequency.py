"""Which words and facets so many vectors have that no index helps to find them.

A GIN index collects every row of a value that it is asked for, or of every word with a prefix, before it
gives the first one: for a word in most of a million vectors 40 ms. Those rows are found sooner by looking at
row after row, in the order that is asked for or as they lie. What is frequent is read from PostgreSQL's own
statistics, which a few changes do not make wrong. It decides how a search is answered, never what it finds.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, Func, Q, QuerySet

from registry.discovery.models import SearchEntry
from registry.discovery.words import prefix_query

# The index collects as many rows in 3 ms.
FREQUENT_ROWS = 50_000
# Where several frequent conditions leave fewer rows than this over, the index finds them sooner after all.
FEW_ROWS = 10_000
REREAD_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on entries and the share of them that it holds for; 0 for one that is rare or unknown."""

    holds: Q
    share: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many entries there are, and the share of them that has each of the frequent words or facets."""

    n_rows: float
    shares: Mapping[str, float]


def word_condition(word: str) -> Condition:
    """That an entry has a word that begins with this one."""
    shares = statistics("document").shares
    share = sum(share for known, share in shares.items() if known.startswith(word.lower()))
    return Condition(Q(document=prefix_query([word])), min(share, 1.0))


def facet_condition(values: Sequence[str]) -> Condition:
    """That an entry has one of these `facet=value`."""
    shares = statistics("facets").shares
    return Condition(Q(facets__overlap=values), min(sum(shares.get(value, 0.0) for value in values), 1.0))


def narrowed(rows: QuerySet[SearchEntry], conditions: Sequence[Condition]) -> QuerySet[SearchEntry]:
    """The rows for which all of these hold; only those conditions go to an index that are rare enough."""
    if not conditions:
        return rows
    n_rows = statistics("facets").n_rows
    frequent = [one for one in conditions if one.share * n_rows >= FREQUENT_ROWS]
    if len(frequent) == len(conditions) and n_rows * prod(one.share for one in conditions) < FEW_ROWS:
        frequent = []
    # In this order each row is asked; what refuses most goes first.
    for one in sorted(conditions, key=lambda one: one.share):
        rows = rows.filter(_looked_at(one.holds) if one in frequent else one.holds)
    return rows


def statistics(column: str) -> Statistics:
    """What PostgreSQL last counted of a column of `SearchEntry`."""
    return _read(column, int(time.monotonic() // REREAD_SECONDS))


def _looked_at(holds: Q) -> Func:
    """The same condition in a form that no index answers."""
    condition = ExpressionWrapper(holds, output_field=BooleanField())
    return Func(condition, template="(%(expressions)s) IS TRUE", output_field=BooleanField())


@lru_cache(maxsize=4)
def _read(column: str, period: int) -> Statistics:
    """Read them; there are none before the first ANALYZE.

    Args:
        period: a number that changes when it is time to read them anew.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.reltuples, s.most_common_elems::text::text[], s.most_common_elem_freqs"
            " FROM pg_stats s JOIN pg_class c ON c.oid = s.tablename::regclass"
            " WHERE s.schemaname = current_schema() AND s.tablename = %s AND s.attname = %s",
            [SearchEntry._meta.db_table, column],
        )
        n_rows, elements, shares = cursor.fetchone() or (0.0, None, None)
    # PostgreSQL gives a few numbers more than elements.
    return Statistics(n_rows, dict(zip(elements or (), shares or (), strict=False)))
