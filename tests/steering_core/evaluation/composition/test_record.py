"""The stored form of a composition: read back as it was written, and nothing else is read."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering_core.errors import FormatError
from steering_core.evaluation.composition.record import Estimate, read_composition, write_composition
from steering_core.evaluation.composition.solver import solve
from steering_core.spec import canonical_json
from tests.steering_core.evaluation.composition.planted import composition

numbers = st.floats(-1e6, 1e6)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value that is no list or object."""
    if isinstance(value, dict):
        return [leaf for key, one in value.items() for leaf in leaves(one, (*path, key))]
    if isinstance(value, list):
        return [leaf for i, one in enumerate(value) for leaf in leaves(one, (*path, i))]
    return [path]


def stored() -> Any:
    """The JSON of a composition that has every part."""
    made = composition(np.eye(2) + 0.1)
    solution = solve({"warm": 9.0}, made)
    return replace(made, solution=replace(solution, coherence=Estimate(1.0, 0.9, 1.1))).to_json()


@settings(max_examples=40, deadline=None)
@given(st.lists(numbers, min_size=4, max_size=4), st.floats(0.3, 2.0))
def test_read_composition_of_what_was_written_is_the_same(values: list[float], window: float) -> None:
    made = composition(np.array(values).reshape(2, 2), window=window)
    data = write_composition(made)

    found = read_composition(data)

    assert write_composition(found) == data
    assert found.names == made.names
    written = [cell.value for row in made.effects for cell in row]
    np.testing.assert_allclose([cell.value for row in found.effects for cell in row], written, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_read_composition_with_any_value_of_another_kind_is_refused(data: st.DataObject) -> None:
    fields = stored()
    *way, last = data.draw(st.sampled_from(leaves(fields)))
    place: Any = fields
    for step in way:
        place = place[step]
    place[last] = data.draw(st.sampled_from([True, {}, "\u2028", [1.5]]))

    with pytest.raises(FormatError):
        read_composition(canonical_json(fields))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format": "bearing-conformance"}, "composition.fields"),
        ({"format_version": 2}, "composition.version"),
        ({"format_version": True}, "composition.version"),
        ({"extra": 1}, "composition.fields"),
        ({"cosines": [[1.0, 0.0]]}, "composition.shape"),
        ({"members": []}, "composition.value"),
        ({"seed": 1.0}, "composition.fields"),
    ],
)
def test_read_composition_that_is_none_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(FormatError) as refused:
        read_composition(canonical_json(stored() | change))

    assert refused.value.code == code


def test_read_composition_in_another_encoding_is_refused() -> None:
    with pytest.raises(FormatError) as refused:
        read_composition(json.dumps(stored(), indent=1).encode())

    assert refused.value.code == "composition.not_canonical"


@pytest.mark.parametrize(
    ("strength", "window"), [(0.0, (-0.3, 0.3)), (0.4, (-0.3, 0.6)), (-0.3, (-0.5, 0.5))]
)
def test_composition_with_a_strength_outside_its_window_is_refused(
    strength: float, window: tuple[float, float]
) -> None:
    made = composition(np.eye(2))
    wrong = replace(made.members[0], strength=strength, window=window)

    with pytest.raises(FormatError):
        replace(made, members=(wrong, made.members[1]))
