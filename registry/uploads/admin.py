"""Staff pages: look, do not touch."""

from django.contrib import admin

from registry.core.admin import LookOnlyAdmin
from registry.uploads.models import Upload


@admin.register(Upload)
class UploadAdmin(LookOnlyAdmin):
    """Uploads with what became of them."""

    list_display = ["id", "owner", "purpose", "size_bytes", "state", "expires_at"]
    search_fields = ["owner__username", "sha256"]
