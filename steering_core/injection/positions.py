"""At which tokens of a forward pass something acts, as booleans (batch or 1, tokens).

True in place of a tensor stands for every token and False for none, so that nothing is computed where the
answer is plain. `watch` asks this once for each pass.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from steering_core.errors import InjectionError
from steering_core.injection.mix import Condition, Positions, Window


@dataclass(frozen=True, eq=False, slots=True)
class Gate:
    """Where something acts: at positions, in the rows whose prompt meets a condition."""

    positions: Positions
    when: Condition | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether it acts at every position of every row."""
        return isinstance(self.positions, str) and self.positions == "all" and self.when is None

    @property
    def is_on_prompt(self) -> bool:
        """Whether it may act on a prompt's positions."""
        return not (isinstance(self.positions, str) and self.positions == "response")

    def equals(self, other: "Gate") -> bool:
        """Whether both act at the same places; a tensor is the same as itself only."""
        mine, others = self.positions, other.positions
        same = mine is others if isinstance(mine, Tensor) or isinstance(others, Tensor) else mine == others
        return same and self.when is other.when


@dataclass(frozen=True, eq=False)
class Reading:
    """What one forward pass is given.

    Attributes:
        past: columns in the cache, padding included.
        shape: (batch, tokens) that it reads now.
        ids: token ids; None if the model is given embeddings.
        attention: the attention mask, in any of transformers' forms.
        position_ids: what rotary embeddings and the like are told; None if the model counts itself.
        has_cache: whether the next passes may go on from here.
        order: which of the caller's rows each row is; None for the same.
        prompt_lengths: (batch,) in real tokens; None for what the first pass reads.
        from_start: whether the first pass of this text was seen.
    """

    past: int
    shape: tuple[int, int]
    device: torch.device
    ids: Tensor | None
    attention: Any
    position_ids: Tensor | None
    has_cache: bool
    order: Tensor | None
    prompt_lengths: Tensor | None
    from_start: bool

    @cached_property
    def real(self) -> Tensor | None:
        """(batch, tokens), False at padding; None without an attention mask."""
        return None if self._columns is None else self._columns[:, self.past :]

    @cached_property
    def places(self) -> Tensor:
        """(batch or 1, tokens): how many real tokens stand before each; -1 at padding."""
        if self._columns is None:
            return torch.arange(self.past, self.past + self.shape[1], device=self.device)[None]
        counted = self._columns.cumsum(1) - 1
        return torch.where(self._columns, counted, -1)[:, self.past :]

    @cached_property
    def _columns(self) -> Tensor | None:
        """(batch, past + tokens), False at padding; None without an attention mask.

        Raises:
            InjectionError: `injection.attention_mask`.
        """
        given, columns, counted = self.attention, self.past + self.shape[1], self.position_ids
        if given is None:
            return None
        if isinstance(given, Tensor) and given.shape[1:] == (columns,):
            return given.to(self.device) != 0
        # For a static cache transformers' generate hands over what it has made of the mask, and beside it the
        # last token's position, from which the padding on the left follows.
        is_made = isinstance(given, dict) or (isinstance(given, Tensor) and given.dim() == 4)
        if is_made and counted is not None and counted.dim() == 2:
            start = columns - 1 - counted[:, -1:]
            return (torch.arange(columns, device=self.device) >= start).expand(self.shape[0], -1)
        shown = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
        raise InjectionError(
            f"the attention mask is {shown}; to know which tokens are padding, one of shape "
            f"(batch, {columns}) is needed, for all tokens so far. Give that, or steer all positions",
            code="injection.attention_mask",
        )


def tokens_at(positions: Positions, reading: Reading) -> Tensor | bool:
    """The tokens at some positions.

    Raises:
        InjectionError: `injection.prompt_lengths`, `injection.mask` or `injection.attention_mask`.
    """
    if isinstance(positions, Tensor):
        return _masked(positions, reading)
    if isinstance(positions, Window):
        return _between(reading.places, positions.start, positions.stop)
    if positions == "last":
        tokens = reading.shape[1]
        return tokens == 1 or torch.arange(tokens, device=reading.device)[None] == tokens - 1
    if positions == "all":
        return True
    return prompt_tokens(reading) if positions == "prompt" else _response_tokens(reading)


def prompt_tokens(reading: Reading) -> Tensor | bool:
    """The tokens of the prompt.

    Without prompt lengths the prompt is what the first pass reads that fills a cache, and every single token
    after it belongs to the response.

    Raises:
        InjectionError: `injection.prompt_lengths`: there is no telling.
    """
    if reading.prompt_lengths is not None:
        return _between(reading.places, 0, reading.prompt_lengths.to(reading.device)[:, None])
    if reading.past == 0 and reading.has_cache:
        return True
    if reading.past > 0 and reading.from_start and reading.shape[1] == 1:
        return False
    seen = (
        "without a cache a pass may hold a prompt and a reply"
        if reading.past == 0
        else f"{reading.shape[1]} tokens after the first {reading.past}, which may be of either"
    )
    raise InjectionError(
        f"cannot tell the prompt from the response: {seen}. Give prompt_lengths=, one number of real tokens "
        "for each row",
        code="injection.prompt_lengths",
    )


def both(left: Tensor | bool, right: Tensor | bool) -> Tensor | bool:
    """The tokens that are in either."""
    if isinstance(left, bool):
        return right if left else False
    if isinstance(right, bool):
        return left if right else False
    return left & right.to(left.device)


def _response_tokens(reading: Reading) -> Tensor | bool:
    if reading.prompt_lengths is not None:
        return reading.places >= reading.prompt_lengths.to(reading.device)[:, None]
    is_prompt = prompt_tokens(reading)
    return not is_prompt


def _between(places: Tensor, start: int, stop: int | Tensor | None) -> Tensor:
    inside = places >= start
    return inside if stop is None else inside & (places < stop)


def _masked(mask: Tensor, reading: Reading) -> Tensor:
    """The columns of a mask that this pass reads; nothing past its end."""
    tokens = reading.shape[1]
    if reading.past == 0 and mask.shape[1] < tokens:
        raise InjectionError(
            f"the mask of positions has {mask.shape[1]} columns and the model is given {tokens}; expected "
            "one for each token, padding included",
            code="injection.mask",
        )
    rows = mask if reading.order is None else mask[reading.order.to(mask.device)]
    part = rows[:, reading.past : reading.past + tokens].to(reading.device)
    return torch.nn.functional.pad(part, (0, tokens - part.shape[1]))
