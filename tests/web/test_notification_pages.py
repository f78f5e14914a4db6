"""The bell, the list, marking read, and what one wants to be told."""

from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.notifications.models import Kind, Notification
from registry.notifications.selectors import wishes_get
from registry.notifications.services import notify
from tests.web.pages import words

pytestmark = pytest.mark.django_db
PAGE = "/notifications/"


def tell(user: User, count: int = 1) -> Notification:
    for number in range(count):
        notify(recipients=[user], kind=Kind.RUN_FAILED, text=f"run {number} failed", link="/runs/")
    return Notification.objects.first()  # type: ignore[return-value]


def test_bell_counts_the_unread_and_opening_one_leads_on(signed_in: Client, acme: User) -> None:
    assert "Nothing to tell you yet" in words(signed_in.get(PAGE).content)
    row = tell(acme)
    assert 'aria-label="Notifications, 1 unread"' in signed_in.get("/runs/").content.decode()
    assert signed_in.post(f"{PAGE}{row.pk}/open")["Location"] == "/runs/"
    page = signed_in.get(PAGE).content.decode()
    assert 'aria-label="Notifications"' in page
    assert '<a href="/runs/">run 0 failed</a>' in page
    tell(acme, 2)
    assert signed_in.post(f"{PAGE}read")["Location"] == PAGE
    assert not Notification.objects.filter(read_at=None).exists()


def test_notifications_are_ones_own_and_the_bell_costs_one_query(
    client: Client, signed_in: Client, stranger: Client, acme: User, django_assert_num_queries: Any
) -> None:
    row = tell(acme, 30)
    assert "run 0 failed" not in words(stranger.get(PAGE).content)
    assert stranger.post(f"{PAGE}{row.pk}/open").status_code == 404
    assert client.get(PAGE).status_code == 302
    signed_in.post(f"{PAGE}read")
    # Session and user, the page of read ones, the unread ones, the bell.
    with django_assert_num_queries(5):
        page = signed_in.get(PAGE).content.decode()
    assert 'rel="next"' in page


def test_wishes_are_kept_and_security_is_always_told(signed_in: Client, acme: User) -> None:
    signed_in.post(f"{PAGE}settings", {"shown": ["run.failed"], "mailed": ["run.failed"]})
    wishes = wishes_get(user=acme)
    assert (wishes.shown, wishes.mailed) == (("run.failed", "security"), ("run.failed",))
    page = signed_in.get(f"{PAGE}settings").content.decode()
    assert "Verify it first" in page
    assert signed_in.post(f"{PAGE}settings", {"shown": ["nonsense"]}).status_code == 422
    assert wishes_get(user=acme) == wishes
