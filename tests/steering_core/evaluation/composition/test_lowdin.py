"""Directions turned to right angles: orthogonal, in any order the same, and only where places are shared."""

from typing import Any

import numpy as np
import pytest

from steering_core.evaluation.composition.bench import Member
from steering_core.evaluation.composition.lowdin import orthogonal


@pytest.fixture
def members(make_vector: Any, tiny_lm: Any) -> list[Member]:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 32)).astype(np.float32) + 0.5
    identity = tiny_lm().identity
    return [Member(f"v{i}", make_vector(identity, {"resid_post.1": row})) for i, row in enumerate(rows)]


def rows(members: list[Member]) -> Any:
    return np.array([member.vector.directions["resid_post.1"] for member in members])


def test_orthogonal_directions_are_at_right_angles_and_keep_their_norms(members: list[Member]) -> None:
    turned = orthogonal(members)

    assert turned is not None
    products = rows(turned) @ rows(turned).T
    np.testing.assert_allclose(products, np.diag((rows(members) ** 2).sum(1)), atol=1e-3)


def test_orthogonal_is_the_same_in_any_order(members: list[Member]) -> None:
    there, back = orthogonal(members), orthogonal(members[::-1])

    assert there is not None
    assert back is not None
    np.testing.assert_allclose(rows(there), rows(back[::-1]), atol=1e-4)


def test_orthogonal_without_a_shared_place_or_for_twins_is_none(
    members: list[Member], make_vector: Any, tiny_lm: Any
) -> None:
    elsewhere = make_vector(tiny_lm().identity, {"resid_post.2": np.ones(32, np.float32)})

    assert orthogonal([members[0], Member("other", elsewhere)]) is None
    assert orthogonal([members[0], members[0]]) is None
