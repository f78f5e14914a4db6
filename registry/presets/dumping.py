"""Presets in the dump of the public catalog, see `serving.dumps`."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from registry.accounts.access import Visibility
from registry.presets.models import PresetVersion
from registry.presets.states import RELEASED
from registry.serving.dumps import Section


def public_presets() -> QuerySet[PresetVersion]:
    """Released versions of public presets."""
    rows = PresetVersion.objects.filter(state__in=RELEASED, preset__visibility=Visibility.PUBLIC)
    rows = rows.select_related("preset__owner", "base_model", "manifest")
    return rows.order_by("preset__owner__slug", "preset__name", "published_at", "pk")


def preset_line(row: PresetVersion) -> dict[str, Any]:
    """A version of a preset in short; its file, at `url`, names the members."""
    preset = row.preset
    return {
        "reference": f"preset:{row}",
        "digest": row.digest,
        "size_bytes": row.manifest.size_bytes if row.manifest else None,
        "base_model": {"name": row.base_model.name, "model_hash": row.base_model.model_hash},
        "mode": row.mode,
        "verdict": row.verdict,
        "title": preset.title,
        "description": preset.description,
        "domain": preset.domain,
        "published_at": row.published_at.isoformat() if row.published_at else None,
        "yanked": {"at": row.yanked_at.isoformat(), "reason": row.yank_reason} if row.yanked_at else None,
        "url": f"{settings.PUBLIC_URL}/api/v1/presets/{preset}/versions/{row.version}/download",
    }


PRESETS = Section("preset", public_presets, preset_line)
