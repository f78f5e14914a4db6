"""The cases of the injection benchmark, the rounds in which they take turns, and what is made of them."""

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.peers.environments import OWN, environment_of
from benchmarks.peers.process import Worker, WorkerError
from benchmarks.peers.steered import PHASES, Steered

STEERERS = ("steering-vectors", "repeng")
BATCHES = (1, 16)
ROW_VECTORS = (1, 4, 16)
CONTROL = "unsteered again"

# Told what runs now.
Say = Callable[[str], None]


@dataclass(slots=True)
class StepCase:
    """One row of a table, with what its rounds gave.

    Attributes:
        seconds: one number per round; CPU seconds, or wall seconds on a GPU.
        ratios: over the unsteered passes of the same environment in the same round.
        noise: the further quartile of the controls' ratios from 1: no smaller overhead is told from none.
    """

    label: str
    environment: str
    steered: Steered
    seconds: list[float] = field(default_factory=list)
    error: str = ""
    ratios: list[float] = field(default_factory=list)
    noise: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        """Median over the rounds."""
        return self.steered.tokens_per_measurement / statistics.median(self.seconds)

    @property
    def overhead(self) -> str:
        """In words: only what three rounds in four agree on and the controls do not show as well."""
        if self.steered.how == "unsteered":
            return ""
        found = spread(self.ratios)
        is_told = found["median"] > 1 + self.noise and found["lower_quartile"] > 1
        return f"{found['median'] - 1:+.1%}" if is_told else "not resolved"

    def to_json(self) -> dict[str, Any]:
        """For the results file."""
        measured = {} if self.error else {"tokens_per_second": self.tokens_per_second, **spread(self.ratios)}
        return {
            "label": self.label,
            "environment": self.environment,
            **self.steered.to_json(),
            "seconds": self.seconds,
            "error": self.error,
            "control": self.noise,
            **measured,
        }


def step_cases(n_layers: int, peers: Sequence[str], tokens: int, repeats: int) -> list[StepCase]:
    """Every case that is timed, by phase and batch."""
    one, every = (n_layers // 2,), tuple(range(n_layers))
    found = []
    for phase in PHASES:
        for batch in BATCHES:
            # Prompts of sixteen rows at once take long enough.
            passes = 1 if phase == "prefill" and batch > 1 else repeats
            base = Steered("bearing", "unsteered", phase=phase, batch=batch, tokens=tokens, repeats=passes)
            found += [
                StepCase(f"{label}{'' if environment == OWN else f', {environment}'}", environment, base)
                for environment in _environments(peers)
                for label in ("unsteered", CONTROL)
            ]
            for how in ("hooked", "folded"):
                for name, blocks in (("one block", one), ("all blocks", every)):
                    steered = replace(base, how=how, blocks=blocks)
                    found.append(StepCase(f"Bearing, {how}, {name}", OWN, steered))
            for number in ROW_VECTORS if batch == max(ROW_VECTORS) else ():
                steered = replace(base, how="rows", blocks=every, n_vectors=number)
                name = f"{number} vector{'s' if number > 1 else ''} in {batch} rows"
                found.append(StepCase(f"Bearing, {name}, all blocks", OWN, steered))
            for peer in peers:
                for name, blocks in (("one block", one), ("all blocks", every)):
                    steered = replace(base, side=peer, how="hooked", blocks=blocks)
                    found.append(StepCase(f"{peer}, {name}", environment_of(peer).name, steered))
    return found


def cost_cases(n_layers: int, peers: Sequence[str], tokens: int) -> list[tuple[str, str, Steered]]:
    """(label, environment, what) of those whose cost per block is measured by itself."""
    every = tuple(range(n_layers))
    found = []
    for batch in BATCHES:
        base = Steered("bearing", "hooked", blocks=every, batch=batch, tokens=tokens)
        found += [("Bearing, hooked", OWN, base), ("Bearing, folded", OWN, replace(base, how="folded"))]
        if batch > 1:
            rows = replace(base, how="rows", n_vectors=batch)
            found.append((f"Bearing, {batch} vectors in {batch} rows", OWN, rows))
        found += [(peer, environment_of(peer).name, replace(base, side=peer)) for peer in peers]
    return found


def run_rounds(
    cases: Sequence[StepCase], workers: Mapping[str, Worker], rounds: int, metric: str, say: Say
) -> None:
    """Every case once per round; the first round warms up and is not kept.

    The cases of one phase and batch follow each other, each round in another order: what is compared is
    measured within seconds. A case that fails is left out of later rounds and keeps its error.
    """
    rng = random.Random(0)
    for number in range(rounds + 1):
        for case in (case for group in groups(cases) for case in rng.sample(group, len(group))):
            if case.error:
                continue
            at = "warm-up" if number == 0 else f"round {number} of {rounds}"
            say(f"{at}: {case.steered.phase}, batch {case.steered.batch}: {case.label}")
            try:
                taken = workers[case.environment].time_steps(case.steered)[metric]
            except WorkerError as error:
                case.error = str(error)
                continue
            if number:
                case.seconds.append(taken)
    _compare(cases)


def groups(cases: Sequence[StepCase]) -> list[list[StepCase]]:
    """The cases of one phase and batch, whose numbers stand beside each other."""
    keys = dict.fromkeys((case.steered.phase, case.steered.batch) for case in cases)
    return [[c for c in cases if (c.steered.phase, c.steered.batch) == key] for key in keys]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles."""
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "lower_quartile": lower, "upper_quartile": upper}


def _compare(cases: Sequence[StepCase]) -> None:
    for group in groups(cases):
        plain = {
            c.environment: c for c in group if c.label.startswith("unsteered") and CONTROL not in c.label
        }
        for case in group:
            case.error = case.error or plain[case.environment].error
            case.ratios = [] if case.error else _ratios(case, plain[case.environment])
        controls = [spread(c.ratios) for c in group if CONTROL in c.label and not c.error]
        noise = max((abs(value - 1) for found in controls for value in found.values()), default=math.inf)
        for case in group:
            case.noise = noise


def _ratios(case: StepCase, plain: StepCase) -> list[float]:
    return [a / b for a, b in zip(case.seconds, plain.seconds, strict=True)]


def _environments(peers: Sequence[str]) -> list[str]:
    return [OWN, *dict.fromkeys(environment_of(peer).name for peer in peers)]
