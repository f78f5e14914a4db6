"""Apply steering vectors to a running model: `with steer(model, [(vector, 0.3)]): ...`."""

from steering_core.injection.hooks import steer

__all__ = ["steer"]
