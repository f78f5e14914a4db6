import time
from contextlib import contextmanager

import pytest

from steering_core.evaluation import latency
from steering_core.evaluation.latency import measure
from steering_core.evaluation.subject import Findings


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(latency, "MIN_ROUNDS", 4)
    monkeypatch.setattr(latency, "MAX_ROUNDS", 4)
    monkeypatch.setattr(latency, "BATCHES", (1, 2))


def measured(subject):
    section = measure(subject, Findings(), lambda fraction: None)
    assert section.metrics == ()  # what differs between runs is no metric
    return section.facts


def test_measure_times_every_arm_at_every_batch_size(subject_of):
    facts = measured(subject_of())

    arms = [(row["batch"], row["what"], row["n_vectors"]) for row in facts["rows"]]
    assert arms == [(b, what, n) for b in (1, 2) for what in ("prompt", "token") for n in (0, 1, 4)]
    assert all(0 < row["median_ms"] <= row["p95_ms"] * 1.000001 for row in facts["rows"])
    assert all(row["low"] <= row["ratio"] <= row["high"] for row in facts["rows"])
    assert (facts["device"], facts["prompt_tokens"]) == ("cpu", 64)


def test_measure_slow_steering_is_seen_in_the_ratio_and_warns(subject_of, monkeypatch):
    @contextmanager
    def slow(lm, vectors):
        handle = lm.model.register_forward_pre_hook(lambda *given: time.sleep(0.01 * len(vectors)))
        yield
        handle.remove()

    monkeypatch.setattr(latency, "steer", slow)
    monkeypatch.setattr(latency, "BATCHES", (1,))
    facts = measured(subject_of())
    token = {row["n_vectors"]: row for row in facts["rows"] if row["what"] == "token"}

    assert facts["verdict"] == "warn"
    assert token[4]["median_ms"] - token[0]["median_ms"] > 25
    assert token[4]["ratio"] > token[1]["ratio"] > 1


def test_many_vectors_stand_at_different_blocks(subject_of):
    keys = [next(iter(vector.directions)) for vector in latency._many(subject_of())]

    assert keys == ["resid_post.0", "resid_post.1", "resid_post.2", "resid_post.3"]
