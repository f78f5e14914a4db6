"""Presets for the demo model, made the way any user makes them: pairs in, runs, numbers out.

Nothing is stored as a constant: strengths come from windows that were measured here, and what fails its
safety gate or breaks replies is not published. Every step looks first at what is there, so it may be cut off
and repeated. `manage.py starter_presets` calls it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from registry.accounts.models import User
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.selectors import base_model_get
from registry.catalog.states import Domain, VersionState
from registry.catalog.vectors import vector_update
from registry.datasets.models import Dataset
from registry.datasets.services import dataset_check, dataset_publish
from registry.presets.drafts import MemberWish, PresetWish, preset_create, window_of
from registry.presets.models import Preset, PresetVersion
from registry.presets.publishing import preset_publish
from registry.presets.states import MixVerdict, PresetState
from registry.runs.composing import MeasureRequest, measurement_start
from registry.runs.models import Run
from registry.runs.services import ExtractionRequest, extraction_start
from registry.runs.states import ACTIVE
from steering_core.demo.datasets import demo_pairs
from steering_core.demo.lexicon import AXES
from steering_core.pairs.jsonl import write_jsonl

MODEL = "bearing/demo"
N_PAIRS, SEED = 200, 11
VERSION, LICENSE = "1.0.0", "CC-BY-4.0"
# A slider begins at this share of the way to the end of its window.
SHARE = 0.4
POLL_SECONDS = 1.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Starter:
    """A preset to make: axes of the demo language, each with the pole that it starts towards."""

    name: str
    title: str
    description: str
    domain: str
    axes: tuple[tuple[str, int], ...]


STARTERS = (
    Starter(
        "warm-and-formal",
        "Warm and formal",
        "Kind and correct, as a good front desk writes.",
        Domain.SUPPORT,
        (("warmth", 1), ("formality", 1)),
    ),
    Starter(
        "brief-and-casual",
        "Brief and casual",
        "Straight to the point, in everyday words.",
        Domain.VERBOSITY,
        (("warmth", -1), ("formality", -1)),
    ),
    Starter(
        "sure-and-upbeat",
        "Sure and upbeat",
        "No hedging, and the bright side first.",
        Domain.MOOD,
        (("confidence", 1), ("sentiment", 1)),
    ),
)
# The shelves of their vectors.
SHELVES = {
    "formality": Domain.TONE,
    "warmth": Domain.TONE,
    "confidence": Domain.CONFIDENCE,
    "sentiment": Domain.MOOD,
}


def starters_owner() -> User | None:
    """The user of the first walk through the demo; None if nobody has walked yet."""
    return User.objects.filter(username__regex=r"^demo-[0-9a-f]{6}$").order_by("date_joined").first()


def starters_make(*, owner: User, say: Say, timeout_seconds: float) -> list[str]:
    """Make what is missing of the starter presets, one run after the other, so that a user's own run waits
    for one of them at most.

    Args:
        timeout_seconds: how long to wait for a single run.
    Returns:
        The presets that are published, of whoever made them.
    Raises:
        RegistryError: the demo model is not registered, or a quota is used up.
        TimeoutError: a run did not end in time; the next call goes on from there.
    """
    for starter in STARTERS:
        if _published(starter) is None:
            _make(owner, starter, _Waiter(say, timeout_seconds))
    return [str(row) for starter in STARTERS if (row := _published(starter))]


@dataclass(frozen=True, slots=True)
class _Waiter:
    say: Say
    timeout_seconds: float

    def wait(self, run: Run) -> None:
        """Until the run has ended.

        Raises:
            TimeoutError: it did not.
        """
        deadline = time.monotonic() + self.timeout_seconds
        while Run.objects.filter(pk=run.pk, state__in=ACTIVE).exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{run} did not end within {self.timeout_seconds:.0f} s")
            time.sleep(POLL_SECONDS)


def _published(starter: Starter) -> Preset | None:
    rows = Preset.objects.filter(name=starter.name, visibility="public", latest__isnull=False)
    return rows.filter(latest__base_model__name=MODEL).select_related("owner").first()


def _make(owner: User, starter: Starter, waiter: _Waiter) -> None:
    members = list(_members(owner, starter, waiter))
    if len(members) < len(starter.axes):
        waiter.say(f"{starter.name}: not all of its vectors may be published, so it is left out")
        return
    draft = _draft(owner, starter, members)
    if draft is None:
        return
    if draft.composition is None:
        waiter.say(f"measuring {starter.name}")
        run = Run.objects.filter(preset_version=draft, state__in=ACTIVE).first()
        if run is None:
            wish = MeasureRequest(owner.username, starter.name, str(draft.pk))
            run, _ = measurement_start(actor=owner, request=wish)
        waiter.wait(run)
        draft.refresh_from_db()
    if draft.composition is None or draft.verdict == MixVerdict.FAIL:
        why = " ".join(draft.reasons) or "It could not be measured."
        waiter.say(f"{starter.name}: {why} It stays a draft.")
        return
    preset_publish(
        actor=owner,
        owner=owner.username,
        name=starter.name,
        version=VERSION,
        draft_id=str(draft.pk),
        visibility="public",
    )
    waiter.say(f"published {owner.username}/{starter.name}@{VERSION}, verdict {draft.verdict}")


def _draft(owner: User, starter: Starter, members: list[MemberWish]) -> PresetVersion | None:
    """The draft to measure: what an earlier call left, or a new one; None where one was given up."""
    preset = Preset.objects.filter(owner__slug=owner.username, name=starter.name).first()
    if preset is not None:
        return preset.versions.filter(state=PresetState.DRAFT).exclude(verdict=MixVerdict.FAIL).first()
    texts = {"title": starter.title, "description": starter.description, "domain": starter.domain}
    wish = PresetWish(starter.name, members, **texts)
    return preset_create(actor=owner, wish=wish)


def _members(owner: User, starter: Starter, waiter: _Waiter) -> Iterator[MemberWish]:
    for name, pole in starter.axes:
        version = _vector(owner, name, waiter)
        if version is None:
            continue
        if not version.vector.domain:
            vector_update(actor=owner, name=name, domain=SHELVES[name])
        window, axis = window_of(version), AXES[name]
        strength = round(SHARE * window[1 if pole > 0 else 0], 2)
        yield MemberWish(
            reference=str(version),
            strength=strength,
            label=name.capitalize(),
            low_label=axis.negative_pole,
            high_label=axis.positive_pole,
        )


def _vector(owner: User, axis: str, waiter: _Waiter) -> VectorVersion | None:
    """The published vector of an axis; None where the report keeps it from being public."""
    if found := _released(owner, axis):
        return found
    mine = VectorVersion.objects.filter(vector__owner__slug=owner.username, vector__name=axis)
    run = Run.objects.filter(vector_version__in=mine, state__in=ACTIVE).first()
    if run is None and mine.filter(state=VersionState.EXTRACTED).exists():
        return None
    if run is None:
        waiter.say(f"extracting {axis}")
        request = ExtractionRequest(
            dataset=_dataset(owner, axis),
            base_model=base_model_get(reference=MODEL).model_hash,
            vector=axis,
            publish_version=VERSION,
            license=LICENSE,
            visibility="public",
        )
        run, _ = extraction_start(actor=owner, request=request)
    waiter.wait(run)
    return _released(owner, axis)


def _released(owner: User, axis: str) -> VectorVersion | None:
    rows = Vector.objects.filter(owner__slug=owner.username, name=axis, visibility="public")
    row = rows.filter(latest__base_model__name=MODEL).select_related("latest__vector__owner").first()
    return row.latest if row else None


def _dataset(owner: User, axis: str) -> str:
    """The pairs of an axis, drawn from the demo language; the same pairs are stored once."""
    name = f"{axis}-starter-pairs"
    row = Dataset.objects.filter(owner__slug=owner.username, name=name).first()
    if row is None or not row.versions.exists():
        data = write_jsonl(demo_pairs(axis, N_PAIRS, seed=SEED))
        checked = dataset_check(data=data, filename=f"{axis}.jsonl")
        dataset_publish(actor=owner, name=name, checked=checked, visibility="public")
    return f"{owner.username}/{name}@1"
