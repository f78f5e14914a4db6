"""Who may do what to whom in an organisation."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from registry.accounts.access import Visibility, may, sees
from registry.accounts.models import Membership, Namespace, Team, User
from registry.accounts.organisations import (
    MAX_ORGANISATIONS_OWNED,
    member_remove,
    member_update,
    organisation_create,
    organisation_update,
)
from registry.accounts.roles import Role
from registry.accounts.selectors import (
    EventQuery,
    event_list,
    invitation_list,
    member_list,
    organisation_get,
    organisation_list,
)
from registry.accounts.services import user_delete
from registry.accounts.teams import grant_set, team_create, team_delete, team_member_add
from registry.audit.models import AuditEvent
from registry.core.errors import (
    ConflictError,
    NotAllowedError,
    NotFoundError,
    QuotaExceededError,
    RegistryError,
)
from registry.datasets.models import Dataset
from tests.factories import make_organisation, make_run, make_user

pytestmark = pytest.mark.django_db

ROLES = ("reader", "writer", "admin", "owner")
WHO = (*ROLES, "stranger")
OK, NO = "ok", "access.role_needed"


@pytest.fixture
def people() -> dict[str, User]:
    """A member of initech for each role, `second` who owns it too, and a stranger."""
    users = {name: make_user(f"the-{name}") for name in (*WHO, "second", "target")}
    organisation = make_organisation(**{role: users[role] for role in ROLES})
    Membership.objects.create(namespace=organisation, user=users["second"], role=Role.OWNER)
    return users


def outcome(call: Any, **arguments: Any) -> str:
    try:
        with transaction.atomic():
            call(**arguments)
    except RegistryError as error:
        return error.code
    return OK


# Rows: who acts. Columns: the role the member has, and the one they are to get.
CHANGES = [
    ("reader", "writer"),
    ("writer", "reader"),
    ("reader", "admin"),
    ("admin", "reader"),
    ("owner", "admin"),
    ("reader", "owner"),
]
MAY_CHANGE = {
    "stranger": (NO, NO, NO, NO, NO, NO),
    "reader": (NO, NO, NO, NO, NO, NO),
    "writer": (NO, NO, NO, NO, NO, NO),
    "admin": (OK, OK, NO, NO, NO, NO),
    "owner": (OK, OK, OK, OK, OK, OK),
}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("has", "gets"), CHANGES)
def test_who_may_change_a_role(people: dict[str, User], who: str, has: str, gets: str) -> None:
    row = Namespace.objects.get(slug="initech")
    member = Membership.objects.create(namespace=row, user=people["target"], role=has)
    wish = {"actor": people[who], "slug": "initech", "username": "the-target", "role": gets}

    expected = MAY_CHANGE[who][CHANGES.index((has, gets))]

    assert outcome(member_update, **wish) == expected
    member.refresh_from_db()
    assert member.role == (gets if expected == OK else has)
    assert AuditEvent.objects.filter(action="member.role_changed").count() == (expected == OK)


MAY_REMOVE = {
    "stranger": (NO, NO, NO, NO),
    "reader": (NO, NO, NO, NO),
    "writer": (NO, NO, NO, NO),
    "admin": (OK, OK, NO, NO),
    "owner": (OK, OK, OK, OK),
}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("has", ROLES)
def test_who_may_remove_a_member(people: dict[str, User], who: str, has: str) -> None:
    row = Namespace.objects.get(slug="initech")
    Membership.objects.create(namespace=row, user=people["target"], role=has)
    expected = MAY_REMOVE[who][ROLES.index(has)]

    assert outcome(member_remove, actor=people[who], slug="initech", username="the-target") == expected
    assert row.members.filter(username="the-target").exists() == (expected != OK)


READS = {
    "organisation": lambda user: organisation_get(viewer=user, slug="initech"),
    "members": lambda user: list(member_list(viewer=user, slug="initech")),
    "invitations": lambda user: list(invitation_list(viewer=user, slug="initech")),
    "log": lambda user: list(event_list(viewer=user, query=EventQuery(namespace="initech"))),
}
MAY_READ = {
    "stranger": (OK, NO, NO, NO),
    "reader": (OK, OK, NO, NO),
    "writer": (OK, OK, NO, NO),
    "admin": (OK, OK, OK, OK),
    "owner": (OK, OK, OK, OK),
}


@pytest.mark.parametrize("who", WHO)
def test_who_may_read_what(people: dict[str, User], who: str) -> None:
    assert tuple(outcome(read, user=people[who]) for read in READS.values()) == MAY_READ[who]
    assert outcome(organisation_update, actor=people[who], slug="initech", title="T") == MAY_READ[who][3]
    listed = [row.slug for row in organisation_list(viewer=people[who])]
    assert listed == ([] if who == "stranger" else ["initech"])
    assert organisation_get(viewer=people[who], slug="initech").role == (None if who == "stranger" else who)


@pytest.mark.parametrize("who", ROLES)
def test_everybody_may_leave_and_step_down(people: dict[str, User], who: str) -> None:
    actor = people[who]
    assert outcome(member_update, actor=actor, slug="initech", username=actor.username, role="reader") == OK
    assert outcome(member_remove, actor=actor, slug="initech", username=actor.username) == OK
    assert outcome(member_remove, actor=actor, slug="initech", username=actor.username) == NO


@pytest.mark.parametrize("who", ["reader", "writer", "admin"])
@pytest.mark.parametrize("role", ROLES)
def test_nobody_raises_himself(people: dict[str, User], who: str, role: str) -> None:
    actor = people[who]
    result = outcome(member_update, actor=actor, slug="initech", username=actor.username, role=role)
    assert result == (OK if Role(role).rank <= Role(who).rank else NO)


def test_the_last_owner_stays(people: dict[str, User]) -> None:
    member_remove(actor=people["second"], slug="initech", username="the-second")
    last = {"actor": people["owner"], "slug": "initech", "username": "the-owner"}

    assert outcome(member_remove, **last) == "member.last_owner"
    assert outcome(member_update, **last, role="admin") == "member.last_owner"
    assert outcome(user_delete, actor=people["second"], user=people["owner"]) == "member.last_owner"
    row = Membership.objects.get(user=people["owner"], namespace__slug="initech")
    owned = Membership.objects.filter(pk=row.pk)
    for change in (row.delete, lambda: owned.update(role="admin"), people["owner"].delete):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays() -> None:
    owners = [make_user("one"), make_user("two")]
    row = make_organisation(owner=owners[0])
    Membership.objects.create(namespace=row, user=owners[1], role=Role.OWNER)
    gate = Barrier(2)

    def leave(owner: User) -> str:
        gate.wait(timeout=20)
        try:
            return outcome(member_remove, actor=owner, slug="initech", username=owner.username)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(leave, owners)) == ["member.last_owner", OK]


def test_a_role_counts_from_the_next_question_on(people: dict[str, User]) -> None:
    dataset = Dataset.objects.create(
        owner=Namespace.objects.get(slug="initech"), name="tone", visibility=Visibility.PRIVATE
    )
    reader, owner = people["reader"], people["owner"]
    for role, is_writer in (("writer", True), ("reader", False)):
        member_update(actor=owner, slug="initech", username="the-reader", role=role)
        assert may(reader, Role.WRITER, dataset) is is_writer
    member_remove(actor=owner, slug="initech", username="the-reader")
    assert not sees(reader, dataset)


def test_who_leaves_is_in_no_team_any_more(people: dict[str, User]) -> None:
    dataset = Dataset.objects.create(
        owner=Namespace.objects.get(slug="initech"), name="tone", visibility=Visibility.PRIVATE
    )
    owner, reader = people["owner"], people["reader"]
    team_create(actor=owner, slug="initech", name="tone-team")
    grant_set(actor=owner, slug="initech", team="tone-team", name="tone", role="writer")
    team_member_add(actor=owner, slug="initech", team="tone-team", username="the-reader")
    assert may(reader, Role.WRITER, dataset)

    member_remove(actor=reader, slug="initech", username="the-reader")

    assert not sees(reader, dataset)
    assert not Team.objects.get().members.exists()


TEAM_WORK = {
    "stranger": (NO, NO, NO, NO),
    "reader": (NO, NO, NO, NO),
    "writer": (NO, NO, NO, NO),
    "admin": (OK, OK, OK, NO),
    "owner": (OK, OK, OK, OK),
}


@pytest.mark.parametrize("who", WHO)
def test_who_may_keep_teams(people: dict[str, User], who: str) -> None:
    team_create(actor=people["owner"], slug="initech", name="tone")
    common = {"actor": people[who], "slug": "initech"}
    results = (
        outcome(team_create, **common, name="another"),
        outcome(team_member_add, **common, team="tone", username="the-reader"),
        outcome(grant_set, **common, team="tone", name="formality", role="writer"),
        outcome(grant_set, **common, team="tone", name="formality", role="admin"),
    )
    assert results == TEAM_WORK[who]


def test_an_admin_gives_nobody_what_owners_granted(people: dict[str, User]) -> None:
    team_create(actor=people["owner"], slug="initech", name="tone")
    grant_set(actor=people["owner"], slug="initech", team="tone", name="formality", role="admin")
    admin = {"actor": people["admin"], "slug": "initech", "team": "tone"}
    assert outcome(team_member_add, **admin, username="the-reader") == NO
    assert outcome(grant_set, **admin, name="formality", role="reader") == NO
    assert outcome(team_delete, **admin) == NO
    owner = {**admin, "actor": people["owner"]}
    assert outcome(grant_set, **owner, name="formality", role="owner") == "role.invalid"
    assert outcome(team_member_add, **owner, username="the-stranger") == "member.not_found"


def test_a_person_is_no_organisation(people: dict[str, User]) -> None:
    with pytest.raises(NotFoundError):
        organisation_get(viewer=None, slug="the-owner")
    with pytest.raises(NotFoundError):
        organisation_update(actor=people["owner"], slug="the-owner", title="Me")


def test_one_person_owns_so_many_organisations_at_most(people: dict[str, User]) -> None:
    actor = people["stranger"]
    for number in range(MAX_ORGANISATIONS_OWNED):
        organisation_create(actor=actor, slug=f"company-{number // 10 + 3}-{'2346789xyz'[number % 10]}")
    with pytest.raises(QuotaExceededError):
        organisation_create(actor=actor, slug="one-too-many")


def test_a_deleted_user_leaves_the_namespace_and_its_name(people: dict[str, User]) -> None:
    row = Namespace.objects.get(slug="the-writer")
    Dataset.objects.create(owner=row, name="tone", visibility=Visibility.PUBLIC)

    user_delete(actor=people["owner"], user=people["writer"])

    assert not User.objects.filter(username="the-writer").exists()
    assert Dataset.objects.get(owner=row).name == "tone"
    assert not row.members.exists()
    assert outcome(organisation_create, actor=people["owner"], slug="the-writer") == "namespace.taken"


def test_staff_delete_users_through_the_service(people: dict[str, User], client: Any) -> None:
    client.force_login(make_user("operator", is_staff=True, is_superuser=True))
    member_remove(actor=people["second"], slug="initech", username="the-second")
    last, other = people["owner"], people["stranger"]
    answer = client.post(f"/admin/accounts/user/{last.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 409
    client.post(f"/admin/accounts/user/{other.pk}/delete/", {"post": "yes"})
    assert AuditEvent.objects.get(action="user.deleted").actor == "operator"
    assert User.objects.filter(pk=last.pk).exists()
    assert not User.objects.filter(pk=other.pk).exists()


def test_every_change_is_in_the_log_and_refusals_are_not(people: dict[str, User]) -> None:
    before = AuditEvent.objects.count()
    with pytest.raises(NotAllowedError), transaction.atomic():
        member_remove(actor=people["admin"], slug="initech", username="the-owner")
    with pytest.raises(ConflictError), transaction.atomic():
        organisation_create(actor=people["admin"], slug="initech")
    assert AuditEvent.objects.count() == before
    member_remove(actor=people["admin"], slug="initech", username="the-reader")
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor, event.subject) == ("member.removed", "the-admin", "the-reader")
    assert (event.namespace, event.data) == ("initech", {"role": "reader"})


def test_who_has_runs_cannot_be_deleted(people: dict[str, User]) -> None:
    make_run(owner=people["writer"])
    assert outcome(user_delete, actor=people["owner"], user=people["writer"]) == "user.in_use"
    assert User.objects.filter(username="the-writer").exists()
    assert not AuditEvent.objects.filter(action="user.deleted").exists()
