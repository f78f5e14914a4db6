"""Keep the search entries in step with the catalog. One statement derives them, for one vector as for all, so
that what a change writes and what `manage.py reindex_catalog` writes cannot differ. Another one in `cards`
derives what is shown of each.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence

from django.db import connection, transaction
from django.db.models import Q

from registry.catalog.models import Vector
from registry.discovery.cards import CARDS
from registry.discovery.models import Card, SearchEntry

# What can be counted and chosen from, in the order in which people see them.
FACETS = (
    "trait",
    "domain",
    "family",
    "base_model",
    "model_hash",
    "verdict",
    "grade",
    "access",
    "license",
    "language",
    "method",
    "site",
)
# Every base model revision that some published version is for.
WORKS_ON = "works_on"
BATCH = 500
# Asked for the downloads of the last 30 days of some vectors. Whoever counts them adds itself in `ready`.
RECENT_USE: list[Callable[[Sequence[uuid.UUID]], dict[uuid.UUID, int]]] = []


def entry_follow(vector: Vector) -> None:
    """Bring the entry of a vector in step with it, in the transaction of the change."""
    entries_write([vector.pk])


def entries_write(vectors: Sequence[uuid.UUID]) -> int:
    """Derive the entries of these vectors anew; of removed ones they go."""
    gone = Vector.objects.filter(pk__in=vectors, removed_at__isnull=False)
    SearchEntry.objects.filter(vector__in=gone).delete()
    Card.objects.filter(Q(vector__in=gone) | Q(vector__in=vectors, vector__latest=None)).delete()
    with connection.cursor() as cursor:
        cursor.execute(DERIVE, [list(vectors)])
        written = int(cursor.rowcount)
        cursor.execute(CARDS, [list(vectors)])
    return written


def entries_use(downloads: dict[uuid.UUID, int]) -> None:
    """Write down the downloads of the last 30 days of these vectors."""
    rows = sorted(downloads.items())
    with connection.cursor() as cursor:
        cursor.execute(_USE, [[pk for pk, _ in rows], [n for _, n in rows]])


def entries_rebuild() -> Iterable[int]:
    """Derive all entries anew, some hundred to a transaction; gives how many each time."""
    last = uuid.UUID(int=0)
    while batch := list(
        Vector.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        last = batch[-1]
        with transaction.atomic():
            # In one order everywhere, and after whoever changes one of them.
            list(Vector.objects.select_for_update().filter(pk__in=batch).order_by("pk").values_list("pk"))
            written = entries_write(batch)
            for ask in RECENT_USE:
                entries_use(ask(batch))
        yield written


def entries_mend() -> int:
    """Write the entries and cards that are missing, after an upgrade or a load of rows past the services."""
    bare = Q(search_entry=None) | Q(card=None, latest__isnull=False)
    missing = Vector.objects.filter(bare, removed_at=None).values_list("pk", flat=True)
    written = 0
    while batch := list(missing[:BATCH]):
        if not (fresh := entries_write(batch)):
            break
        for ask in RECENT_USE:
            entries_use(ask(batch))
        written += fresh
    return written


# Runs of letters and digits are words, whatever joins them: `llama-3.1-8b` is four.
_WORDS = r"regexp_replace({}, '[-_./:@]+', ' ', 'g')"


def _weighted(text: str, weight: str) -> str:
    return f"setweight(to_tsvector('simple', {_WORDS.format(text)}), '{weight}')"


# Made of constants of this module alone.
DERIVE = f"""
INSERT INTO discovery_searchentry (
    vector_id, owner_id, name, visibility, is_released, words, document, facets, verdict_rank, grade_rank,
    is_deprecated, fresh_at, downloads
)
SELECT
    v.id, v.owner_id, v.name, v.visibility, l.id IS NOT NULL,
    lower(v.name || ' ' || v.title || ' ' || v.trait),
    {_weighted("v.name || ' ' || v.title", "A")}
        || {_weighted("v.trait", "B")}
        || {_weighted("v.description", "C")}
        || {_weighted("n.slug || ' ' || coalesce(b.name, '')", "D")},
    array_remove(ARRAY[
        'trait=' || nullif(lower(v.trait), ''),
        'domain=' || nullif(v.domain, ''),
        'family=' || regexp_replace(b.architecture, 'For[A-Z][A-Za-z]*$', ''),
        'base_model=' || b.name,
        'model_hash=' || b.model_hash,
        'verdict=' || nullif(l.verdict, ''),
        'grade=' || nullif(l.grade, ''),
        'access=' || v.access,
        'license=' || nullif(l.license, ''),
        'language=' || nullif(lower(v.language), ''),
        'method=' || (l.manifest #>> '{{provenance,method}}'),
        'site=' || main.site
    ], NULL) || ARRAY(
        SELECT DISTINCT '{WORKS_ON}=' || m.model_hash
        FROM catalog_vectorversion p JOIN catalog_basemodelrevision m ON m.id = p.base_model_id
        WHERE p.vector_id = v.id AND p.state = 'published'
    ),
    coalesce(array_position(ARRAY['fail', 'insufficient', 'warn', 'pass'], l.verdict::text) - 1, 0),
    coalesce(array_position(ARRAY['F', 'C', 'B', 'A'], l.grade::text) - 1, 0),
    v.deprecated_at IS NOT NULL OR l.deprecated_at IS NOT NULL,
    coalesce(l.published_at, v.created_at), 0
FROM catalog_vector v
JOIN accounts_namespace n ON n.id = v.owner_id
LEFT JOIN catalog_vectorversion l ON l.id = v.latest_id
LEFT JOIN catalog_basemodelrevision b ON b.id = l.base_model_id
LEFT JOIN LATERAL (
    SELECT d ->> 'site' AS site
    FROM jsonb_array_elements(
        CASE jsonb_typeof(l.manifest -> 'directions')
            WHEN 'array' THEN l.manifest -> 'directions' ELSE '[]' END
    ) d
    ORDER BY (d ->> 'ratio')::float8 DESC LIMIT 1
) main ON true
WHERE v.removed_at IS NULL AND v.id = ANY(%s)
ORDER BY v.id
ON CONFLICT (vector_id) DO UPDATE SET
    owner_id = EXCLUDED.owner_id, name = EXCLUDED.name, visibility = EXCLUDED.visibility,
    is_released = EXCLUDED.is_released, words = EXCLUDED.words, document = EXCLUDED.document,
    facets = EXCLUDED.facets, verdict_rank = EXCLUDED.verdict_rank, grade_rank = EXCLUDED.grade_rank,
    is_deprecated = EXCLUDED.is_deprecated, fresh_at = EXCLUDED.fresh_at
"""  # noqa: S608
_USE = """
UPDATE discovery_searchentry e SET downloads = told.n
FROM unnest(%s::uuid[], %s::int[]) AS told(id, n)
WHERE e.vector_id = told.id AND e.downloads <> told.n
"""
