"""The report as JSON, version 2: what was measured, with the rule, the seeds and the cost, for pages and
machines alike.

Written once, stored as it is. docs/report.schema.json is its schema, docs/evaluation.md says what the numbers
mean; pages still show version 1, which had no gates, tiers and costs.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import numpy as np
import torch

from steering_core.evaluation.cost import Cost
from steering_core.evaluation.evaluate import Evaluation
from steering_core.evaluation.evidence import Metric, rounded
from steering_core.evaluation.gates import GateVerdict
from steering_core.evaluation.ranking import ScoredPlace
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.subject import Subject
from steering_core.extraction.methods.geometric_median import Audit
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel
from steering_core.spec import seed_from
from steering_core.vector import SteeringVector

REPORT_VERSION = 2
_SEEDS = ("bootstrap", "sampling", "controls")


@dataclass(frozen=True, slots=True)
class Extracted:
    """How a vector came about, where it was extracted in the same run.

    Attributes:
        places: every place with its score, the tried ones with their effect.
        train_rows: the train pairs' rows in the dataset, from 1, in the order of the audit.
        train_needed: how many train pairs the trait takes; None where they have nothing in common.
    """

    place: ScoredPlace
    places: Sequence[ScoredPlace]
    audit: Audit
    train_rows: Sequence[int]
    train_needed: int | None


def build_report(
    evaluation: Evaluation, vector: SteeringVector, extracted: Extracted | None, duration: float
) -> dict[str, Any]:
    """The whole report, JSON-ready.

    Args:
        vector: the subject's with the window that was found.
    """
    subject, metrics = evaluation.subject, evaluation.metrics
    sections = {name: section.facts for name, section in evaluation.findings.sections.items()}
    total = Cost()
    for cost in evaluation.costs.values():
        total += cost
    return {
        "report_version": REPORT_VERSION,
        "tier": subject.tier,
        "verdict": evaluation.verdict,
        "grade": evaluation.grade,
        "summary": summary(evaluation, vector),
        "headlines": headlines(metrics, evaluation.gates),
        "gates": [gate.to_json() for gate in evaluation.gates],
        "vector": {
            "tensor_digest": vector.tensor_digest,
            "model_hash": vector.model.model_hash,
            "base_model": vector.model.name,
            "place": subject.key,
            "advertised_window": list(subject.advertised) if subject.advertised else None,
        },
        "trait": _trait(subject.scorer, bool(evaluation.findings.response)),
        "counts": _counts(subject, extracted),
        "selection": _selection(subject, extracted),
        "scale": {
            "direction_norm": rounded(vector.norm(subject.key)),
            "residual_norm": rounded(vector.residual_norms[subject.key]),
            "ratio": rounded(vector.ratio(subject.key)),
            "negative_mean": rounded(_set_point(vector, subject.key, 0)),
            "positive_mean": rounded(_set_point(vector, subject.key, 1)),
        },
        "stability": _stability(extracted) if extracted else None,
        "metrics": [metric.to_json() for metric in metrics],
        "dose_response": _dose_response(sections, metrics),
        "doses": [{"strength": strength, "nats": nats} for strength, nats in vector.doses],
        "samples": sections.get("response", {}).get("samples", []),
        "sections": {
            name: {key: value for key, value in facts.items() if key != "samples"}
            for name, facts in sections.items()
        },
        "suite": {"name": subject.suite.name, "digest": subject.suite.digest},
        "seeds": seeds(subject.digest),
        "software": software(subject.lm),
        "cost": {
            **total.to_json(),
            "families": {name: cost.to_json() for name, cost in evaluation.costs.items()},
        },
        "duration_seconds": round(duration, 3),
    }


def summary(evaluation: Evaluation, vector: SteeringVector) -> str:
    """One plain sentence."""
    scorer = evaluation.subject.scorer
    failed = {metric.definition.id for metric in evaluation.metrics if metric.verdict == "fail"}
    if "ratio" in failed:
        return "This model hardly distinguishes the poles, so there is nothing to steer."
    if "effect" in failed:
        return "No effect beyond random vectors was found on this model."
    if scorer:
        does = f"Turns replies from {scorer.negative_pole} to {scorer.positive_pole}"
    else:
        does = "Makes replies like the positive texts more likely"
    window = vector.window
    works = f"works from {window[0]:g} to {window[1]:g}" if window else "no window was found"
    verdict = evaluation.verdict
    named = [gate for gate in evaluation.gates if gate.verdict == verdict]
    if verdict == "pass":
        return f"{does}; {works}."
    if verdict == "insufficient":
        return f"Too little evidence for a verdict on {_listed(named)}. {named[0].reason}"
    return f"{does}; {works}, but {'fails' if verdict == 'fail' else 'is weak'} on {_listed(named)}."


def headlines(metrics: Sequence[Metric], gates: Sequence[GateVerdict]) -> list[str]:
    """What a reader must know first: what prompting does, then each gate that fails or lacks evidence."""
    first = [m.reason for m in metrics if m.definition.id == "prompting"]
    return first + [gate.reason for gate in gates if gate.verdict in ("fail", "insufficient")]


def seeds(spec_digest: str) -> dict[str, str]:
    """Every seed, as text: JSON numbers lose the last digits in browsers."""
    return {"spec": spec_digest} | {name: str(seed_from(spec_digest, name)) for name in _SEEDS}


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


def _listed(gates: Sequence[GateVerdict]) -> str:
    return ", ".join(gate.name.replace("_", " ") for gate in gates)


def _trait(scorer: TraitScorer | None, was_tried: bool) -> dict[str, str | None]:
    if scorer:
        return {
            "scorer": scorer.name,
            "label": scorer.label,
            "negative_pole": scorer.negative_pole,
            "positive_pole": scorer.positive_pole,
        }
    return {
        "scorer": "log_prob" if was_tried else None,
        "label": "preference for the positive text",
        "negative_pole": "negative texts",
        "positive_pole": "positive texts",
    }


def _counts(subject: Subject, extracted: Extracted | None) -> dict[str, int | None]:
    data = subject.data
    counts: dict[str, int | None] = {
        "train": len(data.train),
        "select": len(data.select),
        "test": len(data.test),
        "test_groups": len({subject.cluster(i) for i in data.test}),
        "left_out": data.left_out,
        "boundary_checked": data.boundary.checked,
        "boundary_moved": data.boundary.moved,
    }
    if extracted:
        counts["train_needed"] = extracted.train_needed
    return counts


def _selection(subject: Subject, extracted: Extracted | None) -> dict[str, Any]:
    site, block = subject.place
    provenance = subject.vector.provenance
    return {
        "site": site,
        "block": block,
        "pooling": provenance.pooling,
        "method": provenance.method,
        "operation": subject.vector.operation,
        "strength": rounded(subject.strength),
        "blocks": [
            {name: value if isinstance(value, str | int) else rounded(value) for name, value in row.items()}
            for row in (asdict(place.score) for place in (extracted.places if extracted else ()))
        ],
    }


def _stability(extracted: Extracted) -> dict[str, Any]:
    """How far the direction can be trusted, from the train pairs alone."""
    score, audit = extracted.place.score, extracted.audit
    return {
        "reliability": rounded(score.reliability),
        "consistency": rounded(score.consistency),
        "sign_flip_p": rounded(score.p),
        "robust_cosine": rounded(audit.cosine),
        "influential": [
            {"row": extracted.train_rows[pair], "degrees": rounded(np.degrees(angle))}
            for pair, angle in audit.influential
        ],
    }


def _dose_response(
    sections: Mapping[str, Mapping[str, Any]], metrics: Sequence[Metric]
) -> dict[str, Any] | None:
    """The curve with its control, in the form that version 1 had."""
    response = sections.get("response", {})
    if "points" not in response:
        return None
    effect = next((metric for metric in metrics if metric.definition.id == "effect"), None)
    value = effect.value if effect else None
    low, high = (effect.interval if effect else None) or (None, None)
    return {
        **{key: response[key] for key in ("score", "n_prompts", "points", "window")},
        "control": sections.get("controls"),
        "effect": {"value": rounded(value), "low": rounded(low), "high": rounded(high)},
    }


def _set_point(vector: SteeringVector, key: str, pole: int) -> float | None:
    return vector.set_points[key][pole] if key in vector.set_points else None
