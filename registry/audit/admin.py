"""Staff look at the log; nobody changes it."""

from django.contrib import admin

from registry.audit.models import AuditEvent
from registry.core.admin import LookOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(LookOnlyAdmin):
    """Everything that happened, newest first."""

    list_display = ["at", "action", "subject", "actor", "namespace"]
    list_filter = ["action"]
    search_fields = ["=namespace", "=actor", "subject"]
