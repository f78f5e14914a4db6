"""Staff pages: notifications can be looked at."""

from django.contrib import admin

from registry.core.admin import LookOnlyAdmin
from registry.notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(LookOnlyAdmin):
    """Who was told what."""

    list_display = ["created_at", "recipient", "kind", "text", "read_at", "mail_due_at"]
    list_filter = ["kind"]
    search_fields = ["=recipient__username", "text"]
