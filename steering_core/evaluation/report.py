"""The report as JSON, version 1: what was measured, with the rule and the seeds, for pages and machines
alike.

Written once by `pipeline`; stored as it is.
"""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import numpy as np
import torch

from steering_core.evaluation.dose import CONTROL_STRENGTH, Response, Sample
from steering_core.evaluation.metrics import Metric, Resampling, control_effects, overall, rounded
from steering_core.evaluation.ranking import ScoredPlace
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.statistics import Interval
from steering_core.extraction.methods.geometric_median import Audit
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel
from steering_core.spec import ExtractionSpec, parse_site_key, seed_from
from steering_core.vector import SteeringVector

REPORT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """All that a report is made of.

    Attributes:
        key: site key of the chosen place.
        places: every place with its score, the tried ones with their effect.
        strength: the one to start with; None where steering could not be tried.
        train_rows: the train pairs' rows in the dataset, from 1, in the order of the audit.
    """

    spec: ExtractionSpec
    vector: SteeringVector
    key: str
    counts: dict[str, int | None]
    place: ScoredPlace
    places: Sequence[ScoredPlace]
    strength: float | None
    audit: Audit
    train_rows: Sequence[int]
    metrics: Sequence[Metric]
    response: Response | None
    window: Interval | None
    samples: Sequence[Sample]
    scorer: TraitScorer | None


def build_report(
    lm: LanguageModel, found: Measured, resampling: Resampling, duration: float
) -> dict[str, Any]:
    """The whole report, JSON-ready."""
    verdict = overall(found.metrics)
    return {
        "report_version": REPORT_VERSION,
        "verdict": verdict,
        "summary": summary(found, verdict),
        "trait": _trait(found),
        "counts": found.counts,
        "selection": _selection(found),
        "scale": {
            "direction_norm": rounded(found.vector.norm(found.key)),
            "residual_norm": rounded(found.vector.residual_norms[found.key]),
            "ratio": rounded(found.vector.ratio(found.key)),
            "positive_mean": rounded(found.place.direction.positive_mean),
            "negative_mean": rounded(found.place.direction.negative_mean),
        },
        "stability": _stability(found),
        "metrics": [metric.to_json() for metric in found.metrics],
        "dose_response": _dose_response(found, resampling) if found.response else None,
        "doses": [{"strength": strength, "nats": nats} for strength, nats in found.vector.doses],
        "samples": [{"prompt": s.prompt, "strength": s.strength, "text": s.text} for s in found.samples],
        "seeds": seeds(found.spec),
        "software": software(lm),
        "duration_seconds": round(duration, 3),
    }


def summary(found: Measured, verdict: str) -> str:
    """One plain sentence."""
    by_id = {metric.id: metric for metric in found.metrics}
    if by_id["ratio"].verdict == "fail":
        return "This model hardly distinguishes the poles, so there is nothing to steer."
    if by_id["effect"].verdict == "fail":
        return "No effect beyond random vectors was found on this model."
    if found.scorer:
        does = f"Turns replies from {found.scorer.negative_pole} to {found.scorer.positive_pole}"
    else:
        does = "Makes replies like the positive texts more likely"
    works = (
        f"works from {found.window[0]:g} to {found.window[1]:g}" if found.window else "no window was found"
    )
    named = [by_id[i] for i in by_id if by_id[i].verdict == verdict]
    if verdict == "pass":
        return f"{does}; {works}."
    if verdict == "insufficient":
        return f"Too little data for a verdict: {named[0].reason}"
    concern = ", ".join(metric.id.replace("_", "-") for metric in named)
    return f"{does}; {works}, but {'fails' if verdict == 'fail' else 'is weak'} on {concern}."


def seeds(spec: ExtractionSpec) -> dict[str, str]:
    """Every seed, as text: JSON numbers lose the last digits in browsers."""
    return {"spec": spec.digest} | {
        name: str(seed_from(spec.digest, name)) for name in ("bootstrap", "sampling", "controls")
    }


def software(lm: LanguageModel) -> dict[str, str]:
    """What the numbers were made with, and at which positions was added."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": metadata.version("transformers"),
        "numpy": np.__version__,
        "device": lm.device.type,
        "dtype": dtype_name(lm.model.dtype),
        "positions": "all",
    }


def _trait(found: Measured) -> dict[str, str | None]:
    if found.scorer:
        return {
            "scorer": found.scorer.name,
            "label": found.scorer.label,
            "negative_pole": found.scorer.negative_pole,
            "positive_pole": found.scorer.positive_pole,
        }
    return {
        "scorer": "log_prob" if found.response else None,
        "label": "preference for the positive text",
        "negative_pole": "negative texts",
        "positive_pole": "positive texts",
    }


def _selection(found: Measured) -> dict[str, Any]:
    site, block = parse_site_key(found.key)
    provenance = found.vector.provenance
    return {
        "site": site,
        "block": block,
        "pooling": provenance.pooling,
        "method": provenance.method,
        "operation": found.vector.operation,
        "strength": rounded(found.strength),
        "blocks": [
            {name: value if isinstance(value, str | int) else rounded(value) for name, value in row.items()}
            for row in (asdict(place.score) for place in found.places)
        ],
    }


def _stability(found: Measured) -> dict[str, Any]:
    """How far the direction can be trusted, from the train pairs alone."""
    score = found.place.score
    return {
        "reliability": rounded(score.reliability),
        "consistency": rounded(score.consistency),
        "sign_flip_p": rounded(score.p),
        "robust_cosine": rounded(found.audit.cosine),
        "influential": [
            {"row": found.train_rows[pair], "degrees": rounded(np.degrees(angle))}
            for pair, angle in found.audit.influential
        ],
    }


def _dose_response(found: Measured, resampling: Resampling) -> dict[str, Any]:
    response = found.response
    if response is None:
        return {}
    effect = next(metric for metric in found.metrics if metric.id == "effect")
    low, high = effect.interval or (None, None)
    return {
        "score": found.scorer.label if found.scorer else response.score,
        "n_prompts": len(response.scores),
        "points": _points(found, response, resampling),
        "control": _control(response),
        "effect": {"value": rounded(effect.value), "low": rounded(low), "high": rounded(high)},
        "window": list(found.window) if found.window else None,
    }


def _points(found: Measured, response: Response, resampling: Resampling) -> list[dict[str, float | None]]:
    bootstrap = resampling.over(response.clusters)
    points = []
    for column, strength in enumerate(response.strengths):
        scores = response.scores[:, column]
        low, high = bootstrap.mean(scores)
        points.append(
            {
                "strength": strength,
                "multiplier": rounded(found.vector.multiplier(strength, found.key)),
                "mean": rounded(float(scores.mean())),
                "low": rounded(low),
                "high": rounded(high),
                "coherence": rounded(float(response.coherence[:, column].mean())),
            }
        )
    return points


def _control(response: Response) -> dict[str, Any]:
    return {
        "n_vectors": response.control_low.shape[1],
        "strength": CONTROL_STRENGTH,
        "effects": [rounded(e) for e in control_effects(response).tolist()],
        "points": [
            _spread(-CONTROL_STRENGTH, response.control_low),
            _spread(CONTROL_STRENGTH, response.control_high),
        ],
        "kind": "isotropic, equal norm",
    }


def _spread(strength: float, scores: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float | None]:
    """Median, lowest and highest of the random vectors' mean scores."""
    means = scores.mean(0)
    return {
        "strength": strength,
        "median": rounded(float(np.median(means))),
        "low": rounded(float(means.min())),
        "high": rounded(float(means.max())),
    }
