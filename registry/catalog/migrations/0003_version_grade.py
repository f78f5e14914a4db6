"""Versions carry the grade of their report, to be searched by; reports of version 1 have none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_version_conformance")]

    operations = [
        migrations.AddField(
            model_name="vectorversion",
            name="grade",
            field=models.CharField(
                blank=True, choices=[("A", "A"), ("B", "B"), ("C", "C"), ("F", "F")], max_length=1
            ),
        ),
    ]
