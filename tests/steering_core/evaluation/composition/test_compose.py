"""Vectors of the demo model measured together, by scorers of replies and by log-probabilities."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from steering_core.demo import demo_scorer
from steering_core.demo.suite import demo_suite
from steering_core.errors import EvaluationError, ModelMismatchError
from steering_core.evaluation.composition.bench import Bench, Effort, Material, Member
from steering_core.evaluation.composition.compose import compose
from steering_core.evaluation.composition.record import read_composition, write_composition
from steering_core.evaluation.divergence import dose_curve

N = 10
EFFORT = Effort(max_new_tokens=24, n_orders=2, n_resamples=400, seed=3)


@pytest.fixture(scope="module")
def material(subject_of: Any) -> Material:
    texts = tuple(pair.positive for pair in list(subject_of().data.pairs.values())[:6])
    return Material(demo_suite().prompts[:N], tuple(map(str, range(N))), texts)


@pytest.fixture(scope="module")
def formal(subject_of: Any) -> Member:
    return Member("formal", subject_of("formality").vector, demo_scorer("formality"))


@pytest.fixture(scope="module")
def found(demo_lm: Any, formal: Member, subject_of: Any, material: Material) -> Any:
    """Formality, its opposite under another name, and confidence."""
    casual = Member("casual", -formal.vector, demo_scorer("formality", reverse=True))
    sure = Member("sure", subject_of("confidence").vector, demo_scorer("confidence"))
    return compose(demo_lm, [formal, casual, sure], material, EFFORT, wanted={"formal": 0.3, "sure": 0.3})


@pytest.fixture(scope="module")
def preferred(subject_of: Any, formal: Member) -> list[Member]:
    """Formality and confidence, each measured by what its test pairs make of it."""
    members = []
    for axis in ("formality", "confidence"):
        subject = subject_of(axis)
        _, pairs, clusters = subject.test_items(8)
        members.append(Member(axis, subject.vector, pairs=tuple(pairs), clusters=tuple(clusters)))
    return members


def test_compose_a_vector_and_its_opposite_undo_each_other(found: Any) -> None:
    assert found.relative[0][1].value == pytest.approx(-1.0)
    assert found.relative[1][0].value == pytest.approx(-1.0)
    assert found.cosines[0][1] == pytest.approx(-1.0)
    worst = next(curve for curve in found.curves if curve.order == "worst")
    assert worst.max_axes < 3


def test_compose_own_effects_are_found_and_lead_the_greedy_order(found: Any) -> None:
    own = [found.effects[i][i] for i in range(3)]
    greedy = found.curves[0]

    assert all(effect.low > 0 for effect in own)
    assert "sure" in greedy.points[1].members
    assert greedy.points[0].retention[0].value == pytest.approx(1.0)
    assert greedy.points[2].least < 0.2


def test_compose_solution_is_measured_and_lies_within_limits(found: Any) -> None:
    solution = found.solution

    assert solution.dose <= found.budget.most + 1e-6
    assert np.abs(solution.strengths).max() <= 0.3
    assert len(solution.measured) == len(solution.alone) == 3
    assert solution.alone[2].value == pytest.approx(solution.measured[2].value, abs=0.2)
    assert solution.measured[0].value > 0
    assert solution.measured[0].value == pytest.approx(-solution.measured[1].value)


def test_compose_is_stored_and_read_back(found: Any) -> None:
    data = write_composition(found)

    assert write_composition(read_composition(data)) == data
    assert found.cost["reply_tokens"] > 0


def test_bench_mix_as_one_vector_has_the_divergence_of_the_vector(
    demo_lm: Any, formal: Member, material: Material
) -> None:
    other = Member("other", -formal.vector, formal.scorer)
    bench = Bench(demo_lm, [formal, other], material, EFFORT)

    ((_, expected),) = dose_curve(demo_lm, material.texts, formal.vector, (0.2,))

    assert bench.nats((0.2, 0.0)) == pytest.approx(expected, abs=1e-5)
    assert bench.nats((0.3, 0.1)) == pytest.approx(expected, abs=1e-5)
    assert bench.dose((0.3, 0.1)) == pytest.approx(0.04)
    assert bench.nats((0.1, 0.1)) == pytest.approx(0.0, abs=1e-5)


def test_compose_by_log_probabilities_needs_no_scorer(demo_lm: Any, preferred: list[Member]) -> None:
    found = compose(demo_lm, preferred, Material(), EFFORT)

    assert [member.scorer for member in found.members] == ["log_prob", "log_prob"]
    assert all(found.effects[i][i].low > 0 for i in range(2))
    assert found.budget.kept == 0.9
    assert found.cost["reply_tokens"] == 0
    assert all(point.nats is None for point in found.curves[0].points)


@pytest.mark.parametrize(
    "change",
    [{"strength": 0.4}, {"strength": 0.0}, {"scorer": None}, {"name": "other"}, {"clusters": ("a",)}],
)
def test_bench_members_that_cannot_be_measured_are_refused(
    demo_lm: Any, formal: Member, material: Material, change: dict[str, Any]
) -> None:
    other = replace(formal, name="other")

    with pytest.raises(EvaluationError) as refused:
        Bench(demo_lm, [other, replace(formal, **change)], material, EFFORT)

    assert refused.value.code == "evaluation.members"


def test_bench_vector_of_another_model_is_refused(demo_lm: Any, formal: Member, material: Material) -> None:
    foreign = replace(formal.vector, model=replace(formal.vector.model, model_hash="sha256:" + "0" * 64))

    with pytest.raises(ModelMismatchError):
        Bench(demo_lm, [formal, replace(formal, name="other", vector=foreign)], material, EFFORT)


def test_compose_refuses_a_wish_before_it_measures(demo_lm: Any, formal: Member, material: Material) -> None:
    def fail(fraction: float, message: str) -> None:
        raise AssertionError(message)

    other = replace(formal, name="other")
    with pytest.raises(EvaluationError):
        compose(demo_lm, [formal, other], material, EFFORT, wanted={"nobody": 1.0}, progress=fail)
