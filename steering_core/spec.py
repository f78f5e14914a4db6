"""Frozen dataclasses that cross package borders, canonical JSON, and digests. No torch here.

A spec says what was asked; its digest names it. Results live in `vector` and in the report.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Literal, get_args

from steering_core.errors import ExtractionError, FormatError

Site = Literal["resid_post", "mlp_out", "attn_out"]
Method = Literal["mean_difference", "pca", "logistic_probe", "whitened"]
Pooling = Literal["auto", "response_mean", "answer_token", "prompt_last", "next_turn"]
Tier = Literal["smoke", "standard", "gold"]
Operation = Literal["add", "project", "clamp"]
Sign = Literal["positive", "negative", "unknown"]

SITES: tuple[str, ...] = get_args(Site)
METHODS: tuple[str, ...] = get_args(Method)
POOLINGS: tuple[str, ...] = get_args(Pooling)
TIERS: tuple[str, ...] = get_args(Tier)
OPERATIONS: tuple[str, ...] = get_args(Operation)
SIGNS: tuple[str, ...] = get_args(Sign)

# (site, block index): where a direction is read or written.
Place = tuple[str, int]

# One stream of a residual with several is written resid_post@k.
_SITE = re.compile(rf"(?P<name>{'|'.join(SITES)})(?:(?<=resid_post)@(?P<stream>0|[1-9][0-9]?))?")
_BLOCK = re.compile(r"0|[1-9][0-9]{0,5}")

MAX_JSON_DEPTH = 64
# Possessive, and a string that never ends is taken to the end: linear in the text whatever it holds.
_BRACKET_OR_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)

STRENGTHS: tuple[float, ...] = (-0.6, -0.45, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.45, 0.6)


def canonical_json(value: Any) -> bytes:
    """One encoding per value: sorted keys, no spaces, UTF-8, no NaN or infinity.

    Raises:
        FormatError: the value holds something JSON cannot say.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise FormatError(f"cannot be written as JSON: {error}", code="format.not_json") from error


def parse_json(text: str) -> Any:
    """JSON as RFC 8259 has it and no more: no key twice, no NaN, no number that a reader would round away.

    Raises:
        FormatError: `format.not_json`, `format.duplicate_key` or `format.too_deep`: nested more than 64 deep.
    """
    if _nests_deeper(text, MAX_JSON_DEPTH):
        raise FormatError(
            f"JSON is nested more than {MAX_JSON_DEPTH} deep; nothing that is read here is",
            code="format.too_deep",
        )
    try:
        return _STRICT_DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"{error.msg} at character {error.pos + 1}"
        raise FormatError(f"not valid JSON: {where}", code="format.not_json") from error


def _nests_deeper(text: str, most: int) -> bool:
    """Counted beforehand, since the depth at which the parser gives up depends on who calls it."""
    if text.count("[") + text.count("{") <= most:
        return False
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > most:
            return True
    return False


def _unique_keys(items: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(items)
    if len(unique) != len(items):
        twice, _ = Counter(key for key, _ in items).most_common(1)[0]
        raise FormatError(f"the key {twice[:40]!r} stands twice in one object", code="format.duplicate_key")
    return unique


def _number(read: Callable[[str], float]) -> Callable[[str], float]:
    def checked(digits: str) -> float:
        if len(digits) > 40 or abs(read(digits)) == float("inf"):
            raise FormatError(f"the number {digits[:12]}… is too large or too long", code="format.not_json")
        return read(digits)

    return checked


def _no_constant(name: str) -> float:
    raise FormatError(f"{name} is not a JSON number", code="format.not_json")


_STRICT_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys,
    parse_int=_number(int),
    parse_float=_number(float),
    parse_constant=_no_constant,
)


