"""Who may see and change what."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import Error, transaction

from registry.accounts.access import (
    Visibility,
    listed_to,
    may,
    namespace_for,
    require,
    sees,
    split_name,
    visible_to,
)
from registry.accounts.models import Namespace, Team, TeamGrant
from registry.accounts.roles import Role
from registry.core.errors import InvalidError, NotAllowedError, NotFoundError
from registry.datasets.models import Dataset
from tests.factories import make_organisation, make_user

pytestmark = pytest.mark.django_db

ROLES = ("reader", "writer", "admin", "owner")


@pytest.fixture
def people() -> dict[str, Any]:
    """One member of `initech` for each role, a member of a team that may read `private`, and a stranger."""
    users = {name: make_user(name) for name in (*ROLES, "teammate", "stranger")}
    organisation = make_organisation(**{role: users[role] for role in ROLES})
    team = Team.objects.create(namespace=organisation, name="tone")
    team.members.add(users["teammate"])
    TeamGrant.objects.create(team=team, name="private", role=Role.READER)
    for visibility in Visibility:
        Dataset.objects.create(owner=organisation, name=visibility, visibility=visibility)
    return {**users, "anonymous": AnonymousUser(), "nobody": None}


SEEN = {
    "nobody": {"unlisted", "public"},
    "anonymous": {"unlisted", "public"},
    "stranger": {"unlisted", "public"},
    "teammate": {"unlisted", "public", "private"},
    "reader": {"unlisted", "public", "organisation"},
    "writer": set(Visibility.values),
    "admin": set(Visibility.values),
    "owner": set(Visibility.values),
}


@pytest.mark.parametrize("who", SEEN)
def test_what_is_seen_and_what_is_listed(people: dict[str, Any], who: str) -> None:
    viewer = people[who]

    seen = set(Dataset.objects.filter(visible_to(viewer)).values_list("name", flat=True))
    listed = set(Dataset.objects.filter(listed_to(viewer)).values_list("name", flat=True))

    assert seen == SEEN[who]
    assert listed == (seen if who in ROLES else seen - {"unlisted"})
    assert {row.name for row in Dataset.objects.all() if sees(viewer, row)} == seen


@pytest.mark.parametrize("who", SEEN)
@pytest.mark.parametrize("least", list(Role))
def test_roles_count_from_least_to_most(people: dict[str, Any], who: str, least: Role) -> None:
    row = Dataset.objects.get(name="private")
    rank = {"teammate": 0} | {role: number for number, role in enumerate(ROLES)}
    expected = rank.get(who, -1) >= least.rank

    assert may(people[who], least, row) == expected
    if who in rank and not expected:
        with pytest.raises(NotAllowedError, match=least.value):
            require(people[who], least, row)


def test_a_grant_is_for_its_name_alone(people: dict[str, Any]) -> None:
    assert not may(people["teammate"], Role.READER, Dataset.objects.get(name="public"))


def test_everybody_may_write_in_their_own_namespace_and_nobody_elses(people: dict[str, Any]) -> None:
    stranger = people["stranger"]
    assert namespace_for(stranger, "", Role.OWNER).slug == "stranger"
    assert namespace_for(people["writer"], "initech").is_organisation
    for slug, error in (("initech", NotAllowedError), ("writer", NotAllowedError), ("none", NotFoundError)):
        with pytest.raises(error):
            namespace_for(stranger, slug)


@pytest.mark.parametrize("text", ["", "A", "a/B", "a/b/c", "/a", "a/", "a//b"])
def test_split_name_refuses_what_is_no_name(people: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidError):
        split_name(people["writer"], text, what="name")


def test_a_namespace_is_for_good(people: dict[str, Any]) -> None:
    row = Namespace.objects.get(slug="initech")
    with pytest.raises(Error), transaction.atomic():
        row.delete()
    with pytest.raises(Error), transaction.atomic():
        Namespace.objects.filter(pk=row.pk).update(slug="initrode")


def test_look_alikes_are_one_name(people: dict[str, Any]) -> None:
    with pytest.raises(Error), transaction.atomic():
        make_organisation("1n1tech")
