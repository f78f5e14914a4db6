"""Invitations: mailed and shown once, for one reader, for a week, worth what their sender may give."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.utils import timezone

from registry.accounts import invitations
from registry.accounts.invitations import (
    invitation_accept,
    invitation_create,
    invitation_link,
    invitation_revoke,
)
from registry.accounts.models import Invitation, Membership, User
from registry.accounts.organisations import member_remove, member_update
from registry.audit.models import AuditEvent
from registry.core.errors import InvalidError, NotAllowedError, QuotaExceededError, RegistryError
from tests.factories import make_organisation, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> User:
    user = make_user("boss")
    make_organisation(owner=user)
    return user


@pytest.fixture
def ada() -> User:
    """Somebody whose address is verified."""
    user = make_user("ada")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def invite(actor: User, email: str = "ada@example.org", role: str = "writer") -> str:
    return invitation_create(actor=actor, slug="initech", email=email, role=role)[1]


def refusal(actor: User, text: str) -> str:
    """The code with which an acceptance is refused."""
    with pytest.raises(RegistryError) as error:
        invitation_accept(actor=actor, text=text)
    assert not Membership.objects.filter(user=actor, namespace__slug="initech").exists()
    return error.value.code


def test_the_text_is_mailed_once_and_kept_nowhere(
    boss: User, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        row, text = invitation_create(actor=boss, slug="initech", email=" Ada@Example.org ", role="reader")
    sent = mail.outbox[-1]
    assert sent.to == ["ada@example.org"]
    assert invitation_link(text) in sent.body
    assert text not in str(vars(row))
    assert text not in str(list(AuditEvent.objects.values()))
    assert timedelta(days=6, hours=23) < row.expires_at - timezone.now() <= timedelta(days=7)


def test_a_mail_server_that_is_down_stops_no_invitation(
    boss: User, ada: User, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with django_capture_on_commit_callbacks(execute=True):
        text = invite(boss)
    assert invitation_accept(actor=ada, text=text).role == "writer"


def test_accepting_makes_a_member_and_works_once(boss: User, ada: User) -> None:
    text = invite(boss)
    member = invitation_accept(actor=ada, text=text)
    assert (str(member.namespace), member.role) == ("initech", "writer")
    member_remove(actor=ada, slug="initech", username="ada")
    assert refusal(ada, text) == "invitation.closed"
    event = AuditEvent.objects.get(action="member.joined")
    assert (event.subject, event.data) == ("ada", {"role": "writer", "invited_by": "boss"})


def test_a_member_is_invited_in_vain(boss: User, ada: User) -> None:
    first = invite(boss, role="reader")
    invitation_accept(actor=ada, text=first)
    with pytest.raises(RegistryError) as error:
        invitation_accept(actor=ada, text=invite(boss, role="owner"))
    assert error.value.code == "member.exists"
    assert Membership.objects.get(user=ada, namespace__slug="initech").role == "reader"


def test_another_persons_invitation_is_refused(boss: User) -> None:
    text, mallory = invite(boss), make_user("mallory")
    EmailAddress.objects.create(user=mallory, email=mallory.email, verified=True, primary=True)
    assert refusal(mallory, text) == "invitation.other_email"
    # To write an address down is not to own it.
    EmailAddress.objects.create(user=mallory, email="ada@example.org", verified=False)
    assert refusal(mallory, text) == "invitation.email_unverified"


def test_an_address_that_is_not_verified_is_refused(boss: User) -> None:
    assert refusal(make_user("ada"), invite(boss)) == "invitation.email_unverified"


@pytest.mark.parametrize("text", ["", "x", "é" * 40])
def test_a_text_that_was_never_sent_is_refused(boss: User, ada: User, text: str) -> None:
    assert refusal(ada, text) == "invitation.not_found"


def test_an_expired_invitation_is_refused(boss: User, ada: User) -> None:
    text = invite(boss)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refusal(ada, text) == "invitation.closed"


def test_a_revoked_invitation_is_refused_and_an_accepted_one_stays(boss: User, ada: User) -> None:
    text = invite(boss)
    row = Invitation.objects.get()
    for _ in range(2):
        invitation_revoke(actor=boss, slug="initech", invitation_id=str(row.pk))
    assert refusal(ada, text) == "invitation.closed"
    assert AuditEvent.objects.filter(action="invitation.revoked").count() == 1

    invitation_accept(actor=ada, text=invite(boss))
    accepted = Invitation.objects.get(accepted_at__isnull=False)
    with pytest.raises(RegistryError) as error:
        invitation_revoke(actor=boss, slug="initech", invitation_id=str(accepted.pk))
    assert error.value.code == "invitation.closed"


def test_a_new_invitation_ends_the_one_before(boss: User, ada: User) -> None:
    first, second = invite(boss, role="owner"), invite(boss, role="reader")
    assert refusal(ada, first) == "invitation.closed"
    assert invitation_accept(actor=ada, text=second).role == "reader"


@pytest.mark.parametrize("change", ["lowered", "removed"])
def test_an_invitation_is_worth_what_its_sender_may_give_now(boss: User, ada: User, change: str) -> None:
    admin = make_user("the-admin")
    Membership.objects.create(namespace=boss.namespaces.get(slug="initech"), user=admin, role="admin")
    text = invite(admin)
    if change == "lowered":
        member_update(actor=boss, slug="initech", username="the-admin", role="writer")
    else:
        member_remove(actor=boss, slug="initech", username="the-admin")
    assert refusal(ada, text) == "invitation.closed"


@pytest.mark.parametrize("role", ["admin", "owner"])
def test_an_admin_invites_no_admins_and_owners(boss: User, role: str) -> None:
    admin = make_user("the-admin")
    Membership.objects.create(namespace=boss.namespaces.get(slug="initech"), user=admin, role="admin")
    with pytest.raises(NotAllowedError):
        invite(admin, role=role)


@pytest.mark.parametrize("email", ["", "ada", "ada@", "a@b\nBcc: c@d.org", "@example.org"])
def test_what_is_no_address_is_refused(boss: User, email: str) -> None:
    with pytest.raises(InvalidError) as error:
        invite(boss, email=email)
    assert error.value.code == "email.invalid"


def test_so_many_invitations_wait_at_most(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MAX_OPEN", 2)
    invite(boss, "a@example.org")
    invite(boss, "b@example.org")
    with pytest.raises(QuotaExceededError):
        invite(boss, "c@example.org")
    invite(boss, "b@example.org")


@pytest.mark.django_db(transaction=True)
def test_of_two_acceptances_at_once_one_counts() -> None:
    boss, ada = make_user("boss"), make_user("ada")
    make_organisation(owner=boss)
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    text, gate = invite(boss), Barrier(2)

    def accept(_: int) -> str:
        gate.wait(timeout=20)
        try:
            return invitation_accept(actor=ada, text=text).role
        except RegistryError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(accept, range(2))) == ["invitation.closed", "writer"]
