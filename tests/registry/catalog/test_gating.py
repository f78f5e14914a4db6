"""Gates before files: who is let in, by whom, and what is asked about many at once."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.accounts.access import check_files
from registry.audit.models import AuditEvent
from registry.catalog import gating
from registry.catalog.gating import (
    access_ask,
    access_decide,
    access_request_list,
    access_set,
    access_states,
    access_withdraw,
)
from registry.catalog.models import AccessRequest, Vector
from registry.core.errors import (
    ConflictError,
    IllegalTransitionError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    RegistryError,
)
from registry.runs.services import MigrationRequest, migration_start
from tests.factories import make_base_model, make_organisation, make_user, make_vector_version

pytestmark = pytest.mark.django_db
NAME = {"owner": "acme", "name": "formality"}


@pytest.fixture
def vector(owner: Any) -> Vector:
    return make_vector_version(owner=owner).vector


def gate(owner: Any, **rule: str) -> Vector:
    return access_set(actor=owner, **NAME, **{"access": "gated", **rule})


def may_have(viewer: Any, vector: Vector) -> bool:
    try:
        check_files(viewer, Vector.objects.get(pk=vector.pk))
    except NotAllowedError:
        return False
    return True


def test_manual_gate_opens_for_whoever_is_granted(owner: Any, other: Any, vector: Vector) -> None:
    assert may_have(None, vector)
    gate(owner)
    assert (may_have(owner, vector), may_have(other, vector), may_have(None, vector)) == (True, False, False)
    row, is_new = access_ask(actor=other, message="for my thesis", **NAME)
    assert (row.state, is_new, may_have(other, vector)) == ("requested", True, False)
    assert access_ask(actor=other, **NAME)[1] is False

    decide = {"actor": owner, "username": "mallory", **NAME}
    row = access_decide(state="granted", **decide)
    assert (row.decided_by, may_have(other, vector)) == ("acme", True)
    access_decide(state="revoked", reason="left", **decide)
    assert not may_have(other, vector)
    with pytest.raises(NotAllowedError, match="left") as caught:
        access_ask(actor=other, **NAME)
    assert caught.value.code == "access.refused"
    access_decide(state="granted", **decide)
    assert may_have(other, vector)
    access_withdraw(actor=other, **NAME)
    assert not may_have(other, vector)
    assert access_ask(actor=other, **NAME)[0].state == "requested"
    log = AuditEvent.objects.filter(action__startswith="access.").order_by("id")
    assert [row.action.partition(".")[2] for row in log] == [
        *("requested", "granted", "revoked", "granted", "withdrawn", "requested")
    ]
    assert {(row.data["user"], row.is_public) for row in log} == {("mallory", False)}


def test_automatic_gate_takes_the_terms(owner: Any, other: Any, vector: Vector) -> None:
    gate(owner, mode="auto", terms="For research only.")
    with pytest.raises(InvalidError) as caught:
        access_ask(actor=other, **NAME)
    assert caught.value.code == "access.terms_not_accepted"
    row, _ = access_ask(actor=other, accepts_terms=True, **NAME)
    assert (row.state, row.decided_by, len(row.terms_sha256)) == ("granted", "", 64)
    # New terms leave those in who are in.
    gate(owner, mode="manual", terms="For nobody.")
    assert may_have(other, vector)


def test_refusal_says_where_to_ask(owner: Any, other: Any, vector: Vector) -> None:
    gated = gate(owner)
    with pytest.raises(NotAllowedError) as caught:
        check_files(other, gated)
    assert caught.value.code == "access.gated"
    assert "/api/v1/vectors/acme/formality/access-request" in caught.value.message


def test_asking_is_for_those_who_need_it(owner: Any, other: Any, vector: Vector) -> None:
    with pytest.raises(ConflictError) as caught:
        access_ask(actor=other, **NAME)
    assert caught.value.code == "access.not_gated"
    gate(owner)
    with pytest.raises(ConflictError) as caught:
        access_ask(actor=owner, **NAME)
    assert caught.value.code == "access.not_needed"
    Vector.objects.update(visibility="private")
    with pytest.raises(NotFoundError):
        access_ask(actor=other, **NAME)


def test_decisions_are_for_admins_and_follow_one_another(other: Any) -> None:
    admin, writer = make_user("admin"), make_user("writer")
    make_organisation("initech", admin=admin, writer=writer)
    make_vector_version(owner=writer, name="initech/formality")
    it = {"owner": "initech", "name": "formality"}
    for refused in (
        lambda: access_set(actor=writer, access="gated", **it),
        lambda: access_request_list(actor=writer, **it),
        lambda: access_decide(actor=writer, username="mallory", state="granted", **it),
    ):
        with pytest.raises(NotAllowedError):
            refused()
    access_set(actor=admin, access="gated", **it)
    decide = {"actor": admin, "username": "mallory", **it}
    with pytest.raises(NotFoundError):
        access_decide(state="granted", **decide)
    access_ask(actor=other, **it)
    with pytest.raises(InvalidError):
        access_decide(state="withdrawn", **decide)
    with pytest.raises(IllegalTransitionError):
        access_decide(state="revoked", **decide)
    access_decide(state="denied", **decide)
    with pytest.raises(IllegalTransitionError):
        access_withdraw(actor=other, **it)
    assert [row.state for row in access_request_list(actor=admin, state="denied", **it)] == ["denied"]
    assert list(access_request_list(actor=admin, state="granted", **it)) == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"access": "secret"}, "access.invalid"),
        ({"mode": "whim"}, "access.invalid"),
        ({"access": "paid"}, "access.paid_unavailable"),
        ({"terms": "x" * 4001}, "text.too_long"),
    ],
)
def test_rule_that_cannot_be(owner: Any, vector: Vector, rule: dict[str, str], code: str) -> None:
    with pytest.raises(RegistryError) as caught:
        gate(owner, **rule)
    assert caught.value.code == code


def test_paid_is_for_those_whom_a_seller_knows(
    owner: Any, other: Any, vector: Vector, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought: set[Any] = set()
    monkeypatch.setattr(gating, "ENTITLEMENTS", [lambda viewer, rows: bought])
    paid = gate(owner, access="paid")
    with pytest.raises(NotAllowedError) as caught:
        check_files(other, paid)
    assert caught.value.code == "access.purchase_required"
    assert access_states(other, [paid])[paid.pk].state == "paid"
    bought.add(paid.pk)
    assert may_have(other, paid)
    # A grant from the time when it was gated is no purchase.
    bought.clear()
    AccessRequest.objects.create(vector=paid, user=other, state="granted")
    assert not may_have(other, paid)


def test_a_gated_vector_is_not_moved_to_another_model_around_its_gate(owner: Any, other: Any) -> None:
    version = make_vector_version(owner=owner)
    gate(owner)
    make_base_model("bearing/other", "sha256:" + "cd" * 32)
    wish = MigrationRequest(source=str(version), base_model="bearing/other", vector="mine")
    with pytest.raises(NotAllowedError) as caught:
        migration_start(actor=other, request=wish)
    assert caught.value.code == "access.gated"


def test_states_of_many_take_two_queries(owner: Any, other: Any) -> None:
    rows = [make_vector_version(owner=owner, name=f"v{n}", seed=n).vector for n in range(4)]
    for row in rows[1:]:
        access_set(actor=owner, owner="acme", name=row.name, access="gated")
        row.refresh_from_db(fields=["access"])
    access_ask(actor=other, owner="acme", name="v2")
    access_decide(actor=owner, owner="acme", name="v2", username="mallory", state="granted")
    with CaptureQueriesContext(connection) as queries:
        seen = access_states(other, rows)
    assert [(seen[row.pk].state, seen[row.pk].request) for row in rows] == [
        ("open", ""),
        ("gated", ""),
        ("granted", "granted"),
        ("gated", ""),
    ]
    assert len(queries) == 2
    assert {state.state for state in access_states(owner, rows).values()} == {"open", "granted"}
    assert {state.state for state in access_states(None, rows).values()} == {"open", "gated"}
