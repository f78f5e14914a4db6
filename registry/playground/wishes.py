"""What somebody wants written, and the job that a worker is given for it. Next: `services`, then `line`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from steering_core.formats.preset import MAX_MEMBERS

# Names of the columns: the text without vectors, and one for each mix.
NEUTRAL = "neutral"
MIXES = ("a", "b")
MAX_PROMPT = 4000
MAX_TEMPERATURE = 2.0
# What `steering_core.injection` applies at most; that module takes torch, which stays out of here.
MAX_STRENGTH = 2.0
MAX_SEED = 2**32 - 1
# How long a text may be, by whether we know who asks.
MAX_TOKENS = {True: 256, False: 128}
DEFAULT_TOKENS = 72
MAX_CHANNELS = MAX_MEMBERS
FORMATS = ("chat", "plain")


@dataclass(frozen=True, slots=True)
class Channel:
    """A vector of a mix and how hard; the reference is `owner/name`, with or without @ref, or a row id."""

    reference: str
    strength: float


@dataclass(frozen=True, slots=True)
class Wish:
    """Texts to be written to one prompt: one without vectors, and one for each mix.

    Attributes:
        base_model: name or model hash of a registered base model.
        mixes: none, one, or two to compare.
        format: `chat` puts the prompt into the model's chat template, `plain` has it continued.
        mode: how strengths come together, as for presets.
    """

    base_model: str
    prompt: str
    mixes: tuple[tuple[Channel, ...], ...] = ()
    format: str = "chat"
    mode: str = "sum"
    seed: int = 0
    temperature: float = 0.8
    max_new_tokens: int = DEFAULT_TOKENS


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a vector and the strength that it is applied at, never 0."""

    sha256: str
    strength: float


@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker needs, so that it asks no database.

    Attributes:
        caller: whose turn it takes.
        purse: whose tokens it spends.
        asked_at: seconds since the epoch.
    """

    id: str
    caller: str
    purse: str
    model_path: str
    model_hash: str
    model_name: str
    prompt: str
    is_plain: bool
    mixes: tuple[tuple[Part, ...], ...]
    seed: int
    temperature: float
    max_new_tokens: int
    asked_at: float

    @property
    def columns(self) -> dict[str, tuple[Part, ...]]:
        """Column name -> its mix; that of the first is empty."""
        return {NEUTRAL: (), **dict(zip(MIXES, self.mixes, strict=False))}

    def to_json(self) -> str:
        """As it lies in Valkey."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Job":
        """What `to_json` wrote."""
        fields: Mapping[str, Any] = json.loads(text)
        mixes = tuple(tuple(Part(**part) for part in mix) for mix in fields["mixes"])
        return cls(**{**fields, "mixes": mixes})
