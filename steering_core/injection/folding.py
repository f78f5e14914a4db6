"""Folds additive vectors into biases of the model, so that steering adds no operation to a pass.

Where adding to a bias is the same as adding at the site is measured on the model itself, not looked up. What
cannot be folded, or differs between requests, is steered by `hooks`; `saving` writes a folded model to disk.
"""

import warnings
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from steering_core.errors import InjectionError
from steering_core.injection import operators
from steering_core.injection.mix import Item, as_steering
from steering_core.injection.plan import Options, make_plan
from steering_core.injection.strengths import SteeringWarning
from steering_core.models.load import LanguageModel
from steering_core.models.sites import Sites, find_sites, read_site
from steering_core.spec import Place, site_key

# Difference per token, as a share of the larger of what is added and what it is added to, up to which a
# folded addition is the hooked one: a few roundings of each dtype.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 0.005, torch.bfloat16: 0.03}
_PROBE_ROWS, _PROBE_TOKENS = 2, 16

Linear = nn.Linear | Conv1D
# How a block was called: positional and keyword arguments.
_Call = tuple[tuple[Any, ...], dict[str, Any]]

_FOLDED: "weakref.WeakSet[nn.Module]" = weakref.WeakSet()


class Folded:
    """Additions that stand in the biases of linear layers, until `undo` or the end of a `with` block.

    The model is changed for everyone who uses it. A linear layer without a bias gets one; one with a bias
    gets another parameter in its place. `undo` puts back the very parameter, moved to where the model was
    moved in between, or None.
    """

    def __init__(self, additions: Mapping[Linear, Tensor]) -> None:
        self._before: list[tuple[Linear, nn.Parameter | None]] = []
        try:
            for linear, addition in additions.items():
                self._before.append((linear, linear.bias))
                _FOLDED.add(linear)
                linear.bias = _moved(linear, addition)
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Take the additions out again; a second call does nothing."""
        while self._before:
            linear, bias = self._before.pop()
            if bias is not None:
                bias.data = bias.data.to(device=linear.bias.device, dtype=linear.bias.dtype)
            linear.bias = bias  # type: ignore[assignment]
            _FOLDED.discard(linear)

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The layers whose biases hold the additions; none after `undo`."""
        return tuple(linear for linear, _ in self._before)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.undo()


def fold(model: LanguageModel | nn.Module, vectors: Sequence[Item], *, made_for: str | None = None) -> Folded:
    """Put steering vectors into the biases of a loaded model: at every token of every row, at no cost.

    An addition at `resid_post` goes into the last linear layer that runs in the block, one at `mlp_out` or
    `attn_out` into the last of that part. The block is then run on random tokens, in the model's own dtype,
    with and without a strong addition: only where that moves the site as `steer` moves it is anything
    folded. So blocks that norm or scale what they add (Gemma 2 and 3, OLMo 2, Granite) refuse at
    `resid_post` and take it at `mlp_out` and `attn_out`; experts have no one last layer, and refuse.

        with fold(lm, [(vector, 0.3)]):
            ...

    Args:
        model: a `LanguageModel`, or any transformers causal language model with known decoder blocks, in
            evaluation mode, unquantised and in memory.
        vectors: as for `steer`, for additions everywhere. Those that meet in one bias are summed.
        made_for: as for `steer`.

    Returns:
        What undoes it; the vectors are in the model already when this returns.

    Raises:
        ModelMismatchError, ModelError, FormatError: as `steer`.
        InjectionError: `injection.fold_operation`, `fold_training`, `fold_no_linear`, `fold_module`,
            `fold_locked` or `fold_not_equal`, and as `steer`. The model is as it was before.
    """
    sites = model.sites if isinstance(model, LanguageModel) else find_sites(model)
    total = _additions(sites, model, vectors, made_for)
    if sites.root.training:
        raise InjectionError(
            "the model is in training mode, where dropout would act on a folded vector; call eval() first",
            code="injection.fold_training",
        )
    additions: dict[Linear, Tensor] = {}
    with torch.no_grad():
        calls = _block_calls(sites, {block for _, block in total})
        for place, addition in total.items():
            linear = _probed_linear(sites, place, calls[place[1]])
            additions[linear] = additions[linear] + addition if linear in additions else addition
    return Folded(additions)


def random_ids(root: nn.Module, rows: int = _PROBE_ROWS, tokens: int = _PROBE_TOKENS) -> Tensor:
    """(rows, tokens) of token ids, the same at every call, on the model's device."""
    config: Any = root.config
    ids = torch.randint(
        int(config.get_text_config().vocab_size), (rows, tokens), generator=torch.Generator().manual_seed(0)
    )
    return ids.to(next((p.device for p in root.parameters() if p.device.type != "meta"), ids.device))


def _additions(
    sites: Sites, model: LanguageModel | nn.Module, vectors: Sequence[Item], made_for: str | None
) -> dict[Place, Tensor]:
    """(d_model,) float64 for each place, if what is asked for is the same at every token."""
    identity = model.identity if isinstance(model, LanguageModel) else None
    items = [as_steering(item) for item in vectors]
    plan = make_plan(sites, identity, [items], Options(made_for=made_for), per_row=False)
    steps = [step for steps in plan.steps.values() for step in steps]
    if not plan.is_uniform or any(step.operator is not operators.add for step in steps):
        raise InjectionError(
            "a bias holds a constant, the same for every token of every row; project, clamp, keep_norm, "
            "positions, conditions and a strength for each row need steer",
            code="injection.fold_operation",
        )
    for warning in plan.warnings:
        warnings.warn(warning, SteeringWarning, stacklevel=3)
    return {place: step.tensors[0].flatten().double() for place, (step,) in plan.steps.items()}


