from dataclasses import replace

import numpy as np
import pytest
from steering_core.evaluation.metrics import (
    Metric,
    Resampling,
    coherence,
    effect,
    find_window,
    overall,
    separation,
    shift,
    steerability,
)

from steering_core.evaluation.dose import Response
from steering_core.evaluation.ranking import Projections

STRENGTHS = (-0.6, -0.3, -0.1, 0.0, 0.1, 0.3, 0.6)
GROUPS = tuple(f"g{i % 8}" for i in range(24))
RESAMPLING = Resampling(500, 0)


def response(slope=2.0, control=0.1, coherent=(0.5, 1, 1, 1, 1, 1, 0.9), n=24, n_controls=19):
    rng = np.random.default_rng(0)
    return Response(
        score="demo:formality",
        strengths=STRENGTHS,
        clusters=GROUPS[:n],
        scores=slope * np.array(STRENGTHS) + 0.1 * rng.standard_normal((n, 7)),
        coherence=np.tile(np.array(coherent, float), (n, 1)),
        control_low=np.zeros((n, n_controls)),
        control_high=control * np.tile(np.linspace(-1, 1, n_controls), (n, 1)),
    )


def projections(gap, n=24):
    rng = np.random.default_rng(0)
    return Projections(gap + 0.05 * rng.standard_normal(n), 0.05 * rng.standard_normal(n))


@pytest.mark.parametrize(("gap", "verdict"), [(1.0, "pass"), (0.05, "warn"), (-0.3, "fail")])
def test_separation_verdict_follows_the_lower_bound(gap, verdict):
    lengths = (np.ones(24), np.ones(24))
    found = separation(projections(gap), GROUPS, lengths, RESAMPLING)

    assert found.verdict == verdict
    assert found.beside == ("by length alone", 0.5)


def test_separation_of_answers_that_differ_in_length_never_passes():
    longer, shorter = np.full(24, 9.0), np.full(24, 3.0)
    found = separation(projections(1.0), GROUPS, (shorter, longer), RESAMPLING)

    assert (found.verdict, found.value, found.beside) == ("warn", 1.0, ("by length alone", 1.0))
    assert found.reason.startswith("The direction may be one of length.")


def test_shift_small_train_ratio_fails_and_says_why():
    found = shift(projections(1.0), GROUPS, 0.001, RESAMPLING)

    assert found.verdict == "fail"
    assert "hardly distinguishes the poles" in found.reason


@pytest.mark.parametrize(("slope", "verdicts"), [(2.0, ("pass", "pass")), (-2.0, ("fail", "fail"))])
def test_steerability_sign_decides(slope, verdicts):
    strengths = np.array([-0.3, 0.0, 0.3])
    preference = slope * strengths + np.random.default_rng(0).standard_normal((24, 3)) / 100
    found = steerability(preference, strengths, GROUPS, RESAMPLING)

    assert tuple(m.verdict for m in found) == verdicts
    assert found[0].value == pytest.approx(slope, abs=0.05)


@pytest.mark.parametrize(("n_wrong", "verdict"), [(0, "pass"), (8, "pass"), (16, "warn"), (48, "fail")])
def test_anti_steerable_share_and_its_bound_decide(n_wrong, verdict):
    slope = np.where(np.arange(96) < n_wrong, -1.0, 1.0)
    strengths = np.array([-0.3, 0.0, 0.3])
    clusters = [f"g{i}" for i in range(96)]
    found = steerability(slope[:, None] * strengths, strengths, clusters, RESAMPLING)[1]

    assert (found.value, found.verdict) == (n_wrong / 96, verdict)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (response(), "pass"),
        (response(control=3.0), "fail"),
        (response(slope=-2.0), "fail"),
        (response(slope=0.0), "fail"),
        (response(n=6), "insufficient"),
        (response(n_controls=3), "insufficient"),
    ],
)
def test_effect_must_beat_zero_and_every_random_vector(given, verdict):
    assert effect(given, RESAMPLING).verdict == verdict


@pytest.mark.parametrize(
    ("coherent", "window", "verdict"),
    [
        ((0.5, 1, 1, 1, 1, 1, 0.9), (-0.3, 0.3), "pass"),
        ((1, 1, 1, 1, 1, 0.9, 1), (-0.6, 0.1), "warn"),
        ((1, 1, 0.9, 1, 0.9, 1, 1), None, "fail"),
        ((0, 0, 0, 0, 0, 0, 0), None, "fail"),
    ],
)
def test_coherence_window_is_the_widest_run_around_zero(coherent, window, verdict):
    given = response(coherent=coherent)

    assert find_window(given) == window
    assert coherence(given, find_window(given), RESAMPLING).verdict == verdict


def test_window_ends_at_strengths_that_were_measured_and_is_not_given_for_a_few_items():
    assert find_window(response(coherent=(1, 1, 1, 1, 1, 1, 1))) == (STRENGTHS[0], STRENGTHS[-1])
    assert find_window(response(n=6)) is None


def test_coherence_is_the_share_itself_beside_that_without_steering():
    given = response(coherent=(0.5, 0.97, 1, 0.95, 1, 0.99, 0.9))
    found = coherence(given, find_window(given), RESAMPLING).to_json()

    assert (found["value"], found["low"], found["high"]) == (0.98, 0.98, 0.98)
    assert found["beside"] == {"label": "without steering", "value": 0.95}


def test_items_of_one_cluster_have_no_interval():
    given = replace(response(), clusters=("g",) * 24)

    assert (effect(given, RESAMPLING).to_json()["low"], effect(given, RESAMPLING).verdict) == (
        None,
        "insufficient",
    )


def test_too_few_items_keep_their_value_without_an_interval():
    found = separation(projections(1.0, 3), GROUPS[:3], (np.ones(3), np.ones(3)), RESAMPLING)

    assert (found.verdict, found.value, found.interval) == ("insufficient", 1.0, None)
    assert "3 test items in 3 groups" in found.reason


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        (["pass", "warn"], "warn"),
        (["insufficient", "warn"], "insufficient"),
        (["fail", "insufficient"], "fail"),
    ],
)
def test_overall_is_the_worst(verdicts, worst):
    assert overall([Metric("auroc", v, "") for v in verdicts]) == worst


def test_metric_to_json_never_holds_what_json_cannot_say():
    found = Metric("effect", "warn", "", float("nan"), (float("-inf"), 1.23456789)).to_json()

    assert (found["value"], found["low"], found["high"], found["beside"]) == (None, None, 1.234568, None)
