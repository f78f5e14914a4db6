"""Staff pages. Released versions are frozen in the database; the pages only show them."""

from django.contrib import admin

from registry.catalog.models import BaseModelRevision, Vector, VectorVersion


@admin.register(BaseModelRevision)
class BaseModelRevisionAdmin(admin.ModelAdmin):
    """Base models come from `manage.py register_base_model`."""

    list_display = ["name", "model_hash", "architecture", "n_layers", "d_model", "scorer"]
    readonly_fields = ["model_hash", "architecture", "n_layers", "d_model", "max_positions", "files"]


@admin.register(Vector)
class VectorAdmin(admin.ModelAdmin):
    """Vectors with their owner and newest version."""

    list_display = ["name", "owner", "visibility", "latest"]
    search_fields = ["name", "owner__username"]


@admin.register(VectorVersion)
class VectorVersionAdmin(admin.ModelAdmin):
    """Versions with their state and verdict."""

    list_display = ["vector", "version", "state", "verdict", "published_at"]
    list_filter = ["state", "verdict"]

    def has_change_permission(self, request, obj=None):  # type: ignore[no-untyped-def]
        return False

    def has_delete_permission(self, request, obj=None):  # type: ignore[no-untyped-def]
        return False
