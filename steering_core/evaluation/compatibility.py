"""Does a steering vector still work after its base model was updated? One question, tier by tier.

The shape of the model, how far its activations drifted, whether the vector still separates the pairs there,
whether it still steers as well as a fresh one, and whether it is still safe. docs/model-updates.md says how
to read it; `migration` is for another model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from steering_core.errors import ModelMismatchError
from steering_core.evaluation.axis import Axis
from steering_core.evaluation.divergence import dose_curve
from steering_core.evaluation.dose import CONTROL_STRENGTH
from steering_core.evaluation.drift import drift_by_block
from steering_core.evaluation.evidence import Definition, Metric, Sample, Section, judged, rounded, too_few
from steering_core.evaluation.geometry import AUROC_FAIL, AUROC_PASS
from steering_core.evaluation.lexical_baseline import d_prime
from steering_core.evaluation.statistics import auroc_between
from steering_core.evaluation.subject import Findings, Subject, Tell
from steering_core.evaluation.suite import EMPTY_SUITE, Suite, Turn
from steering_core.evaluation.transfer import Transfer, measure_transfer, slopes_under, transfer_metric, trial
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import encode_pair
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from steering_core.spec import ModelIdentity
from steering_core.vector import SteeringVector

Fit = Literal["compatible", "re_extract", "incompatible", "insufficient"]
# A family of metrics that is asked of the vector on the new model, such as that of safety.
Screen = Callable[[Subject, Findings, Tell], Section]
# Told (fraction of the whole, what is done).
Progress = Callable[[float, str], None]

# From what `anti_steerable` passes with, 10 %, to its limit, 25 %.
MORE_BACKFIRE = 0.15
DRIFT_TEXTS = 100
DOSE_TEXTS = 24

SEPARATION = Definition(
    "separation_kept",
    "existence",
    "Does it still tell the poles apart?",
    "AUROC of the old vector on new activations, held out, between groups",
    f"passes if the lower bound ≥ {AUROC_PASS}; fails if the lower bound ≤ {AUROC_FAIL}",
)
BACKFIRE = Definition(
    "backfire_change",
    "reliability",
    "Does it backfire more often than before the update?",
    "Share of test items that move the wrong way, after minus before",
    f"passes if the upper bound ≤ {MORE_BACKFIRE}; fails if the lower bound > {MORE_BACKFIRE}",
)

ADVICE: dict[Fit, str] = {
    "compatible": "The vector may be used on the new revision as it is.",
    "re_extract": "It still works, but worse than a fresh one: extract it again from the stored pairs.",
    "incompatible": "Do not use it on the new revision: extract it again, or migrate and measure it.",
    "insufficient": "These pairs cannot tell. Until more do, treat it as untested on the new revision.",
}


@dataclass(frozen=True, eq=False)
class Compatibility:
    """What was found of one vector and one update.

    Attributes:
        reason: why this verdict, in a sentence.
        needed: about how many pairs would decide it, for `insufficient` where that is known.
        facts: JSON-ready: drift by block, the cosine with a fresh vector, mean slopes, doses.
    """

    old: ModelIdentity
    new: ModelIdentity
    verdict: Fit
    reason: str
    metrics: tuple[Metric, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    needed: int | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "advice": ADVICE[self.verdict],
            "needed": self.needed,
            "old": asdict(self.old),
            "new": asdict(self.new),
            "metrics": [metric.to_json() for metric in self.metrics],
            "facts": dict(self.facts),
        }


def check_compatibility(
    old: LanguageModel,
    new: LanguageModel,
    vector: SteeringVector,
    pairs: Sequence[ContrastivePair],
    splits: Splits,
    folder: Path,
    *,
    suite: Suite = EMPTY_SUITE,
    tier: str = "standard",
    screen: Screen | None = None,
    progress: Progress = lambda fraction, said: None,
) -> Compatibility:
    """Try a vector of one revision of a base model on another.

    Args:
        pairs: those that the vector was made of, or others about its trait; all is measured on their test
            split.
        folder: where activations are written for the while.
        suite: its neutral texts measure the drift (the pairs' prompts where it has none).
        screen: asked last, of the vector on the new model; what fails there makes it incompatible.

    Raises:
        ModelMismatchError: the vector is not of `old`.
        EvaluationError: it has more than one direction.
        ExtractionError: too few pairs fit the model, or their poles do not differ inside it.
    """
    if vector.model.model_hash != old.identity.model_hash:
        raise ModelMismatchError(
            f"the vector is for {vector.model.name} ({vector.model.model_hash}), not for {old.identity.name} "
            f"({old.identity.model_hash}); give the revision that it was made for"
        )
    if reason := _other_shape(old.identity, new.identity):
        return Compatibility(old.identity, new.identity, "incompatible", reason)
    progress(0.0, "Comparing the activations of the two revisions")
    drift = drift_by_block(old, new, _neutral(suite, pairs))
    progress(0.2, "Reading the pairs on the new revision")
    subject = trial(new, vector, pairs, splits, folder, tier=tier, suite=suite)
    progress(0.4, "Steering with the old vector and with a fresh one")
    transfer = measure_transfer(subject)
    before = _on(old, subject)
    unchanged = slopes_under(before, [vector])[0]
    metrics = [_separation(subject), transfer_metric(transfer), _backfire(transfer, unchanged)]
    progress(0.7, "Measuring what it does in nats")
    facts = {
        "drift": drift,
        "cosine": rounded(transfer.cosine),
        "slopes": _means(transfer, unchanged),
        "doses": {"old": _doses(before), "new": _doses(subject)},
        "screened": screen is not None,
    }
    if screen is not None:
        progress(0.8, "Screening it on the new revision")
        metrics += screen(subject, Findings(), lambda fraction: None).metrics
    verdict, reason = _verdict(metrics)
    needed = metrics[1].needed if verdict == "insufficient" else None
    return Compatibility(old.identity, new.identity, verdict, reason, tuple(metrics), facts, needed)


def _other_shape(old: ModelIdentity, new: ModelIdentity) -> str:
    """Why no direction of the one can fit the other; "" where it can."""
    shapes = [(one.architecture, one.n_layers, one.d_model) for one in (old, new)]
    if shapes[0] == shapes[1]:
        return ""
    said = [f"{name} with {n} blocks of width {width}" for name, n, width in shapes]
    return f"The new model is {said[1]}, not {said[0]}: another model and no new revision."


def _neutral(suite: Suite, pairs: Sequence[ContrastivePair]) -> list[Turn]:
    if suite.neutral:
        return list(suite.neutral[:DRIFT_TEXTS])
    return [Turn(pair.prompt, "") if pair.prompt else Turn("", pair.positive) for pair in pairs[:DRIFT_TEXTS]]


def _on(old: LanguageModel, subject: Subject) -> Subject:
    """The same pairs on the old revision, which may read them as other tokens. Its activations are not
    read.
    """
    encoded = {i: encode_pair(old, subject.pairs[i]) for i in subject.data.pairs}
    return replace(subject, lm=old, data=replace(subject.data, pairs=encoded))


def _separation(subject: Subject) -> Metric:
    """AUROC of the vector on activations of the new revision, beside d'."""
    axis = Axis.of(subject)
    if reason := too_few(axis.clusters):
        return Metric(SEPARATION, "insufficient", reason, axis.sample, needed=axis.needed)
    found = axis.test
    low, high = subject.resampling.over(axis.clusters).auroc(found.positive, found.negative)
    return Metric(
        SEPARATION,
        judged(passes=low >= AUROC_PASS, fails=low <= AUROC_FAIL),
        f"The bounds are {low:.2f} and {high:.2f}.",
        axis.sample,
        auroc_between(found.positive, found.negative, axis.clusters),
        (low, high),
        ("d'", d_prime(found)),
    )


def _backfire(transfer: Transfer, unchanged: npt.NDArray[np.float64]) -> Metric:
    """The share of test items that move the wrong way, on the new revision minus on the old, in pairs."""
    sample = Sample.of(transfer.clusters)
    if reason := too_few(transfer.clusters):
        return Metric(BACKFIRE, "insufficient", reason, sample)
    after, before = transfer.given < 0, unchanged < 0
    change = after.astype(np.float64) - before
    low, high = transfer.subject.resampling.over(transfer.clusters).mean(change)
    return Metric(
        BACKFIRE,
        judged(passes=high <= MORE_BACKFIRE, fails=low > MORE_BACKFIRE),
        f"{int(after.sum())} of {len(after)} test items move the wrong way, {int(before.sum())} did before; "
        f"the bounds of the change are {low:+.0%} and {high:+.0%}.",
        sample,
        float(change.mean()),
        (low, high),
        ("share before", float(before.mean())),
    )


def _means(transfer: Transfer, unchanged: npt.NDArray[np.float64]) -> dict[str, float | None]:
    """Mean slopes, nats per token and unit of strength."""
    slopes = {
        "old_vector_old_model": unchanged,
        "old_vector_new_model": transfer.given,
        "new_vector_new_model": transfer.extracted,
    }
    return {name: rounded(float(s.mean())) if len(s) else None for name, s in slopes.items()}


def _doses(subject: Subject) -> list[list[float]]:
    """What the vector does to the next token at the usual strengths, in nats."""
    _, items, _ = subject.test_items(DOSE_TEXTS)
    ends = (-CONTROL_STRENGTH, CONTROL_STRENGTH)
    curve = dose_curve(subject.lm, [item.positive for item in items], subject.vector, ends)
    return [list(point) for point in curve]


def _verdict(metrics: Sequence[Metric]) -> tuple[Fit, str]:
    """The worst that was found decides; what the screen warns of is left to the reader."""
    separation, transfer, backfire, *screened = metrics
    failed = next((metric for metric in screened if metric.verdict == "fail"), None)
    if failed is not None:
        return "incompatible", f"It fails the screen on the new revision. {failed.reason}"
    if separation.verdict == "fail":
        return "incompatible", f"It no longer tells the poles apart. {separation.reason}"
    if transfer.verdict == "fail":
        return "incompatible", transfer.reason
    if transfer.verdict == "insufficient":
        return "insufficient", transfer.reason
    if transfer.verdict == "warn":
        return "re_extract", transfer.reason
    if backfire.verdict != "pass":
        return "re_extract", f"It backfires more often than before, or may. {backfire.reason}"
    return "compatible", transfer.reason
