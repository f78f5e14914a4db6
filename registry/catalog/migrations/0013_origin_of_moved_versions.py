"""Versions that were moved before say so too; those that are released are frozen by a trigger until then."""

from django.db import migrations

SAY = """
    ALTER TABLE catalog_vectorversion DISABLE TRIGGER USER;
    UPDATE catalog_vectorversion SET origin = 'migrated' WHERE migrated_from_id IS NOT NULL;
    ALTER TABLE catalog_vectorversion ENABLE TRIGGER USER;
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0012_version_origin")]

    operations = [migrations.RunSQL(SAY, migrations.RunSQL.noop)]
