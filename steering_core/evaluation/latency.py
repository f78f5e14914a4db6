"""Latency: what the hooks cost in time, one vector and four, when reading a prompt and when writing.

Informs and decides nothing. Times differ from run to run, so all of it is facts and no metric: a report
without `sections.latency`, `cost` and `duration_seconds` can be repeated exactly.
"""

import platform
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steering_core.evaluation.dose import CONTROL_STRENGTH, Floats
from steering_core.evaluation.evidence import Section, judged, rounded
from steering_core.evaluation.statistics import ClusterBootstrap, Interval
from steering_core.evaluation.subject import Findings, Subject, Tell
from steering_core.injection.hooks import steer
from steering_core.models.load import LanguageModel
from steering_core.spec import site_key
from steering_core.vector import SteeringVector

RATIO_PASS = 1.05
BATCHES = (1, 8)
MANY = 4
PROMPT_TOKENS, WRITTEN_TOKENS = 64, 4
MIN_ROUNDS, MAX_ROUNDS = 8, 60
SECONDS_PER_BATCH = 0.8
RULE = f"passes if the upper bound of every ratio with one vector ≤ {RATIO_PASS}; warns otherwise"


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """Milliseconds without a vector, with this one and with four, and the ratios, at each batch size."""
    prompt = next((pair.positive for pair in subject.data.pairs.values()), ())[:PROMPT_TOKENS]
    if len(prompt) < 2:
        return Section((), {"rule": RULE, "verdict": "insufficient", "rows": []})
    rows: list[dict[str, Any]] = []
    for done, batch in enumerate(BATCHES):
        ids = torch.tensor([prompt], device=subject.lm.device).repeat(batch, 1)
        times = _rounds(subject.lm, ids, {0: [], 1: [subject.vector], MANY: _many(subject)})
        rows += _rows(subject, batch, times)
        tell((done + 1) / len(BATCHES))
    highs = [row["high"] for row in rows if row["n_vectors"] == 1]
    facts = {
        "rule": RULE,
        "verdict": judged(passes=all(high is not None and high <= RATIO_PASS for high in highs), fails=False),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "device": _device(subject.lm),
        "prompt_tokens": len(prompt),
        "rows": rows,
    }
    return Section((), facts)


def _rounds(lm: LanguageModel, ids: Tensor, arms: dict[int, Sequence[SteeringVector]]) -> dict[int, Floats]:
    """(n_rounds, 2) seconds for the prompt and for one token, by number of vectors.

    Every round runs all arms, each time in another order, so what slows the machine slows all alike.
    """
    rng, names = np.random.default_rng(0), list(arms)
    times: dict[int, list[tuple[float, float]]] = {name: [] for name in names}
    for name in names:
        _timed(lm, ids, arms[name])  # the first pass of each prepares what later ones find ready
    started = time.perf_counter()
    for done in range(MAX_ROUNDS):
        if done >= MIN_ROUNDS and time.perf_counter() - started > SECONDS_PER_BATCH:
            break
        for place in rng.permutation(len(names)):
            times[names[place]].append(_timed(lm, ids, arms[names[place]]))
    return {name: np.array(found) for name, found in times.items()}


def _timed(lm: LanguageModel, ids: Tensor, vectors: Sequence[SteeringVector]) -> tuple[float, float]:
    """Seconds for the prompt, and for each token after it."""
    steered: AbstractContextManager[None] = nullcontext()
    if vectors:
        steered = steer(lm, [(vector, CONTROL_STRENGTH / len(vectors)) for vector in vectors])
    with torch.inference_mode(), steered:
        start = _now(lm)
        output = lm.model(input_ids=ids, use_cache=True, logits_to_keep=1)
        read = _now(lm)
        for _ in range(WRITTEN_TOKENS):
            cache = output.past_key_values
            output = lm.model(input_ids=ids[:, -1:], past_key_values=cache, use_cache=True)
        written = _now(lm)
    return read - start, (written - read) / WRITTEN_TOKENS


def _now(lm: LanguageModel) -> float:
    """The time at which the device has done all it was given."""
    if lm.device.type == "cuda":
        torch.cuda.synchronize(lm.device)
    return time.perf_counter()


def _many(subject: Subject) -> list[SteeringVector]:
    """Four vectors at as many blocks as the model has of them; two at one block would cost no more than
    one.
    """
    site, _ = subject.place
    last = subject.lm.identity.n_layers - 1
    vector, key = subject.vector, subject.key
    blocks = [round(i * last / (MANY - 1)) for i in range(MANY)]
    return [
        replace(
            vector,
            directions={site_key(site, block): vector.directions[key]},
            residual_norms={site_key(site, block): vector.residual_norms[key]},
            set_points={},
            window=None,
            doses=(),
        )
        for block in blocks
    ]


def _rows(subject: Subject, batch: int, times: dict[int, Floats]) -> list[dict[str, Any]]:
    found = []
    for column, what in enumerate(("prompt", "token")):
        plain = times[0][:, column]
        for n_vectors, all_seconds in times.items():
            seconds = all_seconds[:, column]
            low, high = _interval(subject, seconds, plain) if n_vectors else (1.0, 1.0)
            found.append(
                {
                    "what": what,
                    "batch": batch,
                    "n_vectors": n_vectors,
                    "median_ms": rounded(1000 * float(np.median(seconds))),
                    "p95_ms": rounded(1000 * float(np.percentile(seconds, 95))),
                    "ratio": rounded(float(np.exp(np.log(seconds / plain).mean()))),
                    "low": rounded(low),
                    "high": rounded(high),
                    "n_rounds": len(seconds),
                }
            )
    return found


def _interval(subject: Subject, seconds: Floats, plain: Floats) -> Interval:
    """Of the geometric mean of the rounds' ratios."""
    bootstrap = ClusterBootstrap([str(i) for i in range(len(plain))], subject.budget.bootstrap, 0)
    low, high = bootstrap.mean(np.log(seconds / plain))
    return float(np.exp(low)), float(np.exp(high))


def _device(lm: LanguageModel) -> str:
    return torch.cuda.get_device_name(lm.device) if lm.device.type == "cuda" else lm.device.type
