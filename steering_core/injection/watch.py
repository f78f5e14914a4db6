"""Follows what a model reads, pass by pass, for what is not steered the same in every row and position.

A `Watch` is a pre-hook of the model without its head, and is there only if something needs it. What it must
remember from one pass to the next it keeps for each key-value cache: the cache says which text a pass goes on
with, and is told when rows change their order (beam search) or are dropped (`generate`).
"""

import inspect
import types
import weakref
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from steering_core.errors import InjectionError
from steering_core.injection.mix import Condition, Span
from steering_core.injection.positions import Gate, Reading, both, prompt_tokens, tokens_at
from steering_core.injection.spans import SpanReader


@dataclass(frozen=True, eq=False, slots=True)
class Share:
    """What a batch is of a longer list of rows; `generate` puts it on its cache as `share`.

    Attributes:
        rows: (batch,) index of each row in the list.
        n_rows: length of the list.
        prompt_lengths: (batch,) tokens of each row's prompt.
    """

    rows: Tensor
    n_rows: int
    prompt_lengths: Tensor


@dataclass(eq=False)
class Text:
    """What is remembered of a batch; tensors have one entry for each row.

    Attributes:
        order: which of the caller's rows each row is; None for the same.
        prompt_lengths: in real tokens; None for what the first pass reads.
        length: columns read so far, padding included; None if the first pass was not seen.
    """

    batch: int
    order: Tensor | None
    prompt_lengths: Tensor | None
    spans: SpanReader | None
    length: int | None
    decisions: dict[Condition, Tensor] = field(default_factory=dict)

    def take(self, rows: Tensor) -> None:
        """Keep these rows, in this order."""
        kept = rows.cpu()
        self.batch = len(kept)
        self.order = kept if self.order is None else self.order[kept]
        self.prompt_lengths = None if self.prompt_lengths is None else self.prompt_lengths[kept]
        if self.spans is not None:
            self.spans.take(kept)
        self.decisions = {when: held[rows.to(held.device)] for when, held in self.decisions.items()}


class Watch:
    """A forward pre-hook that notes what a pass is about to read; the hooks at the sites ask for it.

    One model runs one pass at a time: two threads need a model each.

    Args:
        root: the model without its head.
        n_rows: the batch must have as many rows; None for any number.
        prompt_lengths: (n_rows,) in real tokens; None if the first pass of a text reads its prompt.
    """

    def __init__(
        self,
        root: nn.Module,
        gates: Sequence[Gate],
        n_rows: int | None,
        prompt_lengths: Tensor | None,
        outside: Sequence[Span],
    ) -> None:
        self._names = list(inspect.signature(root.forward).parameters)
        self._gates, self._n_rows, self._outside = gates, n_rows, outside
        self._prompt_lengths = prompt_lengths
        self._texts: weakref.WeakKeyDictionary[Any, Text] = weakref.WeakKeyDictionary()
        self._cacheless: Text | None = None
        self._now: Pass | None = None

    @property
    def needs_whole_prompts(self) -> bool:
        """Whether a prompt must be read in one pass, because a condition on it decides."""
        return any(gate.when is not None for gate in self._gates)

    @property
    def now(self) -> "Pass":
        """The pass that is running.

        Raises:
            InjectionError: `injection.no_pass`.
        """
        if self._now is None:
            raise InjectionError(
                "a block was called by itself, and how it is steered depends on the text; call the model",
                code="injection.no_pass",
            )
        return self._now

    # What it does depends on the text, so it is never compiled; the hooks at the sites are.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = {**dict(zip(self._names, args, strict=False)), **kwargs}
        ids, cache = given.get("input_ids"), given.get("past_key_values")
        inputs = ids if ids is not None else given.get("inputs_embeds")
        if inputs is None:
            return  # the model says itself that it was given nothing
        batch, tokens = inputs.shape[:2]
        past = 0 if cache is None else int(cache.get_seq_length())
        text = self._text(cache, past, batch)
        # A first pass without a cache makes one, which the second pass brings.
        if cache is None and given.get("use_cache") is not False:
            self._cacheless = text
        reading = Reading(
            past=past,
            shape=(batch, tokens),
            device=inputs.device,
            ids=ids,
            attention=given.get("attention_mask"),
            position_ids=given.get("position_ids"),
            has_cache=cache is not None or given.get("use_cache") is True,
            order=text.order,
            prompt_lengths=text.prompt_lengths,
            from_start=text.length is not None,
        )
        self._now = Pass(reading, text, self._gates)
        text.length = None if text.length is None else past + tokens

    def close(self) -> None:
        """Leave the caches that are still in use as they were."""
        for cache in list(self._texts):
            follow = vars(cache).get("reorder_cache")
            if isinstance(follow, _Follow):
                follow.undo()

    def _text(self, cache: Any, past: int, batch: int) -> Text:
        """What is known of the text that this pass begins, or goes on with."""
        known = self._texts.get(cache) if cache is not None else None
        if known is None and past > 0 and self._cacheless is not None and self._cacheless.length == past:
            known, self._cacheless = self._cacheless, None
        if known is None or past == 0:
            known = self._new_text(getattr(cache, "share", None), batch, 0 if past == 0 else None)
        if batch != known.batch:
            raise _wrong_rows(known.batch, batch)
        if cache is not None:
            if cache not in self._texts and hasattr(cache, "reorder_cache"):
                cache.reorder_cache = _Follow(cache, self._texts)
            self._texts[cache] = known
        return known

    def _new_text(self, share: Share | None, batch: int, length: int | None) -> Text:
        expected, lengths = self._n_rows, self._prompt_lengths
        spans = SpanReader(self._outside, batch) if self._outside else None
        if share is None:
            return Text(batch if expected is None else expected, None, lengths, spans, length)
        if expected is not None and share.n_rows != expected:
            raise _wrong_rows(expected, share.n_rows)
        own = share.prompt_lengths if lengths is None else lengths[share.rows]
        return Text(batch, share.rows, own, spans, length)


