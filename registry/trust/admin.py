"""Staff pages: answers and reports can be looked at and never changed here."""

from django.contrib import admin

from registry.core.admin import LookOnlyAdmin
from registry.trust.models import BlindAnswer, Flag


@admin.register(BlindAnswer)
class BlindAnswerAdmin(LookOnlyAdmin):
    """Answers of blind tests."""

    list_display = ["version", "rater", "number", "kind", "answer", "created_at"]
    list_filter = ["kind", "answer"]


@admin.register(Flag)
class FlagAdmin(LookOnlyAdmin):
    """Reports and what was decided of them; decisions are made at `/staff/review`."""

    list_display = ["reason", "subject", "reporter", "state", "outcome", "decided_by", "created_at"]
    list_filter = ["state", "reason", "outcome"]
    list_select_related = [
        "reporter",
        "vector__owner",
        "version__vector__owner",
        "preset__owner",
        "dataset__owner",
    ]
