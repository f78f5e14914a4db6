"""Fills a registry with many public vectors of one version each, in bulk: rows are copies of one that went
through the services, with other names, words, traits, models and verdicts. Run by `benchmarks.search` inside
the service's environment.

Files are all the same, and of the report a few lines are kept: what a page shows of a vector is read with it,
and is smaller here than it is in life. Triggers are off while it fills, so what they keep is written here.
"""

import sys
import time

import django

django.setup()

from django.db import connection  # noqa: E402  Django must be set up before

from registry.discovery.cards import CARDS  # noqa: E402
from registry.discovery.entries import DERIVE  # noqa: E402
from tests.factories import make_user, make_vector_version  # noqa: E402

OWNERS, MODELS, WORDS = 1000, 40, 4899
CHUNK = 50_000

# Words of three syllables, a number each.
PREPARE = f"""
CREATE FUNCTION pg_temp.word(i int) RETURNS text LANGUAGE sql IMMUTABLE RETURN
    substr('bdfgklmnprstvz', 1 + i % 14, 1) || substr('aeiou', 1 + i / 14 % 5, 1)
    || substr('bdfgklmnprstvz', 1 + i / 70 % 14, 1) || substr('aeiou', 1 + i / 980 % 5, 1)
    || substr('bdfgklmnprstvz', 1 + i * 5 % 14, 1) || substr('aeiou', 1 + i * 3 % 5, 1);
INSERT INTO accounts_namespace SELECT made.*
FROM accounts_namespace t, generate_series(1, {OWNERS}) i,
    LATERAL jsonb_populate_record(t, jsonb_build_object(
    'id', md5('o' || i)::uuid, 'slug', 'owner-' || i, 'skeleton', 'owner-' || i
)) made WHERE t.slug = 'bench';
INSERT INTO catalog_basemodelrevision SELECT made.*
FROM catalog_basemodelrevision t, generate_series(0, {MODELS} - 1) i,
    LATERAL jsonb_populate_record(t, jsonb_build_object(
    'id', md5('m' || i)::uuid, 'name', 'lab/model-' || i / 2,
    'model_hash', 'sha256:' || md5('a' || i) || md5('b' || i),
    'architecture', (ARRAY['Llama', 'Qwen3', 'Gemma2', 'Mistral'])[1 + i % 4] || 'ForCausalLM'
)) made;
"""
# Skewed: some words, owners and models are in many rows, most in few.
CHOSEN = f"""
CREATE TEMPORARY TABLE chosen AS SELECT
    i, md5('v' || i)::uuid AS vector, md5('r' || i)::uuid AS version,
    md5('o' || 1 + floor({OWNERS} * power(random(), 2))::int)::uuid AS owner,
    md5('m' || floor({MODELS} * power(random(), 3))::int)::uuid AS model,
    (SELECT string_agg(pg_temp.word(({WORDS} * power(random(), 4))::int), ' ')
        FROM generate_series(1, 3 + 0 * i)) AS title,
    (SELECT string_agg(pg_temp.word(({WORDS} * power(random(), 4))::int), ' ')
        FROM generate_series(1, 15 + 0 * i)) AS description,
    pg_temp.word((500 * power(random(), 3))::int) AS trait,
    random() AS verdict, random() AS license, random() AS shown,
    now() - random() * interval '700 days' AS at
FROM generate_series(%s::int, %s::int) AS s(i)
"""
FILL = """
INSERT INTO catalog_vector SELECT made.* FROM chosen c, catalog_vector t,
    LATERAL jsonb_populate_record(t, jsonb_build_object(
    'id', c.vector, 'owner_id', c.owner, 'name', 'v-' || c.i, 'latest_id', c.version,
    'title', c.title, 'description', c.description, 'trait', c.trait,
    'domain', (ARRAY['tone', 'verbosity', 'confidence', 'customer-support', 'legal', ''])[1 + c.i % 6],
    'language', (ARRAY['en', 'en', 'en', 'de', 'zh', ''])[1 + c.i % 6],
    'visibility', CASE WHEN c.shown < 0.9 THEN 'public' ELSE 'private' END, 'created_at', c.at
)) made WHERE t.name = 'template';
INSERT INTO catalog_vectorname (id, created_at, owner_id, name, row_id)
SELECT gen_random_uuid(), c.at, c.owner, 'v-' || c.i, c.vector FROM chosen c;
INSERT INTO catalog_vectorversion SELECT made.*
FROM chosen c, catalog_vectorversion t JOIN catalog_vector v ON v.id = t.vector_id,
    LATERAL jsonb_populate_record(t, jsonb_build_object(
    'id', c.version, 'vector_id', c.vector, 'base_model_id', c.model,
    'created_at', c.at, 'published_at', c.at,
    'verdict', CASE WHEN c.verdict < 0.5 THEN 'pass' WHEN c.verdict < 0.8 THEN 'warn'
        WHEN c.verdict < 0.95 THEN 'insufficient' ELSE 'fail' END,
    'grade', (ARRAY['A', 'B', 'B', 'C'])[1 + c.i % 4],
    'license', CASE WHEN c.license < 0.9 THEN 'CC-BY-4.0' WHEN c.license < 0.999 THEN 'MIT'
        ELSE 'CC0-1.0' END
)) made WHERE v.name = 'template';
"""
USE = """
UPDATE discovery_searchentry SET downloads = floor(exp(8 * power(random(), 4)) - 1)::int WHERE downloads = 0
"""


def main(n: int) -> None:
    """Make `n` vectors, index them, and say how long it took."""
    started = time.monotonic()
    make_vector_version(make_user("bench"), "template")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE catalog_vectorversion SET report = report - ARRAY['metrics', 'sections']")
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(PREPARE)
        gin = "search_words_and_facets"
        cursor.execute(f"DROP INDEX {gin}")
        for first in range(1, n + 1, CHUNK):
            cursor.execute(CHOSEN, [first, min(first + CHUNK - 1, n)])
            cursor.execute(FILL)
            cursor.execute("SELECT array_agg(vector) FROM chosen")
            vectors = cursor.fetchone()
            cursor.execute(DERIVE, vectors)
            cursor.execute(CARDS, vectors)
            cursor.execute("DROP TABLE chosen")
            print(f"{min(first + CHUNK - 1, n)} vectors, {time.monotonic() - started:.0f} s", file=sys.stderr)
        cursor.execute(USE)
        cursor.execute(
            f"CREATE INDEX {gin} ON discovery_searchentry "
            "USING gin (document, facets) WITH (fastupdate = off)"
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(f"filled in {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]))
