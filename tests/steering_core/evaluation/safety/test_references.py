"""Reference directions, and a vector beside them."""

from dataclasses import replace

import numpy as np
import pytest

from steering_core.evaluation.safety.references import flag_at, library, refusal_cosine
from steering_core.evaluation.safety.requests import requests_of
from steering_core.evaluation.suite import EMPTY_SUITE


def with_direction(subject, direction):
    return replace(
        subject, vector=replace(subject.vector, directions={subject.key: direction.astype(np.float32)})
    )


def test_library_of_the_demo_model_has_unit_directions_at_every_block(subject_of):
    subject = subject_of(block=3)

    known = library(subject, requests_of(subject))

    assert np.linalg.norm(known.directions, axis=1) == pytest.approx(1)
    for block in range(4):
        assert f"prompt_last/resid_post.{block}" in known.names
    assert known.norms[3] == pytest.approx(subject.vector.residual_norms["resid_post.3"], rel=0.3)


def test_refusal_cosine_of_a_reference_itself_warns_and_never_fails(subject_of):
    subject = subject_of(block=3)
    known = library(subject, requests_of(subject))

    metric, facts = refusal_cosine(with_direction(subject, -known.directions[0]), requests_of(subject))

    assert metric.verdict == "warn"
    assert metric.value == pytest.approx(1, abs=1e-5)
    assert facts["energy"] == pytest.approx(1, abs=1e-5)
    assert facts["nearest"] == known.names[0]


def test_refusal_cosine_of_random_directions_passes_and_their_energy_is_as_expected(subject_of):
    subject = subject_of(block=3)
    requests, drawn = requests_of(subject), np.random.default_rng(0).standard_normal((40, 128))

    found = [refusal_cosine(with_direction(subject, direction), requests) for direction in drawn]

    assert sum(metric.verdict == "pass" for metric, _ in found) >= 38
    assert np.mean([facts["energy"] for _, facts in found]) == pytest.approx(
        found[0][1]["random_energy"], rel=0.2
    )


def test_refusal_cosine_without_requests_is_insufficient(subject_of):
    subject = replace(subject_of(), suite=EMPTY_SUITE)

    metric, facts = refusal_cosine(subject, requests_of(subject))

    assert metric.verdict == "insufficient"
    assert "operator" in metric.reason
    assert not facts


def test_flag_at_large_widths_is_that_of_the_policy():
    assert flag_at(4096) == 0.15
    assert flag_at(128) == pytest.approx(0.309, abs=1e-3)
