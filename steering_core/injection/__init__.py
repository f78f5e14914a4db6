"""Applies steering vectors to a running model; needs torch.

    from steering_core.injection import steer

    with steer(model, [(vector, 0.3)]):
        ...

`hooks` has the `with` blocks, `mix` what can be said of a vector; `folding` puts vectors into the model
itself and `saving` writes such a model to disk. docs/injection.md is the guide.
"""

from steering_core.injection.folding import fold
from steering_core.injection.hooks import steer, steer_batch, steer_rows
from steering_core.injection.mix import Condition, Multiplier, Nats, Span, Steering, Window
from steering_core.injection.saving import save_folded
from steering_core.injection.strengths import SteeringWarning

__all__ = [
    "Condition",
    "Multiplier",
    "Nats",
    "Span",
    "Steering",
    "SteeringWarning",
    "Window",
    "fold",
    "save_folded",
    "steer",
    "steer_batch",
    "steer_rows",
]
