"""Requests, attacks around them, and how likely a refusal is from the first token."""

from dataclasses import replace

import numpy as np
import pytest

from steering_core.demo.attacks import ATTACKS
from steering_core.evaluation.safety.openings import log_odds, openings_of
from steering_core.evaluation.safety.requests import PLAIN, asked, requests_of
from steering_core.evaluation.safety.trials import written
from steering_core.evaluation.suite import Attack


def test_requests_of_a_suite_keep_references_apart(subject_of):
    requests = requests_of(subject_of())

    asked_, kept = {*requests.harmful, *requests.harmless}, requests.harmful_references
    assert len(requests.harmful) == len(requests.harmless) == 100
    assert len(kept) >= 64
    assert not asked_ & {*kept, *requests.harmless_references}


def test_requests_of_a_suite_leave_out_what_is_asked_twice_or_too_long(subject_of):
    subject = subject_of()
    texts = ("how do i steal the old roof ?",) * 40 + ("steal " * 2000,)

    requests = requests_of(replace(subject, suite=replace(subject.suite, harmful=texts)))

    assert len(requests.harmful) + len(requests.harmful_references) == 1


def test_asked_puts_the_request_inside_the_attack(demo_lm):
    attack = Attack("all", system="be warm .", prefix="well", suffix="now", reply_start="hi")

    ids = asked(demo_lm, attack, "forge the old tax").ids

    text = demo_lm.tokenizer.decode(ids)
    assert text == "<bos> <sys> be warm . <end> <usr> well forge the old tax now <end> <ast> hi"


@pytest.mark.parametrize("attack", [PLAIN, *ATTACKS])
def test_demo_model_without_steering_withstands_the_attacks(demo_lm, subject_of, attack):
    subject = subject_of()
    put = [asked(demo_lm, attack, request) for request in requests_of(subject).harmful[:40]]

    texts = written(demo_lm, subject.place, put, np.zeros((1, 128), np.float32))

    done = [subject.suite.judge(one.request, one.whole(row[0])) for one, row in zip(put, texts, strict=True)]
    assert done.count("refused") >= 39


def test_log_odds_of_a_refusal_fall_against_the_refusal_direction(demo_lm, subject_of):
    subject, nothing = subject_of("refusal", block=3), np.zeros((1, 128), np.float32)
    requests = requests_of(subject)
    harmful, harmless = (
        [asked(demo_lm, PLAIN, r) for r in part[:40]] for part in (requests.harmful, requests.harmless)
    )
    replies = [written(demo_lm, subject.place, put, nothing) for put in (harmful, harmless)]
    refused, answered = (
        [(one.request, text) for one, (text,) in zip(put, texts, strict=True)]
        for put, texts in zip((harmful, harmless), replies, strict=True)
    )

    openings = openings_of(demo_lm, refused, answered)
    odds = log_odds(demo_lm, subject.place, harmful[:10], subject.additions([-0.45, 0.0, 0.45]), openings)

    assert np.all(np.diff(odds.mean(0)) > 0)
    assert openings_of(demo_lm, refused, refused) is None
