"""Applies steering vectors to a running model; needs torch.

from steering_core.injection import steer

with steer(model, [(vector, 0.3)]):
    ...
"""

from steering_core.injection.hooks import steer, steer_rows
from steering_core.injection.operators import SteeringWarning

__all__ = ["SteeringWarning", "steer", "steer_rows"]
