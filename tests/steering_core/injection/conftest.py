"""What the tests of injection share: unit directions, and which tokens a `with` block really moved."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from steering_core.demo.paths import weights_path
from steering_core.models.load import load_model
from steering_core.models.sites import read_site
from steering_core.spec import parse_site_key


@pytest.fixture(scope="session")
def demo() -> Any:
    """The demo model, which writes whole replies."""
    return load_model(weights_path(), name="demo")


def direction(seed: int, width: int = 32) -> Any:
    return np.random.default_rng(seed).standard_normal(width).astype(np.float32)


def residual(kind: str, block: int = 1) -> str:
    """A residual site of an architecture."""
    return f"resid_post@1.{block}" if kind == "deepseek_v4" else f"resid_post.{block}"


def logits(model: Any, ids: Any, **more: Any) -> Any:
    with torch.no_grad():
        return model(ids, **more).logits


def moved(lm: Any, key: str, context: Any, run: Any) -> Any:
    """How far each token of each pass was moved at a site, (batch, tokens of all passes, d_model)."""
    site, block = parse_site_key(key)
    module, before, after = lm.sites.module(site, block), [], []
    first = module.register_forward_hook(lambda m, i, o: before.append(read_site(site, o).clone()))
    with context:
        last = module.register_forward_hook(lambda m, i, o: after.append(read_site(site, o).clone()))
        with torch.no_grad():
            run()
        last.remove()
    first.remove()
    return torch.cat([b - a for a, b in zip(before, after, strict=True)], dim=1)


def acted(lm: Any, key: str, context: Any, run: Any) -> Any:
    """Which tokens were moved at all, as a list of booleans for each row."""
    return (moved(lm, key, context, run).norm(dim=-1) > 1e-4).tolist()


class Operations(TorchDispatchMode):
    """The names of the operations that torch runs inside the `with` block."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))
