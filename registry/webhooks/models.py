"""Webhooks, what is to be delivered to them, and each attempt. Verbs are in `services` and `deliveries`."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from registry.accounts.models import Namespace
from registry.audit.models import AuditEvent
from registry.core.models import UUIDModel


class Webhook(UUIDModel):
    """An address that is sent the events of a namespace, and public ones of namespaces that it follows."""

    class Disabled(models.TextChoices):
        """Why it is not active."""

        ASKED = "asked", "Somebody switched it off"
        GONE = "gone", "It answered 410 Gone"
        FAILING = "failing", "Nothing could be delivered for days"

    namespace = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="webhooks")
    url = models.CharField(max_length=500)
    description = models.CharField(max_length=200, blank=True)
    # Patterns such as `version.published`, `version.*`, `*`; see `patterns`.
    actions = ArrayField(models.CharField(max_length=60))
    # Slugs of other namespaces, whose public events it gets too.
    follows = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=7, choices=Disabled.choices, blank=True)
    # Sealed, see `core.sealing`; the older one signs too until its time is over.
    secret = models.CharField(max_length=400)
    old_secret = models.CharField(max_length=400, blank=True)
    old_secret_until = models.DateTimeField(null=True, blank=True)
    # When the first of the attempts failed that have failed without a success since.
    failing_since = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(is_active=True, disabled_reason="")
                | models.Q(is_active=False) & ~models.Q(disabled_reason=""),
                name="webhook_is_active_or_says_why_not",
            )
        ]

    def __str__(self) -> str:
        return f"{self.namespace.slug}: {self.pk}"


class Delivery(UUIDModel):
    """One message to one webhook. Its id is the `webhook-id`, the same at every attempt, so that a receiver
    can tell what it has had already.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILED = "failed", "Given up; it can be replayed"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    # Null for a test.
    event = models.ForeignKey(AuditEvent, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=60)
    # The bytes that are sent and signed.
    body = models.TextField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    # How often it was taken up to be sent; a result counts only while this has not moved on.
    attempt = models.PositiveIntegerField(default=0)
    # Of these, those before the last replay, so that each replay has all pauses before it.
    attempts_before = models.PositiveIntegerField(default=0)
    # When it is due; while it is being sent, when it is taken for lost.
    due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="delivery_is_one_per_event"),
            models.CheckConstraint(
                condition=~models.Q(state="waiting") | models.Q(due_at__isnull=False),
                name="waiting_delivery_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["webhook", "-created_at", "-id"], name="delivery_of_webhook"),
            models.Index(fields=["due_at"], name="delivery_due", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.message_id}"

    @property
    def message_id(self) -> str:
        """The `webhook-id`."""
        return f"msg_{self.pk.hex}"


class Attempt(models.Model):
    """What came of sending a delivery once."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField(auto_now_add=True)
    # HTTP status; null where no answer came, and `error` says why.
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True)
    latency_ms = models.PositiveIntegerField()
    # How the answer begins.
    excerpt = models.CharField(max_length=1024, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.delivery_id}: {self.status or self.error}"
