"""State changes as compare-and-swap."""

from typing import Any

import pytest

from registry.catalog.models import VectorVersion
from registry.catalog.states import TRANSITIONS
from registry.core.errors import IllegalTransitionError
from registry.core.state import transition
from tests.factories import make_vector_version

pytestmark = pytest.mark.django_db


def test_transition_changes_row_and_object(owner: Any) -> None:
    row = make_vector_version(owner=owner)
    transition(row, to="yanked", allowed=TRANSITIONS, yank_reason="wrong")
    assert (row.state, row.yank_reason) == ("yanked", "wrong")
    row.refresh_from_db()
    assert (row.state, row.yank_reason) == ("yanked", "wrong")


def test_transition_of_a_row_that_moved_meanwhile_is_refused(owner: Any) -> None:
    row = make_vector_version(owner=owner)
    stale = VectorVersion.objects.get(pk=row.pk)
    transition(row, to="yanked", allowed=TRANSITIONS)
    with pytest.raises(IllegalTransitionError):
        transition(stale, to="yanked", allowed=TRANSITIONS)


def test_transition_that_is_not_allowed_is_refused(owner: Any) -> None:
    row = make_vector_version(owner=owner)
    with pytest.raises(IllegalTransitionError):
        transition(row, to="draft", allowed=TRANSITIONS)
