"""Staff pages of accounts."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from registry.accounts.models import ApiToken, Invitation, Membership, Namespace, User
from registry.accounts.names import for_a_form, name_race, owner_name_problem
from registry.accounts.services import user_delete
from registry.core.admin import LookOnlyAdmin


class AccountCreationForm(AdminUserCreationForm):
    """A user whose name nobody else has, nor one that looks like it."""

    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"])
        if problem := owner_name_problem(username):
            raise ValidationError(for_a_form(problem), code=problem.code)
        return username


@admin.register(User)
class AccountAdmin(UserAdmin):
    """Users. A username is part of every name that its user published, so it stays."""

    add_form = AccountCreationForm
    add_fieldsets = ((None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("username",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with name_race():
            super().save_model(request, obj, form, change)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with a user goes, whatever staff may do with it alone."""
        gone, counts, _, protected = super().get_deleted_objects(objs, request)
        return gone, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        user_delete(actor=cast(User, request.user), user=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            user_delete(actor=cast(User, request.user), user=user)


@admin.register(Namespace)
class NamespaceAdmin(LookOnlyAdmin):
    """People and organisations, with who belongs to them."""

    list_display = ["slug", "kind", "title", "created_at"]
    list_filter = ["kind"]
    search_fields = ["slug", "title"]


@admin.register(Membership)
class MembershipAdmin(LookOnlyAdmin):
    """Who may do what where."""

    list_display = ["namespace", "user", "role", "created_at"]
    list_select_related = ["namespace", "user"]
    search_fields = ["namespace__slug", "user__username"]


@admin.register(Invitation)
class InvitationAdmin(LookOnlyAdmin):
    """Ways into organisations that were sent out."""

    list_display = ["namespace", "email", "role", "invited_by", "expires_at", "accepted_at", "revoked_at"]
    list_select_related = ["namespace", "invited_by"]


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    """Tokens can be looked at and revoked, never read and never made."""

    list_display = ["prefix", "name", "user", "scopes", "created_at", "last_used_at", "revoked_at"]
    readonly_fields = ["user", "prefix", "sha256", "scopes", "last_used_at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
