"""Rename and transfer: old names lead on over any number of moves, and are never given again."""

import threading
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from registry.accounts.models import Namespace
from registry.audit.models import AuditEvent
from registry.catalog.lifecycle import version_yank
from registry.catalog.models import Vector, VectorName
from registry.catalog.notices import vector_notices
from registry.catalog.selectors import vector_get, version_get
from registry.catalog.transfers import vector_move
from registry.catalog.vectors import vector_update
from registry.core.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError
from registry.datasets.models import DatasetName
from registry.datasets.selectors import dataset_get, dataset_version_get
from registry.datasets.transfers import dataset_move
from tests.factories import (
    make_dataset_version,
    make_organisation,
    make_pairs_file,
    make_run,
    make_user,
    make_vector_version,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def initech(owner: Any) -> Namespace:
    return make_organisation("initech", admin=owner)


def test_old_names_lead_on_over_many_moves(owner: Any, initech: Namespace) -> None:
    make_vector_version(owner=owner)
    vector_move(actor=owner, owner="acme", name="formality", to_name="register")
    vector_move(actor=owner, owner="acme", name="register", to_owner="initech", to_name="tone")
    for name in ("formality", "register"):
        row = version_get(viewer=None, owner="acme", name=name, reference="1.0.0")
        assert str(row) == "initech/tone@1.0.0"
        [notice] = vector_notices(row.vector)
        assert (notice.code, f"acme/{name} is called initech/tone" in notice.message) == (
            "vector.moved",
            True,
        )
    assert vector_notices(vector_get(viewer=None, owner="initech", name="tone")) == []


def test_writes_by_an_old_name_reach_the_vector(owner: Any, initech: Namespace) -> None:
    make_vector_version(owner=owner)
    vector_move(actor=owner, owner="acme", name="formality", to_owner="initech")
    vector_update(actor=owner, owner="acme", name="formality", title="Formality")
    version_yank(actor=owner, owner="acme", name="formality", version="1.0.0", reason="wrong")
    run = make_run(owner=owner, vector="acme/formality")
    assert str(run.vector_version.vector) == "initech/formality"
    assert Vector.objects.count() == 1


def test_a_moved_name_is_never_given_again(owner: Any, other: Any, initech: Namespace) -> None:
    initech.memberships.create(user=other, role="admin")
    make_vector_version(owner=owner, visibility="private")
    vector_move(actor=owner, owner="acme", name="formality", to_owner="initech", to_name="tone")
    vector_move(actor=other, owner="initech", name="tone", to_owner="mallory")
    # acme's own name, but the vector is out of their sight now.
    with pytest.raises(ConflictError) as caught:
        make_run(owner=owner, vector="formality")
    assert caught.value.code == "name.taken"
    make_vector_version(owner=owner, name="second")
    with pytest.raises(ConflictError):
        vector_move(actor=owner, owner="acme", name="second", to_name="formality")
    with pytest.raises(IntegrityError), transaction.atomic():
        Vector.objects.filter(name="second").update(name="formality")
    with pytest.raises(NotFoundError):
        vector_get(viewer=owner, owner="acme", name="formality")


def test_a_vector_may_have_its_old_name_back(owner: Any) -> None:
    make_vector_version(owner=owner)
    vector_move(actor=owner, owner="acme", name="formality", to_name="tone")
    vector_move(actor=owner, owner="acme", name="tone", to_name="formality")
    row = vector_get(viewer=None, owner="acme", name="tone")
    assert (str(row), row.asked_as) == ("acme/formality", "acme/tone")
    assert VectorName.objects.count() == 2


def test_names_are_kept_by_the_database(owner: Any) -> None:
    make_vector_version(owner=owner)
    for change in (
        lambda: VectorName.objects.update(name="x"),
        lambda: VectorName.objects.all()._raw_delete("default"),
        lambda: DatasetName.objects.update(name="x"),
    ):
        with pytest.raises(DatabaseError, match="pgtrigger"), transaction.atomic():
            change()


def test_transfer_takes_an_admin_on_both_sides(owner: Any, other: Any) -> None:
    make_organisation("initech", writer=owner)
    make_organisation("umbrella", admin=other)
    make_vector_version(owner=owner)
    for actor, to in ((owner, "initech"), (owner, "umbrella"), (owner, "mallory"), (other, "umbrella")):
        with pytest.raises(NotAllowedError):
            vector_move(actor=actor, owner="acme", name="formality", to_owner=to)
    with pytest.raises(NotFoundError):
        vector_move(actor=owner, owner="acme", name="formality", to_owner="nobody")


@pytest.mark.parametrize(
    ("to", "error", "code"),
    [
        ({}, ConflictError, "name.same"),
        ({"to_name": "formality"}, ConflictError, "name.same"),
        ({"to_name": "second"}, ConflictError, "name.taken"),
        ({"to_name": "Not A Slug"}, InvalidError, "name.invalid"),
    ],
)
def test_rename_to_what_cannot_be(owner: Any, to: dict[str, str], error: type[Exception], code: str) -> None:
    make_vector_version(owner=owner)
    make_vector_version(owner=owner, name="second")
    with pytest.raises(error) as caught:
        vector_move(actor=owner, owner="acme", name="formality", **to)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert vector_get(viewer=None, owner="acme", name="formality").asked_as == ""


def test_what_is_shared_with_an_organisation_goes_to_no_person(owner: Any, initech: Namespace) -> None:
    make_vector_version(owner=owner, name="initech/formality", visibility="organisation")
    with pytest.raises(InvalidError) as caught:
        vector_move(actor=owner, owner="initech", name="formality", to_owner="acme")
    assert caught.value.code == "visibility.invalid"


def test_transfer_is_logged_on_both_sides(owner: Any, initech: Namespace) -> None:
    make_vector_version(owner=owner)
    vector_move(actor=owner, owner="acme", name="formality", to_owner="initech")
    rows = AuditEvent.objects.filter(action="vector.transferred").order_by("id")
    assert [(row.namespace, row.subject, row.data["before"]) for row in rows] == [
        ("acme", "initech/formality", "acme/formality"),
        ("initech", "initech/formality", "acme/formality"),
    ]


def test_dataset_moves_as_a_vector_does(owner: Any, other: Any, initech: Namespace) -> None:
    make_dataset_version(owner=owner, visibility="public")
    dataset_move(actor=owner, owner="acme", name="tone-pairs", to_owner="initech", to_name="pairs")
    assert str(dataset_version_get(viewer=None, owner="acme", name="tone-pairs")) == "initech/pairs@1"
    assert dataset_get(viewer=None, owner="acme", name="tone-pairs").asked_as == "acme/tone-pairs"
    # Pushing to the old name goes on with the same data set.
    data = make_dataset_version(owner=owner, data=make_pairs_file(word="warmth"))
    assert str(data) == "initech/pairs@2"
    with pytest.raises(NotAllowedError):
        dataset_move(actor=other, owner="initech", name="pairs", to_owner="mallory")
    with pytest.raises(NotFoundError):
        dataset_move(actor=owner, owner="acme", name="nothing", to_name="x")


@pytest.mark.django_db(transaction=True)
def test_a_name_given_up_while_somebody_makes_a_vector_of_it_stays_taken() -> None:
    """The one who makes it waits for the move and is refused, rather than getting the name."""
    owner = make_user()
    make_vector_version(owner=owner)
    moved, outcomes = threading.Event(), []

    def make() -> None:
        moved.wait()
        try:
            Vector.objects.create(owner=Namespace.objects.get(slug="acme"), name="formality")
            outcomes.append("made")
        except IntegrityError:
            outcomes.append("refused")
        connection.close()

    thread = threading.Thread(target=make)
    thread.start()
    with transaction.atomic():
        Vector.objects.filter(name="formality").update(name="tone")
        moved.set()
        thread.join(timeout=0.3)
        assert outcomes == []
    thread.join()
    assert outcomes == ["refused"]
