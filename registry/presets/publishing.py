"""Publish, yank and describe presets. A published version is a `preset.json` in the blob store, named by its
sha256, and rows that say the same.
"""

import logging

from django.db import transaction
from django.utils import timezone

from registry.accounts.access import OPEN, Visibility, check_not_hidden, checked_visibility
from registry.accounts.models import User
from registry.catalog.lifecycle import checked_reason
from registry.catalog.models import Vector
from registry.catalog.states import VersionState
from registry.catalog.vectors import checked_domain
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.core.naming import check_version, version_key
from registry.core.state import transition
from registry.presets.drafts import checked_texts, preset_locked, preset_record, preset_to_change
from registry.presets.models import Preset, PresetVersion
from registry.presets.selectors import version_rows
from registry.presets.states import RELEASED, TRANSITIONS, PresetState
from registry.storage.services import blob_put
from steering_core.formats import preset as file

logger = logging.getLogger(__name__)

# From those that fewest see to those that everybody does.
_REACH = (Visibility.PRIVATE, Visibility.ORGANISATION, Visibility.UNLISTED, Visibility.PUBLIC)


def preset_publish(
    *, actor: User, owner: str, name: str, version: str, draft_id: str = "", visibility: str = ""
) -> PresetVersion:
    """Freeze a draft under a version for good.

    A mix that nobody measured may be published; it says so. One that was measured and breaks replies may not.

    Args:
        version: MAJOR.MINOR.PATCH, never used before for this preset.
        draft_id: which draft; empty means the newest.
        visibility: of the preset from now on; empty leaves it as it is.
    Raises:
        NotFoundError, NotAllowedError: there is no such preset or draft for the actor, or it takes a role; or
            operators made the preset private.
        InvalidError: the version or visibility is not valid, or something stands in the way of publishing.
        ConflictError: the version is taken.
    """
    check_version(version)
    preset = preset_to_change(actor, owner, name)
    _check_is_free(preset, version)
    draft = _draft(preset, draft_id)
    if visibility:
        checked_visibility(visibility, preset.owner)
    # The store is asked outside of the transaction; what the file says is checked again under the lock.
    data = manifest_bytes(preset, draft, version)
    blob = blob_put(data=data, media_type=file.MEDIA_TYPE)
    with transaction.atomic():
        preset = preset_locked(preset.pk)
        draft = version_rows().get(pk=draft.pk)
        _check_is_free(preset, version)
        shown = visibility or preset.visibility
        check_not_hidden(preset, shown)
        if problems := publish_problems(draft, shown):
            raise InvalidError(
                f"{preset} cannot be published: {'; '.join(problems)}", code="preset.not_publishable"
            )
        if manifest_bytes(preset, draft, version) != data:
            raise ConflictError("the draft was changed meanwhile; publish it again", code="preset.changed")
        preset.visibility = shown
        transition(
            draft,
            to=PresetState.PUBLISHED,
            allowed=TRANSITIONS,
            version=version,
            manifest=blob,
            published_at=timezone.now(),
        )
        latest_refresh(preset)
        draft.preset = preset
        preset_record(
            "preset.published", preset, actor, subject=draft, digest=draft.digest, verdict=draft.verdict
        )
    logger.info("preset published", extra={"preset_version_id": draft.pk})
    return draft


def preset_yank(*, actor: User, owner: str, name: str, version: str, reason: str) -> PresetVersion:
    """Withdraw a published version: it leaves `latest` and lists; an exact pin still resolves, with why.

    Raises:
        NotFoundError, NotAllowedError: there is no such version for the actor, or it is not theirs to yank.
        InvalidError: no reason is given.
        IllegalTransitionError: it is not published.
    """
    said = checked_reason(reason, code="yank.no_reason")
    preset = preset_to_change(actor, owner, name)
    return _move(
        actor,
        preset,
        version,
        PresetState.YANKED,
        "preset.yanked",
        yanked_at=timezone.now(),
        yank_reason=said,
    )


def preset_unyank(*, actor: User, owner: str, name: str, version: str) -> PresetVersion:
    """Take a yank back.

    Raises:
        NotFoundError, NotAllowedError: there is no such version for the actor, or it is not theirs to change.
        IllegalTransitionError: it is not yanked.
    """
    preset = preset_to_change(actor, owner, name)
    return _move(
        actor, preset, version, PresetState.PUBLISHED, "preset.unyanked", yanked_at=None, yank_reason=""
    )


