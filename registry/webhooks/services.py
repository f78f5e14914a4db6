"""Make, change, rotate, try and end webhooks, and replay what was sent; admins of the namespace do.

What happens without anybody asking is in `outbox` and `deliveries`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from registry.accounts.access import namespace_for
from registry.accounts.models import Namespace, User
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.core.errors import ConflictError, InvalidError, NotFoundError, QuotaExceededError
from registry.core.naming import row_id
from registry.webhooks.deliveries import give_up_waiting, webhook_locked
from registry.webhooks.models import Delivery, Webhook
from registry.webhooks.outbox import trial_delivery
from registry.webhooks.patterns import checked_patterns
from registry.webhooks.selectors import no_webhook, webhook_get
from registry.webhooks.signing import new_secret, sealed
from registry.webhooks.targets import target_of

MAX_WEBHOOKS = 20
MAX_FOLLOWS = 50
MAX_DESCRIPTION = 200
# For how long the secret before a rotation signs too.
OLD_SECRET_KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What to make; `namespace` empty means the actor's own."""

    url: str
    actions: list[str]
    namespace: str = ""
    description: str = ""
    follows: list[str] = field(default_factory=list)


def webhook_create(*, actor: User, wanted: NewWebhook) -> tuple[Webhook, str]:
    """A webhook and its secret, which is shown this once.

    Raises:
        NotFoundError, NotAllowedError: no such namespace, or the actor is no admin of it.
        InvalidError: a URL, a pattern, a namespace to follow or a text that cannot be had.
        QuotaExceededError: the namespace has as many as it may.
    """
    owner = namespace_for(actor, wanted.namespace, Role.ADMIN)
    # Asks a name server, so before the transaction.
    target_of(wanted.url)
    fields = _checked(description=wanted.description, actions=wanted.actions, follows=wanted.follows)
    secret = new_secret()
    with transaction.atomic():
        # Locked, so that two at once do not pass the limit.
        Namespace.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if owner.webhooks.count() >= MAX_WEBHOOKS:
            raise QuotaExceededError(
                f"{owner} has {MAX_WEBHOOKS} webhooks, as many as a namespace may; delete one first",
                code="webhook.quota",
            )
        row = Webhook.objects.create(namespace=owner, url=wanted.url, secret=sealed(secret), **fields)
        _record("webhook.created", row, actor)
    return row, secret


def webhook_update(*, actor: User, webhook_id: str, **changes: Any) -> Webhook:
    """Change a webhook. Switching it on again forgets that it failed; switching it off gives up what waits.

    Args:
        changes: of `url`, `description`, `actions`, `follows` and `is_active` those that are given.
    Raises:
        NotFoundError: there is none for the actor.
        InvalidError: as `webhook_create`.
    """
    webhook_get(viewer=actor, webhook_id=webhook_id)
    if "url" in changes:
        target_of(changes["url"])
    checked = _checked(**changes)
    with transaction.atomic():
        row = _locked(actor, webhook_id)
        changed = [name for name, value in checked.items() if getattr(row, name) != value]
        if not changed:
            return row
        for name in changed:
            setattr(row, name, checked[name])
        if "is_active" in changed:
            row.disabled_reason = "" if row.is_active else Webhook.Disabled.ASKED
            row.failing_since = None
            if not row.is_active:
                give_up_waiting(row)
        row.save()
        _record("webhook.updated", row, actor, fields=sorted(changed))
    return row


def webhook_rotate(*, actor: User, webhook_id: str) -> tuple[Webhook, str]:
    """Give a webhook a new secret, shown this once; for a day the old one signs too.

    Raises:
        NotFoundError: there is none for the actor.
    """
    secret = new_secret()
    with transaction.atomic():
        row = _locked(actor, webhook_id)
        row.secret, row.old_secret = sealed(secret), row.secret
        row.old_secret_until = timezone.now() + OLD_SECRET_KEPT
        row.save(update_fields=["secret", "old_secret", "old_secret_until", "updated_at"])
        _record("webhook.rotated", row, actor)
    return row, secret


