"""A run may move a vector to another base model."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0002_run_statistics")]

    operations = [
        migrations.AlterField(
            model_name="run",
            name="kind",
            field=models.CharField(choices=[("extract", "Extract"), ("migrate", "Migrate")], max_length=20),
        ),
    ]
