"""The log: written with the change or not at all, and never changed."""

import pytest
from django.db import Error, transaction

from registry.audit.models import AuditEvent
from registry.audit.services import record
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_an_event_keeps_names_as_text() -> None:
    user = make_user("ada")
    event = record("thing.made", subject="s" * 300, namespace=user, actor=user, is_public=True, size=3)
    event.refresh_from_db()
    assert (event.action, event.subject, event.namespace, event.actor) == (
        "thing.made",
        "s" * 200,
        "ada",
        "ada",
    )
    assert (event.data, event.is_public, event.fanned_out_at) == ({"size": 3}, True, None)
    user.delete()
    assert AuditEvent.objects.get(pk=event.pk).actor == "ada"


def test_what_rolls_back_takes_its_event_along() -> None:
    with transaction.atomic():
        record("thing.made", subject="x")
        transaction.set_rollback(True)
    assert not AuditEvent.objects.exists()


def test_an_event_is_neither_changed_nor_deleted() -> None:
    event = record("thing.made", subject="x", namespace="acme")
    for change in ({"action": "thing.unmade"}, {"subject": "y"}, {"namespace": "b"}, {"data": {"a": 1}}):
        with pytest.raises(Error), transaction.atomic():
            AuditEvent.objects.filter(pk=event.pk).update(**change)
    with pytest.raises(Error), transaction.atomic():
        event.delete()
    assert AuditEvent.objects.get(pk=event.pk).action == "thing.made"
