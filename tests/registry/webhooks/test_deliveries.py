"""From an event to a receiver: again until it arrives, and whoever dies in between loses nothing."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import override_settings
from django.utils import timezone
from standardwebhooks import Webhook as Verifier

from registry.audit.models import AuditEvent
from registry.audit.services import record
from registry.core.errors import ConflictError, InvalidError, NotFoundError, QuotaExceededError
from registry.webhooks import deliveries, sending, services
from registry.webhooks.deliveries import PAUSES_SECONDS, deliveries_forget, deliveries_send, pause_seconds
from registry.webhooks.models import Attempt, Delivery, Webhook
from registry.webhooks.outbox import events_fan_out
from registry.webhooks.patterns import checked_patterns, wants
from registry.webhooks.services import (
    NewWebhook,
    deliveries_replay,
    delivery_replay,
    webhook_create,
    webhook_delete,
    webhook_rotate,
    webhook_test,
    webhook_update,
)
from tests.factories import make_organisation
from tests.receivers import Answer, Receiver

Make = Callable[..., tuple[Webhook, str]]


@pytest.fixture
def make(owner: Any, receiver: Receiver) -> Make:
    """A webhook of acme, at the receiver; what happened before it is fanned out."""

    def made(*actions: str, **more: Any) -> tuple[Webhook, str]:
        wanted = NewWebhook(**{"url": receiver.url, "actions": list(actions or ("thing.*",)), **more})
        row, secret = webhook_create(actor=owner, wanted=wanted)
        events_fan_out()
        return row, secret

    return made


def due_now() -> None:
    Delivery.objects.filter(state="waiting").update(due_at=timezone.now())


def said(receiver: Receiver) -> list[str]:
    return [json.loads(body)["data"]["subject"] for _, body in receiver.got]


def test_event_is_signed_sent_once_and_logged(make: Make, receiver: Receiver) -> None:
    row, secret = make()
    event = record("thing.made", subject="a thing", namespace="acme", size=3)
    record("other.made", subject="another", namespace="acme")
    record("thing.made", subject="of others", namespace="mallory", is_public=True)

    assert (events_fan_out(), deliveries_send()) == (1, 1)
    assert (events_fan_out(), deliveries_send()) == (0, 0)

    [(headers, body)] = receiver.got
    assert Verifier(secret).verify(body, headers) == {
        "type": "thing.made",
        "timestamp": event.at.isoformat(),
        "data": {
            "id": event.pk,
            "namespace": "acme",
            "subject": "a thing",
            "actor": "",
            "data": {"size": 3},
        },
    }
    [delivery] = Delivery.objects.filter(webhook=row)
    assert (delivery.state, delivery.due_at, headers["webhook-id"]) == (
        "delivered",
        None,
        delivery.message_id,
    )
    assert [(a.status, a.error, a.excerpt) for a in delivery.attempts.all()] == [(200, "", "thanks")]
    assert not AuditEvent.objects.filter(fanned_out_at=None).exists()


def test_followers_get_public_events_without_who_did_them(
    make: Make, owner: Any, other: Any, receiver: Receiver
) -> None:
    make(follows=["mallory"])
    record("thing.made", subject="known", namespace="mallory", actor=other, is_public=True)
    record("thing.made", subject="secret", namespace="mallory", actor=other)
    record("thing.made", subject="own", namespace="acme", actor=owner)

    events_fan_out()
    deliveries_send()

    got = {body["subject"]: body["actor"] for body in (json.loads(b)["data"] for _, b in receiver.got)}
    assert got == {"known": "", "own": "acme"}


def test_receiver_that_fails_is_tried_again_with_the_same_id(make: Make, receiver: Receiver) -> None:
    row, _ = make()
    receiver.answers = [Answer(500), Answer(503, {"Retry-After": "600"}), Answer(302), Answer(204, body=b"")]
    record("thing.made", subject="a thing", namespace="acme")
    events_fan_out()
    waits = []
    for _ in range(4):
        assert (deliveries_send(), deliveries_send()) == (1, 0)
        delivery = Delivery.objects.get()
        waits.append(round((delivery.due_at - timezone.now()).total_seconds()) if delivery.due_at else None)
        row.refresh_from_db()
        assert (row.failing_since is None) is (delivery.state == "delivered")
        due_now()

    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 4
    assert [a.status for a in delivery.attempts.all()] == [500, 503, 302, 204]
    assert 5 <= waits[0] <= 6
    assert waits[1] == 600
    assert 300 <= waits[2] <= 330
    assert waits[3] is None


def test_sender_that_is_killed_leaves_a_delivery_that_is_sent_again(
    make: Make, receiver: Receiver, monkeypatch: Any
) -> None:
    make()
    record("thing.made", subject="a thing", namespace="acme")
    events_fan_out()
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            deliveries_send()
    # It arrived and nobody wrote that down; nobody else takes it up while it may still be under way.
    assert deliveries_send() == 0
    late = Delivery.objects.get()
    due_now()

    assert deliveries_send() == 1
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [late.message_id] * 2
    # The killed one wakes up after all: its result is too late to count.
    deliveries._finish(late, sending.Outcome(500, 1))
    assert Delivery.objects.get().state == "delivered"


def test_message_that_takes_its_sender_down_is_given_up(make: Make) -> None:
    make()
    record("thing.made", subject="a thing", namespace="acme")
    events_fan_out()
    for _ in range(len(PAUSES_SECONDS) + 2):
        deliveries._claim()
        due_now()
    assert Delivery.objects.get().state == "failed"


def test_receiver_that_hangs_keeps_nobody_else_waiting(
    make: Make, receiver: Receiver, silent_port: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.4)
    make(url=f"http://127.0.0.1:{silent_port}/")
    make()
    for number in range(6):
        record("thing.made", subject=str(number), namespace="acme")
    events_fan_out()

    assert deliveries_send() == 12
    assert len(receiver.got) == 6
    assert Attempt.objects.filter(error="no whole answer came in time").count() == 6


def test_410_switches_off_and_the_log_says_so(make: Make, receiver: Receiver, owner: Any) -> None:
    row, _ = make()
    receiver.answers = [Answer(410), Answer(200)]
    for number in range(2):
        record("thing.made", subject=str(number), namespace="acme")
        events_fan_out()
        deliveries_send()
    row.refresh_from_db()
    assert (row.is_active, row.disabled_reason, len(receiver.got)) == (False, "gone", 1)
    event = AuditEvent.objects.get(action="webhook.disabled")
    assert (event.namespace, event.subject, event.data) == ("acme", str(row.pk), {"reason": "gone"})

    failed = Delivery.objects.get()
    with pytest.raises(ConflictError):
        delivery_replay(actor=owner, webhook_id=str(row.pk), delivery_id=str(failed.pk))
    webhook_update(actor=owner, webhook_id=str(row.pk), is_active=True)
    assert deliveries_replay(actor=owner, webhook_id=str(row.pk), since=failed.created_at) == 1
    assert (deliveries_send(), said(receiver)) == (1, ["0", "0"])
    assert deliveries_replay(actor=owner, webhook_id=str(row.pk), since=failed.created_at) == 0


def test_five_days_without_a_success_switch_off(make: Make, receiver: Receiver) -> None:
    row, _ = make()
    receiver.answers = [Answer(500)]
    for _ in range(2):
        record("thing.made", subject="x", namespace="acme")
    events_fan_out()
    deliveries_send()
    Webhook.objects.update(failing_since=F("failing_since") - timedelta(days=5))
    Delivery.objects.filter(pk=Delivery.objects.first().pk).update(due_at=timezone.now())
    deliveries_send()
    row.refresh_from_db()
    assert (row.is_active, row.disabled_reason) == (False, "failing")
    assert set(Delivery.objects.values_list("state", flat=True)) == {"failed"}


def test_pauses_grow_over_three_days_and_end() -> None:
    pauses = [pause_seconds(number) for number in range(1, 10)]
    assert pauses[8] is None
    known = [pause or 0 for pause in pauses[:8]]
    # The last two are a day each, give or take what keeps messages apart.
    assert known[:7] == sorted(known[:7])
    assert 2.4 < sum(known) / 86_400 < 3
    assert pause_seconds(1, 10**9) == 86_400


def test_after_a_rotation_both_secrets_verify_for_a_day(make: Make, receiver: Receiver, owner: Any) -> None:
    row, old = make()
    _, new = webhook_rotate(actor=owner, webhook_id=str(row.pk))
    assert old not in (row.secret, new)
    webhook_test(actor=owner, webhook_id=str(row.pk))
    deliveries_send()
    Webhook.objects.update(old_secret_until=timezone.now())
    webhook_test(actor=owner, webhook_id=str(row.pk))
    deliveries_send()

    (first, body), (second, later) = receiver.got
    assert [len(headers["webhook-signature"].split()) for headers in (first, second)] == [2, 1]
    for secret in (old, new):
        assert Verifier(secret).verify(body, first)["type"] == "webhook.test"
    Verifier(new).verify(later, second)


def test_secret_of_a_lost_key_is_said_and_fails(make: Make, receiver: Receiver) -> None:
    make()
    record("thing.made", subject="x", namespace="acme")
    events_fan_out()
    with override_settings(SECRET_KEY="another"):
        deliveries_send()
    assert "rotate the secret" in Attempt.objects.get().error
    due_now()
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=["only-for-tests"]):
        deliveries_send()
    assert len(receiver.got) == 1


def test_what_is_guarded_at_creation_is_guarded_at_each_attempt(make: Make, receiver: Receiver) -> None:
    make()
    record("thing.made", subject="x", namespace="acme")
    events_fan_out()
    with override_settings(WEBHOOK_ALLOW_PRIVATE=False):
        deliveries_send()
    assert not receiver.got
    assert "public internet" in Attempt.objects.get().error


def test_webhook_deleted_while_its_message_is_under_way_is_no_fault(make: Make, owner: Any) -> None:
    row, _ = make()
    record("thing.made", subject="x", namespace="acme")
    events_fan_out()
    [claimed] = deliveries._claim()
    webhook_delete(actor=owner, webhook_id=str(row.pk))
    deliveries._finish(claimed, sending.Outcome(200, 1))
    assert not Attempt.objects.exists()


def test_old_deliveries_are_forgotten_and_waiting_ones_kept(make: Make) -> None:
    make()
    for _ in range(3):
        record("thing.made", subject="x", namespace="acme")
    events_fan_out()
    first, second, _ = Delivery.objects.all()
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    for row, state in ((first, "failed"), (second, "delivered")):
        Delivery.objects.filter(pk=row.pk).update(state=state, due_at=None)
    assert deliveries_forget() == 2
    assert Delivery.objects.get().state == "waiting"


def test_only_admins_of_the_namespace_know_of_a_webhook(make: Make, owner: Any, other: Any) -> None:
    organisation = make_organisation(owner=owner, writer=other)
    row, _ = make(namespace="initech")
    for act in (webhook_rotate, webhook_delete, webhook_test):
        with pytest.raises(NotFoundError):
            act(actor=other, webhook_id=str(row.pk))
    organisation.memberships.filter(user=other).update(role="admin")
    webhook_delete(actor=other, webhook_id=str(row.pk))


def test_webhook_that_nobody_is_left_to_switch_off_gets_nothing(make: Make, owner: Any) -> None:
    make()
    owner.is_active = False
    owner.save()
    record("thing.made", subject="x", namespace="acme")
    assert events_fan_out() == 0


def test_limits_and_forms_are_said(make: Make, owner: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(services, "MAX_WEBHOOKS", 1)
    row, _ = make()
    with pytest.raises(QuotaExceededError):
        make()
    for changes in (
        {"actions": ["a.b.c"]},
        {"actions": []},
        {"follows": ["no-such"]},
        {"description": "x" * 201},
    ):
        with pytest.raises(InvalidError):
            webhook_update(actor=owner, webhook_id=str(row.pk), **changes)


def test_patterns_name_actions() -> None:
    assert checked_patterns(["version.*", "a.b", "a.b"]) == ["a.b", "version.*"]
    assert wants(["version.*"], "version.published")
    assert wants(["*"], "version.published")
    assert wants(["version.published"], "version.published")
    assert not wants(["version.yanked", "vector.*"], "version.published")
