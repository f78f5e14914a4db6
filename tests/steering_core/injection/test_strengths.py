import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering_core.errors import FormatError, InjectionError, ModelError, ModelMismatchError
from steering_core.injection import Condition, Multiplier, Nats, Steering, SteeringWarning, Window, steer
from steering_core.injection.strengths import strength_for_dose
from steering_core.spec import ModelIdentity, Provenance
from steering_core.vector import SteeringVector
from tests.steering_core.injection.conftest import direction, logits, moved

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [1, 3, 9, 6, 2, 4]])
DOSES = ((-0.6, 0.9), (-0.3, 0.25), (0.0, 0.0), (0.2, 0.04), (0.4, 0.36))
IDENTITY = ModelIdentity("tiny", "sha256:" + "1" * 64, "LlamaForCausalLM", 3, 32)


def refusal(context):
    """The code with which steering is refused, on making it or on entering it."""
    with pytest.raises((InjectionError, ModelError, FormatError)) as refused, context():
        pass
    return refused.value.code


@pytest.fixture
def vector(tiny_lm, make_vector):
    return make_vector(
        tiny_lm("llama").identity, {"resid_post.1": direction(1)}, window=(-0.2, 0.3), doses=DOSES
    )


@pytest.fixture
def norm_moved(tiny_lm):
    """The norm of what an item adds, as a share of the residual norm of 10."""
    lm = tiny_lm("llama")

    def measure(item, **options):
        delta = moved(lm, "resid_post.1", steer(lm, [item], **options), lambda: logits(lm.model, IDS))
        return float(delta.norm(dim=-1).mean()) / 10

    return measure


@pytest.fixture(scope="module")
def measured():
    """A vector with doses; hypothesis wants a fixture that outlives one example."""
    digest = "sha256:" + "0" * 64
    return SteeringVector(
        model=IDENTITY,
        directions={"resid_post.1": direction(1)},
        residual_norms={"resid_post.1": 10.0},
        provenance=Provenance("mean_difference", "response_mean", digest, digest, "tests"),
        doses=DOSES,
    )


@given(nats=st.floats(0, 0.36))
def test_strength_for_dose_follows_the_square_of_the_strength(measured, nats):
    found = strength_for_dose(measured, nats)

    # Both measured doses of the positive side lie on nats = strength ** 2 from the origin to 0.2.
    expected = math.sqrt(nats) if nats <= 0.04 else 0.2 + 0.2 * (math.sqrt(nats) - 0.2) / 0.4
    assert math.isclose(found, expected, abs_tol=1e-9)


def test_strength_for_dose_measured_points_come_back_on_both_sides(measured):
    for strength, nats in DOSES:
        assert math.isclose(strength_for_dose(measured, math.copysign(nats, strength)), strength)


def test_strength_for_dose_of_a_curve_that_falls_takes_the_first_strength_that_reaches_it(make_vector):
    vector = make_vector(IDENTITY, {"resid_post.1": direction(1)}, doses=((0.1, 0.5), (0.2, 0.1), (0.3, 0.6)))

    assert math.isclose(strength_for_dose(vector, 0.5), 0.1)
    assert 0.2 < strength_for_dose(vector, 0.55) < 0.3


@pytest.mark.parametrize(
    ("nats", "code", "said"),
    [(0.5, "injection.dose_range", "0 to 0.36 nats"), (-1.0, "injection.dose_range", "up to -0.6")],
)
def test_strength_for_dose_beyond_the_curve_names_its_range(measured, nats, code, said):
    with pytest.raises(InjectionError, match=said) as refused:
        strength_for_dose(measured, nats)
    assert refused.value.code == code


def test_strength_for_dose_without_a_curve_on_that_side_is_refused(make_vector):
    vector = make_vector(IDENTITY, {"resid_post.1": direction(1)}, doses=((0.1, 0.5),))

    with pytest.raises(InjectionError, match="negative strengths") as refused:
        strength_for_dose(vector, -0.1)
    assert refused.value.code == "injection.no_doses"


def test_steer_strength_forms_move_by_what_they_say(norm_moved, vector):
    assert math.isclose(norm_moved((vector, 0.25)), 0.25, abs_tol=1e-5)
    assert math.isclose(norm_moved((vector, Nats(0.04))), 0.2, abs_tol=1e-5)
    raw = float(np.linalg.norm(direction(1))) / 10
    assert math.isclose(norm_moved((vector, Multiplier(0.4))), 0.4 * raw, abs_tol=1e-5)


def test_steer_outside_the_window_is_clamped_or_refused_as_asked(norm_moved, vector):
    assert math.isclose(norm_moved((vector, 0.5), outside_window="clamp"), 0.3, abs_tol=1e-5)
    assert math.isclose(norm_moved((vector, -0.5), outside_window="clamp"), 0.2, abs_tol=1e-5)
    assert math.isclose(norm_moved((vector, 0.3), outside_window="refuse"), 0.3, abs_tol=1e-5)
    with pytest.raises(InjectionError, match=r"-0\.2 to 0\.3") as refused:
        norm_moved((vector, 0.31), outside_window="refuse")
    assert refused.value.code == "injection.window"


