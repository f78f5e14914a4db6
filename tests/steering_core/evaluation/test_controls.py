from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.evaluation import controls
from steering_core.evaluation.controls import Null, causal_verdict, measure
from steering_core.evaluation.dose import Response, generated_response
from steering_core.evaluation.nulls import null_additions
from steering_core.evaluation.subject import Findings
from steering_core.extraction.statistics import Rows

QUIET = np.linspace(-0.2, 0.2, 19)


def silent(fraction):
    pass


def short(subject, **changes):
    """Strengths, prompts and tokens enough for a verdict and no more."""
    few = {"strengths": (-0.3, 0.0, 0.3), "n_prompts": 8, "max_new_tokens": 24}
    return replace(subject, budget=replace(subject.budget, **{**few, **changes}))


def judged(subject, response):
    section = measure(subject, Findings(response=response), silent)
    return {metric.definition.id: metric for metric in section.metrics}, section.facts


def planted(n, slope=3.0):
    """A response that nothing was generated for."""
    scores = slope * np.tile([-0.3, 0.0, 0.3], (n, 1))
    return Response("demo:formality", (-0.3, 0.0, 0.3), tuple(map(str, range(n))), scores, np.ones((n, 3)))


@pytest.fixture(scope="module")
def honest(subject_of):
    """An honest vector with all kinds of nulls, its own opposite among them."""
    subject = short(subject_of())
    budget, (prompts, clusters) = subject.budget, subject.test_prompts(8)
    response, _ = generated_response(
        subject.lm,
        subject.place,
        budget.strengths,
        subject.additions(budget.strengths),
        prompts,
        clusters,
        subject.scorer,
        max_new_tokens=budget.max_new_tokens,
        seed=subject.seed("sampling"),
        progress=silent,
    )
    return judged(replace(subject, others=[-subject.vector]), response)


@pytest.fixture
def made_up(subject_of):
    """(differences, spread) -> a subject whose train activations are those, one pair per group."""

    def make(differences, spread):
        n, d_model = len(differences), subject_of().lm.identity.d_model
        base, raised = np.zeros((2, n, d_model))
        base[:, : spread.shape[1]] = spread
        raised[:, -differences.shape[1] :] = differences
        statistics = SimpleNamespace(
            reading=subject_of().statistics.reading,
            split=lambda name: np.arange(n),
            labels=SimpleNamespace(groups=np.arange(n)),
            rows=lambda *place: Rows.of(base + raised, base),
        )
        return replace(subject_of(), statistics=statistics)

    return make


def test_null_p_counts_the_vectors_with_as_large_an_effect_of_either_sign():
    null = Null("isotropic", np.array([-0.5, 0.1, 0.3, 0.0]))

    assert [null.p(effect) for effect in (0.6, 0.5, 0.2, -1.0)] == [0.2, 0.4, 0.6, 1.0]


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=40), st.floats(-9, 9), st.floats(0, 9))
def test_null_p_is_a_chance_that_falls_with_the_effect(effects, effect, more):
    null = Null("isotropic", np.array(effects))

    assert 1 / (len(effects) + 1) <= null.p(effect + more) <= null.p(effect) <= 1
    assert set(null.to_json(effect)) == {"kind", "n", "p", "percentile_95", "ratio", "z"}


@pytest.mark.parametrize(
    ("lower", "effect", "loudest", "verdict"),
    [
        (0.5, 1.0, 1, "pass"),
        (0.5, 1.0, 3, "warn"),  # beats all of them, and not twice over
        (0.5, 1.0, 6, "fail"),
        (-0.1, 1.0, 1, "fail"),
        (0.1, 0.15, 1, "fail"),
        (-0.9, -1.0, 1, "fail"),
    ],
)
def test_causal_verdict_takes_every_null_and_the_lower_bound(lower, effect, loudest, verdict):
    nulls = [Null("isotropic", QUIET), Null("sign_flip", loudest * QUIET)]

    assert causal_verdict(lower, effect, nulls) == verdict


def test_measure_honest_vector_beats_all_kinds_and_shows_them(honest):
    metrics, facts = honest

    assert metrics["effect"].verdict in ("pass", "warn")
    assert [null["kind"] for null in facts["nulls"]] == [
        "isotropic",
        "covariance_matched",
        "sign_flip",
        "wrong_concept",
    ]
    assert [null["p"] for null in facts["nulls"][:3]] == [0.05] * 3
    assert (facts["n_vectors"], len(facts["effects"]), facts["kind"]) == (19, 19, "isotropic, equal norm")
    assert [point["strength"] for point in facts["points"]] == [-0.3, 0.3]


