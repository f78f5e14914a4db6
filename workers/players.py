"""Writes the texts of one request of the playground, and tells each token as it comes.

All columns that nobody asked for before are rows of one batch, so that they cost one forward pass a token; a
text that was written before (the neutral one, while a slider moves) is told at once from Valkey.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from registry.catalog.artifacts import kept_vector
from registry.core.valkey import valkey
from registry.playground.events import Event, append
from registry.playground.limits import count_tokens
from registry.playground.line import P
from registry.playground.wishes import NEUTRAL, Job, Part
from steering_core.evaluation.diversity import repeated
from steering_core.injection.generate import Prompt, generate
from steering_core.injection.hooks import steer_batch
from steering_core.injection.mix import Item
from steering_core.injection.strengths import SteeringWarning
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import encode_prompt
from workers.base_models import load

TEXT_SECONDS = 1800
TELL_SECONDS = 0.02
MOST_SECONDS = 120.0
# A text of which so many 4-grams stood in it before runs in circles.
CIRCLES = 0.5
_UNFINISHED = "\ufffd"


class StoppedError(Exception):
    """Nobody wants the rest; the code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Column:
    """A text that is being written; `key` names it among those that were."""

    name: str
    mix: tuple[Part, ...]
    key: str
    ids: Sequence[int] = ()
    told: str = ""
    truncated: bool = False
    kept: bool = False

    def event(self, more: str) -> Event:
        """Word of what was added."""
        named: dict[str, Any] = {} if self.name == NEUTRAL else {"mix": self.name}
        kind = NEUTRAL if self.name == NEUTRAL else "steered"
        return Event(kind, {**named, "text": more, **({"kept": True} if self.kept else {})})

    def outcome(self) -> dict[str, Any]:
        """What the last event says of it."""
        return {
            "name": self.name,
            "n_tokens": len(self.ids),
            "truncated": self.truncated,
            "degenerate": repeated(self.ids) > CIRCLES,
            "kept": self.kept,
        }


@dataclass(slots=True)
class Player:
    """One request from its first token to its last."""

    job: Job
    began: float = field(default_factory=time.monotonic)
    first: float | None = None
    _told_at: float = 0.0
    _columns: list[Column] = field(default_factory=list)

    def play(self) -> Event:
        """Write all columns; the event that ends the request.

        Raises:
            StoppedError: nobody wants the rest.
            SteeringError: the model or a vector cannot be used so.
            RedisError: Valkey is out of reach.
        """
        waited = time.time() - self.job.asked_at
        model = load(self.job.model_path, self.job.model_hash, self.job.model_name)
        columns = [Column(name, mix, text_key(self.job, mix)) for name, mix in self.job.columns.items()]
        self._columns = [column for column in columns if not self._recalled(column)]
        self._tell([column.event(column.told) for column in columns if column.kept and column.told])
        try:
            if self._columns:
                self._write(model)
        finally:
            # What was stopped was written all the same.
            spent = sum(len(column.ids) for column in self._columns)
            count_tokens(self.job.purse, spent)
        return Event(
            "done",
            {
                "waited_seconds": round(max(waited, 0.0), 3),
                "first_token_seconds": round(self.first or 0.0, 3),
                "seconds": round(time.monotonic() - self.began, 3),
                "n_tokens": spent,
                "columns": [column.outcome() for column in columns],
            },
        )

    def _write(self, model: LanguageModel) -> None:
        job, columns = self.job, self._columns
        prompt: Prompt = tuple(encode_prompt(model, job.prompt, raw=True)) if job.is_plain else job.prompt
        mixes: list[list[Item]] = [
            [(kept_vector(part.sha256), part.strength) for part in column.mix] for column in columns
        ]

        latest: Sequence[Sequence[int]] = [[] for _ in columns]

        def follow(replies: Sequence[Sequence[int]]) -> None:
            nonlocal latest
            latest, now = replies, time.monotonic()
            if self.first is None and any(replies):
                self.first = now - self.began
            elif now - self._told_at < TELL_SECONDS:
                return
            self._told_at = now
            self._grow(model, replies, is_end=False)

        self._check(*append(job.id))
        with warnings.catch_warnings():
            # What is beyond a window was said when it was asked for.
            warnings.simplefilter("ignore", SteeringWarning)
            with steer_batch(model, mixes):
                generate(
                    model,
                    [prompt] * len(columns),
                    max_new_tokens=job.max_new_tokens,
                    temperature=job.temperature,
                    seed=job.seed,
                    follow=follow,
                )
        for column, ids in zip(columns, latest, strict=True):
            column.truncated = len(ids) >= job.max_new_tokens
        self._grow(model, latest, is_end=True)
        self._remember()

    def _grow(self, model: LanguageModel, replies: Sequence[Sequence[int]], *, is_end: bool) -> None:
        """Tell what was added to each text; letters of which a part is still to come wait for it."""
        events = []
        for column, ids in zip(self._columns, replies, strict=True):
            if len(ids) == len(column.ids) and not is_end:
                continue
            column.ids = tuple(ids)
            text = str(model.tokenizer.decode(list(column.ids), skip_special_tokens=True))
            if text.endswith(_UNFINISHED) and not is_end:
                continue
            if text.startswith(column.told) and text != column.told:
                events.append(column.event(text[len(column.told) :]))
                column.told = text
        self._tell(events)

    def _tell(self, events: Sequence[Event]) -> None:
        self._check(*append(self.job.id, *events))

    def _check(self, why: str, is_watched: bool) -> None:
        if why:
            raise StoppedError(f"playground.{why}")
        if not is_watched:
            raise StoppedError("playground.unwatched")
        if time.monotonic() - self.began > MOST_SECONDS:
            raise StoppedError("playground.timed_out")

    def _recalled(self, column: Column) -> bool:
        """Whether the text was written before; it is told, and costs nothing."""
        found = valkey().get(f"{P}text:{column.key}")
        if found is None:
            return False
        said = json.loads(found)
        column.told, column.ids, column.truncated = said["text"], said["ids"], said["truncated"]
        column.kept = True
        return True

    def _remember(self) -> None:
        with valkey().pipeline(transaction=False) as pipe:
            for column in self._columns:
                said = {"text": column.told, "ids": list(column.ids), "truncated": column.truncated}
                pipe.set(f"{P}text:{column.key}", json.dumps(said), ex=TEXT_SECONDS)
            pipe.execute()


def text_key(job: Job, mix: Sequence[Part]) -> str:
    """What a text depends on, as a digest. A prompt's words are in no key that could be listed."""
    asked = (job.model_hash, job.prompt, job.is_plain, job.seed, job.temperature, job.max_new_tokens)
    named = json.dumps([*asked, sorted((asdict(part) for part in mix), key=lambda part: part["sha256"])])
    return hashlib.sha256(named.encode()).hexdigest()
