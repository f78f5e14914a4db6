"""Vectors that steer the demo model, made in a second: the mean difference at one block, of few pairs."""

from functools import cache

import numpy as np
import torch

from steering_core.demo import demo_pairs
from steering_core.demo.paths import weights_path
from steering_core.formats.bearing import write_vector
from steering_core.models.load import LanguageModel, load_model
from steering_core.models.tokens import encode_pair
from steering_core.spec import Provenance
from steering_core.vector import SteeringVector

BLOCK = 2


@cache
def demo_model() -> LanguageModel:
    """The shipped model, loaded once."""
    return load_model(weights_path(), name="bearing/demo")


@cache
def demo_artifact(axis: str = "formality") -> bytes:
    """The native file of a direction that turns this trait of the demo language."""
    lm = demo_model()
    poles: dict[bool, list[np.ndarray]] = {True: [], False: []}
    norms = []
    for pair in demo_pairs(axis, 6, seed=1):
        rows = encode_pair(lm, pair)
        for pole, ids in ((True, rows.positive), (False, rows.negative)):
            with torch.inference_mode():
                states = lm.model(torch.tensor([ids]), output_hidden_states=True).hidden_states[BLOCK + 1][0]
            reply = states[rows.prompt_length :].double().numpy()
            poles[pole].append(reply.mean(0))
            norms.append(np.linalg.norm(reply, axis=1).mean())
    direction = (np.mean(poles[True], 0) - np.mean(poles[False], 0)).astype(np.float32)
    key = f"resid_post.{BLOCK}"
    vector = SteeringVector(
        model=lm.identity,
        directions={key: direction},
        residual_norms={key: float(np.mean(norms))},
        window=(-0.3, 0.45),
        provenance=Provenance(
            "mean_difference", "response_mean", "sha256:" + "cd" * 32, "sha256:" + "ef" * 32, "test"
        ),
    )
    return write_vector(vector)
