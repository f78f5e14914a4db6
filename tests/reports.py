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
OLDER_COUNTS = ("train", "select", "test", "test_groups", "left_out")
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
        "counts": {
            "train": 12,
            "select": 4,
            "test": 4,
            "test_groups": 4,
            "left_out": 0,
            "train_needed": 9,
            "boundary_checked": 40,
            "boundary_moved": 0,
        },
        "selection": selection(),
        "scale": {
            "direction_norm": 2.1,
            "residual_norm": 12.5,
            "ratio": 0.168,
            "positive_mean": 1.4,
            "negative_mean": -0.7,
        },
        "stability": stability(),
        "metrics": [metric(name, verdict) for name in QUESTIONS],
        "dose_response": dose_response(),
        "doses": [{"strength": s, "nats": round(5 * s * s, 6)} for s in STRENGTHS],
        "samples": [
            {"prompt": "how do i reset the old router ?", "strength": strength, "text": text}
            for strength, text in REPLIES.items()
        ],
        "seeds": {"spec": "sha256:" + "ef" * 32, "bootstrap": "2", "sampling": "1", "controls": "3"},
        "software": {
            "python": "3.13.2",
            "torch": "2.13.0",
            "transformers": "5.23.0",
            "numpy": "2.4.1",
            "device": "cpu",
            "dtype": "float32",
            "positions": "all",
        },
        "duration_seconds": 9.5,
    }


def older_report(verdict: str = "pass") -> Json:
    """A whole report as it was before there was more than one pooling: without what came since."""
    report = make_report(verdict)
    del report["stability"], report["doses"]
    report["counts"] = {name: report["counts"][name] for name in OLDER_COUNTS}
    del report["selection"]["strength"]
    report["selection"]["blocks"] = [
        {name: row[name] for name in ("block", "auroc", "ratio", "effect")}
        for row in report["selection"]["blocks"]
    ]
    return report


def selection() -> Json:
    return {
        "site": "resid_post",
        "block": 2,
        "pooling": "response_mean",
        "method": "mean_difference",
        "operation": "add",
        "strength": 0.3,
        "blocks": [place(block) for block in range(4)],
    }


def place(block: int, pooling: str = "response_mean", is_tried: bool = True) -> Json:
    """A row of the table of places; later blocks read better and steer better."""
    return {
        "pooling": pooling,
        "block": block,
        "auroc": round(0.9 + block / 1000, 4),
        "d_prime": 2.1,
        "consistency": 0.31,
        "p": 0.001,
        "reliability": 0.97,
        "ratio": round(0.1 + block / 50, 3),
        "dose": 0.21 if is_tried else None,
        "effect": round(block / 3, 4) if is_tried else None,
    }


def stability() -> Json:
    return {
        "reliability": 0.9714,
        "consistency": 0.31,
        "sign_flip_p": 0.001,
        "robust_cosine": 0.998,
        "influential": [{"row": row, "degrees": degrees} for row, degrees in ((17, 3.14), (4, 2.5))],
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
