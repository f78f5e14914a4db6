"""A report of the shape that `steering_core.evaluation.report` writes, with round numbers."""

from typing import Any

from steering_core.spec import STRENGTHS

Json = dict[str, Any]

QUESTIONS = {
    "auroc": "Does the direction exist?",
    "ratio": "Is the shift large enough to see?",
    "steerability": "Does it move what the model prefers?",
    "anti_steerable": "On every prompt?",
    "effect": "Does it move behaviour?",
    "coherence": "Does the model stay coherent?",
}
REPLIES = {-0.3: "hey buddy . just reset it !", 0.0: "you can reset it .", 0.3: "kindly reset it ."}


def make_report(verdict: str = "pass") -> Json:
    """A whole report; every metric has the same verdict as the whole."""
    return {
        "report_version": 1,
        "verdict": verdict,
        "summary": "Turns replies from casual to formal; works from -0.3 to 0.45.",
        "trait": {
            "scorer": "demo:formality",
            "label": "formality",
            "negative_pole": "casual",
            "positive_pole": "formal",
        },
        "counts": {"train": 12, "select": 4, "test": 4, "test_groups": 4, "left_out": 0},
        "selection": selection(),
        "scale": {"direction_norm": 2.1, "residual_norm": 12.5, "ratio": 0.168},
        "metrics": [metric(name, verdict) for name in QUESTIONS],
        "dose_response": dose_response(),
        "samples": [
            {"prompt": "how do i reset the old router ?", "strength": strength, "text": text}
            for strength, text in REPLIES.items()
        ],
        "seeds": {"sampling": 1, "bootstrap": 2, "controls": 3},
        "software": {"torch": "2.13.0", "transformers": "5.23.0"},
        "duration_seconds": 9.5,
    }


def selection() -> Json:
    return {
        "site": "resid_post",
        "block": 2,
        "pooling": "response_mean",
        "method": "mean_difference",
        "blocks": [
            {"block": b, "auroc": 0.9 + b / 100, "ratio": 0.1 + b / 50, "effect": b / 3} for b in range(4)
        ],
    }


def metric(name: str, verdict: str) -> Json:
    return {
        "id": name,
        "question": QUESTIONS[name],
        "label": name,
        "value": 0.97,
        "low": 0.93,
        "high": 0.99,
        "beside": {"label": "by length alone", "value": 0.55},
        "verdict": verdict,
        "reason": "Passes if the lower bound is at least 0.85: it is 0.93.",
    }


def dose_response() -> Json:
    return {
        "score": "formality",
        "n_prompts": 24,
        "points": [point(strength) for strength in STRENGTHS],
        "control": {
            "n_vectors": 19,
            "strength": 0.3,
            "effects": [round(0.02 * k - 0.19, 2) for k in range(19)],
            "points": [{"strength": s, "median": 0.0, "low": -0.2, "high": 0.2} for s in (-0.3, 0.3)],
            "kind": "isotropic, equal norm",
        },
        "effect": {"value": 0.9, "low": 0.7, "high": 1.1},
        "window": [-0.3, 0.45],
    }


def point(strength: float) -> Json:
    mean = round(1.5 * strength, 3)
    return {
        "strength": strength,
        "multiplier": strength * 6,
        "mean": mean,
        "low": mean - 0.15,
        "high": mean + 0.15,
        "coherence": 1 - abs(strength) / 4,
    }
