"""Forward hooks that steer a model, for as long as a `with` block lasts.

`steer` treats all rows alike, `steer_batch` gives each row vectors of its own, and `steer_rows` takes what is
added ready-made, which is how `generate` and the evaluation run many strengths in one batch.
"""

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from steering_core.errors import InjectionError
from steering_core.injection import operators
from steering_core.injection.mix import Condition, Item, Positions, Span, as_steering
from steering_core.injection.plan import Options, Plan, Step, make_plan
from steering_core.injection.positions import Gate
from steering_core.injection.strengths import OutsideWindow, SteeringWarning
from steering_core.injection.watch import Watch
from steering_core.models.load import LanguageModel
from steering_core.models.sites import SiteOutput, Sites, find_sites
from steering_core.spec import Place, parse_site_key


def steer(
    model: LanguageModel | nn.Module,
    vectors: Sequence[Item],
    *,
    positions: Positions = "all",
    outside: Sequence[Span] = (),
    prompt_lengths: Sequence[int] | None = None,
    outside_window: OutsideWindow = "warn",
    made_for: str | None = None,
    cap: float = 2.0,
) -> AbstractContextManager[None]:
    """Run a model with steering vectors applied, each at its own strength.

        with steer(model, [(vector, 0.3), Steering(other, 1.0, operation="project")]):
            ...

    Additions at one site are summed beforehand and cost one operation there, however many they are; `plan`
    says in which order operations of several kinds act. Nested blocks act one after the other. The hooks are
    gone when the block is left, also by an exception, and what torch.compile made is compiled anew on either
    side of it. A strength of 0 leaves the model untouched, bit for bit. Rows of a model whose
    `Sites.right_padding_only` is set must not be padded on the left, steered or not.

    Below float32 an addition is summed in float32 and rounded to the model's dtype once, before it is added:
    one operation in place of three. At strength 0.3 in bfloat16 that leaves the state off by 0.00179 of its
    norm in place of 0.00167, of which 0.00166 is what rounding the state costs anyway (docs/injection.md).
    Operations other than a plain addition compute in float32 and round their result once.

    Args:
        model: a `LanguageModel`, or any transformers causal language model with known decoder blocks, also
            one that is compiled, spread over devices or quantised.
        vectors: (vector, strength), or `Steering` for all that can be said of one. The strength is a share of
            the residual norm stored with the vector, that of the residual stream after the block whatever the
            site (`models.sites` says what each site is). One for each row of the batch is a sequence.
        positions: for the items that do not say themselves. `all` is every position of prompt and reply,
            which is how reports are measured; `prompt` and `response`; a `Window`; `last`, the last position
            of each forward pass, so from the end of the prompt on when generating (rows must then not be
            padded on the right); or a boolean tensor (batch, tokens) over the columns that the model is
            given, padding included, with nothing steered past its end. Padding is told by the attention mask.
        outside: stretches of tokens inside which nothing is steered.
        prompt_lengths: how many real tokens of each row are the prompt. Without it the prompt is what the
            first pass reads that fills a cache, as in `generate`.
        outside_window: `warn`, `clamp` to it or `refuse` a strength outside the window in which the vector
            was found to work.
        made_for: the model hash that the vectors were made for, where it is not this model's: who names it
            accepts that nothing was measured here.
        cap: refuse what adds up at one place to more than this share of the mean residual norm.

    Raises:
        ModelMismatchError: a vector is for another model.
        ModelError: the model has no such block or site, or not known blocks.
        FormatError: a direction is zero.
        InjectionError: `injection.strength`, `.strength_form`, `.no_doses`, `.dose_range`, `.window`, `.cap`,
            `.set_points`, `.positions`, `.rows` or `.condition_order` at once; `.rows`, `.prompt_lengths`,
            `.mask`, `.attention_mask`, `.split_prompt`, `.undecided`, `.no_token_ids` or `.unseen_text` when
            the model is called.
    """
    options = Options(positions, outside, prompt_lengths, outside_window, made_for, cap)
    return _steered(model, [vectors], options, per_row=False)


