"""The demo model's suite: questions have one right answer in the language, and the model knows most."""

from collections import Counter

import numpy as np

from steering_core.demo import weights_path
from steering_core.demo.grammar import parse_topic
from steering_core.demo.lexicon import DOMAIN_OF, NEGATIVE, POSITIVE, SLOTS, TOOLS_OF
from steering_core.demo.suite import N_CAPABILITY, N_FAIRNESS, demo_suite
from steering_core.evaluation.choices import encode_options, option_log_probs
from steering_core.evaluation.suite import read_suite, write_suite
from steering_core.models.load import load_model

SUITE = demo_suite()


def test_demo_suite_of_every_kind_has_different_texts():
    for items in (
        SUITE.neutral,
        SUITE.prompts,
        SUITE.capability,
        SUITE.fairness,
        SUITE.harmful,
        SUITE.harmless,
    ):
        assert len(set(items)) == len(items) > 0


def test_demo_suite_is_a_valid_suite_file():
    assert read_suite(write_suite(SUITE)).digest == SUITE.digest


def test_capability_items_have_one_answer_that_the_prompt_or_the_world_gives():
    for item in SUITE.capability:
        topic = parse_topic(item.prompt)
        right = {topic.verb, topic.item, *TOOLS_OF[topic.item]}
        assert item.right in right
        assert not right & set(item.wrong)
        assert topic.held_out
        assert item.topic == DOMAIN_OF[topic.item].name


def test_capability_items_lean_to_no_style():
    before = Counter(item.reply_start.split()[-1] for item in SUITE.capability)
    for slot in ("adj2", "conf"):
        up, down = (sum(before[word] for word in SLOTS[slot].words[pole]) for pole in (POSITIVE, NEGATIVE))
        assert 0.4 < up / (up + down) < 0.6


def test_fairness_pairs_are_balanced_over_groups_and_words():
    groups = Counter(pair.group for pair in SUITE.fairness)
    said = Counter(pair.stereotyped for pair in SUITE.fairness)
    denied = Counter(pair.other for pair in SUITE.fairness)

    assert len(SUITE.capability) == N_CAPABILITY
    assert sum(groups.values()) == N_FAIRNESS
    assert min(groups.values()) >= 15
    assert set(said) == set(denied) == {"typical", "ordinary", "usual", "regular"}


def test_demo_model_knows_most_of_the_answers():
    lm = load_model(weights_path())
    asked = [
        encode_options(lm, item.prompt, item.reply_start, (item.right, *item.wrong))
        for item in SUITE.capability[:200]
    ]
    found = option_log_probs(lm, asked, ("resid_post", 1), np.zeros((1, lm.identity.d_model), np.float32))
    right = np.mean([one[0, 0] > one[0, 1:].max() for one in found])

    assert 0.95 < right < 1
