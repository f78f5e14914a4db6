"""`certify`: the conformance certificate of a vector, measured on its model.

What a certificate holds and how an engine is compared with it: `steering_core.formats.conformance`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from steering_core.errors import EvaluationError, ModelError
from steering_core.formats.conformance import Certificate, Decoy, Logits, Probe
from steering_core.formats.conformance_finding import centred, chord, cosine
from steering_core.injection.hooks import steer
from steering_core.injection.mix import Positions, Steering
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel
from steering_core.models.sites import Sites
from steering_core.spec import Place, parse_site_key, seed_from, site_key
from steering_core.vector import SteeringVector

N_CANDIDATES, N_PROBES, PROBE_TOKENS = 12, 4, 8
# In the middle, where a vector that is applied at the last position only has no effect yet, and at the end.
POSITIONS = (3, 7)
N_MOVED, N_SAMPLED = 48, 16
# Changes that are nearer than this, as a chord, are not told apart.
ALIKE = 0.02
# A change that is smaller than this share of the logits' spread drowns in the rounding of a half-precision
# engine.
TOO_SMALL = 0.01


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to apply a vector wrongly.

    Attributes:
        name, why: as in `Decoy`.
        vector: what is applied instead.
        sign: of the strength.
        must_differ: no certificate is worth anything that cannot tell this from what is right.
    """

    name: str
    why: str
    vector: SteeringVector
    sign: float = 1.0
    operation: str | None = None
    positions: Positions = "all"
    must_differ: bool = False


def certify(
    lm: LanguageModel,
    vector: SteeringVector,
    *,
    strengths: Sequence[float] | None = None,
    seed: int | None = None,
) -> Certificate:
    """Run the model plain, steered, and steered wrongly in each of the usual ways; the same call gives the
    same certificate.

    Twelve probes of random ordinary tokens are tried, and the four kept that tell right from wrong best. The
    watched tokens are the 48 whose logits move most and 16 random ones.

    Args:
        strengths: as `steer` takes them, also outside the window; 1 to 4. ±0.3 if None, and ±1 for `project`
            and `clamp`.
        seed: of the probes and the sample; drawn from the vector's digest if None.

    Raises:
        EvaluationError: `conformance.too_small`: the vector does next to nothing; `conformance.alike`: a
            neighbouring block or the other sign does the same; `conformance.not_finite`.
        ModelMismatchError: the vector is for another model.
        InjectionError: a strength that `steer` refuses.
        FormatError: strengths that no certificate can hold.
    """
    random = np.random.default_rng(seed_from(vector.tensor_digest, "conformance") if seed is None else seed)
    usual = (-0.3, 0.3) if vector.operation == "add" else (-1.0, 1.0)
    strengths = tuple(sorted(float(s) for s in strengths or usual))
    right = replace(vector, window=None, doses=())
    texts = _candidates(lm, random)
    plain = _logits(lm, texts, [])
    # (strengths, texts, positions, vocabulary)
    moved = np.stack([_logits(lm, texts, [Steering(right, s)]) - plain for s in strengths])
    watched = _watched(moved, random)
    plain, changes = plain[..., watched], moved[..., watched]
    faults = [(f, _faulty(lm, texts, f, strengths, watched) - plain) for f in _faults(lm.sites, right)]
    rows = _telling(changes, [values for _, values in faults])
    plain, changes = plain[rows], changes[:, rows]
    _check_effect(plain, changes)
    shape = (len(strengths), len(rows) * len(POSITIONS), len(watched))
    found = [Decoy(f.name, f.why, values[:, rows].reshape(shape)) for f, values in faults]
    changes = changes.reshape(shape)
    same = [d.name for d in found if _apart(changes, d.changes) < ALIKE]
    _check_told_apart(same, [fault for fault, _ in faults])
    return Certificate(
        tensor_digest=vector.tensor_digest,
        model_hash=lm.identity.model_hash,
        model=lm.identity.name,
        operation=vector.operation,
        dtype=dtype_name(lm.model.dtype),
        strengths=strengths,
        probes=tuple(Probe(tuple(texts[row]), POSITIONS) for row in rows),
        watched=tuple(watched),
        unsteered=plain.reshape(shape[1:]),
        changes=changes,
        decoys=tuple(decoy for decoy in found if decoy.name not in same),
        same=tuple(same),
    )


def _candidates(lm: LanguageModel, random: np.random.Generator) -> list[list[int]]:
    """Rows of one length, so that nothing is padded: what begins a text, if anything, then random tokens."""
    special = set(lm.tokenizer.all_special_ids)
    ordinary = [i for i in range(min(lm.vocab_size, len(lm.tokenizer))) if i not in special]
    start = [] if lm.tokenizer.bos_token_id is None else [int(lm.tokenizer.bos_token_id)]
    drawn = random.choice(ordinary, (N_CANDIDATES, PROBE_TOKENS - len(start)))
    return [start + row for row in drawn.tolist()]


def _logits(lm: LanguageModel, texts: Sequence[Sequence[int]], items: Sequence[Steering]) -> Logits:
    """(texts, positions, vocabulary) float32."""
    ids = torch.tensor(texts, device=lm.device)
    with torch.inference_mode(), steer(lm, items):
        logits = lm.model(input_ids=ids, use_cache=False).logits[:, list(POSITIONS)]
    # Rows beyond the tokenizer's ids only round the matrix up; engines may leave them out.
    found: Logits = logits[..., : len(lm.tokenizer)].float().cpu().numpy()
    if not np.isfinite(found).all():
        raise EvaluationError(
            "the model's logits are not finite with this vector; certify smaller strengths",
            code="conformance.not_finite",
        )
    return found


