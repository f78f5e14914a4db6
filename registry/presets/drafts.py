"""Put presets together: a name, and drafts of its versions, each a mix of released vector versions.

A strength has to lie inside the window that was measured for its vector, since a published preset is applied
by people who never looked at a report; there is no way around it. Next: `publishing`, or `runs` to measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from registry.accounts.access import (
    Visibility,
    checked_visibility,
    namespace_for,
    require,
    split_name,
    visible_to,
)
from registry.accounts.models import User
from registry.accounts.ownership import name_claim, row_named
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.catalog.models import VectorVersion
from registry.catalog.selectors import version_find
from registry.catalog.states import VersionState
from registry.catalog.vectors import checked_domain
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.core.state import transition
from registry.presets.models import Preset, PresetMember, PresetVersion
from registry.presets.selectors import preset_version_get
from registry.presets.states import TRANSITIONS, MixMode, PresetState
from steering_core.errors import FormatError
from steering_core.formats import preset as file

MAX_DRAFTS = 20
# Of a vector whose window nobody measured: what composing takes for one, and a share of the component.
UNMEASURED_WINDOWS = {"add": (-0.3, 0.3)}
_SHARE = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class MemberWish:
    """A vector of a mix, as somebody asks for it.

    Attributes:
        reference: `owner/name`, with or without a reference behind an @; it is pinned to what it means now.
        label: of the slider; empty takes the vector's title or name.
        range: of the slider; None takes the vector's window.
    """

    reference: str
    strength: float
    label: str = ""
    low_label: str = ""
    high_label: str = ""
    range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PresetWish:
    """A new preset: `owner/name` or a name in the actor's own namespace, and what it is to mix."""

    name: str
    members: Sequence[MemberWish]
    mode: str = MixMode.SUM
    title: str = ""
    description: str = ""
    domain: str = ""
    visibility: str = ""


def preset_create(*, actor: User, wish: PresetWish) -> PresetVersion:
    """A new preset with a first draft.

    Raises:
        InvalidError: the name, a text, the domain, the visibility or a member is not valid.
        NotFoundError, NotAllowedError: a namespace or vector is not there for the actor, or takes a role.
        ConflictError: the name is taken.
    """
    owner, name = split_name(actor, wish.name, what="preset")
    namespace = namespace_for(actor, owner)
    texts = checked_texts(title=wish.title, description=wish.description)
    texts["domain"] = checked_domain(wish.domain)
    visibility = checked_visibility(wish.visibility or Visibility.PRIVATE, namespace)
    chosen = _chosen(actor, wish.members)
    with transaction.atomic():
        with name_claim(f"{owner}/{name}"):
            preset = Preset.objects.create(owner=namespace, name=name, visibility=visibility, **texts)
        preset_record("preset.created", preset, actor)
        draft = _draft(preset, chosen, wish.mode)
    return preset_version_get(
        viewer=actor, owner=preset.owner.slug, name=preset.name, reference=str(draft.pk)
    )


def preset_draft(
    *, actor: User, owner: str, name: str, members: Sequence[MemberWish], mode: str = MixMode.SUM
) -> PresetVersion:
    """Another draft of a preset.

    Raises:
        NotFoundError, NotAllowedError: a preset or vector is not there for the actor, or takes a role.
        InvalidError: a member is not valid.
    """
    preset = preset_to_change(actor, owner, name)
    chosen = _chosen(actor, members)
    with transaction.atomic():
        draft = _draft(preset_locked(preset.pk), chosen, mode)
    return preset_version_get(
        viewer=actor, owner=preset.owner.slug, name=preset.name, reference=str(draft.pk)
    )


def preset_draft_discard(*, actor: User, owner: str, name: str, reference: str) -> None:
    """Put a draft out of sight for good.

    Raises:
        NotFoundError, NotAllowedError: there is no such version for the actor, or it is not theirs.
        IllegalTransitionError: it is released; yank it instead.
    """
    preset_to_change(actor, owner, name)
    row = preset_version_get(viewer=actor, owner=owner, name=name, reference=reference)
    with transaction.atomic():
        transition(row, to=PresetState.DISCARDED, allowed=TRANSITIONS)
        preset_record("preset.draft_discarded", row.preset, actor, id=str(row.pk))


def preset_to_change(actor: User, owner: str, name: str) -> Preset:
    """A preset on which the actor is a writer, by a name that it has or had.

    Raises:
        NotFoundError: there is none for them.
        NotAllowedError: they see it and lack the role.
    """
    rows = Preset.objects.filter(visible_to(actor)).select_related("owner")
    row: Preset | None = row_named(rows, owner or actor.username, name)
    if row is None:
        raise NotFoundError(f"there is no preset {owner}/{name}", code="preset.not_found")
    require(actor, Role.WRITER, row)
    return row


def preset_locked(preset_id: Any) -> Preset:
    """The preset, locked to the end of the transaction: every change of it and of its versions waits."""
    return Preset.objects.select_for_update(of=("self",)).select_related("owner").get(pk=preset_id)


