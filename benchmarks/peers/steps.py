"""Passes of a steered model: their time, the operations they add, and what steering one block costs.

In whichever environment this is imported; nothing imports a peer before it is asked for.
"""

import gc
import importlib
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import DynamicCache

from benchmarks.peers.loading import Loaded
from benchmarks.peers.steered import Steered

SIDES = {
    "bearing": "benchmarks.injection_ours",
    "steering-vectors": "benchmarks.peers.steering_vectors_steering",
    "repeng": "benchmarks.peers.repeng_steering",
}
_COST_ROUNDS, _COST_PASSES = 40, 8
# About the norm of a random model's residual stream, per element.
_SCALE = 0.02


def direction(loaded: Loaded, block: int, vector: int = 0) -> Tensor:
    """(d_model,) float32 on the CPU: what every side adds at a block, the same in every environment."""
    generator = torch.Generator().manual_seed(1000 * vector + block)
    return _SCALE * torch.randn(loaded.model.config.hidden_size, generator=generator)


class Steps:
    """The prompts' caches of a loaded model, and what is measured on it."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._caches: dict[tuple[int, int], DynamicCache] = {}

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One line's answer: `time_steps`, `step_cost` or `step_logits`."""
        steered = Steered.from_json(asked["steered"])
        with torch.inference_mode():
            if asked["do"] == "time_steps":
                return self._time(steered)
            if asked["do"] == "step_cost":
                return {**self._cost(steered), "operations_per_block": self._operations(steered)}
            save_file({"logits": self._logits(steered)}, asked["to"])
            return {}

    def _time(self, steered: Steered) -> dict[str, float]:
        """CPU and wall seconds of the passes; a first one and entering are not counted."""
        run = self._pass(steered)
        with self._steering(steered):
            run()
            gc.collect()
            gc.disable()
            try:
                self._synchronise()
                wall, cpu = time.perf_counter(), time.process_time()
                for _ in range(steered.repeats):
                    run()
                self._synchronise()
                return {
                    "cpu_seconds": time.process_time() - cpu,
                    "wall_seconds": time.perf_counter() - wall,
                }
            finally:
                gc.enable()

    def _operations(self, steered: Steered) -> float:
        """Operations (aten) that a pass has more than the unsteered one, per block, once it runs."""
        run = self._pass(steered)
        run()
        with _Counting() as plain:
            run()
        with self._steering(steered):
            run()
            with _Counting() as found:
                run()
        return (found.count - plain.count) / len(steered.blocks)

    def _cost(self, steered: Steered) -> dict[str, float]:
        """Microseconds that steering adds to one block and pass.

        The blocks do nothing here but return what they are given, so that little is left beside what was put
        around them: steered minus unsteered, in turn. Folding puts nothing around them; for it the linear
        layers run by themselves, with and without the vector in their biases. `control` is unsteered minus
        unsteered.
        """
        differences, control = [], []
        with self._idle_blocks() if steered.how != "folded" else nullcontext():
            for _ in range(_COST_ROUNDS):
                with self._steering(steered) as entered:
                    loop = self._loop(steered, entered)
                    loop()
                    cost = self._seconds(loop)
                loop = self._loop(steered, entered)
                loop()
                plain, again = self._seconds(loop), self._seconds(loop)
                differences.append(cost - plain)
                control.append(again - plain)
        calls = _COST_PASSES * len(steered.blocks)
        return {
            "us_per_block": 1e6 * statistics.median(differences) / calls,
            "control_us_per_block": 1e6 * statistics.median(control) / calls,
        }

    def _loop(self, steered: Steered, entered: Any) -> Callable[[], None]:
        """Some passes without the head, or through the linear layers that hold a vector."""
        loaded = self._loaded
        if steered.how == "folded":
            linears = entered
            width = linears[0].in_features
            inputs = torch.zeros(steered.batch, 1, width, dtype=loaded.dtype, device=loaded.device)

            def through_linears() -> None:
                for _ in range(_COST_PASSES):
                    for linear in linears:
                        linear(inputs)

            return through_linears
        root, (ids, positions) = loaded.model.model, self._prompts(steered)
        token, position = ids[:, :1], positions[:, -1:] + 1

        def through_blocks() -> None:
            for _ in range(_COST_PASSES):
                root(input_ids=token, position_ids=position, use_cache=False)

        return through_blocks

    @contextmanager
    def _idle_blocks(self) -> Iterator[None]:
        blocks: list[nn.Module] = list(self._loaded.model.model.layers)
        for block in blocks:
            block.forward = _same  # type: ignore[method-assign]
        try:
            yield
        finally:
            for block in blocks:
                del block.forward

    def _seconds(self, action: Callable[[], None]) -> float:
        self._synchronise()
        on_cpu = self._loaded.device == "cpu"
        clock = time.process_time if on_cpu else time.perf_counter
        started = clock()
        action()
        self._synchronise()
        return clock() - started

    def _logits(self, steered: Steered) -> Tensor:
        """(batch, vocab_size) of the last token of the prompts."""
        ids, positions = self._prompts(steered)
        with self._steering(steered):
            logits = self._loaded.model(input_ids=ids, position_ids=positions, use_cache=False).logits
        return logits[:, -1].float().cpu().contiguous()

    def _pass(self, steered: Steered) -> Callable[[], None]:
        """One pass; a decoding one takes its token off the cache again."""
        model, (ids, positions) = self._loaded.model, self._prompts(steered)
        if steered.phase == "prefill":
            return lambda: model(input_ids=ids, position_ids=positions, use_cache=True, logits_to_keep=1)
        key = (steered.batch, steered.tokens)
        if key not in self._caches:
            cache = DynamicCache(config=model.config)
            model(input_ids=ids, position_ids=positions, past_key_values=cache, use_cache=True)
            self._caches[key] = cache
        cache, token, position = self._caches[key], ids[:, :1], positions[:, -1:] + 1

        def decode() -> None:
            model(input_ids=token, position_ids=position, past_key_values=cache, use_cache=True)
            # A negative number of tokens is taken off by every version.
            cache.crop(-1)

        return decode

    def _prompts(self, steered: Steered) -> tuple[Tensor, Tensor]:
        """Random token ids and their positions, which repeng needs in a batch; no row is padded."""
        loaded, generator = self._loaded, torch.Generator().manual_seed(0)
        shape = (steered.batch, steered.tokens)
        ids = torch.randint(3, loaded.model.config.vocab_size, shape, generator=generator)
        return ids.to(loaded.device), torch.arange(shape[1], device=loaded.device).repeat(shape[0], 1)

    def _steering(self, steered: Steered) -> AbstractContextManager[Any]:
        if steered.how == "unsteered":
            return nullcontext()
        module = importlib.import_module(SIDES[steered.side])
        return module.steering(self._loaded, steered)  # type: ignore[no-any-return]

    def _synchronise(self) -> None:
        if self._loaded.device == "cuda":
            torch.cuda.synchronize()


class _Counting(TorchDispatchMode):
    """Counts the operations that reach the dispatcher."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def _same(hidden: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return hidden
