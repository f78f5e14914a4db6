from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from steering_core.errors import FormatError, ModelMismatchError
from steering_core.spec import OPERATIONS, SIGNS, ModelIdentity, Provenance
from steering_core.vector import SteeringVector, combined

HASH = "sha256:" + "1" * 64
PROVENANCE = Provenance("mean_difference", "response_mean", HASH, HASH, "bearing 0.1.0")
ELEMENTS = st.floats(-100, 100, width=32)
FACTORS = st.floats(0.01, 100)
KEY = "resid_post.3"
MEASURED: dict[str, object] = {
    "sign": "positive",
    "set_points": {KEY: (-1.5, 2.5)},
    "window": (-0.2, 0.4),
    "doses": ((-0.3, 0.5), (0.0, 0.0), (0.3, 0.25), (0.6, 2.0)),
}


def _vector(
    direction: object, *, norm: float = 10.0, model_hash: str = HASH, **changes: object
) -> SteeringVector:
    row = np.asarray(direction, dtype=np.float32)
    fields: dict[str, object] = {
        "model": ModelIdentity("tiny", model_hash, "LlamaForCausalLM", 4, len(row)),
        "directions": {KEY: row},
        "residual_norms": {KEY: norm},
        "provenance": PROVENANCE,
        **changes,
    }
    return SteeringVector(**fields)  # type: ignore[arg-type]


ROWS = stn.arrays(np.float32, 6, elements=ELEMENTS).filter(lambda row: np.abs(row).max() > 0.01)


@given(ROWS, st.floats(-2, 2), st.floats(0.1, 1000))
def test_addition_has_the_norm_that_the_strength_says(row: np.ndarray, strength: float, norm: float) -> None:
    added = _vector(row, norm=norm).addition(strength, KEY)

    assert added.dtype == np.float32
    assert np.linalg.norm(added.astype(np.float64)) == pytest.approx(
        abs(strength) * norm, rel=1e-5, abs=1e-30
    )


@given(ROWS, st.floats(-2, 2))
def test_addition_is_the_multiplier_times_the_direction(row: np.ndarray, strength: float) -> None:
    vector = _vector(row)
    expected = vector.multiplier(strength, KEY) * vector.directions[KEY]

    np.testing.assert_allclose(vector.addition(strength, KEY), expected, rtol=1e-4, atol=1e-5)


@given(ROWS)
def test_multiplier_at_the_ratio_is_one(row: np.ndarray) -> None:
    vector = _vector(row)

    assert vector.multiplier(vector.ratio(KEY), KEY) == pytest.approx(1.0)


@given(ROWS, FACTORS)
def test_mul_positive_factor_leaves_additions_and_what_was_measured(row: np.ndarray, factor: float) -> None:
    vector = _vector(row, **MEASURED)
    scaled = factor * vector

    np.testing.assert_allclose(scaled.addition(0.3, KEY), vector.addition(0.3, KEY), rtol=1e-4, atol=1e-5)
    for name in ("sign", "set_points", "window", "doses"):
        assert getattr(scaled, name) == getattr(vector, name)
    assert scaled.ratio(KEY) == pytest.approx(factor * vector.ratio(KEY), rel=1e-5)


@given(ROWS)
def test_neg_turns_all_that_has_a_side_round(row: np.ndarray) -> None:
    turned = -_vector(row, **MEASURED)

    np.testing.assert_array_equal(turned.directions[KEY], -row)
    assert turned.sign == "negative"
    assert turned.set_points == {KEY: (1.5, -2.5)}
    assert turned.window == (-0.4, 0.2)
    assert turned.doses == ((-0.6, 2.0), (-0.3, 0.25), (0.0, 0.0), (0.3, 0.5))


@pytest.mark.parametrize("operation", ["project", "clamp"])
def test_neg_of_an_operation_without_sides_leaves_its_strengths(operation: str) -> None:
    turned = -_vector([1, 2], **MEASURED, operation=operation)

    assert (turned.sign, turned.set_points) == ("negative", {KEY: (1.5, -2.5)})
    assert (turned.window, turned.doses) == (MEASURED["window"], MEASURED["doses"])


