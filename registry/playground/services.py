"""Ask for texts, and take the wish back. The next step is a worker's: `workers.tasks.playground`.

Access is decided here and now, as for a download: the worker is given digests and asks nobody.
"""

import math
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from registry.accounts.access import check_files
from registry.catalog.models import BaseModelRevision, VectorVersion
from registry.catalog.selectors import base_model_get, version_find
from registry.catalog.states import VersionState
from registry.core.errors import InvalidError, NotFoundError, UnavailableError
from registry.core.valkey import AWAY
from registry.playground.cautions import Caution, Member, mix_cautions
from registry.playground.dispatch import ring
from registry.playground.events import FIRST, REASONS, Event, append, end, failure, read
from registry.playground.limits import Caller, check_tokens
from registry.playground.line import job_of, line_enter, stop
from registry.playground.wishes import (
    FORMATS,
    MAX_CHANNELS,
    MAX_PROMPT,
    MAX_SEED,
    MAX_STRENGTH,
    MAX_TEMPERATURE,
    MAX_TOKENS,
    MIXES,
    NEUTRAL,
    Channel,
    Job,
    Part,
    Wish,
)
from registry.presets.states import MixMode
from steering_core.formats.preset import applied

USABLE = (VersionState.PUBLISHED, VersionState.YANKED, VersionState.EXTRACTED)


