"""What is said of a mix, on compositions of numbers made up here."""

from dataclasses import replace

import pytest

from steering_core.evaluation.composition.record import (
    Budget,
    Composition,
    Curve,
    Estimate,
    MemberRecord,
    read_composition,
    write_composition,
)
from steering_core.evaluation.composition.solver import predict
from steering_core.evaluation.composition.verdict import judge_mix

HASH = "sha256:" + "ab" * 32


def around(value: float, half: float = 0.1) -> Estimate:
    return Estimate(value, value - half, value + half)


def composition(strengths: tuple[float, float] = (0.3, 0.3)) -> Composition:
    """Two vectors at right angles that do not disturb each other: 1 from -0.3 to 0.3, so 0.5 at 0.3."""
    rows = tuple(
        MemberRecord(name, HASH, ("resid_post.1",), 0.3, (-0.3, 0.3), "demo:x", 48, 48, around(0.0))
        for name in ("warm", "brief")
    )
    found = Composition(
        model_hash=HASH,
        model="acme/tiny",
        members=rows,
        cosines=((1.0, 0.0), (0.0, 1.0)),
        effects=((around(1.0), around(0.0)), (around(0.0), around(1.0))),
        relative=((around(1.0), around(0.0)), (around(0.0), around(1.0))),
        interactions=((around(0.0), around(0.0)), (around(0.0), around(0.0))),
        curves=(Curve("sum", "greedy", (), 2, 2),),
        budget=Budget(0.95, (0.0, 0.18), (1.0, 0.97), 0.0, 0.18),
        seed=0,
        cost={},
    )
    chosen = predict(dict(zip(("warm", "brief"), strengths, strict=True)), found)
    measured = tuple(around(value) for value in chosen.predicted)
    solution = replace(chosen, measured=measured, alone=measured, coherence=around(0.97, 0.02))
    return replace(found, solution=solution)


def judged(found: Composition, **fields: object) -> tuple[str, str]:
    assert found.solution is not None
    verdict, reasons = judge_mix(replace(found, solution=replace(found.solution, **fields)))  # type: ignore[arg-type]
    return verdict, " ".join(reasons)


def test_prediction_adds_effects_up_and_is_stored_as_a_solution() -> None:
    found = composition((0.3, -0.15))

    assert found.solution is not None
    assert found.solution.predicted == pytest.approx((0.5, -0.25))
    assert found.solution.dose == pytest.approx(0.1125)
    assert read_composition(write_composition(found)).solution is not None


@pytest.mark.parametrize("strengths", [(0.3, 0.3), (0.3, -0.3), (0.3, 0.0)])
def test_mix_that_does_what_its_vectors_do_alone_passes(strengths: tuple[float, float]) -> None:
    assert judge_mix(composition(strengths)) == ("pass", ())


def test_mix_that_breaks_replies_fails_whatever_else_it_does() -> None:
    verdict, why = judged(composition(), coherence=around(0.7), measured=(around(0.1), around(0.5)))

    assert verdict == "fail"
    assert "0.70" in why


def test_vector_that_loses_its_effect_or_does_not_show_it_is_warned_of() -> None:
    lost = judged(composition(), measured=(around(0.2), around(0.5)))
    turned = judged(composition((0.3, -0.3)), measured=(around(0.5), around(-0.4, 0.5)))

    assert (lost[0], turned[0]) == ("warn", "warn")
    assert "warm keeps 0.40" in lost[1]
    assert "brief is not shown" in turned[1]


def test_what_bends_alone_is_no_interference() -> None:
    """Near a ceiling half the strength has more than half the effect: the mix is held to what is measured."""
    bent = (around(0.25), around(0.5))

    assert judged(composition(), measured=bent, alone=bent)[0] == "pass"
    assert judged(composition(), alone=(around(0.0), around(0.5)))[0] == "warn"


def test_too_few_items_are_said_to_be_too_few() -> None:
    assert judged(composition(), coherence=Estimate(1.0))[0] == "insufficient"
    assert judged(composition(), measured=(Estimate(0.5), around(0.5)))[0] == "insufficient"
    assert judge_mix(replace(composition(), solution=None))[0] == "insufficient"
