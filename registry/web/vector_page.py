"""What the page of a version shows beside its report: ways to use it, files, lineage, where its sections are.

`views.vectors` puts it together with the forms; `reports` and `findings` read the report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from registry.accounts.access import check_files
from registry.catalog.models import Alias, Vector, VectorVersion
from registry.catalog.notices import version_notices
from registry.catalog.selectors import version_source
from registry.catalog.states import RELEASED, Access
from registry.core.errors import NotAllowedError
from registry.trust.selectors import blind_conclusion
from registry.web.reports import DEFAULT_STRENGTH, ReportView
from registry.web.uses import checked_with, engine_uses, multipliers

# Engine -> the tab that its use stands under.
TABS = {
    "easysteer-request": "vLLM",
    "llama.cpp": "llama.cpp",
    "ds4": "ds4",
    "python": "Plain hooks",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A section of the page, for the list of them."""

    anchor: str
    words: str


@dataclass(frozen=True, slots=True)
class FileGate:
    """Why the viewer may not have the files, and where to ask; both empty where they may."""

    message: str = ""
    terms: str = ""


def places(context: Mapping[str, Any]) -> tuple[Place, ...]:
    """The sections that this page has, in order."""
    report, found = context["report"], context["findings"]
    wanted = (
        ("use", "Use it", True),
        ("card", "Card", bool(context["card"])),
        ("curve", "What it does", bool(report)),
        ("blocks", "Where it acts", bool(report)),
        ("side-effects", "Side effects", bool(found and found.side_effects)),
        ("safety", "Safety", bool(found and found.safety)),
        ("transfer", "Transfer", bool(found and found.transfer)),
        ("mixes", "Mixes", bool(context["lineage"].presets)),
        ("steady", "Steadiness", bool(report and report.steadiness)),
        ("report", "Report", bool(report)),
        ("provenance", "Provenance", True),
        ("versions", "Versions", True),
        ("files", "Files", bool(context["files"])),
        ("similar", "Similar vectors", bool(context["similar"])),
        ("owner", "Yours to change", context["is_owner"]),
    )
    return tuple(Place(anchor, words) for anchor, words, is_there in wanted if is_there)


def uses_of(name: str, manifest: dict[str, Any], report: ReportView | None) -> dict[str, Any]:
    """What the commands and the numbers of "Use it" are made of."""
    strength = float(report.default_strength) if report else DEFAULT_STRENGTH
    uses = engine_uses(manifest, strength, name)
    engine, model = checked_with(uses)
    return {
        "uses": [(TABS[use.engine], use) for use in uses],
        "multipliers": multipliers(manifest, strength, report.curve if report else None),
        "verify_engine": engine,
        "verify_model": model,
    }


def mixer_url(version: VectorVersion, strength: str) -> str:
    """The mixer with this version on it."""
    return "/mixer?" + urlencode({"vector": str(version), "strength": strength}, safe="/@")


def moved_from(viewer: Any, version: VectorVersion) -> dict[str, Any]:
    """Where a moved version came from; of a source that the viewer may not see, the base model alone."""
    source = version_source(viewer=viewer, version=version)
    return {
        "moved_from": source,
        "moved_from_url": version_url(source) if source else "",
        "moved_from_model": version.migrated_from.base_model.name if version.migrated_from else "",
    }


def blind_test(version: VectorVersion) -> dict[str, Any]:
    """Where the blind test is, and what it shows; nothing before anybody has answered."""
    owner, name = version.vector.owner.slug, version.vector.name
    if version.state in RELEASED:
        url = reverse("web:version_blind", args=(owner, name, version.version))
    else:
        url = reverse("web:draft_blind", args=(owner, name, version.pk))
    found = blind_conclusion(version=version)
    return {"blind_url": url, "blind": found if found.raters or found.left_out else None}


def file_gate(viewer: Any, vector: Vector) -> FileGate:
    """What stands between the viewer and the files."""
    if vector.access == Access.OPEN:
        return FileGate()
    try:
        check_files(viewer, vector)
    except NotAllowedError as error:
        return FileGate(error.message, vector.access_terms)
    return FileGate()


def names_of(aliases: list[Alias]) -> dict[Any, list[str]]:
    """Version id -> the aliases that are at it."""
    found: dict[Any, list[str]] = {}
    for alias in aliases:
        found.setdefault(alias.version_id, []).append(alias.name)
    return found


def deprecations(version: VectorVersion) -> list[str]:
    """What the owner says against using it."""
    return [notice.message for notice in version_notices(version) if notice.code.endswith(".deprecated")]


def version_url(version: VectorVersion) -> str:
    """The page of a version: by name once it is released, before that for its owner alone."""
    owner, name = version.vector.owner.slug, version.vector.name
    if version.state in RELEASED:
        return reverse("web:vector_version", args=(owner, name, version.version))
    return reverse("web:draft", args=(owner, name, version.pk))
