"""A bench whose effects are planted and add up: matrix, order, retention and interactions come back."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from steering_core.evaluation.composition import cross_effects, retention
from steering_core.evaluation.composition.bench import Bench, Effort, Material, Member, Mix, Tell, _Reading
from steering_core.evaluation.scorer import TraitScorer
from tests.steering_core.evaluation.composition.planted import NAMES

N = 30
# Vectors by traits: formal takes from warm, sure adds to glad, glad has no effect of its own.
SLOPES = np.array([[2.0, 0.0, 0.1, 0.0], [-1.2, 2.0, 0.0, 0.0], [0.2, -0.1, 3.0, 1.0], [0.0, 0.0, 0.0, 0.0]])


class PlantedBench(Bench):
    """Traits are sums of what each vector does, with noise that is the same in every mix."""

    # Two vectors that break the text when both are on.
    enemies: tuple[int, int] | None = None

    def measure(self, mixes: Iterable[Mix], tell: Tell) -> None:
        noise = np.random.default_rng(0).normal(size=(len(NAMES), N))
        for mix in (self.zero, *mixes):
            traits = np.array(mix) @ SLOPES
            broken = self.enemies is not None and all(mix[i] for i in self.enemies)
            scores = tuple(noise[j] + traits[j] for j in range(len(NAMES)))
            self._readings[mix] = _Reading(scores, np.full(N, 0.5 if broken else 1.0))


@pytest.fixture
def bench(make_vector: Any, tiny_lm: Any) -> PlantedBench:
    lm = tiny_lm()
    scorer = TraitScorer("planted", "planted", "-", "+", lambda p, r: 0.0, lambda p, r: 1.0)
    rows = np.eye(32, dtype=np.float32)[: len(NAMES)]
    vectors = [make_vector(lm.identity, {"resid_post.1": row}) for row in rows]
    members = [Member(name, vector, scorer) for name, vector in zip(NAMES, vectors, strict=True)]
    material = Material(tuple(map(str, range(N))), tuple(map(str, range(N))))
    made = PlantedBench(lm, members, material, Effort(n_resamples=200))
    made.measure(cross_effects.cross_mixes(made), lambda fraction: None)
    return made


def test_effects_are_the_planted_matrix(bench: PlantedBench) -> None:
    found = [[cell.value for cell in row] for row in cross_effects.effects(bench)]

    np.testing.assert_allclose(found, 0.6 * SLOPES, atol=1e-9)


def test_relative_effects_have_no_column_where_there_is_no_own_effect(bench: PlantedBench) -> None:
    found = cross_effects.relative_effects(bench)

    assert [row[3] for row in found] == [None] * 4
    assert found[1][0] is not None
    assert found[1][0].value == pytest.approx(-0.6)
    assert found[1][0].low == pytest.approx(-0.6)


def test_interactions_of_effects_that_add_up_are_the_effects(bench: PlantedBench) -> None:
    found = np.array([[cell.value for cell in row] for row in cross_effects.interactions(bench)])

    np.testing.assert_allclose(found, 0.3 * (SLOPES - np.diag(np.diag(SLOPES))), atol=1e-9)


def test_greedy_chain_puts_the_disturbed_and_the_idle_last(bench: PlantedBench) -> None:
    chain = retention.greedy_chain(bench, lambda fraction: None)

    assert [len(on) for on in chain] == [1, 2, 3, 4]
    assert chain[1] == ("warm", "sure")
    assert chain[2] == ("warm", "formal", "sure")


def test_greedy_chain_parts_two_that_break_the_text_together(bench: PlantedBench) -> None:
    bench.enemies = (0, 2)

    chain = retention.greedy_chain(bench, lambda fraction: None)

    assert chain[1] == ("formal", "sure")


def test_point_has_the_planted_retention_and_dose(bench: PlantedBench) -> None:
    on = ("warm", "formal", "glad")
    bench.measure(retention.both_signs(bench, on, 0.5), lambda fraction: None)

    found = retention.point(bench, on, 0.5, bench)

    assert [kept and kept.value for kept in found.retention] == [
        pytest.approx(0.5 * (2.0 - 1.2) / 2.0), pytest.approx(0.5), None,
    ]  # fmt: skip
    assert found.dose == pytest.approx(3 * 0.15**2)
    assert found.least == -np.inf
