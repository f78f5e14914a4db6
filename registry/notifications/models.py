"""What one person is told, and what they want to be told. Made by `feeding`, changed by `services`."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from registry.core.models import UUIDModel


class Kind(models.TextChoices):
    """What it is about; people choose by these."""

    RUN_SUCCEEDED = "run.succeeded", "A run of yours has succeeded"
    RUN_FAILED = "run.failed", "A run of yours has failed, or ran out of time"
    INVITATION = "invitation", "You are invited to an organisation"
    MEMBERSHIP = "membership", "Somebody joins by your invitation, or your own role changes"
    TRANSFER = "transfer", "Something is given to you or to an organisation whose admin you are"
    ACCESS = "access", "Somebody asks for the files of a gated vector, or is answered"
    SECURITY = "security", "A token is revoked because it leaked, or a webhook is switched off"


# These are about an account's safety, so nobody can choose not to be told.
ALWAYS_TOLD = (Kind.SECURITY,)


class Notification(UUIDModel):
    """One line for one person, with the page that it leads to."""

    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications"
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    text = models.CharField(max_length=300)
    # A path of this service, so that following it leads nowhere else.
    link = models.CharField(max_length=300)
    read_at = models.DateTimeField(null=True, blank=True)
    # Until it is mailed; null for what is not to be, and for what was.
    mail_due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(link__startswith="/") & ~models.Q(link__startswith="//"),
                name="notification_leads_to_a_path",
            )
        ]
        indexes = [
            # The count in the header of every page.
            models.Index(
                fields=["recipient"], name="notification_unread", condition=models.Q(read_at__isnull=True)
            ),
            models.Index(fields=["recipient", "-created_at", "id"], name="notification_of_user"),
            models.Index(
                fields=["mail_due_at"],
                name="notification_to_mail",
                condition=models.Q(mail_due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.text


class Preference(models.Model):
    """What somebody does not want to be told, and what comes by mail too; without a row, all is told and
    nothing is mailed.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    muted = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    mailed = ArrayField(models.CharField(max_length=20), default=list, blank=True)

    def __str__(self) -> str:
        return f"{self.user_id}: not {', '.join(self.muted) or 'anything'}"
