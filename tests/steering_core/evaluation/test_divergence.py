from dataclasses import replace

import numpy as np
import pytest
import torch

from steering_core.evaluation.divergence import MAX_TEXT_TOKENS, dose_curve
from steering_core.injection.hooks import steer
from steering_core.spec import STRENGTHS

TEXTS = [[1, 6, 7, 8, 9, 10], [1, 11, 7], [1, 12, 13, 8, 6], [1, 20, 21, 22]]
KEY = "resid_post.1"


@pytest.fixture
def lm(tiny_lm):
    return tiny_lm("llama")


@pytest.fixture
def vector(lm, make_vector):
    row = np.random.default_rng(0).normal(size=lm.identity.d_model).astype(np.float32)
    return make_vector(lm.identity, {KEY: row}, norm=3.0)


def divergence(lm, vector, strength, texts=TEXTS):
    """KL(unsteered || steered) of each token, one text at a time, from the definition."""

    def probabilities(text):
        with torch.inference_mode():
            return torch.softmax(lm.model(torch.tensor([text])).logits[0, 1:].double(), -1)

    found = []
    for text in texts:
        before = probabilities(text)
        with steer(lm, [(vector, strength)]):
            after = probabilities(text)
        found.append((before * (before / after).log()).sum(-1))
    return torch.cat(found).numpy()


@pytest.mark.parametrize("strength", [-0.6, -0.2, 0.1, 0.45])
def test_dose_curve_is_the_95th_percentile_of_the_divergence(lm, vector, strength):
    expected = np.percentile(divergence(lm, vector, strength), 95)

    assert dict(dose_curve(lm, TEXTS, vector))[strength] == pytest.approx(expected, rel=1e-4, abs=2e-6)


def test_dose_curve_has_every_strength_and_zero_does_nothing(lm, vector):
    curve = dose_curve(lm, TEXTS, vector)

    assert tuple(strength for strength, _ in curve) == STRENGTHS
    assert dict(curve)[0.0] == 0.0
    assert all(nats > 0 for strength, nats in curve if strength)


def test_dose_curve_of_the_negative_is_the_curve_turned_round(lm, vector):
    measured = replace(vector, doses=dose_curve(lm, TEXTS, vector))

    np.testing.assert_allclose(dose_curve(lm, TEXTS, -vector), (-measured).doses)


def test_dose_curve_pushes_at_every_site(lm, vector, make_vector):
    row = vector.directions[KEY]
    both = make_vector(lm.identity, {KEY: row, "mlp_out.2": row[::-1]}, norm=3.0)
    expected = np.percentile(divergence(lm, both, 0.3), 95)

    np.testing.assert_allclose(dose_curve(lm, TEXTS, both, (0.3,)), [(0.3, expected)], atol=1e-6)


def test_dose_curve_reads_the_start_of_long_texts_and_none_of_one_token(lm, vector):
    long = [1, *(6 + i % 20 for i in range(MAX_TEXT_TOKENS))]

    assert dose_curve(lm, [long[:50]], vector, (0.3,)) != dose_curve(lm, [long[:40]], vector, (0.3,))
    assert dose_curve(lm, [[1], []], vector) == ()


def test_dose_curve_leaves_out_a_strength_at_which_numbers_overflow(lm, make_vector):
    along = np.eye(lm.identity.d_model, dtype=np.float32)[0]
    huge = make_vector(lm.identity, {"resid_post.0": along, "resid_post.1": along}, norm=3e38)

    assert dose_curve(lm, TEXTS, huge, (-1.0, 0.0)) == ((0.0, 0.0),)
