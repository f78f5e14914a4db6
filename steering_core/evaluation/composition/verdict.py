"""What is said of a mix at its strengths: pass, warn, insufficient or fail, and why. Numpy at most.

A mix fails where it breaks replies: coherence, over that without steering, is below what has to be kept. It
is insufficient where the items are too few for intervals. It is warned of where a vector that is on keeps
less than 0.7 of the effect that the same strength has alone, both measured, or is not shown to have one in
the mix.
"""

from collections.abc import Iterator

from steering_core.evaluation.composition.record import RETAINED, Composition, Estimate, Solution

_ORDER = ("fail", "insufficient", "warn")


def judge_mix(composition: Composition) -> tuple[str, tuple[str, ...]]:
    """The verdict on the strengths of a composition's solution, and a sentence for all that is wrong."""
    solution = composition.solution
    if solution is None or solution.coherence is None or not (solution.measured and solution.alone):
        return "insufficient", ("What the strengths of the mix do was not measured.",)
    found = [*_coherence(composition, solution), *_members(composition, solution)]
    verdict = next((name for name in _ORDER if any(name == one for one, _ in found)), "pass")
    return verdict, tuple(reason for _, reason in found)


def _coherence(composition: Composition, solution: Solution) -> Iterator[tuple[str, str]]:
    kept, coherence = composition.budget.kept, solution.coherence
    assert coherence is not None
    if coherence.value < kept:
        yield "fail", f"Replies keep {coherence.value:.2f} of their coherence; {kept:g} is needed."
    elif coherence.low is None:
        yield "insufficient", "There are too few prompts to say how certain the coherence is."


def _members(composition: Composition, solution: Solution) -> Iterator[tuple[str, str]]:
    for j, (name, strength) in enumerate(zip(composition.names, solution.strengths, strict=True)):
        if strength == 0:
            continue
        alone, together = solution.alone[j], solution.measured[j]
        if alone.low is None or together.low is None:
            yield "insufficient", f"{name}: there are too few items to say how certain its effect is."
        elif not _is_shown(alone, strength):
            yield "warn", f"{name} is not shown to have an effect by itself."
        elif together.value / alone.value < RETAINED:
            share = f"{together.value / alone.value:.2f} of its effect"
            yield "warn", f"{name} keeps {share} in the mix, less than {RETAINED:g}."
        elif not _is_shown(together, strength):
            yield "warn", f"{name} is not shown to have an effect in the mix."


def _is_shown(change: Estimate, strength: float) -> bool:
    """Whether the whole interval has the sign that the strength asks for."""
    assert change.low is not None
    assert change.high is not None
    return change.low > 0 if strength > 0 else change.high < 0
