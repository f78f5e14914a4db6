"""Staff pages: answers can be looked at and never changed."""

from django.contrib import admin

from registry.core.admin import LookOnlyAdmin
from registry.trust.models import BlindAnswer


@admin.register(BlindAnswer)
class BlindAnswerAdmin(LookOnlyAdmin):
    """Answers of blind tests."""

    list_display = ["version", "rater", "number", "kind", "answer", "created_at"]
    list_filter = ["kind", "answer"]
