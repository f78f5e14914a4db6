"""Staff pages: webhooks and deliveries can be looked at; secrets cannot."""

from django.contrib import admin

from registry.core.admin import LookOnlyAdmin
from registry.webhooks.models import Delivery, Webhook


@admin.register(Webhook)
class WebhookAdmin(LookOnlyAdmin):
    """Who is sent what."""

    list_display = ["id", "namespace", "actions", "is_active", "disabled_reason", "failing_since"]
    list_filter = ["is_active", "disabled_reason"]
    list_select_related = ["namespace"]
    search_fields = ["=namespace__slug"]
    exclude = ["secret", "old_secret"]


@admin.register(Delivery)
class DeliveryAdmin(LookOnlyAdmin):
    """What was sent, and what waits."""

    list_display = ["id", "webhook", "action", "state", "attempt", "due_at", "created_at"]
    list_filter = ["state"]
    list_select_related = ["webhook__namespace"]
    search_fields = ["=webhook__id"]