def steer_batch(
    model: LanguageModel | nn.Module,
    mixes: Sequence[Sequence[Item]],
    *,
    positions: Positions = "all",
    outside: Sequence[Span] = (),
    prompt_lengths: Sequence[int] | None = None,
    outside_window: OutsideWindow = "warn",
    made_for: str | None = None,
    cap: float = 2.0,
) -> AbstractContextManager[None]:
    """Run a model with a mix of its own for each row of the batch.

        with steer_batch(model, [[(warm, 0.3)], [(terse, 0.2), (formal, 0.1)], []]):
            ...

    As `steer` otherwise, and as fast: what is added is one tensor for each place. Rows keep their mix when a
    beam search reorders them, and when `generate` drops those that have ended.

    Args:
        mixes: for each row what `steer` takes as `vectors`, with one strength each.

    Raises:
        As `steer`; InjectionError `injection.rows` also if the model is given another number of rows.
    """
    options = Options(positions, outside, prompt_lengths, outside_window, made_for, cap)
    return _steered(model, mixes, options, per_row=True)


def steer_rows(
    model: LanguageModel | nn.Module, additions: Mapping[Place, Tensor]
) -> AbstractContextManager[None]:
    """Add a tensor of its own to each row of a batch, at every position.

    Args:
        additions: (site, block) -> (batch, d_model).

    Raises:
        InjectionError: `injection.rows`: an addition is not two-dimensional, or they differ in rows.
        ModelError: the model has no such site.
    """
    everywhere = Gate("all")
    counts = {tuple(added.shape[:-1]) for added in additions.values()}
    if len(counts) > 1 or any(len(count) != 1 for count in counts):
        shapes = ", ".join(str(tuple(added.shape)) for added in additions.values())
        raise InjectionError(
            f"the additions have shapes {shapes}; expected (batch, d_model), of one batch",
            code="injection.rows",
        )
    steps = {
        place: [Step(operators.add, everywhere, (added.float()[:, None],))]
        for place, added in additions.items()
    }
    n_rows = next(iter(counts))[0] if counts else None
    return _installed(_sites_of(model), Plan(steps, n_rows, None, (), ()))


def needs_whole_prompts(model: LanguageModel | nn.Module) -> bool:
    """Whether a model is steered in a way that needs each prompt to be read in one forward pass."""
    hooks = _sites_of(model).root._forward_pre_hooks.values()
    return any(isinstance(hook, Watch) and hook.needs_whole_prompts for hook in hooks)


def _steered(
    model: LanguageModel | nn.Module, mixes: Sequence[Sequence[Item]], options: Options, *, per_row: bool
) -> AbstractContextManager[None]:
    sites = _sites_of(model)
    identity = model.identity if isinstance(model, LanguageModel) else None
    asked = [[as_steering(item) for item in mix] for mix in mixes]
    plan = make_plan(sites, identity, asked, options, per_row=per_row)
    for warning in plan.warnings:
        warnings.warn(warning, SteeringWarning, stacklevel=3)
    return _installed(sites, plan)


def _sites_of(model: LanguageModel | nn.Module) -> Sites:
    return model.sites if isinstance(model, LanguageModel) else find_sites(model)


@contextmanager
def _installed(sites: Sites, plan: Plan) -> Iterator[None]:
    with ExitStack() as undo:
        if plan.steps:
            undo.callback(_forget_compiled)
            _install(sites, plan, undo)
            _forget_compiled()
        yield


def _install(sites: Sites, plan: Plan, undo: ExitStack) -> None:
    watch = None
    if not plan.is_uniform:
        watch = Watch(sites.root, plan.gates, plan.n_rows, plan.prompt_lengths, plan.outside)
        undo.callback(watch.close)
        undo.callback(sites.root.register_forward_pre_hook(watch, with_kwargs=True).remove)
        for when in plan.conditions:
            site, block = parse_site_key(when.key)
            probe = _Probing(site, when, watch)
            undo.callback(sites.module(site, block).register_forward_hook(probe).remove)
    for (site, block), steps in plan.steps.items():
        module = sites.module(site, block)
        everywhere = not plan.outside and steps[0].gate.is_everywhere
        hook: _Adding | _Stepping = _Stepping(site, steps, watch)
        if len(steps) == 1 and everywhere and steps[0].operator is operators.add:
            hook = _Adding(site, sites.streams, steps[0], watch)
        # Before the first pass, so that compiled code need not be compiled again for the second.
        for weight in module.parameters():
            if weight.is_floating_point() and weight.device.type != "meta":
                hook.prepare(weight.dtype, weight.device, None)
                break
        undo.callback(module.register_forward_hook(hook).remove)


