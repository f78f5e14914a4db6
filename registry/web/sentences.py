"""Events of the log as sentences: who did what to what, with a link to what it was about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from registry.audit.models import AuditEvent
from registry.core.naming import SEMVER, SLUG

# Action -> what follows the actor; `{subject}` is a link where there is a page, the rest is the event's data.
SENTENCES: Mapping[str, str] = {
    "organisation.created": "founded {subject}",
    "organisation.updated": "changed the {fields} of {subject}",
    "profile.updated": "changed the {fields} of the profile",
    "invitation.created": "invited {subject} as {role}",
    "invitation.revoked": "revoked the invitation of {subject}",
    "member.joined": "joined as {role}, invited by {invited_by}",
    "member.role_changed": "made {subject} {role}, before {was}",
    "member.removed": "removed {subject}, who was {role}",
    "member.left": "left, having been {role}",
    "team.created": "made the team {subject}",
    "team.renamed": "renamed the team {was} to {subject}",
    "team.deleted": "ended the team {subject}",
    "team.member_added": "put {username} into the team {subject}",
    "team.member_removed": "took {username} out of the team {subject}",
    "team.granted": "gave the team {subject} the role {role} on {name}",
    "team.grant_removed": "took the role {role} on {name} from the team {subject}",
    "token.created": "made the token {subject}… for {scopes}",
    "token.revoked": "revoked the token {subject}… ({reason})",
    "version.published": "published {subject}",
    "version.yanked": "yanked {subject}: {reason}",
    "version.unyanked": "took the yank of {subject} back",
    "version.deprecated": "deprecated {subject}: {reason}",
    "version.undeprecated": "took the deprecation of {subject} back",
    "version.removed": "removed {subject} ({kind}): {reason}",
    "draft.discarded": "discarded a draft of {subject}",
    "vector.updated": "changed the {fields} of {subject}",
    "vector.deprecated": "deprecated {subject}: {reason}",
    "vector.undeprecated": "took the deprecation of {subject} back",
    "vector.access_changed": "made the files of {subject} {access}",
    "vector.removed": "removed {subject} ({kind}): {reason}",
    "vector.renamed": "renamed {before} to {subject}",
    "vector.transferred": "moved {before} to {subject}",
    "dataset.renamed": "renamed the dataset {before} to {subject}",
    "dataset.transferred": "moved the dataset {before} to {subject}",
    "dataset.made_public": "made the dataset {subject} public",
    "dataset.made_private": "made the dataset {subject} private: {reason}",
    "dataset.version_created": "uploaded the dataset {subject}",
    "preset.created": "drafted the preset {subject}",
    "preset.updated": "changed the preset {subject}",
    "preset.made_private": "made the preset {subject} private: {reason}",
    "preset.draft_discarded": "discarded a draft of the preset {subject}",
    "alias.set": "pointed the alias {alias} of {subject} at {after}",
    "alias.deleted": "deleted the alias {alias} of {subject}",
    "access.requested": "asked for the files of {subject}",
    "access.granted": "let {user} have the files of {subject}",
    "access.denied": "refused {user} the files of {subject}",
    "access.revoked": "took the files of {subject} from {user}",
    "access.withdrawn": "gave up access to {subject}",
    "upload.opened": "began an upload",
    "upload.completed": "sent a file",
    "upload.aborted": "gave an upload up",
    "upload.expired": "let an upload run out",
    "run.queued": "started a run",
    "run.succeeded": "finished a run",
    "run.failed": "ended a run without a result",
    "run.cancelled": "cancelled a run",
    "run.timed_out": "ended a run that took too long",
    "user.deleted": "deleted the account {subject}",
    "webhook.created": "made a webhook",
    "webhook.updated": "changed the {fields} of a webhook",
    "webhook.rotated": "gave a webhook a new secret",
    "webhook.deleted": "deleted a webhook",
    "webhook.disabled": "switched a webhook off ({reason})",
    "flag.opened": "reported {subject}",
    "flag.decided": "decided a report on {subject}: {decision}",
}
# What the log can be narrowed down to, in the order of the page.
NOUNS = (
    "version",
    "vector",
    "dataset",
    "preset",
    "alias",
    "run",
    "access",
    "member",
    "invitation",
    "team",
    "organisation",
    "profile",
    "token",
    "webhook",
    "upload",
    "flag",
)
_NAMED = re.compile(rf"({SLUG})/({SLUG})(?:@({SEMVER}))?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SERVICE = "Bearing"


@dataclass(frozen=True, slots=True)
class Line:
    """One event for people: `before` and `after` stand around the link to `subject`."""

    id: int
    at: datetime
    actor: str
    is_service: bool
    before: str
    subject: str
    url: str
    after: str
    action: str


def line_of(event: AuditEvent) -> Line:
    """An event as a sentence; one that has none yet is named by its action."""
    sentence = SENTENCES.get(event.action, f"did {event.action} to {{subject}}")
    before, marker, after = sentence.partition("{subject}")
    words = _Words({key: _said(value) for key, value in event.data.items()})
    return Line(
        id=event.pk,
        at=event.at,
        actor=event.actor or SERVICE,
        is_service=not event.actor,
        before=before.format_map(words),
        subject=event.subject if marker else "",
        url=_url(event) if marker else "",
        after=_trimmed(after.format_map(words)),
        action=event.action,
    )


class _Words(dict[str, str]):
    """What an older event does not say is left out."""

    def __missing__(self, key: str) -> str:
        return ""


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _trimmed(text: str) -> str:
    """Without a colon or brackets that nothing follows."""
    return text.replace(" ()", "").removesuffix(": ").removesuffix(":")


def _url(event: AuditEvent) -> str:
    noun = event.action.partition(".")[0]
    if noun in ("member", "user"):
        return reverse("web:profile", args=[event.subject]) if re.fullmatch(SLUG, event.subject) else ""
    if noun == "run" and _UUID.fullmatch(event.subject):
        return reverse("web:run", args=[event.subject])
    if noun == "organisation":
        return reverse("web:profile", args=[event.subject])
    found = _NAMED.match(event.subject)
    if not found or noun not in ("version", "vector", "dataset", "preset", "alias", "access"):
        return ""
    owner, name, version = found.groups()
    if noun == "version" and version:
        return reverse("web:vector_version", args=[owner, name, version])
    page = noun if noun in ("dataset", "preset") else "vector"
    return reverse(f"web:{page}", args=[owner, name])
