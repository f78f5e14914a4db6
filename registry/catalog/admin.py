"""Staff pages: look, do not touch."""

from django.contrib import admin

from registry.catalog.models import BaseModelRevision, Vector, VectorVersion
from registry.core.admin import LookOnlyAdmin


@admin.register(BaseModelRevision)
class BaseModelRevisionAdmin(LookOnlyAdmin):
    """Base models come from `manage.py register_base_model`."""

    list_display = ["name", "model_hash", "architecture", "n_layers", "d_model", "scorer", "suite_digest"]


@admin.register(Vector)
class VectorAdmin(LookOnlyAdmin):
    """Vectors with their owner and newest version."""

    list_display = ["name", "owner", "visibility", "latest"]
    search_fields = ["name", "owner__slug"]


@admin.register(VectorVersion)
class VectorVersionAdmin(LookOnlyAdmin):
    """Versions with their state, verdict and grade."""

    list_display = ["vector", "version", "state", "verdict", "grade", "published_at"]
    list_filter = ["state", "verdict", "grade"]