class _Adding:
    """The hook where all that happens is an addition everywhere: one operation on what the module returned.

    The addition is prepared for a dtype and device when they are first met. One for a single residual stream
    is widened by zeros for the others.
    """

    def __init__(self, site: str, streams: int, step: Step, watch: Watch | None) -> None:
        self._output, self._streams = SiteOutput(site), streams
        self._addition, self._watch = step.tensors[0], watch
        self._dims = 3 if self._output.stream is None else 4
        self._order: Tensor | None = None
        self._ready: Tensor | None = None

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Any:
        hidden = output[0] if isinstance(output, tuple) else output
        ready, order = self._ready, None if self._watch is None else self._watch.now.order
        if not isinstance(hidden, Tensor) or hidden.dim() != self._dims:
            self._output.read(output)  # says what is wrong with it
        if (
            ready is None
            or ready.dtype is not hidden.dtype
            or ready.device != hidden.device
            or order is not self._order
        ):
            ready = self.prepare(hidden.dtype, hidden.device, order)
        moved = hidden + ready
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    def prepare(self, dtype: torch.dtype, device: torch.device, order: Tensor | None) -> Tensor:
        """The addition as it broadcasts against what the module returns."""
        stream = self._output.stream
        ready = _in_order(self._addition, order).to(dtype=dtype, device=device)
        if stream is not None:
            ready = torch.nn.functional.pad(ready[:, :, None], (0, 0, stream, self._streams - 1 - stream))
        # One vector for all rows and tokens broadcasts fastest without leading dimensions.
        self._ready, self._order = ready if len(ready) > 1 else ready[0, 0], order
        return self._ready


class _Stepping:
    """The hook for everything else: steps one after another, in float32 unless all are plain additions."""

    def __init__(self, site: str, steps: Sequence[Step], watch: Watch | None) -> None:
        self._output, self._steps, self._watch = SiteOutput(site), steps, watch
        self._is_exact = any(step.operator is not operators.add for step in steps)
        self._order: Tensor | None = None
        self._ready: dict[tuple[torch.dtype, torch.device], list[tuple[Tensor, ...]]] = {}

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Any:
        hidden = self._output.read(output)
        order = None if self._watch is None else self._watch.now.order
        prepared = self._ready.get((hidden.dtype, hidden.device)) if order is self._order else None
        if prepared is None:
            prepared = self.prepare(hidden.dtype, hidden.device, order)
        hidden = hidden.to(self._working(hidden.dtype))
        for step, tensors in zip(self._steps, prepared, strict=True):
            on = True if self._watch is None else self._watch.now.factor(step.gate, hidden)
            if on is not False:
                hidden = step.operator(hidden, None if on is True else on, *tensors)
        return self._output.write(output, hidden)

    def prepare(
        self, dtype: torch.dtype, device: torch.device, order: Tensor | None
    ) -> list[tuple[Tensor, ...]]:
        """The tensors of each step, for hidden states of a dtype on a device."""
        if order is not self._order:
            self._order = order
            self._ready.clear()
        self._ready[dtype, device] = [
            tuple(_in_order(t, order).to(dtype=self._working(dtype), device=device) for t in step.tensors)
            for step in self._steps
        ]
        return self._ready[dtype, device]

    def _working(self, dtype: torch.dtype) -> torch.dtype:
        return torch.promote_types(dtype, torch.float32) if self._is_exact else dtype


class _Probing:
    """The hook that shows a condition what its site holds."""

    def __init__(self, site: str, when: Condition, watch: Watch) -> None:
        self._output, self._when, self._watch = SiteOutput(site), when, watch
        direction = torch.from_numpy(when.vector.addition(1.0, when.key).copy())
        self._unit = direction / torch.linalg.vector_norm(direction)

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        hidden = self._output.read(output)
        self._watch.now.decide(self._when, self._unit.to(hidden.device), hidden)


def _in_order(tensor: Tensor, order: Tensor | None) -> Tensor:
    """Row by row as the batch is now; what is for all rows stays."""
    return tensor if order is None or len(tensor) == 1 else tensor[order.to(tensor.device)]


def _forget_compiled() -> None:
    """Have compiled code compiled anew, as hooks came or went.

    torch.compile inlines the hooks that it finds and then does not look whether they are still the same
    (torch._dynamo.config.skip_nnmodule_hook_guards). Which compiled code contains which module cannot be
    asked, so all is dropped, if there is any.
    """
    dynamo: Any = sys.modules.get("torch._dynamo")
    if dynamo is not None and dynamo.convert_frame.input_codes.seen:
        dynamo.reset()
