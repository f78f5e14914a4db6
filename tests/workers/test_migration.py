"""What the map of a migration is fitted on. The whole run is in the flow tests."""

from steering_core.evaluation.suite import Suite, Turn
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from workers.tasks.migration import MAP_TEXTS, map_turns

PAIRS = [ContrastivePair(prompt=f"q {i}", positive=f"yes {i}", negative=f"no {i}") for i in range(30)]
SPLITS = Splits(train=tuple(range(20)), select=tuple(range(20, 25)), test=tuple(range(25, 30)))


def suite_of(n: int) -> Suite:
    return Suite("house", "", neutral=tuple(Turn(f"prompt {i}", f"reply {i}") for i in range(n)))


def test_map_turns_are_the_suites_neutral_ones() -> None:
    assert map_turns(suite_of(30), PAIRS, SPLITS) == list(suite_of(30).neutral)


def test_map_turns_of_a_large_suite_are_spread_over_it() -> None:
    turns = map_turns(suite_of(4 * MAP_TEXTS), PAIRS, SPLITS)

    assert len(turns) == MAP_TEXTS
    assert turns[-1].prompt == f"prompt {4 * MAP_TEXTS - 4}"


def test_map_turns_without_enough_neutral_ones_are_the_train_pairs_and_none_of_the_test() -> None:
    turns = map_turns(suite_of(10), PAIRS, SPLITS)

    assert len(turns) == 40
    assert {turn.prompt for turn in turns} == {f"q {i}" for i in range(20)}
    assert turns[:2] == [Turn("q 0", "yes 0"), Turn("q 0", "no 0")]
