"""Every name that is in use is its row's for good; the trigger of the migration before sees to later ones."""

from django.db import migrations

ADD = """
    INSERT INTO catalog_vectorname (id, created_at, owner_id, name, row_id)
    SELECT gen_random_uuid(), created_at, owner_id, name, id FROM catalog_vector
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0010_names_and_lifecycle")]

    operations = [migrations.RunSQL(ADD, migrations.RunSQL.noop)]
