"""Versions keep the certificate of what an engine must do with their file, or why there is none."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0001_initial"),
        ("storage", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="vectorversion",
            name="conformance",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="storage.blob",
            ),
        ),
        migrations.AddField(
            model_name="vectorversion",
            name="conformance_missing",
            field=models.CharField(blank=True, max_length=500),
        ),
    ]
