"""The namespace takes the place of the old column."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0007_vector_namespace")]
    operations = [
        migrations.RemoveConstraint("vector", "vector_name_is_unique_per_owner"),
        migrations.RemoveField("vector", "owner"),
        migrations.RenameField("vector", "namespace", "owner"),
        migrations.AlterField(
            "vector",
            "owner",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="vectors", to="accounts.namespace"
            ),
        ),
        migrations.AddConstraint(
            "vector",
            models.UniqueConstraint(fields=["owner", "name"], name="vector_name_is_unique_per_owner"),
        ),
    ]
