"""Random changes of who belongs to an organisation: never without an owner, and nobody raises himself."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from registry.accounts.invitations import invitation_accept, invitation_create
from registry.accounts.models import Membership, User
from registry.accounts.organisations import member_remove, member_update, organisation_create
from registry.accounts.roles import Role
from registry.core.errors import RegistryError
from tests.factories import make_user

NAMES = ("ann", "bob", "col", "dee")
SOMEBODY = st.sampled_from(NAMES)
ANY_ROLE = st.sampled_from([role.value for role in Role])


class Organisation(RuleBasedStateMachine):
    """Roles as they are in the database, checked after every step against those before it."""

    invitations = Bundle("invitations")
    number = 0

    @initialize(founder=SOMEBODY)
    def found(self, founder: str) -> None:
        type(self).number += 1
        self.slug = f"company-{'abcdefghjk'[self.number // 10]}{'abcdefghjk'[self.number % 10]}"
        organisation_create(actor=user(founder), slug=self.slug)
        self.roles: dict[str, str] = {founder: "owner"}

    @rule(actor=SOMEBODY, member=SOMEBODY, role=ANY_ROLE)
    def change(self, actor: str, member: str, role: str) -> None:
        before = self.roles.get(actor)
        if self.tried(member_update, actor=user(actor), username=member, role=role):
            had = self.roles[member]
            is_lower = Role(role).rank <= Role(had).rank
            assert self.outranks(before, had, role) or (actor == member and is_lower)
            self.roles[member] = role

    @rule(actor=SOMEBODY, member=SOMEBODY)
    def remove(self, actor: str, member: str) -> None:
        before = self.roles.get(actor)
        if self.tried(member_remove, actor=user(actor), username=member):
            assert actor == member or self.outranks(before, self.roles[member])
            del self.roles[member]

    @rule(target=invitations, actor=SOMEBODY, invited=SOMEBODY, role=ANY_ROLE)
    def invite(self, actor: str, invited: str, role: str) -> tuple[str, str, str, str] | None:
        try:
            _, text = invitation_create(
                actor=user(actor), slug=self.slug, email=f"{invited}@example.org", role=role
            )
        except RegistryError:
            assert not self.outranks(self.roles.get(actor), role)
            return None
        return text, actor, invited, role

    @rule(invitation=invitations, actor=SOMEBODY)
    def accept(self, invitation: tuple[str, str, str, str] | None, actor: str) -> None:
        if invitation is None:
            return
        text, sender, invited, role = invitation
        try:
            invitation_accept(actor=user(actor), text=text)
        except RegistryError:
            return
        assert actor == invited
        assert actor not in self.roles
        assert self.outranks(self.roles.get(sender), role)
        self.roles[actor] = role

    @invariant()
    def roles_are_as_expected_and_one_owner_stays(self) -> None:
        if not hasattr(self, "slug"):
            return
        rows = Membership.objects.filter(namespace__slug=self.slug).select_related("user")
        assert {row.user.username: row.role for row in rows} == self.roles
        assert "owner" in self.roles.values()

    def tried(self, call: Any, **arguments: Any) -> bool:
        try:
            call(slug=self.slug, **arguments)
        except RegistryError:
            return False
        return True

    @staticmethod
    def outranks(role: str | None, *touched: str) -> bool:
        """The rule, in words of the test: owners all, admins what is below them."""
        return role == "owner" or (role == "admin" and set(touched) <= {"reader", "writer"})


def user(name: str) -> User:
    return User.objects.get(username=name)


@pytest.mark.django_db
def test_membership_never_goes_wrong() -> None:
    for name in NAMES:
        row = make_user(name)
        EmailAddress.objects.create(user=row, email=row.email, verified=True, primary=True)
    run_state_machine_as_test(
        Organisation,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
