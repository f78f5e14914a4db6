"""Who is told what, and who gets mail."""

import pytest
from allauth.account.models import EmailAddress
from django.core import mail

from registry.accounts.invitations import invitation_create
from registry.accounts.models import User
from registry.catalog.transfers import vector_move
from registry.core.errors import InvalidError, NotFoundError
from registry.notifications.feeding import TOLD
from registry.notifications.mailing import notifications_mail
from registry.notifications.models import Kind, Notification
from registry.notifications.selectors import unread_count, wishes_get
from registry.notifications.services import notification_read, notifications_read_all, wishes_set
from registry.runs.leases import run_claim, run_fail
from registry.runs.models import Run
from registry.runs.states import ErrorClass
from tests.factories import make_organisation, make_run, make_user, make_vector_version

pytestmark = pytest.mark.django_db


def texts(user: User) -> list[str]:
    return [row.text for row in Notification.objects.filter(recipient=user)]


def fail(run: Run) -> None:
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    run_fail(
        run_id=claim.run_id,
        lease_token=claim.lease_token,
        error_class=ErrorClass.USER,
        code="extraction.failed",
        message="no direction",
    )


def test_end_of_a_run_tells_its_owner_and_leads_to_it(owner: User) -> None:
    run = make_vector_version(owner=owner, state="extracted").run
    fail(make_run(owner, "second"))
    assert texts(owner) == [
        "The run for acme/second failed; its page says what to do",
        "acme/formality is ready: verdict pass",
    ]
    assert Notification.objects.get(kind=Kind.RUN_SUCCEEDED).link == f"/runs/{run.pk}"
    assert unread_count(user=owner) == 2


def test_muted_kind_is_not_told_and_a_wished_one_is_mailed_once_to_a_verified_address(owner: User) -> None:
    wishes_set(actor=owner, shown=["run.failed"], mailed=["run.failed", "run.succeeded"])
    assert (wishes_get(user=owner).shown, wishes_get(user=owner).mailed) == (
        ("run.failed", "security"),
        ("run.failed",),
    )
    make_vector_version(owner=owner, state="extracted")
    fail(make_run(owner, "second"))
    assert len(texts(owner)) == 1
    assert (notifications_mail(), len(mail.outbox)) == (0, 0)

    EmailAddress.objects.create(user=owner, email=owner.email, verified=True, primary=True)
    fail(make_run(owner, "third"))
    assert (notifications_mail(), notifications_mail(), len(mail.outbox)) == (1, 0, 1)
    assert mail.outbox[0].to == [owner.email]
    assert "/runs/" in mail.outbox[0].body
    with pytest.raises(InvalidError, match="no kind of notification"):
        wishes_set(actor=owner, shown=["run.started"], mailed=[])


def test_invitation_is_told_to_the_verified_holder_of_the_address_without_its_secret(
    owner: User, other: User
) -> None:
    make_organisation(owner=owner)
    _, text = invitation_create(actor=owner, slug="initech", email=other.email, role="writer")
    assert texts(other) == []
    EmailAddress.objects.create(user=other, email=other.email, verified=True, primary=True)
    _, text = invitation_create(actor=owner, slug="initech", email=other.email, role="writer")
    (told,) = texts(other)
    assert told.startswith("acme invites you to initech as writer")
    assert text not in told
    assert texts(owner) == []


def test_transfer_is_told_to_the_other_admins_where_it_is_now(owner: User, other: User) -> None:
    make_organisation(owner=owner, admin=other, reader=make_user("reader"))
    make_vector_version(owner=owner)
    vector_move(actor=owner, owner="acme", name="formality", to_owner="initech")
    assert texts(other) == ["acme transferred acme/formality to initech: it is initech/formality now"]
    assert [row.kind for row in Notification.objects.filter(recipient=owner)] == [Kind.RUN_SUCCEEDED]
    assert texts(User.objects.get(username="reader")) == []


def test_only_ones_own_are_read(owner: User, other: User) -> None:
    make_vector_version(owner=owner, state="extracted")
    row = Notification.objects.get()
    with pytest.raises(NotFoundError):
        notification_read(actor=other, notification_id=str(row.pk))
    assert notifications_read_all(actor=other) == 0
    first = notification_read(actor=owner, notification_id=str(row.pk)).read_at
    assert notification_read(actor=owner, notification_id=str(row.pk)).read_at == first
    assert unread_count(user=owner) == 0


def test_every_action_that_is_told_is_one_that_somebody_records() -> None:
    from pathlib import Path

    source = "".join(path.read_text() for path in (Path(__file__).parents[3] / "registry").rglob("*.py"))
    # Written as `run.{state}`, `access.{state}` or `{noun}.transferred`.
    made_up = {action for action in TOLD if action.partition(".")[0] not in ("run", "access")}
    for action in made_up - {f"{noun}.transferred" for noun in ("vector", "dataset", "preset")}:
        assert source.count(f'"{action}"') >= 2, action
