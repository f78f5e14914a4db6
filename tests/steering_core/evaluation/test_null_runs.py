"""Vectors without a right to an effect must not pass the causal gate more than one time in twenty."""

from dataclasses import replace

import numpy as np
import pytest

from steering_core.evaluation.controls import Null, causal_verdict
from steering_core.evaluation.nulls import null_additions
from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.statistics import ClusterBootstrap, clopper_pearson
from steering_core.models.tokens import EncodedPair

N_ITEMS, N_CONTROLS, ANSWER_TOKENS = 8, 19, 10
KEPT = ("pass", "warn")


def false_positives(changes, clusters, pools, runs, seed=0):
    """How many of `runs` candidates are not failed, each beside fresh draws from the other vectors.

    changes: (n_items, n_candidates), what each did; candidates are each other's isotropic null.
    pools: the effects of other kinds' vectors.
    """
    rng, bootstrap = np.random.default_rng(seed), ClusterBootstrap(clusters, 400, 0)
    effects, passed = changes.mean(0), 0
    for _ in range(runs):
        own, *others = rng.permutation(changes.shape[1])[: N_CONTROLS + 1]
        nulls = [Null("isotropic", effects[others])]
        nulls += [Null(kind, rng.choice(pool, N_CONTROLS, replace=False)) for kind, pool in pools.items()]
        passed += causal_verdict(bootstrap.mean(changes[:, own])[0], effects[own], nulls) in KEPT
    return passed


@pytest.mark.parametrize("noise", ["normal", "skewed", "heavy"])
def test_causal_verdict_vectors_without_an_effect_pass_one_time_in_forty_at_most(noise):
    rng = np.random.default_rng(1)
    draw = {
        "normal": rng.standard_normal,
        "skewed": lambda size: rng.exponential(size=size) - 1,
        "heavy": lambda size: rng.standard_t(3, size),
    }[noise]
    # Each vector has an effect of its own, as a random direction does, and items differ.
    changes = draw((1, 600)) + draw((12, 600))
    changes *= rng.choice([-1, 1], (1, 600))
    clusters = [str(i) for i in range(12)]

    passed = false_positives(changes, clusters, {}, runs=600)

    assert clopper_pearson(passed, 600)[0] <= 0.025
    assert passed > 0  # the rule is a test and not a wall


def test_causal_verdict_real_random_vectors_do_not_pass(subject_of):
    subject = subject_of()
    vectors = null_additions(subject, 20)
    candidates = null_additions(replace(subject, digest="another"), 40)["isotropic"]
    drawn = np.concatenate([candidates, vectors["covariance_matched"], vectors["sign_flip"]])
    _, items, clusters = subject.test_items(N_ITEMS)
    answers = [
        EncodedPair(
            pair.positive[: pair.prompt_length + ANSWER_TOKENS],
            pair.negative[: pair.prompt_length + ANSWER_TOKENS],
            pair.prompt_length,
        )
        for pair in items
    ]
    found = propensities(subject.lm, answers, subject.place, np.concatenate([-drawn, drawn])).preference
    changes = found[:, len(drawn) :] - found[:, : len(drawn)]
    pools = dict(zip(("covariance_matched", "sign_flip"), np.split(changes[:, 40:].mean(0), 2), strict=True))

    passed = false_positives(changes[:, :40], clusters, pools, runs=200)

    assert passed <= 0.05 * 200
