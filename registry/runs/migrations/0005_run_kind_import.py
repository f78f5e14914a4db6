"""A run may make a vector of a file that somebody brought."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0004_log_of_run")]

    operations = [
        migrations.AlterField(
            model_name="run",
            name="kind",
            field=models.CharField(
                choices=[("extract", "Extract"), ("migrate", "Migrate"), ("import", "Import")], max_length=20
            ),
        ),
    ]