@dataclass(frozen=True, slots=True)
class Started:
    """A request that waits for its turn."""

    id: str
    position: int
    cautions: tuple[Caution, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A request as it stands: `queued`, `running`, `done` or `failed`, and its texts until now by column."""

    id: str
    state: str
    texts: Mapping[str, str] = field(default_factory=dict)
    outcome: Mapping[str, Any] = field(default_factory=dict)


def play_start(*, viewer: Any, caller: Caller, wish: Wish) -> Started:
    """Put a wish into the line, in the place of what the caller asked for before.

    Raises:
        NotFoundError, NotAllowedError, RemovedError: a model or vector is not there for them, or its file is
            not theirs to have.
        InvalidError: a number or text is out of bounds, or a vector is for another model.
        QuotaExceededError: the caller has had all tokens of this minute.
        UnavailableError: Valkey is out of reach, or too many wait.
    """
    _check(wish, caller)
    model = base_model_get(reference=wish.base_model)
    mixes = [mix_members(viewer=viewer, model=model, channels=mix, mode=wish.mode) for mix in wish.mixes]
    cautions: list[Caution] = []
    for name, members in zip(MIXES, mixes, strict=False):
        cautions += mix_cautions(viewer, members, name)
    job = _job(wish, caller, model, mixes)
    try:
        check_tokens(caller)
        entered = line_enter(job)
        if entered.superseded and (older := job_of(entered.superseded)):
            end(older, failure("playground.superseded"))
        warnings = [Event("warning", asdict(caution)) for caution in cautions]
        append(job.id, Event("queued", {"position": entered.position}), *warnings)
    except AWAY as error:
        raise _away() from error
    if not ring():
        play_cancel(caller=caller, job_id=job.id)
        raise _away()
    return Started(job.id, entered.position, tuple(cautions))


def play_get(*, caller: Caller, job_id: str) -> Job:
    """A request of the caller's that is not forgotten yet.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
        UnavailableError: Valkey is out of reach.
    """
    try:
        job = job_of(job_id)
    except AWAY as error:
        raise _away() from error
    if job is None or job.caller != caller.place:
        raise NotFoundError("there is no such request, or it is forgotten", code="playground.not_found")
    return job


def play_snapshot(*, caller: Caller, job_id: str) -> Snapshot:
    """What there is of a request's texts.

    Raises:
        As `play_get`.
    """
    job = play_get(caller=caller, job_id=job_id)
    try:
        return snapshot_of(job_id, read(job.id, after=FIRST))
    except AWAY as error:
        raise _away() from error


def snapshot_of(job_id: str, events: Sequence[Event]) -> Snapshot:
    """The events of a request, summed up."""
    texts: dict[str, str] = {}
    state, outcome = "queued", {}
    for event in events:
        if event.kind in (NEUTRAL, "steered"):
            column = str(event.data.get("mix", NEUTRAL))
            texts[column] = texts.get(column, "") + str(event.data["text"])
            state = "running"
        elif event.is_last:
            # What a worker writes before it hears that it was stopped does not count.
            state, outcome = ("done" if event.kind == "done" else "failed"), dict(event.data)
            break
    return Snapshot(job_id, state, texts, outcome)


def play_cancel(*, caller: Caller, job_id: str) -> None:
    """Stop a request: what waits is gone at once, what is written stops at the next token.

    Raises:
        As `play_get`.
    """
    job = play_get(caller=caller, job_id=job_id)
    try:
        stop(job.id, "cancelled")
        end(job, failure("playground.cancelled"))
    except AWAY as error:
        raise _away() from error


def mix_members(
    *, viewer: Any, model: BaseModelRevision, channels: Sequence[Channel], mode: str
) -> list[Member]:
    """The vectors of a mix, each with what it is applied at.

    Raises:
        As `play_start`, of one mix.
    """
    if len(channels) > MAX_CHANNELS:
        said = f"{len(channels)} vectors were given; a mix has up to {MAX_CHANNELS}"
        raise _refused("playground.mix", said)
    rows = [version_find(viewer=viewer, reference=channel.reference) for channel in channels]
    return members_of(viewer=viewer, model=model, channels=channels, rows=rows, mode=mode)


def members_of(
    *,
    viewer: Any,
    model: BaseModelRevision,
    channels: Sequence[Channel],
    rows: Sequence[VectorVersion],
    mode: str,
) -> list[Member]:
    """As `mix_members`, of the versions that the viewer was found to see, one for each channel.

    Raises:
        As `play_start`, of one mix.
    """
    for channel, row in zip(channels, rows, strict=True):
        _check_usable(viewer, model, channel, row)
    if len({row.artifact_id for row in rows}) != len(rows):
        raise _refused("playground.mix", "a vector is in the mix twice; add their strengths up on one slider")
    strengths = applied(mode, tuple(channel.strength for channel in channels))
    return [
        Member(row, channel.strength, strength)
        for row, channel, strength in zip(rows, channels, strengths, strict=True)
    ]


def _check_usable(viewer: Any, model: BaseModelRevision, channel: Channel, row: VectorVersion) -> None:
    if row.state not in USABLE or row.artifact_id is None:
        said = f"{channel.reference} has no file to apply; its state is {row.state}"
        raise _refused("playground.mix", said)
    check_files(viewer, row.vector)
    if row.base_model_id != model.pk:
        raise _refused(
            "playground.base_model",
            f"{row} is for {row.base_model}, and the mixer is on {model}; take it out, or change the model",
        )
    if not (math.isfinite(channel.strength) and abs(channel.strength) <= MAX_STRENGTH):
        raise _refused(
            "playground.mix",
            f"strength {channel.strength:g} of {channel.reference} is out of range; expected "
            f"-{MAX_STRENGTH:g} to {MAX_STRENGTH:g}",
        )


def _job(wish: Wish, caller: Caller, model: BaseModelRevision, mixes: Sequence[Sequence[Member]]) -> Job:
    parts = tuple(
        tuple(Part(str(member.row.artifact_id), member.applied) for member in mix if member.applied)
        for mix in mixes
    )
    return Job(
        id=uuid.uuid4().hex,
        caller=caller.place,
        purse=caller.purse,
        model_path=model.path,
        model_hash=model.model_hash,
        model_name=model.name,
        prompt=wish.prompt,
        is_plain=wish.format == "plain",
        mixes=parts,
        seed=wish.seed,
        temperature=wish.temperature,
        max_new_tokens=wish.max_new_tokens,
        asked_at=time.time(),
    )


def _check(wish: Wish, caller: Caller) -> None:
    most = MAX_TOKENS[caller.is_known]
    if not wish.prompt.strip() or len(wish.prompt) > MAX_PROMPT:
        raise _refused(
            "playground.prompt", f"the prompt has {len(wish.prompt)} characters; expected 1 to {MAX_PROMPT}"
        )
    for what, holds, expected in (
        ("format", wish.format in FORMATS, " or ".join(FORMATS)),
        ("mode", wish.mode in MixMode.values, " or ".join(MixMode.values)),
        ("mixes", len(wish.mixes) <= len(MIXES), f"at most {len(MIXES)}"),
        ("seed", 0 <= wish.seed <= MAX_SEED, f"0 to {MAX_SEED}"),
        ("temperature", 0 <= wish.temperature <= MAX_TEMPERATURE, f"0 to {MAX_TEMPERATURE:g}"),
        ("max_new_tokens", 1 <= wish.max_new_tokens <= most, f"1 to {most}"),
    ):
        if not holds:
            shown = len(wish.mixes) if what == "mixes" else getattr(wish, what)
            more = "" if caller.is_known or what != "max_new_tokens" else "; with an account, more"
            raise _refused("playground.limits", f"{what} is {shown}; expected {expected}{more}", what)


def _refused(code: str, message: str, name: str = "") -> InvalidError:
    return InvalidError(message, code=code, fields={name or code.rpartition(".")[2]: "not valid"})


def _away() -> UnavailableError:
    return UnavailableError(REASONS["playground.unavailable"], code="playground.unavailable")
