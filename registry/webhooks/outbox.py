"""From the log to deliveries: an event of the log is in the outbox until deliveries were made of it.

What is made here is sent by `deliveries`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from registry.accounts.models import Membership
from registry.accounts.roles import Role, at_least
from registry.audit.models import AuditEvent
from registry.webhooks.models import Delivery, Webhook
from registry.webhooks.patterns import wants
from steering_core.spec import canonical_json

BATCH = 200
TEST = "webhook.test"


def events_fan_out() -> int:
    """Make deliveries of the events that wait for it; how many were made.

    It may run twice at once and be killed at any time: an event is marked in the transaction that makes its
    deliveries.
    """
    made = 0
    while True:
        with transaction.atomic():
            waiting = AuditEvent.objects.select_for_update(skip_locked=True).filter(fanned_out_at=None)
            events = list(waiting.order_by("id")[:BATCH])
            rows = list(_deliveries(events))
            Delivery.objects.bulk_create(rows, ignore_conflicts=True)
            AuditEvent.objects.filter(pk__in=[event.pk for event in events]).update(fanned_out_at=Now())
        made += len(rows)
        if len(events) < BATCH:
            return made


def trial_delivery(webhook: Webhook, actor: Any) -> Delivery:
    """Make a delivery that is of no event, to try the receiver."""
    now = timezone.now()
    body = _body(TEST, now, {"webhook": str(webhook.pk), "actor": actor.get_username()})
    return Delivery.objects.create(webhook=webhook, action=TEST, body=body, due_at=now)


def _deliveries(events: list[AuditEvent]) -> Iterator[Delivery]:
    slugs = {event.namespace for event in events}
    concerned = Q(namespace__slug__in=slugs) | Q(follows__overlap=sorted(slugs))
    # One that nobody is left to switch off gets nothing.
    keepers = Membership.objects.filter(
        namespace=OuterRef("namespace"), role__in=at_least(Role.ADMIN), user__is_active=True
    )
    rows = Webhook.objects.filter(concerned, Exists(keepers), is_active=True)
    webhooks = list(rows.select_related("namespace"))
    now = timezone.now()
    for event in events:
        for webhook in webhooks:
            if not _gets(webhook, event):
                continue
            body = _body(event.action, event.at, _data(webhook, event))
            yield Delivery(webhook=webhook, event=event, action=event.action, body=body, due_at=now)


def _gets(webhook: Webhook, event: AuditEvent) -> bool:
    """Whether an event is for a webhook: nothing from before it was made."""
    is_followed = event.is_public and event.namespace in webhook.follows
    is_for_it = webhook.namespace.slug == event.namespace or is_followed
    return is_for_it and event.at >= webhook.created_at and wants(webhook.actions, event.action)


def _data(webhook: Webhook, event: AuditEvent) -> dict[str, Any]:
    """The event as the log shows it."""
    is_own = webhook.namespace.slug == event.namespace
    return {
        "id": event.pk,
        "namespace": event.namespace,
        "subject": event.subject,
        # Who belongs to an organisation is not for those who follow it.
        "actor": event.actor if is_own else "",
        "data": event.data,
    }


def _body(action: str, at: datetime, data: dict[str, Any]) -> str:
    return canonical_json({"type": action, "timestamp": at.isoformat(), "data": data}).decode()
