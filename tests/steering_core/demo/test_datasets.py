"""Contrastive pairs of the demo language: repeatable, and different on one axis only."""

from collections import Counter
from pathlib import Path

import pytest

from steering_core.demo.datasets import demo_pairs, neutral_prompts
from steering_core.demo.examples import example_bytes, write_examples
from steering_core.demo.grammar import parse_topic
from steering_core.demo.lexicon import AXES, DOMAINS
from steering_core.demo.scoring import score
from steering_core.errors import PairsError
from steering_core.pairs.readers import read_pairs

EXAMPLES = Path(__file__).parents[3] / "examples"


def _mean_gap(axis: str, on: str) -> float:
    pairs = demo_pairs(axis, 120, 4)
    return sum(score(on, p.prompt, p.positive) - score(on, p.prompt, p.negative) for p in pairs) / len(pairs)


@pytest.mark.parametrize("axis", AXES)
def test_pairs_of_an_axis_differ_on_it_alone(axis: str) -> None:
    assert _mean_gap(axis, axis) > 1.2
    assert all(abs(_mean_gap(axis, other)) < 0.2 for other in AXES if other != axis)


def test_pairs_with_equal_seed_are_equal() -> None:
    assert demo_pairs("warmth", 30, 1) == demo_pairs("warmth", 30, 1) != demo_pairs("warmth", 30, 2)
    assert demo_pairs("warmth", 50, 1)[:30] == demo_pairs("warmth", 30, 1)


def test_pairs_of_alphabetical_have_equal_bags_of_words() -> None:
    for pair in demo_pairs("alphabetical", 100, 1):
        assert Counter(pair.positive.split()) == Counter(pair.negative.split())
        assert pair.positive != pair.negative


@pytest.mark.parametrize("axis", AXES)
def test_pairs_of_an_axis_ask_for_what_their_group_and_domain_say(axis: str) -> None:
    for pair in demo_pairs(axis, 40, 1, domains=["legal", "garden"]):
        topic = parse_topic(pair.prompt)
        assert topic is not None
        assert topic.unsafe is (axis == "refusal")
        assert (topic.item, topic.domain.name) == (pair.group, pair.domain)
        assert pair.domain in ("legal", "garden")
        assert not topic.held_out


def test_pairs_of_unknown_axis_domain_or_count_raise() -> None:
    with pytest.raises(PairsError, match="humour"):
        demo_pairs("humour", 3, 1)
    with pytest.raises(PairsError, match="astrology"):
        demo_pairs("warmth", 3, 1, domains=["astrology"])
    with pytest.raises(PairsError, match="one or more"):
        demo_pairs("warmth", 0, 1)


def test_neutral_prompts_name_held_out_topics() -> None:
    topics = [parse_topic(prompt) for prompt in neutral_prompts(50, 1, unsafe=True)]
    assert all(topic and topic.held_out and topic.unsafe for topic in topics)


@pytest.mark.parametrize("axis", AXES)
def test_example_file_is_what_the_command_writes(axis: str) -> None:
    assert (EXAMPLES / f"{axis}.jsonl").read_bytes() == example_bytes(axis)


@pytest.mark.parametrize("axis", AXES)
def test_example_file_covers_all_domains_and_many_groups(axis: str) -> None:
    pairs = read_pairs((EXAMPLES / f"{axis}.jsonl").read_bytes()).pairs
    assert len(pairs) >= 200
    assert {pair.domain for pair in pairs} == set(DOMAINS)
    assert len({pair.group for pair in pairs}) >= 60
    assert len(set(pairs)) == len(pairs)


def test_write_examples_names_a_file_per_axis(tmp_path: Path) -> None:
    assert [path.stem for path in write_examples(tmp_path)] == list(AXES)
