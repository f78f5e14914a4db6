"""Staff pages: look, do not touch."""

from django.contrib import admin

from registry.core.admin import LookOnlyAdmin
from registry.presets.models import Preset, PresetVersion


@admin.register(Preset)
class PresetAdmin(LookOnlyAdmin):
    """Presets with their owner and visibility."""

    list_display = ["name", "owner", "visibility", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__slug"]


@admin.register(PresetVersion)
class PresetVersionAdmin(LookOnlyAdmin):
    """Versions with what was found of their mix."""

    list_display = ["preset", "version", "state", "verdict", "published_at"]
    list_select_related = ["preset__owner"]
    list_filter = ["state", "verdict"]