@given(ROWS, st.sampled_from(OPERATIONS), st.sampled_from(SIGNS))
def test_neg_twice_gives_the_vector_back(row: np.ndarray, operation: str, sign: str) -> None:
    vector = _vector(row, **{**MEASURED, "operation": operation, "sign": sign})
    again = vector * -1 * -1

    assert again.tensor_digest == vector.tensor_digest
    for name in ("sign", "set_points", "window", "doses", "residual_norms", "operation"):
        assert getattr(again, name) == getattr(vector, name)


@given(ROWS, st.floats(-0.6, 0.6))
def test_neg_at_the_opposite_strength_adds_the_same(row: np.ndarray, strength: float) -> None:
    vector = _vector(row)

    np.testing.assert_array_equal((-vector).addition(-strength, KEY), vector.addition(strength, KEY))


def test_mul_zero_is_a_measurement_of_nothing() -> None:
    nothing = _vector([1, 2], **MEASURED) * 0

    assert (nothing.sign, nothing.set_points, nothing.window, nothing.doses) == ("unknown", {}, None, ())


@given(ROWS, ROWS)
def test_add_is_commutative_and_sums_site_by_site(one: np.ndarray, two: np.ndarray) -> None:
    left, right = _vector(one), _vector(two)

    np.testing.assert_array_equal((left + right).directions[KEY], one + two)
    assert (left + right).tensor_digest == (right + left).tensor_digest


@given(ROWS)
def test_add_of_the_opposite_is_zero_and_has_no_strength(row: np.ndarray) -> None:
    nothing = _vector(row) + -_vector(row)

    assert nothing.ratio(KEY) == 0.0
    with pytest.raises(FormatError) as caught:
        nothing.addition(0.3, KEY)
    assert caught.value.code == "format.zero"


def test_add_other_sites_are_kept_and_provenance_says_sum() -> None:
    left = _vector([1, 2])
    right = _vector([3, 4], directions={"mlp_out.0": np.ones(2)}, residual_norms={"mlp_out.0": 2.0})
    other = Provenance("mean_difference", "prompt_last", "", HASH, "bearing 0.1.0")

    assert list((left + right).directions) == ["mlp_out.0", KEY]
    assert (left + _vector([1, 1], provenance=other)).provenance == Provenance(
        "sum", "mixed", "", "", "bearing 0.1.0"
    )


def test_add_keeps_a_sign_that_both_have_and_nothing_that_was_measured() -> None:
    one = _vector([1, 2], **MEASURED)

    assert (one + one).sign == "positive"
    assert (one + -one).sign == "unknown"
    assert ((one + one).set_points, (one + one).window, (one + one).doses) == ({}, None, ())


def test_add_keeps_a_dtype_that_both_have() -> None:
    one, other = (_vector([1, 2], provenance=replace(PROVENANCE, dtype=d)) for d in ("float32", "bfloat16"))

    assert (one + one).provenance.dtype == "float32"
    assert (one + other).provenance.dtype == ""


def test_add_other_model_is_a_mismatch() -> None:
    with pytest.raises(ModelMismatchError, match="one base model revision") as caught:
        _vector([1, 2]) + _vector([1, 2], model_hash="sha256:" + "2" * 64)

    assert caught.value.code == "model.mismatch"


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (_vector([1, 2], norm=11.0), "format.residual_norm"),
        (_vector([1, 2], operation="clamp"), "format.operation"),
    ],
)
def test_add_other_scale_or_operation_is_refused(other: SteeringVector, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        _vector([1, 2]) + other

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"directions": {}}, "format.no_tensors"),
        ({"directions": {KEY: np.ones((2, 1))}}, "format.dimension"),
        ({"directions": {KEY: np.ones(3)}}, "format.dimension"),
        ({"directions": {KEY: np.array([1, np.nan])}}, "format.not_finite"),
        ({"directions": {"resid_post.4": np.ones(2)}}, "format.block"),
        ({"directions": {"resid_pre.1": np.ones(2)}}, "format.site_key"),
        ({"residual_norms": {KEY: 0.0}}, "format.residual_norm"),
        ({"residual_norms": {KEY: float("inf")}}, "format.residual_norm"),
        ({"residual_norms": {"mlp_out.1": 1.0}}, "format.residual_norm"),
        ({"operation": "explode"}, "format.operation"),
        ({"window": (0.3, -0.3)}, "format.window"),
        ({"window": (float("nan"), 0.3)}, "format.window"),
        ({"sign": "up"}, "format.sign"),
        ({"set_points": {"resid_post.2": (0.0, 1.0)}}, "format.set_points"),
        ({"set_points": {KEY: (0.0, float("nan"))}}, "format.set_points"),
        ({"doses": ((0.3, 0.5), (0.3, 0.5))}, "format.doses"),
        ({"doses": ((0.3, 0.5), (-0.3, 0.5))}, "format.doses"),
        ({"doses": ((0.3, -0.5),)}, "format.doses"),
        ({"doses": ((0.3, float("inf")),)}, "format.doses"),
        ({"doses": ((float("nan"), 0.5),)}, "format.doses"),
    ],
)
def test_vector_that_fits_no_model_is_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(FormatError) as caught:
        _vector([1, 2], **changes)

    assert caught.value.code == code


