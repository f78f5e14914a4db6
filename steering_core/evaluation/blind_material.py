"""Replies for a blind test: unsteered, steered, and pushed at random, to prompts that the registry owns.

`blind` lays out the comparisons and concludes. A family without metrics: people have not answered yet.
"""

import numpy as np

from steering_core.evaluation.dose import CONTROL_STRENGTH, replies
from steering_core.evaluation.evidence import Section
from steering_core.evaluation.nulls import isotropic
from steering_core.evaluation.subject import Findings, Subject, Tell

# Ties are not decided, so more than the 30 comparisons that a conclusion takes.
N_ITEMS = 40


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """One reply of each kind to each prompt; nothing where there are no prompts."""
    prompts = list(subject.suite.prompts) or subject.test_prompts(N_ITEMS)[0]
    order = np.random.default_rng(subject.seed("blind")).permutation(len(prompts))[:N_ITEMS]
    prompts = [prompts[i] for i in order]
    strength = min(CONTROL_STRENGTH, found.window[1]) if found.window else CONTROL_STRENGTH
    # A window that ends at 0 leaves nothing to compare on this side.
    if not subject.has_prompts or not prompts or strength <= 0:
        return Section((), {"items": []})
    scale = strength / CONTROL_STRENGTH
    random = scale * isotropic(subject, 1)
    additions = np.concatenate([subject.additions((0.0, strength)), random]).astype(np.float32)
    texts = replies(
        subject.lm,
        subject.place,
        prompts,
        additions,
        max_new_tokens=subject.budget.max_new_tokens,
        seed=subject.seed("blind"),
        progress=tell,
    )
    items = [
        {"prompt": prompt, "neutral": neutral, "steered": steered, "random": pushed}
        for prompt, (neutral, steered, pushed) in zip(prompts, texts, strict=True)
    ]
    return Section((), {"strength": strength, "items": items})