def digest(data: bytes) -> str:
    """`sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_hex(named: str) -> str:
    """The 64 hex digits of a `sha256:…` digest.

    Raises:
        FormatError: it is not of that form.
    """
    prefix, _, hexadecimal = named.partition(":")
    if prefix != "sha256" or len(hexadecimal) != 64 or set(hexadecimal) - set("0123456789abcdef"):
        raise FormatError(
            f"{named!r} is not a digest; expected sha256: and 64 hex digits", code="format.digest"
        )
    return hexadecimal


def site_key(site: str, block: int) -> str:
    """The tensor name of a direction: `resid_post.3`, or `resid_post@2.3` for residual stream 2."""
    return f"{site}.{block}"


def parse_site(site: str) -> tuple[str, int | None]:
    """`mlp_out` -> ("mlp_out", None); `resid_post@2` -> ("resid_post", 2), one of several residual streams.

    Raises:
        FormatError: not a site.
    """
    found = _SITE.fullmatch(site)
    if found is None:
        raise FormatError(
            f"{site[:64]!r} is not a site; expected one of {', '.join(SITES)}, or resid_post@ and a stream",
            code="format.site_key",
        )
    stream = found["stream"]
    return found["name"], None if stream is None else int(stream)


def parse_site_key(key: str) -> tuple[str, int]:
    """`resid_post.3` -> ("resid_post", 3); `resid_post@2.3` -> ("resid_post@2", 3).

    Raises:
        FormatError: an unknown site, or a block index that is not a plain decimal.
    """
    site, _, block = key.partition(".")
    if not _SITE.fullmatch(site) or not _BLOCK.fullmatch(block):
        raise FormatError(
            f"{key[:64]!r} names no site; expected one of {', '.join(SITES)}, a dot and a block index "
            "(resid_post may name a stream: resid_post@2.3)",
            code="format.site_key",
        )
    return site, int(block)


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which base model revision a vector belongs to; `model_hash` decides, the name is for people."""

    name: str
    model_hash: str
    architecture: str
    n_layers: int
    d_model: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a vector came from; every field is a plain string so that it fits in a file header.

    `dtype` is what the activations were computed in, such as float32; "" where it is not known.
    """

    method: str
    pooling: str
    dataset_digest: str
    spec_digest: str
    software: str
    dtype: str = ""


def software(*packages: str) -> str:
    """What a provenance says of installed packages: `torch 2.13.0, transformers 5.23.0`."""
    return ", ".join(f"{package} {metadata.version(package)}" for package in packages)


@dataclass(frozen=True, slots=True)
class EvaluationBudget:
    """How much one tier of report measures.

    Attributes:
        strengths: of the dose-response curve.
        n_prompts: test prompts that replies are written to.
        n_items: test pairs whose answers are scored teacher-forced.
        random_controls: vectors of each kind of control.
        bootstrap: resamples of an interval.
        max_new_tokens: of a reply.
        neutral_texts: that side effects are measured on.
        capability_items: questions with one right answer.
        safety_prompts: harmful ones, and as many harmless ones; 0 leaves the screen out.
    """

    strengths: tuple[float, ...]
    n_prompts: int
    n_items: int
    random_controls: int
    bootstrap: int
    max_new_tokens: int
    neutral_texts: int
    capability_items: int
    safety_prompts: int


BUDGETS: dict[str, EvaluationBudget] = {
    "smoke": EvaluationBudget((-0.3, 0.0, 0.3), 4, 30, 3, 200, 24, 8, 0, 0),
    "standard": EvaluationBudget(STRENGTHS, 24, 48, 19, 2000, 72, 48, 200, 100),
    "gold": EvaluationBudget(STRENGTHS, 100, 500, 99, 2000, 128, 100, 500, 400),
}


@dataclass(frozen=True, slots=True)
class ExtractionSpec:
    """What an extraction run was asked to do. Equal specs have equal digests."""

    dataset_digest: str
    model_hash: str
    method: str = "mean_difference"
    site: str = "resid_post"
    pooling: str = "auto"
    tier: str = "standard"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("method", METHODS),
            ("site", SITES),
            ("pooling", POOLINGS),
            ("tier", TIERS),
        ):
            value = getattr(self, name)
            if value not in allowed and not (name == "site" and _SITE.fullmatch(value)):
                raise ExtractionError(
                    f"{name} {value!r} is not known; choose one of {', '.join(allowed)}",
                    code=f"extraction.unknown_{name}",
                )

    @property
    def budget(self) -> EvaluationBudget:
        """How much the tier measures."""
        return BUDGETS[self.tier]

    @property
    def digest(self) -> str:
        """sha256 over the canonical JSON of every field; seeds are drawn from it."""
        return digest(canonical_json(asdict(self)))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_json` gives the spec back."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "ExtractionSpec":
        """A stored spec; those written before there were tiers have an `effort`, quick or standard."""
        known = dict(fields)
        if "effort" in known:
            effort = known.pop("effort")
            known["tier"] = "smoke" if effort == "quick" else effort
        return cls(**known)


def seed_from(named_digest: str, purpose: str) -> int:
    """A 63-bit seed for one purpose, drawn from a digest, so that a report can be repeated exactly."""
    return int.from_bytes(hashlib.sha256(f"{named_digest}/{purpose}".encode()).digest()[:8], "big") >> 1