def test_vector_directions_cannot_be_changed_from_outside() -> None:
    row = np.array([1, 2], dtype=np.float32)
    vector = _vector(row)
    row[0] = 9

    assert vector.directions[KEY][0] == 1
    with pytest.raises(ValueError, match="read-only"):
        vector.directions[KEY][0] = 9
    with pytest.raises(TypeError):
        vector.directions["resid_post.0"] = row  # type: ignore[index]


def test_mul_overflow_and_unknown_site_are_refused() -> None:
    vector = _vector([1, 2])

    with pytest.raises(FormatError, match="infinity"):
        vector * 1e39
    with pytest.raises(FormatError, match="finite number"):
        vector * float("nan")
    with pytest.raises(FormatError, match="no direction at"):
        vector.ratio("resid_post.0")


def test_tensor_digest_changes_with_name_and_value() -> None:
    vector = _vector([1, 2])
    renamed = _vector(
        [1, 2], directions={"resid_post.2": np.array([1, 2])}, residual_norms={"resid_post.2": 1.0}
    )

    assert len({vector.tensor_digest, renamed.tensor_digest, (vector * 2).tensor_digest}) == 3


@given(ROWS, ROWS, FACTORS, FACTORS, st.floats(1, 100), st.floats(1, 100))
def test_combined_is_the_weighted_sum_at_the_mean_of_the_norms(
    one: np.ndarray, two: np.ndarray, a: float, b: float, norm: float, other: float
) -> None:
    expected = a * one.astype(np.float64) + b * two.astype(np.float64)
    parts = [(_vector(one, norm=norm, **MEASURED), a), (_vector(two, norm=other), b)]
    if np.linalg.norm(expected) < 1e-3 * max(a, b):
        return
    found = combined(parts)
    scale = np.abs(a * one).max() + np.abs(b * two).max()
    np.testing.assert_allclose(found.directions[KEY], expected, atol=1e-5 * scale)
    assert found.residual_norms[KEY] == pytest.approx((norm + other) / 2)
    assert (found.window, found.doses, found.provenance.method) == (None, (), "sum")


def test_combined_with_one_part_is_its_opposite_with_all_that_was_measured() -> None:
    vector = _vector([1.0, 2.0], **MEASURED)
    found = combined([(vector, -1.0)])
    assert (found.sign, found.window, found.doses) == ("negative", (-0.4, 0.2), (-vector).doses)
    np.testing.assert_array_equal(found.directions[KEY], [-1.0, -2.0])


@pytest.mark.parametrize(
    ("other", "error", "code"),
    [
        (_vector([-1.0, -2.0]), FormatError, "format.zero"),
        (_vector([1.0, 2.0], model_hash="sha256:" + "2" * 64), ModelMismatchError, ""),
        (
            _vector(
                [1.0, 2.0], directions={"resid_post.2": [1.0, 2.0]}, residual_norms={"resid_post.2": 1.0}
            ),
            FormatError,
            "format.site_key",
        ),
        (_vector([1.0, 2.0], operation="project"), FormatError, "format.operation"),
    ],
)
def test_what_cannot_be_combined_is_refused(other: SteeringVector, error: type[Exception], code: str) -> None:
    with pytest.raises(error) as found:
        combined([(_vector([1.0, 2.0]), 1.0), (other, 1.0)])
    assert code in ("", found.value.code)  # type: ignore[attr-defined]
