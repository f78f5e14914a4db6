"""App config."""

from django.apps import AppConfig


class TrustConfig(AppConfig):
    """What people say of vectors, and what staff decide."""

    name = "registry.trust"
    label = "trust"

    def ready(self) -> None:
        from registry.core.chores import Chore, add_chore
        from registry.trust.flags import flags_find

        add_chore(Chore("flag what staff should look at", flags_find, every_seconds=60))
