"""A base model may have a suite that operators brought: prompts and questions to measure vectors with."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0004_released_version_passes_the_safety_gate"),
        ("storage", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="basemodelrevision",
            name="suite",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="storage.blob",
            ),
        ),
    ]
