"""Staff pages: runs can be looked at; their state belongs to the services."""

from django.contrib import admin

from registry.core.admin import LookOnlyAdmin
from registry.runs.models import Run


@admin.register(Run)
class RunAdmin(LookOnlyAdmin):
    """Runs with their state, attempts and lease."""

    list_display = ["id", "kind", "owner", "state", "attempt", "lease_until", "error_code", "created_at"]
    list_filter = ["state", "kind", "error_class"]
