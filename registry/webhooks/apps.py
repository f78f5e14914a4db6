"""App config."""

from django.apps import AppConfig

DAY_SECONDS = 86_400.0


class WebhooksConfig(AppConfig):
    """Events of the log, sent on."""

    name = "registry.webhooks"
    label = "webhooks"

    def ready(self) -> None:
        from registry.core.chores import Chore, add_chore
        from registry.webhooks.deliveries import deliveries_forget, deliveries_send
        from registry.webhooks.outbox import events_fan_out

        add_chore(Chore("make deliveries of events", events_fan_out))
        # Receivers may take their time, runs are not to wait for it.
        add_chore(Chore("send webhooks", deliveries_send, is_slow=True))
        add_chore(Chore("forget old deliveries", deliveries_forget, every_seconds=DAY_SECONDS))
