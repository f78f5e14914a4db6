"""The namespace takes the place of the old column."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("datasets", "0002_dataset_namespace")]
    operations = [
        migrations.RemoveConstraint("dataset", "dataset_name_is_unique_per_owner"),
        migrations.RemoveField("dataset", "owner"),
        migrations.RenameField("dataset", "namespace", "owner"),
        migrations.AlterField(
            "dataset",
            "owner",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="datasets", to="accounts.namespace"
            ),
        ),
        migrations.AddConstraint(
            "dataset",
            models.UniqueConstraint(fields=["owner", "name"], name="dataset_name_is_unique_per_owner"),
        ),
    ]