class Pass:
    """Where each gate is open in one forward pass."""

    def __init__(self, reading: Reading, text: Text, gates: Sequence[Gate]) -> None:
        self._reading, self._text = reading, text
        self._factors: dict[tuple[Gate, torch.dtype, torch.device], Tensor] = {}
        between = True if text.spans is None else _outside_spans(reading, text, text.spans)
        self._open = {gate: both(tokens_at(gate.positions, reading), between) for gate in gates}
        is_asked = any(gate.when is not None for gate in gates)
        self._prompt = _whole_prompt(reading) if is_asked else False

    @property
    def order(self) -> Tensor | None:
        """Which of the caller's rows each row is; None for the same."""
        return self._reading.order

    def factor(self, gate: Gate, like: Tensor) -> Tensor | bool:
        """Where a gate is open, as ones and zeros (batch or 1, tokens or 1, 1) in the dtype of `like`.

        True in place of it where it is open everywhere, False where nowhere.

        Raises:
            InjectionError: `injection.undecided`.
        """
        is_open = self._open[gate]
        if is_open is False or (is_open is True and gate.when is None):
            return is_open
        key = (gate, like.dtype, like.device)
        if key not in self._factors:
            if gate.when is not None:
                is_open = both(self._decision(gate.when)[:, None], is_open)
            assert isinstance(is_open, Tensor)
            self._factors[key] = is_open.to(dtype=like.dtype, device=like.device)[..., None]
        return self._factors[key]

    def decide(self, when: Condition, unit: Tensor, hidden: Tensor) -> None:
        """Decide a condition from what its site holds, (batch, tokens, d_model), if this pass reads a prompt.

        Args:
            unit: (d_model,) of norm 1, on the device of `hidden`.
        """
        if self._prompt is False:
            return
        projected = hidden.to(unit.dtype) @ unit  # (batch, tokens)
        counted = torch.ones_like(projected)
        if isinstance(self._prompt, Tensor):
            counted = counted * self._prompt.to(hidden.device)
        mean = (projected * counted).sum(1) / counted.sum(1)
        self._text.decisions[when] = (mean > when.threshold) == when.above

    def _decision(self, when: Condition) -> Tensor:
        if when not in self._text.decisions:
            raise InjectionError(
                f"the condition at {when.key} is not decided yet: its block comes later in the pass that "
                "reads prompt and response, or the prompt was read outside this with block. Take an earlier "
                "block for it, or read the prompt in a pass of its own inside the with block",
                code="injection.undecided",
            )
        return self._text.decisions[when]


def _whole_prompt(reading: Reading) -> Tensor | bool:
    """The real tokens of the prompt if this pass reads it; False where it was read before.

    Raises:
        InjectionError: `injection.prompt_lengths`, or `injection.split_prompt`: this pass reads a part of it.
    """
    if reading.past > 0 and not reading.from_start:
        return False
    prompt, lengths = prompt_tokens(reading), reading.prompt_lengths
    if reading.past > 0:
        return False
    if lengths is not None and int(lengths.max()) > reading.shape[1]:
        raise InjectionError(
            f"of a prompt of {int(lengths.max())} tokens {reading.shape[1]} are read at first, so a "
            "condition on it cannot be decided in time; let one pass read the whole prompt",
            code="injection.split_prompt",
        )
    return both(prompt, True if reading.real is None else reading.real)


def _outside_spans(reading: Reading, text: Text, spans: SpanReader) -> Tensor | bool:
    if reading.ids is None:
        raise InjectionError(
            "the model is given embeddings, in which no marker can be found; give token ids, or leave "
            "outside= out",
            code="injection.no_token_ids",
        )
    if text.length != reading.past:
        raise InjectionError(
            f"the cache holds {reading.past} tokens of which {text.length or 0} were seen, so it is not "
            "known what they opened; read the whole text inside the with block, without going back in it",
            code="injection.unseen_text",
        )
    return spans.read(reading.ids, reading.real)


class _Follow:
    """A cache's `reorder_cache`, which also tells the text that goes with it.

    It hangs on the cache itself and holds it weakly, so that a cache is freed as soon as without it.
    """

    def __init__(self, cache: Any, texts: MutableMapping[Any, Text]) -> None:
        self._cache, self._texts = weakref.ref(cache), texts
        self._before = vars(cache).get("reorder_cache")

    def __call__(self, rows: Tensor) -> None:
        cache: Any = self._cache()
        if self._before is None:
            type(cache).reorder_cache(cache, rows)
        else:
            self._before(rows)
        self._texts[cache].take(rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copied cache is followed from its own first pass on; here it gets its own method back."""
        copied = memo[id(self._cache())]
        return types.MethodType(type(copied).reorder_cache, copied)

    def undo(self) -> None:
        cache: Any = self._cache()
        if self._before is None:
            del cache.reorder_cache
        else:
            cache.reorder_cache = self._before


def _wrong_rows(expected: int, found: int) -> InjectionError:
    return InjectionError(
        f"the model is given {found} rows and the steering is for {expected}; give one mix, strength, mask "
        "row or prompt length for each row of the batch, in its order (a prompt that is answered n times is "
        "n rows)",
        code="injection.rows",
    )