def test_steer_window_speaks_of_the_vectors_own_operation_only(norm_moved, vector):
    item = Steering(vector, 1.0, "project")

    assert norm_moved(item, outside_window="refuse") > 0
    with pytest.warns(SteeringWarning, match="outside the window"):
        norm_moved((vector, Multiplier(1.0)))


def test_steer_what_cannot_be_meant_is_refused_with_its_code(tiny_lm, vector):
    lm = tiny_lm("llama")

    def code(*items, **options):
        return refusal(lambda: steer(lm, items, **options))

    assert code((vector, Multiplier(20))) == "injection.strength"
    assert code(Steering(vector, math.inf, "project")) == "injection.strength"
    assert code(Steering(vector, 1.5, "clamp")) == "injection.strength"
    assert code(Steering(vector, 1.0, "clamp")) == "injection.set_points"
    assert code(Steering(vector, Multiplier(1.0), "project")) == "injection.strength_form"
    assert code(Steering(vector, Nats(0.1), "project")) == "injection.strength_form"
    assert code((vector, 0.1), (vector, [0.1, 0.2]), (vector, [0.1] * 3)) == "injection.rows"
    assert code((vector, [0.1, 0.2]), prompt_lengths=[1, 2, 3]) == "injection.rows"
    assert code((vector, 0.1), positions="everywhere") == "injection.positions"
    assert code((vector, 0.1), outside_window="ignore") == "injection.outside_window"
    assert code((vector, 0.1), positions=torch.ones(2, 6)) == "injection.positions"


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda v: Window(-1), "injection.positions"),
        (lambda v: Window(3, 3), "injection.positions"),
        (lambda v: Steering(v, 1.0, "rotate"), "injection.operation"),
        (lambda v: Steering(v, 1.0, "project", keep_norm=True), "injection.keep_norm"),
        (lambda v: Steering(v, 1.0, interval=(0, 1)), "injection.interval"),
        (lambda v: Steering(v, 1.0, "clamp", interval=(1, 0)), "injection.interval"),
        (lambda v: Steering(v, 1.0, "clamp", interval=(math.nan, 0)), "injection.interval"),
        (lambda v: Steering(v, 1.0, "clamp", interval=(math.inf, math.inf)), "injection.interval"),
        (lambda v: Condition(v, "resid_post.1", math.nan), "injection.threshold"),
        (lambda v: Condition(v, "resid_post.2", 0.0), "format.site_key"),
    ],
)
def test_mix_what_holds_nothing_is_refused_where_it_is_made(vector, made, code):
    with pytest.raises((InjectionError, FormatError)) as refused:
        made(vector)
    assert refused.value.code == code


def test_steer_stack_over_the_cap_is_refused_and_the_cap_can_be_raised(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    left, right = (make_vector(lm.identity, {"resid_post.1": s * direction(1)}) for s in (1, -1))

    with pytest.raises(InjectionError, match=r"comes to 2\.4") as refused:
        steer(lm, [(left, 1.2), (left, 1.2)])
    assert refused.value.code == "injection.cap"
    for fine in ([(left, 1.2), (right, 1.2)], [(left, 2.0)], [(left, [1.2, 0]), (left, [0, 1.2])]):
        with steer(lm, fine):
            pass
    with steer(lm, [(left, 1.2), (left, 1.2)], cap=3):
        pass
    split = [Steering(left, 1.2, positions="prompt"), Steering(right, 1.2, positions="response")]
    with pytest.raises(InjectionError, match=r"comes to 1\.2"):
        steer(lm, split, cap=1)


def test_steer_vector_of_another_revision_is_taken_by_who_names_its_hash(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    other = make_vector(IDENTITY, {"resid_post.1": direction(1)})

    assert refusal(lambda: steer(lm, [(other, 0.3)])) == "model.mismatch"
    assert refusal(lambda: steer(lm, [(other, 0.3)], made_for="sha256:" + "2" * 64)) == "model.mismatch"
    assert (
        refusal(lambda: steer(lm.model, [(other, 0.3)], made_for=lm.identity.model_hash)) == "model.mismatch"
    )
    delta = moved(
        lm,
        "resid_post.1",
        steer(lm, [(other, 0.3)], made_for=IDENTITY.model_hash),
        lambda: logits(lm.model, IDS),
    )
    assert torch.allclose(delta.norm(dim=-1), torch.full((2, 6), 3.0), atol=1e-4)


def test_steer_named_vector_of_a_deeper_model_must_still_name_a_block_that_exists(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    deep = ModelIdentity("deep", "sha256:" + "1" * 64, "LlamaForCausalLM", 8, 32)
    fits, beyond = (make_vector(deep, {f"resid_post.{i}": direction(1)}) for i in (2, 5))

    with steer(lm, [(fits, 0.3)], made_for=deep.model_hash):
        pass
    assert refusal(lambda: steer(lm, [(fits, 0.3)])) == "model.mismatch"
    assert refusal(lambda: steer(lm, [(beyond, 0.3)], made_for=deep.model_hash)) == "model.no_such_block"


def test_condition_vector_of_another_revision_is_a_mismatch(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    vector, other = (make_vector(i, {"resid_post.1": direction(1)}) for i in (lm.identity, IDENTITY))

    with pytest.raises(ModelMismatchError):
        steer(lm, [Steering(vector, 0.3, when=Condition(other, "resid_post.1", 0.0))])
