"""Which vectors are tried beside another as controls of the wrong concept."""

from typing import Any

import pytest

from registry.catalog.lifecycle import version_yank
from registry.catalog.models import VectorVersion
from registry.catalog.selectors import control_list
from registry.catalog.vectors import vector_update
from tests.factories import make_run, make_user, make_vector_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def asking() -> VectorVersion:
    """A draft of acme's on its own data set."""
    return make_run(owner=make_user("acme")).vector_version


def other_vector(username: str, seed: int, **options: Any) -> VectorVersion:
    """A released vector of somebody with a data set of their own."""
    return make_vector_version(owner=make_user(username), seed=seed, **options)


def test_control_list_names_public_vectors_of_other_data_sets_newest_first(asking: VectorVersion) -> None:
    older, newer = other_vector("lex", 1), other_vector("max", 2)

    assert control_list(version=asking) == [newer.artifact_id, older.artifact_id]


def test_control_list_leaves_out_the_vectors_own_data_set(asking: VectorVersion) -> None:
    make_vector_version(owner=asking.run.owner, name="another", seed=1)

    assert control_list(version=asking) == []


@pytest.mark.parametrize("state", ["extracted", "published"])
def test_control_list_leaves_out_what_is_not_public(asking: VectorVersion, state: str) -> None:
    other_vector("lex", 1, state=state, visibility="private")

    assert control_list(version=asking) == []


def test_control_list_leaves_out_what_was_yanked_or_made_private(asking: VectorVersion) -> None:
    lex, max_ = other_vector("lex", 1).vector, other_vector("max", 2).vector
    version_yank(actor=lex.versions.get().run.owner, name=lex.name, version="1.0.0", reason="it is wrong")
    vector_update(actor=max_.versions.get().run.owner, name=max_.name, visibility="private")

    assert control_list(version=asking) == []


def test_control_list_takes_the_newest_version_of_each_vector_and_no_more_than_asked(
    asking: VectorVersion,
) -> None:
    lex = other_vector("lex", 1).run.owner
    newer = make_vector_version(owner=lex, seed=2, version="1.1.0")
    newest = other_vector("max", 3)

    assert control_list(version=asking) == [newest.artifact_id, newer.artifact_id]
    assert control_list(version=asking, limit=1) == [newest.artifact_id]