def preset_record(
    action: str, preset: Preset, actor: User | None, *, subject: Any = None, **data: Any
) -> None:
    """Log what was done to a preset or a version of it; everybody may know of what is public and released."""
    is_public = preset.visibility == Visibility.PUBLIC and (
        subject is not None or preset.latest_id is not None
    )
    record(
        action, subject=subject or preset, namespace=preset.owner, actor=actor, is_public=is_public, **data
    )


def checked_texts(**texts: str) -> dict[str, str]:
    """Title and description, fit for `preset.json`.

    Raises:
        InvalidError: too long, or with characters that cannot be seen.
    """
    limits = {"title": file.MAX_TITLE, "description": file.MAX_DESCRIPTION}
    cleaned = {name: text.strip().replace("\r\n", "\n") for name, text in texts.items()}
    for name, text in cleaned.items():
        if len(text) > limits[name]:
            raise InvalidError(
                f"the {name} has {len(text)} characters; {limits[name]} are allowed", code="text.too_long"
            )
        try:
            file.check_text(name, text, limits[name], lines=name == "description")
        except FormatError as error:
            raise InvalidError(error.message, code=error.code, fields={name: "hidden characters"}) from error
    return cleaned


def window_of(version: VectorVersion) -> tuple[float, float]:
    """The strengths at which a vector may be used: its measured window, else a careful one."""
    manifest = version.manifest or {}
    if window := manifest.get("window"):
        return float(window[0]), float(window[1])
    return UNMEASURED_WINDOWS.get(str(manifest.get("operation", "add")), _SHARE)


def _chosen(actor: User, wishes: Sequence[MemberWish]) -> list[PresetMember]:
    """The members, checked one by one and against each other; not saved."""
    if not 1 <= len(wishes) <= file.MAX_MEMBERS:
        raise InvalidError(
            f"{len(wishes)} vectors were given; a preset mixes 1 to {file.MAX_MEMBERS}",
            code="preset.members",
            fields={"members": f"1 to {file.MAX_MEMBERS}"},
        )
    rows = [_member(actor, wish, position) for position, wish in enumerate(wishes)]
    models = {row.vector_version.base_model_id: row.vector_version.base_model for row in rows}
    if len(models) > 1:
        names = "; ".join(f"{row.vector_version}: {row.vector_version.base_model}" for row in rows)
        raise InvalidError(
            f"the vectors are for different base models ({names}); choose vectors of one",
            code="preset.base_models",
            fields={"members": "of different base models"},
        )
    for what, said in (
        ("label", [row.label.casefold() for row in rows]),
        ("file", [str(row.vector_version.artifact_id) for row in rows]),
    ):
        if len(set(said)) != len(said):
            raise InvalidError(
                f"two members have the same {what}; each needs its own",
                code="preset.members",
                fields={"members": f"two have one {what}"},
            )
    return rows


def _member(actor: User, wish: MemberWish, position: int) -> PresetMember:
    row = version_find(viewer=actor, reference=wish.reference)
    if row.state != VersionState.PUBLISHED:
        said = f"yanked: {row.yank_reason}" if row.state == VersionState.YANKED else f"{row.state}"
        raise InvalidError(
            f"{row} is {said}; a preset mixes published versions only",
            code="preset.member_state",
            fields={"members": f"{wish.reference} is {row.state}"},
        )
    window = window_of(row)
    low, high = map(float, wish.range or window)
    label = wish.label.strip() or row.vector.title[: file.MAX_LABEL] or row.vector.name[: file.MAX_LABEL]
    if not window[0] <= low <= wish.strength <= high <= window[1]:
        raise InvalidError(
            f"{label} is given strength {wish.strength:g} with a slider from {low:g} to {high:g}; the usable "
            f"window of {row} is {window[0]:g} to {window[1]:g}, so choose values within it",
            code="preset.beyond_window",
            fields={"members": f"{wish.reference} works from {window[0]:g} to {window[1]:g}"},
        )
    try:
        said_of = file.PresetMember(
            reference=str(row),
            digest=row.digest,
            strength=float(wish.strength),
            label=label,
            low_label=wish.low_label.strip(),
            high_label=wish.high_label.strip(),
            range=(low, high),
        )
    except FormatError as error:
        raise InvalidError(error.message, code="preset.members", fields={"members": "not valid"}) from error
    return PresetMember(
        vector_version=row,
        position=position,
        strength=said_of.strength,
        low=low,
        high=high,
        label=said_of.label,
        low_label=said_of.low_label,
        high_label=said_of.high_label,
    )


def _draft(preset: Preset, chosen: Sequence[PresetMember], mode: str) -> PresetVersion:
    if mode not in MixMode.values:
        raise InvalidError(
            f"mode {mode!r} is not known; choose one of {', '.join(MixMode.values)}",
            code="preset.mode",
            fields={"mode": "unknown"},
        )
    if preset.versions.filter(state=PresetState.DRAFT).count() >= MAX_DRAFTS:
        raise ConflictError(
            f"{preset} has {MAX_DRAFTS} drafts; publish or discard one first", code="preset.too_many_drafts"
        )
    base_model = chosen[0].vector_version.base_model
    draft = PresetVersion.objects.create(preset=preset, base_model=base_model, mode=mode)
    for member in chosen:
        member.version = draft
    PresetMember.objects.bulk_create(chosen)
    return draft