def preset_update(
    *,
    actor: User,
    owner: str,
    name: str,
    title: str | None = None,
    description: str | None = None,
    domain: str | None = None,
    visibility: str | None = None,
) -> Preset:
    """Change the words around a preset, or who sees it; published versions keep the words that they had.

    Raises:
        NotFoundError, NotAllowedError: there is no such preset for the actor, or it is not theirs to change,
            or to show: operators made it private.
        InvalidError: a text is not valid, the domain or visibility is unknown, or it shows a vector to more
            people.
    """
    found = preset_to_change(actor, owner, name)
    texts = {"title": title, "description": description}
    changes = checked_texts(**{name: text for name, text in texts.items() if text is not None})
    if domain is not None:
        changes["domain"] = checked_domain(domain)
    if visibility is not None:
        changes["visibility"] = checked_visibility(visibility, found.owner)
    with transaction.atomic():
        preset = preset_locked(found.pk)
        if visibility is not None and visibility != preset.visibility:
            check_not_hidden(preset, visibility)
            for row in version_rows().filter(preset=preset, state__in=RELEASED):
                if problems := hidden_members(row, visibility):
                    raise InvalidError(
                        f"{preset} cannot be {visibility}: of version {row.version} {'; '.join(problems)}",
                        code="preset.hidden_member",
                        fields={"visibility": "shows a vector to more people"},
                    )
        for field, value in changes.items():
            setattr(preset, field, value)
        preset.save(update_fields=list(changes))
        if changes:
            preset_record("preset.updated", preset, actor, fields=sorted(changes))
    return preset


def manifest_bytes(preset: Preset, row: PresetVersion, version: str) -> bytes:
    """The `preset.json` that a draft is published as."""
    return file.write_preset(
        file.Preset(
            name=str(preset),
            version=version,
            title=preset.title,
            description=preset.description,
            model_name=row.base_model.name,
            model_hash=row.base_model.model_hash,
            mode="equal_dose" if row.mode == "equal_dose" else "sum",
            members=tuple(
                file.PresetMember(
                    reference=str(member.vector_version),
                    digest=member.vector_version.digest,
                    strength=member.strength,
                    label=member.label,
                    low_label=member.low_label,
                    high_label=member.high_label,
                    range=(member.low, member.high),
                )
                for member in row.ordered
            ),
            composition=row.composition,
        )
    )


def publish_problems(row: PresetVersion, visibility: str) -> list[str]:
    """What stands in the way of publishing a draft, in words for its owner; empty when nothing does."""
    problems = []
    if row.state != PresetState.DRAFT:
        problems.append(f"it is {row.state}, and only a draft is published")
    if row.verdict == "fail":
        problems.append(f"the mix was measured and fails: {' '.join(row.reasons)}")
    for member in row.ordered:
        if member.vector_version.state != VersionState.PUBLISHED:
            problems.append(f"{member.vector_version} is {member.vector_version.state}")
    return problems + hidden_members(row, visibility)


def hidden_members(row: PresetVersion, visibility: str) -> list[str]:
    """Members that fewer people may see than a preset of this visibility."""
    vectors = [(member.vector_version, member.vector_version.vector) for member in row.ordered]
    return [
        f"{version} is {vector.visibility}"
        for version, vector in vectors
        if not _is_seen_by_all(vector, row.preset, visibility)
    ]


def _is_seen_by_all(vector: Vector, preset: Preset, visibility: str) -> bool:
    """Whether all that see a preset of this visibility see the vector."""
    if visibility == Visibility.PRIVATE and not preset.owner.is_organisation:
        return True  # its owner alone sees it, who could name the vector
    is_shared = vector.owner_id == preset.owner_id or vector.visibility in OPEN
    return is_shared and _REACH.index(vector.visibility) >= _REACH.index(visibility)


def latest_refresh(preset: Preset) -> None:
    """Point `latest` at the highest published version; the caller holds the preset's lock."""
    published = preset.versions.filter(state=PresetState.PUBLISHED)
    preset.latest = max(published, key=lambda row: version_key(row.version or "0.0.0"), default=None)
    preset.save(update_fields=["latest", "visibility"])


def _move(actor: User, preset: Preset, version: str, to: str, action: str, **said: object) -> PresetVersion:
    with transaction.atomic():
        preset = preset_locked(preset.pk)
        row = version_rows().filter(preset=preset, version=version).first()
        if row is None:
            raise NotFoundError(f"{preset} has no version {version}", code="preset.version_not_found")
        transition(row, to=to, allowed=TRANSITIONS, **said)
        latest_refresh(preset)
        row.preset = preset
        reason = {"reason": row.yank_reason} if row.yank_reason else {}
        preset_record(action, preset, actor, subject=row, **reason)
    return row


def _draft(preset: Preset, draft_id: str) -> PresetVersion:
    rows = version_rows().filter(preset=preset, state=PresetState.DRAFT)
    if draft_id:
        rows = rows.filter(pk=draft_id)
    row = rows.order_by("-created_at").first()
    if row is None:
        raise NotFoundError(f"{preset} has no such draft; make one first", code="preset.version_not_found")
    return row


def _check_is_free(preset: Preset, version: str) -> None:
    if preset.versions.filter(version=version).exists():
        raise ConflictError(
            f"{preset}@{version} exists and versions are never reused; choose a higher one",
            code="version.taken",
        )
