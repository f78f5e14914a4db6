"""Send what `outbox` made, again and again until it arrives or is given up; forget what is old.

Any number of sweepers may do this at once and each may be killed at any time. Taking a delivery up moves its
`due_at` on, past the longest that an attempt may take, and counts the attempt; a result is written only while
that count stands. Whoever dies in between leaves a delivery that is due again: a receiver may get a message
twice, under one `webhook-id`, and never not at all.
"""

import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from typing import Any

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.db.models import F, Q, Window
from django.db.models.functions import Now, RowNumber
from django.utils import timezone

from registry.audit.services import record
from registry.webhooks.models import Attempt, Delivery, Webhook
from registry.webhooks.sending import Message, Outcome, post
from registry.webhooks.signing import secrets_of, signed_headers

logger = logging.getLogger(__name__)

SEND_BATCH = 64
# So that a receiver that hangs leaves most of the threads to the others.
BATCH_PER_WEBHOOK = 4
THREADS = 16
# One turn of sending; what is due then waits for the next.
TURN_SECONDS = 60.0
# Longer than a batch of attempts can take that all wait for their deadline.
LEASE = timedelta(seconds=120)
PAUSES_SECONDS = (5, 60, 300, 1800, 7200, 28_800, 86_400, 86_400)
LONGEST_PAUSE_SECONDS = 86_400.0
# Without any success for so long, a webhook is switched off.
FAILING_FOR = timedelta(days=5)
KEPT = timedelta(days=30)
GONE = 410


def deliveries_send() -> int:
    """Send what is due, many side by side, and write down what came of it; how many were sent."""
    sent, until = 0, time.monotonic() + TURN_SECONDS
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhooks") as threads:
        while time.monotonic() < until and (claimed := _claim()):
            futures = {threads.submit(_attempt, row): row for row in claimed}
            for future in as_completed(futures):
                _finish(futures[future], future.result())
            sent += len(claimed)
    return sent


def deliveries_forget() -> int:
    """Delete what was delivered or given up a month ago; how many."""
    old = Delivery.objects.exclude(state=Delivery.State.WAITING).filter(created_at__lt=Now() - KEPT)
    return old.delete()[1].get("webhooks.Delivery", 0)


def webhook_locked(webhook_id: Any) -> Webhook | None:
    """The webhook, locked to the end of the transaction and before its deliveries; None if it is gone."""
    rows = Webhook.objects.select_for_update(no_key=True, of=("self",)).select_related("namespace")
    return rows.filter(pk=webhook_id).first()


def give_up_waiting(webhook: Webhook) -> None:
    """Of a webhook that is switched off, nothing waits; it can be replayed later."""
    waiting = Delivery.objects.filter(webhook=webhook, state=Delivery.State.WAITING)
    waiting.update(state=Delivery.State.FAILED, due_at=None)


def pause_seconds(attempt: int, retry_after_seconds: float = 0.0) -> float | None:
    """How long to wait after this attempt failed, 1 the first; None after the last."""
    if attempt > len(PAUSES_SECONDS):
        return None
    # A little apart, so that what failed together does not come back together.
    own = PAUSES_SECONDS[attempt - 1] * random.uniform(1.0, 1.1)
    return max(own, min(retry_after_seconds, LONGEST_PAUSE_SECONDS))


def _claim() -> list[Delivery]:
    """Take up what is due, the oldest first, a few of each webhook."""
    due = Q(state=Delivery.State.WAITING, due_at__lte=Now(), webhook__is_active=True)
    place = Window(RowNumber(), partition_by=F("webhook"), order_by=F("due_at").asc())
    fair = Delivery.objects.filter(due).annotate(place=place).filter(place__lte=BATCH_PER_WEBHOOK)
    chosen = list(fair.order_by("due_at").values_list("pk", flat=True)[:SEND_BATCH])
    with transaction.atomic():
        # Asked again under the lock: another sweeper may have been faster.
        rows = Delivery.objects.select_for_update(skip_locked=True, of=("self",)).select_related("webhook")
        claimed = list(rows.filter(due, pk__in=chosen))
        Delivery.objects.filter(pk__in=[row.pk for row in claimed]).update(
            attempt=F("attempt") + 1, due_at=Now() + LEASE
        )
        # One that was taken up so often and never came to an end takes its sender down.
        hopeless = [row.pk for row in claimed if row.attempt - row.attempts_before > len(PAUSES_SECONDS)]
        Delivery.objects.filter(pk__in=hopeless).update(state=Delivery.State.FAILED, due_at=None)
    for row in claimed:
        row.attempt += 1
    return [row for row in claimed if row.pk not in hopeless]


def _attempt(row: Delivery) -> Outcome:
    """Sign and send; in a thread, so without the database."""
    body = row.body.encode()
    try:
        keys = secrets_of(row.webhook)
    except InvalidToken:
        return Outcome(None, 0, "its secret was encrypted with a SECRET_KEY that is gone; rotate the secret")
    headers = signed_headers(row.message_id, body, keys, timestamp=int(time.time()))
    return post(Message(row.webhook.url, headers, body))


@transaction.atomic
def _finish(row: Delivery, outcome: Outcome) -> None:
    """Write down what came of an attempt; of the delivery nothing if it was taken up again since."""
    # Locked before its deliveries, as everywhere.
    webhook = webhook_locked(row.webhook_id)
    if webhook is None:
        return  # deleted meanwhile
    Attempt.objects.create(
        delivery=row,
        status=outcome.status,
        error=outcome.error,
        latency_ms=outcome.latency_ms,
        excerpt=outcome.excerpt,
    )
    mine = Delivery.objects.filter(pk=row.pk, attempt=row.attempt, state=Delivery.State.WAITING)
    if outcome.is_delivered:
        mine.update(state=Delivery.State.DELIVERED, due_at=None)
        Webhook.objects.filter(pk=webhook.pk, failing_since__isnull=False).update(failing_since=None)
        return
    pause = pause_seconds(row.attempt - row.attempts_before, outcome.retry_after_seconds)
    if pause is None or outcome.status == GONE:
        mine.update(state=Delivery.State.FAILED, due_at=None)
    else:
        mine.update(due_at=Now() + timedelta(seconds=pause))
    if webhook.is_active:
        _note_failure(webhook, outcome)


def _note_failure(webhook: Webhook, outcome: Outcome) -> None:
    """Remember since when a webhook fails, and switch it off when it is gone or failed for too long."""
    webhook.failing_since = webhook.failing_since or timezone.now()
    if outcome.status == GONE:
        webhook.disabled_reason = Webhook.Disabled.GONE
    elif webhook.failing_since <= timezone.now() - FAILING_FOR:
        webhook.disabled_reason = Webhook.Disabled.FAILING
    if webhook.disabled_reason:
        webhook.is_active = False
        give_up_waiting(webhook)
        reason = str(webhook.disabled_reason)
        record("webhook.disabled", subject=webhook.pk, namespace=webhook.namespace, reason=reason)
        logger.info("webhook switched off", extra={"reason": reason})
    webhook.save(update_fields=["failing_since", "is_active", "disabled_reason", "updated_at"])
