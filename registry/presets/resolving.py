"""References to presets, many at once, each with its members, so that one request is enough to pull a mix."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Prefetch, Q

from registry.accounts.access import visible_to
from registry.catalog.notices import Notice
from registry.catalog.resolving import Resolved, Wanted, parse_wanted, resolve_many
from registry.core.errors import InvalidError, NotFoundError
from registry.presets.models import PresetMember, PresetName, PresetVersion
from registry.presets.notices import preset_notices
from registry.presets.selectors import member_rows, preset_version_get
from registry.presets.states import RELEASED
from steering_core.spec import digest_hex

PREFIX = "preset:"


@dataclass(frozen=True, slots=True)
class ResolvedPreset:
    """What a reference to a preset leads to, for one viewer.

    Attributes:
        reference: as it was asked.
        members: in order, without those whose vectors the viewer may not see; `notices` say so.
    """

    reference: str
    version: PresetVersion
    members: tuple[Resolved, ...]
    notices: tuple[Notice, ...]


def resolve_preset(*, viewer: Any, reference: str) -> ResolvedPreset:
    """What one reference leads to.

    Raises:
        InvalidError: it is no reference to a preset.
        NotFoundError: it names nothing that the viewer may see.
    """
    if found := resolve_presets(viewer=viewer, references=[reference]).get(reference):
        return found
    wanted = _parse(reference)
    # It says which part is missing.
    ref = wanted.ref.digest or wanted.ref.version or wanted.ref.alias or "latest"
    preset_version_get(viewer=viewer, owner=wanted.owner, name=wanted.name, reference=ref)
    raise NotFoundError(f"there is no {reference}", code="preset.version_not_found")


def resolve_presets(*, viewer: Any, references: Sequence[str]) -> dict[str, ResolvedPreset]:
    """What each of these leads to; those that name nothing the viewer may see are left out. Many take as many
    queries as one.

    Raises:
        InvalidError: one is no reference to a preset.
    """
    wanted = {text: _parse(text) for text in dict.fromkeys(references)}
    found = _found(viewer, wanted)
    pinned = {_pin(member) for row in found.values() for member in row.ordered}
    members = resolve_many(viewer=viewer, references=sorted(pinned))
    return {text: _resolved(text, wanted[text], row, members) for text, row in found.items()}


def _parse(text: str) -> Wanted:
    wanted = parse_wanted(text.removeprefix(PREFIX))
    if not wanted.name:
        raise InvalidError(
            f"{text[:200]!r} names no preset; expected preset:owner/name@ref", code="reference.invalid"
        )
    return wanted


def _found(viewer: Any, wanted: dict[str, Wanted]) -> dict[str, PresetVersion]:
    """The version that each means."""
    if not wanted:
        return {}
    asked = _any(Q(owner__slug=want.owner, name=want.name) for want in wanted.values())
    names = PresetName.objects.filter(asked, visible_to(viewer, prefix="row__"))
    rows = names.values_list("owner__slug", "name", "row_id", "row__latest_id")
    presets = {(owner, name): (pk, latest) for owner, name, pk, latest in rows}
    conditions = {
        text: _condition(want, *presets[want.owner, want.name])
        for text, want in wanted.items()
        # Presets have no aliases.
        if (want.owner, want.name) in presets and not want.ref.alias
    }
    if not conditions:
        return {}
    lean = ("spec", "manifest", "report")
    members = member_rows().defer(*(f"vector_version__{column}" for column in lean))
    versions = PresetVersion.objects.filter(_any(Q(**one) for one in conditions.values()), state__in=RELEASED)
    joined = versions.select_related("preset__owner", "base_model", "manifest")
    known = list(joined.prefetch_related(Prefetch("members", members)))
    found = {
        text: next((row for row in known if all(getattr(row, k) == v for k, v in one.items())), None)
        for text, one in conditions.items()
    }
    return {text: row for text, row in found.items() if row}


def _condition(want: Wanted, preset: Any, latest: Any) -> dict[str, Any]:
    if want.ref.version:
        return {"preset_id": preset, "version": want.ref.version}
    if want.ref.digest:
        return {"preset_id": preset, "manifest_id": digest_hex(want.ref.digest)}
    return {"pk": latest}


def _pin(member: PresetMember) -> str:
    return str(member.vector_version)


def _resolved(text: str, want: Wanted, row: PresetVersion, members: dict[str, Resolved]) -> ResolvedPreset:
    asked = f"{want.owner}/{want.name}"
    row.preset.asked_as = "" if asked == str(row.preset) else asked
    notices = preset_notices(row)
    for member in row.ordered:
        if _pin(member) not in members:
            said = f"the vector of {member.label} is not yours to see, so the mix is not whole"
            notices.append(Notice("preset.member_hidden", said))
    mixed = tuple(members[pin] for member in row.ordered if (pin := _pin(member)) in members)
    return ResolvedPreset(text, row, mixed, tuple(notices))


def _any(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions)
