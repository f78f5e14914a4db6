"""The mixer's page out of its state: channels with their tracks, what to choose from, code to take away."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from registry.catalog.models import BaseModelRevision, Vector, VectorVersion
from registry.catalog.selectors import base_model_get, base_model_list, version_find
from registry.core.errors import NotFoundError, RegistryError
from registry.discovery.search import Wanted, vector_search
from registry.playground.cautions import Caution, mix_cautions
from registry.playground.prompts import starters
from registry.playground.services import members_of
from registry.playground.wishes import MIXES, Channel
from registry.presets.drafts import MemberWish
from registry.presets.selectors import preset_version_get, visible_members
from registry.web.desk import Desk, Fader
from registry.web.numbers import minus, signed, signed_short
from registry.web.reports import read_poles
from steering_core.formats.preset import MAX_LABEL, applied

FOUND = 8
# The track shows so much at least, and so much more than the window.
LEAST_REACH, BEYOND = 0.6, 1.5
MOST_REACH = 2.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the track in percent of its width."""

    start: float
    width: float


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A vector on its channel; `problem` is why it cannot be heard, and then only the reference is known."""

    fader: Fader
    title: str = ""
    url: str = ""
    poles: tuple[str, str] = ("less", "more")
    reach: float = LEAST_REACH
    window: Stretch | None = None
    window_words: str = ""
    problem: str = ""

    @property
    def says(self) -> str:
        """The strength as a person reads it."""
        return signed(self.fader.strength)


@dataclass(frozen=True, slots=True)
class MixerView:
    """What the page shows."""

    desk: Desk
    model: BaseModelRevision | None
    models: Sequence[BaseModelRevision]
    channels: Sequence[ChannelView]
    cautions: Sequence[Caution]
    starters: Sequence[str]
    code: str

    @property
    def is_playable(self) -> bool:
        """Whether there is a model, and no channel that cannot be heard."""
        return self.model is not None and not any(channel.problem for channel in self.channels)


@dataclass(frozen=True, slots=True)
class Settled:
    """A state with what it names, looked up once.

    Attributes:
        rows: the version of each fader, or why it is not to be had.
    """

    desk: Desk
    model: BaseModelRevision | None
    rows: tuple[VectorVersion | RegistryError, ...]


def settled(viewer: Any, desk: Desk) -> Settled:
    """The state with its preset unfolded, its model found and its references pinned, as far as they can be.

    Raises:
        NotFoundError: the preset or the model is not there for the viewer.
    """
    if desk.preset and not desk.faders:
        desk = _of_preset(viewer, desk)
    rows = tuple(_row(viewer, fader.reference) for fader in desk.faders)
    faders = tuple(
        replace(fader, reference=str(row)) if isinstance(row, VectorVersion) and row.version else fader
        for fader, row in zip(desk.faders, rows, strict=True)
    )
    name = desk.model
    if not name:
        found = next((row.base_model for row in rows if isinstance(row, VectorVersion)), None)
        found = found or _first_model(viewer)
        name = found.name if found else ""
    model = base_model_get(reference=name) if name else None
    prompt = desk.prompt
    if not prompt and model:
        prompt = next(iter(starters(model)), "")
    return Settled(replace(desk, faders=faders, model=name, prompt=prompt), model, rows)


def mixer_view(viewer: Any, state: Settled) -> MixerView:
    """All that the page shows of a state."""
    desk, model = state.desk, state.model
    models = list(base_model_list())
    channels = [
        _channel(viewer, fader, row, model) for fader, row in zip(desk.faders, state.rows, strict=True)
    ]
    is_silent = any(channel.problem for channel in channels)
    return MixerView(
        desk=desk,
        model=model,
        models=models,
        channels=channels,
        cautions=_cautions(viewer, model, state) if model and not is_silent else (),
        starters=starters(model) if model else (),
        code=code_of(desk),
    )


def found_vectors(
    viewer: Any, model: BaseModelRevision, words: str, on: Collection[str]
) -> list[tuple[Vector, str, bool]]:
    """Vectors that fit the model, the best match first: each with its reference, and whether it is `on`."""
    wanted = Wanted(text=words, facets={"base_model": (model.model_hash,)})
    rows = vector_search(viewer=viewer, wanted=wanted).page(FOUND)[0]
    named = [(row, f"{row}@{row.latest.version}") for row in rows if row.latest]
    return [(row, reference, reference in on) for row, reference in named]


def timing_words(outcome: Mapping[str, Any]) -> str:
    """How long texts took, of the event that ends them; `static/js/mixer.js` says the same."""
    if not outcome["n_tokens"]:
        return "Written before, with the same seed."
    first = outcome["first_token_seconds"]
    begun = f"First word after {first:.2f} s, all" if first else "All"
    return f"{begun} after {outcome['seconds']:.2f} s, {outcome['n_tokens']} new tokens."


def code_of(desk: Desk) -> str:
    """Python that applies the first mix as it is heard."""
    mix = desk.mix()
    strengths = applied(desk.mode, tuple(channel.strength for channel in mix))
    on = [(channel, strength) for channel, strength in zip(mix, strengths, strict=True) if strength]
    if not on:
        return "# every slider is at 0: nothing is added"
    lines = [f'    (pull("{channel.reference}"), {strength:.4g}),' for channel, strength in on]
    return "\n".join(
        (
            "from steering_core.client import pull",
            "from steering_core.injection import steer",
            "",
            "mix = [",
            *lines,
            "]",
            "with steer(model, mix):",
            "    model.generate(**inputs)",
        )
    )


def member_wishes(viewer: Any, desk: Desk) -> list[MemberWish]:
    """The vectors that are heard, as a draft of a preset takes them: labels, poles, strengths.

    Raises:
        NotFoundError: a vector is not there any more.
    """
    return [_member(viewer, channel) for channel in desk.mix() if channel.strength]


def _member(viewer: Any, channel: Channel) -> MemberWish:
    row = version_find(viewer=viewer, reference=channel.reference)
    low, high = read_poles(row.report) or ("", "")
    return MemberWish(
        channel.reference,
        channel.strength,
        label=(row.vector.title or row.vector.name)[:MAX_LABEL],
        low_label=low[:MAX_LABEL],
        high_label=high[:MAX_LABEL],
    )


def _row(viewer: Any, reference: str) -> VectorVersion | RegistryError:
    try:
        return version_find(viewer=viewer, reference=reference)
    except RegistryError as error:
        return error


def _channel(
    viewer: Any, fader: Fader, row: VectorVersion | RegistryError, model: BaseModelRevision | None
) -> ChannelView:
    try:
        if model is None:
            raise NotFoundError("no base model is registered here")
        if isinstance(row, RegistryError):
            raise row
        channel = Channel(fader.reference, fader.strength)
        (member,) = members_of(viewer=viewer, model=model, channels=[channel], rows=[row], mode="sum")
    except RegistryError as error:
        return ChannelView(fader, problem=minus(error.message))
    vector, window = member.row.vector, member.window
    ends = [BEYOND * abs(end) for end in window or ()]
    reach = min(MOST_REACH, max(LEAST_REACH, abs(fader.strength), abs(fader.other), *ends))
    reach = round(reach + 0.049, 1)
    return ChannelView(
        fader=fader,
        title=member.label,
        url=f"/{vector.owner.slug}/{vector.name}",
        poles=read_poles(member.row.report) or ("less", "more"),
        reach=reach,
        window=_stretch(window, reach),
        window_words=f"{signed_short(window[0])} to {signed_short(window[1])}" if window else "not measured",
    )


def _cautions(viewer: Any, model: BaseModelRevision, state: Settled) -> list[Caution]:
    found: list[Caution] = []
    rows = [row for row in state.rows if isinstance(row, VectorVersion)]
    for name, mix in zip(MIXES, state.desk.wish.mixes, strict=False):
        members = members_of(viewer=viewer, model=model, channels=mix, rows=rows, mode=state.desk.mode)
        said = mix_cautions(viewer, members, name)
        found += [replace(caution, message=minus(caution.message)) for caution in said]
    return found


def _stretch(window: tuple[float, float] | None, reach: float) -> Stretch | None:
    if window is None:
        return None
    start, stop = (50 + 50 * max(-reach, min(reach, end)) / reach for end in window)
    return Stretch(round(start, 2), round(stop - start, 2))


def _of_preset(viewer: Any, desk: Desk) -> Desk:
    name, _, reference = desk.preset.partition("@")
    owner, _, bare = name.partition("/")
    version = preset_version_get(viewer=viewer, owner=owner, name=bare, reference=reference or "latest")
    seen = visible_members(viewer, version)
    faders = tuple(
        Fader(str(member.vector_version), member.strength) for member in version.ordered if member.pk in seen
    )
    said = f"{version} also mixes vectors that you may not see; they are left out."
    problems = desk.problems if len(faders) == len(version.ordered) else (*desk.problems, said)
    kept = replace(desk, faders=faders, mode=version.mode, problems=problems)
    return replace(kept, model=desk.model or version.base_model.name, preset=str(version))


def _first_model(viewer: Any) -> BaseModelRevision | None:
    """The model that the newest vectors are for, else any."""
    rows = vector_search(viewer=viewer, wanted=Wanted(sort="newest")).page(1)[0]
    if rows and rows[0].latest:
        return rows[0].latest.base_model
    return base_model_list().first()
