"""Use pg_trgm (words that are almost right) and pgvector (neighbours of a direction) where the server has them
and lets us; everything works without. Once they are installed later, run these statements by hand.
"""

from django.db import migrations

TRIGRAMS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX IF NOT EXISTS search_almost ON discovery_searchentry USING gin (words gin_trgm_ops);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pg_trgm may not be created by this user; search takes no typing errors';
END $$;
"""
NEIGHBOURS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
        CREATE EXTENSION IF NOT EXISTS vector;
        CREATE INDEX IF NOT EXISTS sketch_neighbours ON discovery_sketch
            USING hnsw ((numbers::vector(256)) vector_cosine_ops) WHERE site <> '';
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pgvector may not be created by this user; sketches are compared one by one';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("discovery", "0001_search_entries")]

    operations = [
        migrations.RunSQL(TRIGRAMS, "DROP INDEX IF EXISTS search_almost"),
        migrations.RunSQL(NEIGHBOURS, "DROP INDEX IF EXISTS sketch_neighbours"),
    ]
