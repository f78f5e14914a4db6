"""The shipped demo model has styles that steer and an axis that it does not know.

The whole report of a style is read in tests/embedded/test_demo.py.
"""

import pytest
import torch

from steering_core.demo.datasets import demo_pairs
from steering_core.demo.paths import weights_path
from steering_core.demo.scoring import choose_scorer, demo_scorer
from steering_core.demo.suite import demo_suite
from steering_core.evaluation.evaluate import Plan
from steering_core.evaluation.pipeline import extract_and_evaluate
from steering_core.injection.generate import generate
from steering_core.injection.hooks import steer
from steering_core.models.load import load_model
from steering_core.pairs.splits import split_pairs
from steering_core.spec import ExtractionSpec

DIGEST = "sha256:" + "1" * 64


@pytest.fixture(scope="module")
def demo_lm():
    torch.set_num_threads(1)
    return load_model(weights_path(), name="demo")


@pytest.fixture(scope="module")
def measured(demo_lm, tmp_path_factory):
    done = {}

    def measure(axis):
        if axis not in done:
            pairs = demo_pairs(axis, 200, 7)
            spec = ExtractionSpec(DIGEST, demo_lm.identity.model_hash)
            done[axis] = extract_and_evaluate(
                demo_lm,
                pairs,
                split_pairs(pairs, DIGEST),
                spec,
                tmp_path_factory.mktemp(axis),
                scorer=choose_scorer(pairs),
                suite=demo_suite(),
                plan=Plan(("geometry", "steerability", "response")),
                progress=lambda *told: None,
            )
        return done[axis]

    return measure


def by_id(report):
    return {metric["id"]: metric for metric in report["metrics"]}


def test_demo_model_alphabetical_order_fails_and_says_why(measured):
    report = measured("alphabetical").report

    assert (report["verdict"], report["grade"]) == ("fail", "F")
    assert "hardly distinguishes the poles" in by_id(report)["ratio"]["reason"]
    assert by_id(report)["auroc"]["verdict"] != "pass"


@pytest.mark.parametrize("axis", ["formality", "alphabetical"])
def test_demo_model_every_value_lies_inside_its_interval(measured, axis):
    for metric in measured(axis).report["metrics"]:
        if metric["low"] is not None and metric["value"] is not None:
            assert metric["low"] - 1e-6 <= metric["value"] <= metric["high"] + 1e-6, metric


def test_demo_model_steered_replies_score_as_the_vector_says(demo_lm, measured):
    vector, scorer = measured("formality").vector, demo_scorer("formality", held_out_markers=True)
    prompts = list(dict.fromkeys(pair.prompt for pair in demo_pairs("warmth", 24, 99)))
    means = []
    for strength in (-0.3, 0.3):
        with steer(demo_lm, [(vector, strength)]):
            texts = generate(demo_lm, prompts)
        means.append(sum(map(scorer.score, prompts, texts)) / len(prompts))

    assert means[1] - means[0] > 0.5


def test_demo_model_negated_vector_turns_the_other_way(demo_lm, measured):
    vector = measured("formality").vector
    with steer(demo_lm, [(vector, -0.2)]):
        expected = generate(demo_lm, ["how do i reset my router ?"])
    with steer(demo_lm, [(-vector, 0.2)]):
        assert generate(demo_lm, ["how do i reset my router ?"]) == expected