@transaction.atomic
def webhook_delete(*, actor: User, webhook_id: str) -> None:
    """End a webhook, and forget what was sent to it.

    Raises:
        NotFoundError: there is none for the actor.
    """
    row = _locked(actor, webhook_id)
    _record("webhook.deleted", row, actor)
    row.delete()


@transaction.atomic
def webhook_test(*, actor: User, webhook_id: str) -> Delivery:
    """Queue a message of the action `webhook.test`, whatever actions the webhook wants.

    Raises:
        NotFoundError: there is none for the actor.
        ConflictError: it is not active.
    """
    return trial_delivery(_active(actor, webhook_id), actor)


@transaction.atomic
def delivery_replay(*, actor: User, webhook_id: str, delivery_id: str) -> Delivery:
    """Send a delivery again, with its `webhook-id`, also one that arrived.

    Raises:
        NotFoundError: no such webhook or delivery for the actor.
        ConflictError: the webhook is not active.
    """
    webhook = _active(actor, webhook_id)
    rows = Delivery.objects.filter(webhook=webhook, pk=row_id(delivery_id))
    if not _wait_again(rows):
        raise NotFoundError("this webhook has no such delivery", code="webhook.delivery_not_found")
    return rows.prefetch_related("attempts").get()


@transaction.atomic
def deliveries_replay(*, actor: User, webhook_id: str, since: datetime) -> int:
    """Send again what was given up of the messages since then; how many.

    Raises:
        NotFoundError: no such webhook for the actor.
        ConflictError: the webhook is not active.
    """
    webhook = _active(actor, webhook_id)
    return _wait_again(
        Delivery.objects.filter(webhook=webhook, state=Delivery.State.FAILED, created_at__gte=since)
    )


def _active(actor: User, webhook_id: str) -> Webhook:
    row = _locked(actor, webhook_id)
    if not row.is_active:
        raise ConflictError(
            f"this webhook is switched off ({row.disabled_reason}); switch it on with is_active first",
            code="webhook.inactive",
        )
    return row


def _locked(actor: User, webhook_id: str) -> Webhook:
    found = webhook_get(viewer=actor, webhook_id=webhook_id)
    row = webhook_locked(found.pk)
    if row is None:
        raise no_webhook()
    return row


def _wait_again(rows: QuerySet[Delivery]) -> int:
    return rows.update(state=Delivery.State.WAITING, due_at=Now(), attempts_before=F("attempt"))


def _checked(**fields: Any) -> dict[str, Any]:
    if "actions" in fields:
        fields["actions"] = checked_patterns(fields["actions"])
    if "follows" in fields:
        fields["follows"] = _checked_follows(fields["follows"])
    if len(fields.get("description", "")) > MAX_DESCRIPTION:
        raise InvalidError(
            f"the description has {len(fields['description'])} characters; {MAX_DESCRIPTION} are allowed",
            code="text.too_long",
            fields={"description": "too long"},
        )
    return fields


def _checked_follows(slugs: list[str]) -> list[str]:
    wanted = sorted(set(slugs))
    known = set(Namespace.objects.filter(slug__in=wanted[: MAX_FOLLOWS + 1]).values_list("slug", flat=True))
    unknown = [slug for slug in wanted if slug not in known]
    if len(wanted) <= MAX_FOLLOWS and not unknown:
        return wanted
    problem = f"there is no {unknown[0]!r}" if unknown else f"{len(wanted)} came"
    raise InvalidError(
        f"expected at most {MAX_FOLLOWS} names of users and organisations to follow; {problem}",
        code="webhook.follows_invalid",
        fields={"follows": "not names to follow"},
    )


def _record(action: str, row: Webhook, actor: User, **data: Any) -> None:
    """The log is read by more than may know the address, in which there may be a key: by its id alone."""
    record(action, subject=row.pk, namespace=row.namespace, actor=actor, **data)