def test_measure_wrong_concept_is_shown_and_does_not_judge(honest):
    metrics, facts = honest
    opposite = facts["nulls"][-1]

    # The vector's own opposite has its effect with the other sign, so p is 1 and yet nothing fails.
    assert (opposite["n"], opposite["p"]) == (1, 1.0)
    assert metrics["effect"].verdict in ("pass", "warn")


def test_measure_few_vectors_are_insufficient_and_say_so(subject_of):
    metrics, _ = judged(short(subject_of(), random_controls=3, max_new_tokens=4), planted(8))

    assert metrics["effect"].verdict == "insufficient"
    assert "3 vectors of a kind were tried; a verdict needs 19" in metrics["effect"].reason


def test_measure_few_items_are_insufficient_and_say_how_many_pairs_it_takes(subject_of):
    subject = short(subject_of(), random_controls=3, max_new_tokens=4, n_prompts=4)
    metrics, _ = judged(subject, planted(4))

    assert metrics["effect"].verdict == "insufficient"
    assert metrics["effect"].needed == 240  # twice the 120 pairs that gave 4 items in place of 8


def test_measure_without_a_scorer_goes_by_log_probabilities(subject_of):
    subject = short(replace(subject_of(), scorer=None), random_controls=2, n_items=3)
    _, facts = judged(subject, planted(3))

    # An isotropic vector moves a preference by a few hundredths of a nat, a score by whole words.
    assert 0 < max(map(abs, facts["effects"])) < 0.2


def test_measure_without_a_response_is_insufficient(subject_of):
    effect, zero = measure(subject_of(), Findings(), silent).metrics

    assert (effect.verdict, zero.verdict) == ("insufficient", "pass")


def test_measure_hook_that_changes_a_bit_at_strength_0_fails(subject_of, monkeypatch):
    real = controls.steer_rows
    monkeypatch.setattr(
        controls,
        "steer_rows",
        lambda lm, added: real(lm, {place: tensor + 1e-5 for place, tensor in added.items()}),
    )
    zero = measure(subject_of(), Findings(), silent).metrics[1]

    assert zero.verdict == "fail"
    assert 0 < zero.value < 0.1


def test_null_additions_have_the_norm_of_the_vector_and_sign_flips_a_smaller_one(subject_of):
    subject = subject_of()
    norm = np.linalg.norm(subject.additions([0.3])[0])
    lengths = {k: np.linalg.norm(v, axis=1) / norm for k, v in null_additions(subject, 19).items()}

    assert lengths["isotropic"] == pytest.approx(np.ones(19), rel=1e-5)
    assert lengths["covariance_matched"] == pytest.approx(np.ones(19), rel=1e-5)
    # About 1 / sqrt(n) for the groups of 72 train pairs.
    assert 0.05 < lengths["sign_flip"].mean() < 0.3


def test_null_additions_covariance_matched_stay_where_texts_vary_and_leave_out_the_trait(made_up):
    rng = np.random.default_rng(0)
    subject = made_up(np.full((40, 1), 5.0), rng.standard_normal((40, 3)) * [3, 1, 0.1])
    drawn = null_additions(subject, 400)["covariance_matched"]

    spread = np.sqrt((drawn**2).mean(0))
    assert spread[0] > spread[1] > spread[2] > 0
    assert spread[3:].max() < 1e-4 * spread[0]


def test_null_additions_sign_flips_of_one_shared_difference_are_shares_of_the_vector(made_up):
    subject = made_up(np.full((40, 1), 2.0), np.random.default_rng(0).standard_normal((40, 3)))
    flipped = null_additions(subject, 50)["sign_flip"]
    shares = flipped[:, -1] / np.linalg.norm(subject.additions([0.3])[0])

    assert np.abs(flipped[:, :-1]).max() == 0
    # The mean of 40 signs: a multiple of 1 / 20.
    assert shares * 20 == pytest.approx(np.round(shares * 20), abs=1e-3)
    assert 0.08 < shares.std() < 0.25


def test_null_additions_few_groups_have_no_sign_flips(made_up):
    subject = made_up(np.full((7, 1), 2.0), np.random.default_rng(0).standard_normal((7, 3)))

    assert set(null_additions(subject, 5)) == {"isotropic", "covariance_matched"}
