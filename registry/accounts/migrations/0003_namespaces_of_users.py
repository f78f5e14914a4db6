"""Every user who was there before namespaces gets their own."""

from django.db import migrations

from registry.core.naming import skeleton


def give_namespaces(apps, schema_editor):
    User, Namespace, Membership = (apps.get_model("accounts", n) for n in ("User", "Namespace", "Membership"))
    for user in User.objects.order_by("date_joined"):
        folded = skeleton(user.username)
        # Names that look alike were allowed before; a skeleton never contains a hyphen, so this one is free.
        if Namespace.objects.filter(skeleton=folded).exists():
            folded = f"{folded[:27]}-{user.pk}"
        own = Namespace.objects.create(slug=user.username, skeleton=folded, kind="user")
        Membership.objects.create(namespace=own, user=user, role="owner")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_namespaces")]
    operations = [migrations.RunPython(give_namespaces, migrations.RunPython.noop)]