def _faulty(
    lm: LanguageModel, texts: list[list[int]], fault: Fault, strengths: Sequence[float], watched: list[int]
) -> Logits:
    """(strengths, texts, positions, watched) float32."""
    items = (
        Steering(fault.vector, fault.sign * s, fault.operation, positions=fault.positions) for s in strengths
    )
    return np.stack([_logits(lm, texts, [item])[..., watched] for item in items])


def _watched(changes: Logits, random: np.random.Generator) -> list[int]:
    """The token ids whose logits move most, and a random sample of the others; rising."""
    n_vocabulary = changes.shape[-1]
    size = np.abs(changes - changes.mean(axis=-1, keepdims=True)).reshape(-1, n_vocabulary).mean(axis=0)
    order = np.argsort(-size, kind="stable")
    others = order[N_MOVED:]
    sampled = random.choice(others, min(N_SAMPLED, len(others)), replace=False)
    return sorted(int(i) for i in (*order[:N_MOVED], *sampled))


def _telling(right: Logits, wrong: Sequence[Logits]) -> list[int]:
    """The rows of the candidates in which what is nearest to right is furthest from it, in their order."""
    distances = [
        min((d for values in wrong if (d := _apart(right[:, row], values[:, row])) >= ALIKE), default=0.0)
        for row in range(right.shape[1])
    ]
    return sorted(np.argsort(distances, kind="stable")[-N_PROBES:].tolist())


def _apart(one: Logits, other: Logits) -> float:
    return chord(cosine(centred(one), centred(other)))


def _check_effect(plain: Logits, changes: Logits) -> None:
    share = float(np.std(centred(changes))) / max(float(np.std(centred(plain))), 1e-12)
    if share < TOO_SMALL:
        raise EvaluationError(
            f"the vector moves the logits by {share:.2%} of their spread; below {TOO_SMALL:.0%} it cannot be "
            "told from rounding. Certify larger strengths",
            code="conformance.too_small",
        )


def _check_told_apart(same: Sequence[str], faults: Sequence[Fault]) -> None:
    alike = [fault.name for fault in faults if fault.must_differ and fault.name in same]
    if alike:
        raise EvaluationError(
            f"{alike[0]!r} changes the logits as the vector itself does, so that no engine's answers could "
            "tell them apart",
            code="conformance.alike",
        )


def _faults(sites: Sites, vector: SteeringVector) -> Iterator[Fault]:
    """Every usual fault that this model and vector leave room for."""
    yield Fault("wrong sign", "with the wrong sign", vector, sign=-1.0, must_differ=True)
    for step, why in ((-1, "one block too early"), (1, "one block too late")):
        if shifted := _put(sites, vector, partial(_next_block, step)):
            yield Fault(_shift_name(vector, step), why, shifted, must_differ=True)
    streams = [f"resid_post@{stream}" for stream in range(sites.streams)]
    several = sites.streams > 1
    for name, wrong in (
        ("all streams" if several else "resid_post", streams if several else ["resid_post"]),
        ("mlp_out", ["mlp_out"]),
        ("attn_out", ["attn_out"]),
    ):
        elsewhere = _put(sites, vector, partial(_same_block, wrong))
        if elsewhere and elsewhere.directions.keys() != vector.directions.keys():
            yield Fault(f"{name} at the same block", f"at {name}, not at its own site", elsewhere)
    other = "project" if vector.operation == "add" else "add"
    yield Fault(
        f"{other} instead of {vector.operation}",
        f"as {other}, not as {vector.operation}",
        vector,
        operation=other,
    )
    yield Fault("last position only", "at the last position of the text only", vector, positions="last")


def _next_block(step: int, site: str, block: int) -> list[Place]:
    return [(site, block + step)]


def _same_block(sites: Sequence[str], _: str, block: int) -> list[Place]:
    return [(site, block) for site in sites]


def _put(
    sites: Sites, vector: SteeringVector, places: Callable[[str, int], list[Place]]
) -> SteeringVector | None:
    """The same directions at other places, as long and as strong as before; past either end of the model an
    engine applies nothing. None if nothing is left, a place does not exist, or two directions meet there.
    """
    moved = {}
    for key in vector.directions:
        for site, block in places(*parse_site_key(key)):
            if not 0 <= block < len(sites.blocks):
                continue
            try:
                sites.module(site, block)
            except ModelError:
                return None
            if (at := site_key(site, block)) in moved:
                return None
            moved[at] = key
    if not moved:
        return None
    return replace(
        vector,
        directions={at: vector.directions[key] for at, key in moved.items()},
        residual_norms={at: vector.residual_norms[key] for at, key in moved.items()},
        set_points={at: vector.set_points[key] for at, key in moved.items() if key in vector.set_points},
    )


def _shift_name(vector: SteeringVector, step: int) -> str:
    blocks = {parse_site_key(key)[1] for key in vector.directions}
    if len(blocks) == 1:
        (block,) = blocks
        return f"block {block + step} instead of {block}"
    return f"every block {'before' if step < 0 else 'after'} its own"
