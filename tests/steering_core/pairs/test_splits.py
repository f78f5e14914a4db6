import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.errors import PairsError
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits, split_pairs
from steering_core.pairs.usable import group_name, sort_pairs

SEED = "sha256:" + "5" * 64


@st.composite
def datasets(draw: st.DrawFn) -> list[ContrastivePair]:
    """Groups of any sizes, some pairs without one, some repeated."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=3, max_size=15))
    pairs = [
        ContrastivePair(f"yes {group} {n}", f"no {group} {n}", group=f"g{group}" if group % 3 else "")
        for group, size in enumerate(sizes)
        for n in range(size)
    ]
    return pairs + draw(st.lists(st.sampled_from(pairs), max_size=3))


def _texts(pairs: list[ContrastivePair], splits: Splits) -> list[set[ContrastivePair]]:
    return [{pairs[index] for index in part} for part in (splits.train, splits.select, splits.test)]


@given(datasets())
def test_split_pairs_no_group_in_two_splits_and_every_usable_pair_once(pairs: list[ContrastivePair]) -> None:
    splits = split_pairs(pairs, SEED)
    parts = (splits.train, splits.select, splits.test)
    groups = [{group_name(pairs[index]) for index in part} for part in parts]

    assert all(parts)
    assert sum(len(part) for part in groups) == len(set.union(*groups))
    assert sorted(index for part in parts for index in part) == sorted(sort_pairs(pairs).usable)


@given(datasets(), st.randoms(use_true_random=False))
def test_split_pairs_order_of_rows_does_not_matter(pairs: list[ContrastivePair], rng: random.Random) -> None:
    shuffled = list(pairs)
    rng.shuffle(shuffled)

    assert _texts(shuffled, split_pairs(shuffled, SEED)) == _texts(pairs, split_pairs(pairs, SEED))


@given(st.integers(20, 200))
def test_split_pairs_equal_groups_come_near_the_shares(count: int) -> None:
    pairs = [ContrastivePair(f"yes {n}", f"no {n}") for n in range(count)]
    splits = split_pairs(pairs, SEED)

    assert abs(len(splits.train) - 0.6 * count) <= 1
    assert abs(len(splits.select) - 0.2 * count) <= 1
    assert abs(len(splits.test) - 0.2 * count) <= 1


def test_split_pairs_one_giant_group_goes_to_train() -> None:
    pairs = [ContrastivePair(f"yes {n}", "no", group="giant") for n in range(96)]
    pairs += [ContrastivePair(f"yes {n}", "no") for n in range(96, 100)]
    splits = split_pairs(pairs, SEED)

    assert (len(splits.train), len(splits.select), len(splits.test)) == (96, 2, 2)


def test_split_pairs_other_seed_gives_another_split() -> None:
    pairs = [ContrastivePair(f"yes {n}", f"no {n}") for n in range(40)]

    assert split_pairs(pairs, SEED) == split_pairs(pairs, SEED)
    assert split_pairs(pairs, SEED) != split_pairs(pairs, "sha256:" + "6" * 64)


def test_split_pairs_two_groups_are_refused() -> None:
    pairs = [ContrastivePair(f"yes {n}", "no", group=f"g{n % 2}") for n in range(20)]

    with pytest.raises(PairsError) as caught:
        split_pairs(pairs, SEED)

    assert caught.value.code == "dataset.too_few_groups"
