"""What owners say of released things: a version is yanked; a vector or a version is deprecated; and back."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.accounts.models import User
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.notices import check_present
from registry.catalog.selectors import version_find
from registry.catalog.states import NAMED, TRANSITIONS, VersionState
from registry.catalog.vectors import (
    latest_refresh,
    vector_changed,
    vector_locked,
    vector_record,
    vector_to_change,
    version_record,
)
from registry.core.errors import ConflictError, InvalidError, NotFoundError
from registry.core.state import transition

_NOTHING: dict[str, Any] = {"deprecated_at": None, "deprecation_reason": "", "replacement": ""}


def version_yank(*, actor: User, name: str, version: str, reason: str, owner: str = "") -> VectorVersion:
    """Withdraw a published version: it leaves `latest`, aliases and the catalog; an exact pin still resolves,
    with the reason.

    Raises:
        NotFoundError, NotAllowedError: there is no such version for the actor, or it is not theirs to yank.
        InvalidError: no reason is given.
        IllegalTransitionError: it is not published.
    """
    said = checked_reason(reason, code="yank.no_reason")
    row = released_version(vector_to_change(actor, owner, name), version)
    with transaction.atomic():
        vector = vector_locked(row.vector_id)
        transition(
            row, to=VersionState.YANKED, allowed=TRANSITIONS, yanked_at=timezone.now(), yank_reason=said
        )
        latest_refresh(vector)
        version_record("version.yanked", row, actor, reason=row.yank_reason)
    return row


def version_unyank(*, actor: User, name: str, version: str, owner: str = "") -> VectorVersion:
    """Take a yank back.

    Raises:
        NotFoundError, NotAllowedError: there is no such version for the actor, or it is not theirs to change.
        IllegalTransitionError: it is not yanked.
    """
    row = released_version(vector_to_change(actor, owner, name), version)
    with transaction.atomic():
        vector = vector_locked(row.vector_id)
        transition(row, to=VersionState.PUBLISHED, allowed=TRANSITIONS, yanked_at=None, yank_reason="")
        latest_refresh(vector)
        version_record("version.unyanked", row, actor)
    return row


def vector_deprecate(
    *, actor: User, name: str, reason: str, replacement: str = "", owner: str = ""
) -> Vector:
    """Advise against a vector. It still resolves, in every way, with a warning; again changes what is said.

    Args:
        replacement: what to use instead, `owner/name` with or without a reference.
    Raises:
        NotFoundError, NotAllowedError: there is no such vector for the actor, or it is not theirs to change,
            or there is no such replacement.
        InvalidError: no reason is given, or the replacement is no reference.
        ConflictError: it would replace itself.
    """
    vector = vector_to_change(actor, owner, name)
    said = deprecation(actor, reason, replacement, vector)
    return vector_say(vector, actor, "vector.deprecated", said)


def vector_undeprecate(*, actor: User, name: str, owner: str = "") -> Vector:
    """Take that back; it is no error where nothing was said.

    Raises:
        NotFoundError, NotAllowedError: there is no such vector for the actor, or it is not theirs to change.
    """
    vector = vector_to_change(actor, owner, name)
    return vector_say(vector, actor, "vector.undeprecated", _NOTHING)


def version_deprecate(
    *, actor: User, name: str, version: str, reason: str, replacement: str = "", owner: str = ""
) -> VectorVersion:
    """As `vector_deprecate`, for one version."""
    row = released_version(vector_to_change(actor, owner, name), version)
    said = deprecation(actor, reason, replacement, row)
    return _version_say(row, actor, "version.deprecated", said)


def version_undeprecate(*, actor: User, name: str, version: str, owner: str = "") -> VectorVersion:
    """As `vector_undeprecate`, for one version."""
    row = released_version(vector_to_change(actor, owner, name), version)
    return _version_say(row, actor, "version.undeprecated", _NOTHING)


def released_version(vector: Vector, version: str) -> VectorVersion:
    """A released version by its exact number.

    Raises:
        NotFoundError: there is none.
        RemovedError: operators took it away.
    """
    rows = vector.versions.filter(version=version, state__in=NAMED)
    row = rows.select_related("vector__owner", "base_model", "artifact").first()
    if row is None:
        raise NotFoundError(f"{vector} has no published version {version}", code="version.not_found")
    check_present(row)
    return row


def checked_reason(reason: str, *, code: str) -> str:
    """The reason on one line of at most 500 characters.

    Raises:
        InvalidError: it says nothing.
    """
    text = " ".join(reason.split())
    if not text:
        raise InvalidError(
            "say why, in a sentence: whoever uses it will read it", code=code, fields={"reason": "empty"}
        )
    return text[:500]


def deprecation(actor: User, reason: str, replacement: str, row: Vector | VectorVersion) -> dict[str, Any]:
    """The columns of a row that is advised against.

    Raises:
        InvalidError, NotFoundError, ConflictError: as `vector_deprecate`.
    """
    instead = replacement.strip()
    said = {
        "deprecated_at": timezone.now(),
        "deprecation_reason": checked_reason(reason, code="deprecation.no_reason"),
        "replacement": instead,
    }
    if instead:
        if "/" not in instead:
            raise InvalidError(
                f"replacement {replacement!r} names nothing; expected owner/name or owner/name@1.0.0",
                code="reference.invalid",
                fields={"replacement": "expected owner/name"},
            )
        found = version_find(viewer=actor, reference=instead)
        if row.pk in (found.pk, found.vector_id):
            raise ConflictError(
                f"{row} cannot be its own replacement; name another or none", code="deprecation.of_itself"
            )
    return said


def vector_say(vector: Vector, actor: User, action: str, said: dict[str, Any]) -> Vector:
    """Set what is said of a vector, the columns that `deprecation` gives, and log it as `action`.

    Raises:
        RemovedError: operators took it away.
    """
    with transaction.atomic():
        vector = vector_locked(vector.pk)
        check_present(vector)
        if said != _NOTHING or vector.deprecated_at:
            _set(vector, said)
            vector.save(update_fields=list(said))
            vector_changed(vector)
            vector_record(action, vector, actor, **_shown(said))
    return vector


def _version_say(row: VectorVersion, actor: User, action: str, said: dict[str, Any]) -> VectorVersion:
    with transaction.atomic():
        vector_locked(row.vector_id)
        if said != _NOTHING or row.deprecated_at:
            _set(row, said)
            row.save(update_fields=list(said))
            version_record(action, row, actor, **_shown(said))
    return row


def _set(row: Vector | VectorVersion, said: dict[str, Any]) -> None:
    for field, value in said.items():
        setattr(row, field, value)


def _shown(said: dict[str, Any]) -> dict[str, Any]:
    """What the log and webhooks carry: texts, where there are any."""
    named = {"reason": said["deprecation_reason"], "replacement": said["replacement"]}
    return {key: text for key, text in named.items() if text}
