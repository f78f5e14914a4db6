"""A version says how its directions came about, and an imported one keeps the file as it was brought."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0011_names_so_far"),
        ("storage", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="vectorversion",
            name="origin",
            field=models.CharField(
                choices=[
                    ("extracted", "Extracted here from its data set"),
                    ("imported", "Imported: brought as a file, provenance unknown"),
                    ("migrated", "Moved here from another base model"),
                    ("derived", "Computed from other versions"),
                ],
                default="extracted",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="vectorversion",
            name="imported_file",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="storage.blob",
            ),
        ),
    ]
