"""No version is released whose report fails the safety gate, whichever code writes the row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_version_grade")]

    operations = [
        migrations.AddConstraint(
            model_name="vectorversion",
            constraint=models.CheckConstraint(
                condition=~models.Q(state__in=("published", "yanked"))
                | ~models.Q(report__gates__contains=[{"name": "safety", "verdict": "fail"}]),
                name="released_version_passes_the_safety_gate",
            ),
        ),
    ]
