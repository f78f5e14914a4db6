"""A version may have been moved from another base model; it then names the version that it came from."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_base_model_suite")]

    operations = [
        migrations.AddField(
            model_name="vectorversion",
            name="migrated_from",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="migrations",
                to="catalog.vectorversion",
            ),
        ),
    ]