def _moved(linear: Linear, addition: Tensor) -> nn.Parameter:
    """Bias plus addition, summed in float64 and rounded once."""
    bias = linear.weight.new_zeros(addition.shape) if linear.bias is None else linear.bias.detach()
    total = bias.double() + addition.to(device=bias.device, dtype=torch.float64)
    return nn.Parameter(total.to(bias.dtype), requires_grad=False)


def _block_calls(sites: Sites, blocks: set[int]) -> dict[int, _Call]:
    """How one pass over random tokens calls these blocks."""
    calls: dict[int, _Call] = {}

    def keep(block: int, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        calls[block] = (args, kwargs)

    with ExitStack() as hooks:
        for block in blocks:
            hook = sites.blocks[block].register_forward_pre_hook(partial(keep, block), with_kwargs=True)
            hooks.callback(hook.remove)
        if blocks:
            sites.root(input_ids=random_ids(sites.root), use_cache=False)
    return calls


def _probed_linear(sites: Sites, place: Place, call: _Call) -> Linear:
    """The layer whose bias moves a site as adding there does, found out on one block."""
    site, block = place
    module = sites.module(site, block)
    plain, ran = _run(sites, place, call)
    linear = _checked_linear(sites, place, ran)
    generator = torch.Generator().manual_seed(block)
    probe = torch.randn(sites.d_model, generator=generator, dtype=torch.float64).to(plain.device)
    probe *= float(plain.double().norm(dim=-1).mean() or 1.0) / float(probe.norm())
    wanted = plain.double() + probe
    with Folded({linear: probe}):
        found = _run(sites, place, call)[0].double()
    scale = wanted.norm(dim=-1).clamp_min(float(probe.norm()))
    differs = float(((found - wanted).norm(dim=-1) / scale).max())
    # Not "more than", so that NaN is refused.
    if not differs <= TOLERANCE[plain.dtype]:
        raise InjectionError(
            f"a vector in the bias of {_path(sites.blocks[block], linear)} of block {block} does not move "
            f"{site} as adding it there does: what comes out differs by {differs:.1%}, and {plain.dtype} "
            f"allows {TOLERANCE[plain.dtype]:.2g}. {type(module).__name__} norms, scales or routes what this "
            "layer gives; use steer",
            code="injection.fold_not_equal",
        )
    return linear


def _run(sites: Sites, place: Place, call: _Call) -> tuple[Tensor, list[nn.Module]]:
    """What the site holds when the block runs, and the linear layers that ran in its part, in order."""
    site, block = place
    part, seen, ran = sites.module(site, block), [], []

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        seen.append(read_site(site, output))

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.shape[-1] == sites.d_model:
            ran.append(module)

    with ExitStack() as hooks:
        hooks.callback(part.register_forward_hook(keep).remove)
        for module in part.modules():
            # Of other libraries too: what is quantised must be recognised to be refused.
            if isinstance(module, Conv1D) or "Linear" in type(module).__name__:
                hooks.callback(module.register_forward_hook(note).remove)
        args, kwargs = call
        sites.blocks[block](*args, **kwargs)
    return seen[-1], ran


def _checked_linear(sites: Sites, place: Place, ran: list[nn.Module]) -> Linear:
    """The last of the linear layers that ran, if its bias can be replaced."""
    key = site_key(*place)
    if not ran:
        raise InjectionError(
            f"no linear layer that gives width {sites.d_model} runs in {type(sites.module(*place)).__name__} "
            f"at {key}, so there is no bias to fold into; experts that share one tensor have none. Use steer",
            code="injection.fold_no_linear",
        )
    last = ran[-1]
    path = f"{_path(sites.blocks[place[1]], last)} of block {place[1]}"
    if type(last) not in (nn.Linear, Conv1D) or not _is_plain_weight(last.weight):
        raise InjectionError(
            f"{path} is a {type(last).__module__}.{type(last).__name__}; expected torch's Linear or GPT-2's "
            "Conv1D with a floating-point weight in memory. Quantised, wrapped and offloaded layers are left "
            "alone; use steer",
            code="injection.fold_module",
        )
    homes = sum(last in block.modules() for block in sites.blocks)
    if homes != 1 or ran.count(last) != 1:
        raise InjectionError(
            f"{path} runs more than once in a pass, in {homes} blocks, so its bias would act elsewhere too; "
            "use steer",
            code="injection.fold_module",
        )
    if last in _FOLDED:
        raise InjectionError(
            f"{path}, where {key} folds, holds a folded vector already; undo that first, or fold all vectors "
            "in one call",
            code="injection.fold_locked",
        )
    return last  # type: ignore[return-value]


def _is_plain_weight(weight: object) -> bool:
    return type(weight) is nn.Parameter and weight.dtype in TOLERANCE and weight.device.type != "meta"


def _path(block: nn.Module, wanted: nn.Module) -> str:
    paths: dict[nn.Module, str] = {module: path for path, module in block.named_modules()}
    return paths[wanted]
