"""Every name that is in use is its row's for good; the trigger of the migration before sees to later ones."""

from django.db import migrations

ADD = """
    INSERT INTO datasets_datasetname (id, created_at, owner_id, name, row_id)
    SELECT gen_random_uuid(), created_at, owner_id, name, id FROM datasets_dataset
"""


class Migration(migrations.Migration):
    dependencies = [("datasets", "0005_dataset_names")]

    operations = [migrations.RunSQL(ADD, migrations.RunSQL.noop)]
