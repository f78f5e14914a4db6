"""The owner of a vector becomes a namespace, which may be an organisation's. First beside the old column."""

import django.db.models.deletion
from django.db import migrations, models


def fill(apps, schema_editor):
    Row, Namespace = apps.get_model("catalog", "Vector"), apps.get_model("accounts", "Namespace")
    own = dict(Namespace.objects.values_list("slug", "pk"))
    for row in Row.objects.select_related("owner"):
        Row.objects.filter(pk=row.pk).update(namespace=own[row.owner.username])


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_namespaces_of_users"), ("catalog", "0006_version_migrated_from")]
    operations = [
        migrations.AddField(
            "vector",
            "namespace",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.namespace",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
