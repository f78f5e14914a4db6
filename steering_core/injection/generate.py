"""Batched sampling in which every row may be steered in its own way.

Rows are never padded: a batch is prefilled up to its shortest prompt, and the longer prompts are fed on token
by token while the shorter ones are already writing. So a reply does not depend on its neighbours, in any
architecture.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from steering_core.errors import InjectionError
from steering_core.injection.cache import growing_cache, keep_rows
from steering_core.injection.hooks import needs_whole_prompts, steer_rows
from steering_core.injection.watch import Share
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import encode_prompt
from steering_core.spec import Place, digest, seed_from

MAX_ROWS = 512
MAX_LENGTH_SPREAD = 32
_LOGITS_PER_STEP = 2**25
_CACHE_BYTES = 4 * 2**30
_COMPACT_BELOW = 0.75
_PROGRESS_EVERY = 8

Prompt = str | tuple[int, ...]
# Told after every step what each reply holds until now, as token ids; it may raise to stop.
Follow = Callable[[Sequence[Sequence[int]]], None]


@dataclass(eq=False)
class _Rows:
    """The rows of a running batch; tensors are aligned and shrink together."""

    index: Tensor  # which reply a row writes
    prompt: Tensor  # which noise stream it draws from
    ids: Tensor  # (batch, longest prompt), what is beyond a prompt's own length is unused
    length: Tensor
    live: Tensor

    def keep(self, rows: Tensor) -> None:
        for name in ("index", "prompt", "ids", "length", "live"):
            setattr(self, name, getattr(self, name)[rows])


@dataclass(eq=False)
class _Noise:
    """One stream of random numbers per prompt, the same whatever its rows are steered by."""

    seeds: list[int]
    vocab: int
    generators: dict[int, torch.Generator] = field(default_factory=dict)

    def draw(self, prompts: Tensor) -> Tensor:
        """Gumbel noise (rows, vocab); rows of one prompt share theirs."""
        unique, place = torch.unique(prompts, return_inverse=True)
        drawn = torch.stack([self._exponential(int(p)) for p in unique])
        return -drawn.clamp_min(torch.finfo(drawn.dtype).tiny).log()[place]

    def _exponential(self, prompt: int) -> Tensor:
        if prompt not in self.generators:
            self.generators[prompt] = torch.Generator().manual_seed(self.seeds[prompt])
        return torch.empty(self.vocab).exponential_(generator=self.generators[prompt])


def generate(
    lm: LanguageModel,
    prompts: Sequence[Prompt],
    *,
    additions: Mapping[Place, Tensor] | None = None,
    max_new_tokens: int = 72,
    temperature: float = 0.8,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
    follow: Follow | None = None,
) -> list[str]:
    """One reply per prompt.

    Rows with the same prompt draw the same random numbers, so replies at different strengths differ by the
    steering and not by luck. Additions act at every position, those of the prompt included, as `steer` does.

    Args:
        prompts: what a user says, or the token ids of a whole prompt where it is more than one user turn.
        additions: (site, block) -> (len(prompts), d_model), what is added to each row; None for none. An
            outer `steer` or `steer_batch` acts as well, with one mix for each prompt.
        temperature: 0 takes the likeliest token.
        seed: the replies to a prompt depend on it, on the prompt and on the additions.
        progress: told the fraction done now and then; it may raise to stop.
        follow: told the replies as they grow, token by token, to show them while they are written.

    Raises:
        InjectionError: `injection.prompt_length`: a prompt leaves no room for a reply; `injection.rows`:
            additions and prompts differ in number.
    """
    unique = list(dict.fromkeys(prompts))
    encoded = {p: encode_prompt(lm, p) if isinstance(p, str) else list(p) for p in unique}
    _check_room(lm, encoded)
    stream = {prompt: i for i, prompt in enumerate(unique)}
    seeds = [seed_from(digest(str(prompt).encode()), f"generate/{seed}") for prompt in unique]
    replies: list[list[int]] = [[] for _ in prompts]
    done = 0
    lengths = [len(encoded[p]) for p in prompts]
    spread = 0 if needs_whole_prompts(lm) else MAX_LENGTH_SPREAD
    max_rows = _max_rows(lm, max(lengths, default=0) + max_new_tokens)
    with steer_rows(lm, additions or {}):
        for batch in _batches(lengths, max_rows, spread):
            run = _Batch(lm, batch, [encoded[prompts[i]] for i in batch], [stream[prompts[i]] for i in batch])
            tell = _scaled(progress, done / len(prompts), len(batch) / len(prompts))
            noise = _Noise(seeds, lm.vocab_size)
            run.write(replies, noise, max_new_tokens, temperature, tell, follow)
            done += len(batch)
    return [str(lm.tokenizer.decode(ids, skip_special_tokens=True)) for ids in replies]


class _Batch:
    """One batch from its first forward pass until all its rows have ended."""

    def __init__(
        self, lm: LanguageModel, index: list[int], prompts: list[list[int]], streams: list[int]
    ) -> None:
        self._lm = lm
        longest = max(map(len, prompts))
        self._shortest = min(map(len, prompts))
        self._rows = _Rows(
            index=torch.tensor(index),
            prompt=torch.tensor(streams),
            ids=torch.tensor([p + [0] * (longest - len(p)) for p in prompts]),
            length=torch.tensor([len(p) for p in prompts]),
            live=torch.ones(len(prompts), dtype=torch.bool),
        )
        self._room = longest

    def write(
        self,
        replies: list[list[int]],
        noise: _Noise,
        max_new: int,
        temperature: float,
        tell: Callable[[float], None],
        follow: Follow | None,
    ) -> None:
        """Fill `replies`; tells the fraction done every few tokens, and who follows of each."""
        rows, position = self._rows, self._shortest
        last = min(self._room + max_new, self._lm.max_positions)
        cache = growing_cache(self._lm.model, last, Share(rows.index, len(replies), rows.length))
        tokens, total = rows.ids[:, :position], len(rows.live)
        while position < last:
            logits = self._forward(tokens, cache)
            step = self._next(logits, position, noise, temperature)
            self._record(step, position, replies, max_new)
            if follow is not None:
                follow(replies)
            if not bool(rows.live.any()):
                return
            if float(rows.live.float().mean()) < _COMPACT_BELOW:
                kept = rows.live.nonzero()[:, 0]
                step = step[kept]
                rows.keep(kept)
                keep_rows(cache, kept)
            tokens, position = step[:, None], position + 1
            if position % _PROGRESS_EVERY == 0:
                tell(1 - len(rows.live) / total * (last - position) / (last - self._shortest))

    def _forward(self, tokens: Tensor, cache: object) -> Tensor:
        with torch.inference_mode():
            output = self._lm.model(
                input_ids=tokens.to(self._lm.device), past_key_values=cache, use_cache=True, logits_to_keep=1
            )
            return output.logits[:, -1].float().cpu()  # type: ignore[no-any-return]

    def _next(self, logits: Tensor, position: int, noise: _Noise, temperature: float) -> Tensor:
        rows = self._rows
        writing = (rows.length <= position) & rows.live
        chosen = torch.zeros(len(rows.live), dtype=torch.long)
        if bool(writing.any()):
            scores = logits[writing]
            if temperature > 0:
                scores = scores / temperature + noise.draw(rows.prompt[writing])[:, : scores.shape[1]]
            chosen[writing] = scores.argmax(-1)
        if position < rows.ids.shape[1]:
            chosen = torch.where(rows.length > position, rows.ids[:, position], chosen)
        return chosen

    def _record(self, step: Tensor, position: int, replies: list[list[int]], max_new: int) -> None:
        rows, ends = self._rows, self._lm.end_ids
        writing = (rows.length <= position) & rows.live
        last = (rows.length + max_new - 1 <= position).tolist()
        tokens, index = step.tolist(), rows.index.tolist()
        for row in writing.nonzero()[:, 0].tolist():
            ended = tokens[row] in ends
            if not ended:
                replies[index[row]].append(tokens[row])
            if ended or last[row]:
                rows.live[row] = False


def _scaled(progress: Callable[[float], None] | None, start: float, share: float) -> Callable[[float], None]:
    if progress is None:
        return lambda fraction: None
    return lambda fraction: progress(start + share * fraction)


def _batches(lengths: list[int], max_rows: int, spread: int) -> Iterator[list[int]]:
    """Row numbers in batches of lengths that differ by `spread` at most."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and (len(batch) == max_rows or lengths[i] - lengths[batch[0]] > spread):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _max_rows(lm: LanguageModel, length: int) -> int:
    """Rows of `length` tokens that fit at once: at most 512, 4 GiB of cache, 32 million logits a step."""
    config = lm.model.config.get_text_config()
    heads = int(config.num_attention_heads)
    kept = int(getattr(config, "num_key_value_heads", None) or heads)
    per_token = 2 * 4 * lm.identity.n_layers * lm.identity.d_model * kept // heads
    by_cache = _CACHE_BYTES // max(1, per_token * length)
    return max(1, min(MAX_ROWS, by_cache, max(16, _LOGITS_PER_STEP // lm.vocab_size)))


def _check_room(lm: LanguageModel, encoded: Mapping[Prompt, list[int]]) -> None:
    for prompt, ids in encoded.items():
        if not ids or len(ids) >= lm.max_positions:
            raise InjectionError(
                f"the prompt that begins {str(prompt)[:40]!r} has {len(ids)} tokens; this model takes 1 to "
                f"{lm.max_positions - 1} and needs room for a reply. Shorten the prompt",
                code="injection.prompt_length",
            )
