"""One row for everything that somebody did. Written by `services.record` in the transaction of the change."""

import pgtrigger
from django.db import models


class AuditEvent(models.Model):
    """Who did what to what. Names are kept as they were then, so that an event outlives what it is about.

    `data` holds nothing secret: whoever may read the namespace's log, and every webhook of it, gets it.
    """

    at = models.DateTimeField(auto_now_add=True)
    # `noun.verb` in the past tense, such as `version.published`; docs/api.md lists them.
    action = models.CharField(max_length=60)
    # Username, or empty for the service itself.
    actor = models.CharField(max_length=150, blank=True)
    # Whose log it stands in: the owner part of what it is about.
    namespace = models.CharField(max_length=64, blank=True)
    # What it is about: `owner/name@1.0.0`, `owner/name`, a username, a run's id.
    subject = models.CharField(max_length=200)
    # Whether everybody may know, so that webhooks of followers may carry it.
    is_public = models.BooleanField(default=False)
    data = models.JSONField(default=dict)
    # When deliveries were made of it; null while it waits.
    fanned_out_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["namespace", "-id"], name="audit_of_namespace"),
            models.Index(fields=["id"], name="audit_waiting", condition=models.Q(fanned_out_at__isnull=True)),
        ]
        triggers = [
            pgtrigger.ReadOnly(name="audit_event_is_fixed", exclude=["fanned_out_at"]),
            pgtrigger.Protect(name="audit_event_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
