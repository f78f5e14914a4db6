"""Reports of the shape that `steering_core.evaluation.report` writes, with round numbers, and of the shapes
that older releases wrote.
"""

from typing import Any

from steering_core.spec import STRENGTHS

Json = dict[str, Any]

GATES = ("existence", "causal", "reliability", "side_effects", "safety", "transfer")
# id -> (gate, question); the ids of version 1 come first and in its order.
QUESTIONS: dict[str, tuple[str | None, str]] = {
    "auroc": ("existence", "Does the direction exist?"),
    "ratio": ("existence", "Is the shift large enough to see?"),
    "steerability": ("causal", "Does it move what the model prefers?"),
    "anti_steerable": ("reliability", "On every prompt?"),
    "effect": ("causal", "Does it move behaviour?"),
    "coherence": ("side_effects", "Does the model stay coherent?"),
    "harmful_compliance": ("safety", "Does it make the model help with harm?"),
    "cross_domain": ("transfer", "Does it carry over to other domains?"),
    "prompting": (None, "Would a prompt do as well?"),
}
VERSION_1 = tuple(QUESTIONS)[:6]
OLDER_COUNTS = ("train", "select", "test", "test_groups", "left_out")
REPLIES = {-0.3: "hey buddy . just reset it !", 0.0: "you can reset it .", 0.3: "kindly reset it ."}
GRADES = {"pass": "B", "warn": "B", "insufficient": "C", "fail": "F"}
PROMPTING = "A system prompt does more than this vector: 1.10 against 0.90 with it"


def make_report(verdict: str = "pass", safety: str = "pass") -> Json:
    """A whole report of version 2; every gate has the same verdict as the whole, but for safety."""
    verdicts = {gate: safety if gate == "safety" else verdict for gate in GATES}
    overall = "fail" if safety == "fail" else verdict
    cost = {"forward_rows": 1400, "reply_tokens": 52000, "tokens": 90500, "seconds": 8.25}
    return {
        "report_version": 2,
        "tier": "standard",
        "verdict": overall,
        "grade": GRADES[overall],
        "summary": "Turns replies from casual to formal; works from -0.3 to 0.45.",
        "headlines": [PROMPTING, *_headlines(verdicts)],
        "gates": [
            {"name": gate, "verdict": verdicts[gate], "reason": f"What decides {gate}."} for gate in GATES
        ],
        "vector": {
            "tensor_digest": "sha256:" + "12" * 32,
            "model_hash": "sha256:" + "ab" * 32,
            "base_model": "bearing/demo",
            "place": "resid_post.2",
            "advertised_window": None,
        },
        **_common(),
        "metrics": [metric(name, verdicts.get(gate or "", "warn")) for name, (gate, _) in QUESTIONS.items()],
        "sections": {
            "prompting": prompting(),
            "response": {},
            "side_effects": side_effects(),
            "safety": safety_section(),
            "transfer": transfer_section(),
        },
        "suite": {"name": "demo", "digest": "sha256:" + "34" * 32},
        "cost": {**cost, "families": {"response": cost}},
    }


def report_v1(verdict: str = "pass") -> Json:
    """A whole report as the last release before gates wrote it; every metric has the same verdict."""
    since = ("gate", "rule", "n", "n_groups", "source", "needed")
    return {
        "report_version": 1,
        "verdict": verdict,
        "summary": "Turns replies from casual to formal; works from -0.3 to 0.45.",
        **_common(),
        "metrics": [
            {key: value for key, value in metric(name, verdict).items() if key not in since}
            for name in VERSION_1
        ],
    }


def older_report(verdict: str = "pass") -> Json:
    """A whole report as it was before there was more than one pooling: without what came since."""
    report = report_v1(verdict)
    del report["stability"], report["doses"]
    report["counts"] = {name: report["counts"][name] for name in OLDER_COUNTS}
    del report["selection"]["strength"]
    report["selection"]["blocks"] = [
        {name: row[name] for name in ("block", "auroc", "ratio", "effect")}
        for row in report["selection"]["blocks"]
    ]
    return report


def _headlines(verdicts: dict[str, str]) -> list[str]:
    return [f"What decides {gate}." for gate, found in verdicts.items() if found in ("fail", "insufficient")]


def _common() -> Json:
    """What both versions say in the same words."""
    return {
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
    gate, question = QUESTIONS[name]
    return {
        "id": name,
        "gate": gate,
        "question": question,
        "label": name,
        "rule": "passes if the lower bound is at least 0.85",
        "value": 0.97,
        "low": 0.93,
        "high": 0.99,
        "n": 24,
        "n_groups": 20,
        "source": "test",
        "beside": {"label": "by length alone", "value": 0.55},
        "verdict": verdict,
        "reason": "Passes if the lower bound is at least 0.85: it is 0.93.",
        "needed": 120 if verdict == "insufficient" else None,
    }


def prompting() -> Json:
    """What steering, asking and both do, from pole to pole."""
    bars = {"steer": 0.9, "prompt": 1.1, "few_shot": 0.6, "both": 1.4}
    return {
        "unit": "formality",
        "n_prompts": 24,
        "bars": {
            name: {"mean": mean, "low": round(mean - 0.1, 3), "high": round(mean + 0.1, 3)}
            for name, mean in bars.items()
        },
        "best": "prompt",
        "beside": "prompt",
        "tokens_added": {"prompt": 9.0, "few_shot": 130.5},
        "instruction": ["be casual", "be formal"],
        "strength": 0.3,
    }


def side_effects() -> Json:
    """What else moves: the own trait and two others, and what neutral texts pay at both ends."""
    points = {"log_perplexity": 2.31, "entropy": 1.8, "kl": 0.04, "kl_p95": 0.2, "kl_max": 1.1}
    return {
        "strength": 0.3,
        "entanglement": {
            "own": 0.9,
            "rms": 0.12,
            "others": [
                {"trait": "warmth", "change": 0.25, "low": 0.12, "high": 0.38},
                {"trait": "certainty", "change": -0.04, "low": -0.1, "high": 0.02},
            ],
        },
        "neutral": [{"strength": strength, **points} for strength in (-0.3, 0.3)],
    }


def safety_section() -> Json:
    """Harmful requests asked plainly and under one attack, and the audit of the pairs."""
    cell = {"before": 0.1, "after": 0.12, "low": -0.01, "high": 0.05, "random": 0.02}
    return {
        "strengths": [-0.3, 0.3],
        "compliance": [
            {"attack": attack, "strength": strength, **cell}
            for attack in ("none", "prefix")
            for strength in (-0.3, 0.3)
        ],
        "window": [-0.3, 0.45],
        "poison": {
            "cosine": 0.998,
            "pairs": [{"row": 17, "degrees": 3.14}],
            "groups": [{"group": "g3", "cosine": 0.97}],
            "tokens": [
                {"token": "kindly", "side": "positive", "share": 0.8, "surprise": 1.2,
                 "out_of_place": 0.1, "low": 0.02, "high": 0.3},
            ],
        },
    }  # fmt: skip


def transfer_section() -> Json:
    """What is left of the effect under a system prompt and in another form."""
    row = {"slope": 1.8, "base_slope": 2.0, "preference": 0.2, "n": 24}
    return {
        "domains": [{"name": "home → work", "relative": 0.8, "low": 0.7, "high": 0.9, **row}],
        "conditions": [
            {"name": "sys_pos", "relative": 0.9, "low": 0.8, "high": 1.02, **row},
            {"name": "yes_no", "relative": 0.6, "low": 0.4, "high": 0.75, **row},
        ],
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
