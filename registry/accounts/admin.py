"""Staff pages."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from registry.accounts.models import ApiToken, User

admin.site.register(User, UserAdmin)


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    """Tokens can be looked at and revoked, never read."""

    list_display = ["prefix", "name", "user", "scopes", "created_at", "last_used_at", "revoked_at"]
    readonly_fields = ["user", "prefix", "sha256", "scopes", "last_used_at"]
