"""App config."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """What people are told."""

    name = "registry.notifications"
    label = "notifications"

    def ready(self) -> None:
        from registry.audit.services import FOLLOWERS
        from registry.core.chores import Chore, add_chore
        from registry.notifications.feeding import event_follow
        from registry.notifications.mailing import notifications_mail

        FOLLOWERS.append(event_follow)
        # Mail servers may take their time.
        add_chore(Chore("mail notifications", notifications_mail, is_slow=True))
