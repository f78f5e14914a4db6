"""Staff pages: look at everything, and remove what does harm or must go. The rest is done by services."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from registry.catalog.models import BaseModelRevision, Vector, VectorVersion
from registry.catalog.removal import copies_of, vector_remove, version_remove
from registry.catalog.states import RELEASED, RemovalKind
from registry.core.admin import LookOnlyAdmin


class RemovalForm(forms.Form):
    """Why, and what those read who ask for it."""

    kind = forms.ChoiceField(choices=RemovalKind.choices)
    reason = forms.CharField(max_length=500, widget=forms.Textarea)


class RemovalAdmin(LookOnlyAdmin):
    """Rows that staff with the permission to delete vectors may remove, after a page that asks why."""

    actions = ["remove"]

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("catalog.delete_vector"))

    def can_go(self, rows: QuerySet[Any]) -> list[Any]:
        """Of the rows that were ticked those that are still there."""
        raise NotImplementedError

    def remove_one(self, actor: Any, row: Any, kind: str, reason: str) -> None:
        """Call the service."""
        raise NotImplementedError

    def copies(self, row: Any) -> list[VectorVersion]:
        """Other versions with the same bytes."""
        raise NotImplementedError

    @admin.action(description="Remove for good…", permissions=["remove"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        rows = self.can_go(queryset.select_related())
        form = RemovalForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            for row in rows:
                self.remove_one(request.user, row, **form.cleaned_data)
            self.message_user(request, f"Removed: {', '.join(map(str, rows)) or 'nothing'}.")
            return None
        copies = {str(copy) for row in rows for copy in self.copies(row)} - set(map(str, rows))
        context = {
            **self.admin_site.each_context(request),
            "rows": rows,
            "form": form,
            "copies": sorted(copies),
        }
        return render(request, "admin/removal.html", context)


@admin.register(BaseModelRevision)
class BaseModelRevisionAdmin(LookOnlyAdmin):
    """Base models come from `manage.py register_base_model`."""

    list_display = ["name", "model_hash", "architecture", "n_layers", "d_model", "scorer", "suite_digest"]


@admin.register(Vector)
class VectorAdmin(RemovalAdmin):
    """Vectors with their owner and newest version."""

    list_display = ["name", "owner", "visibility", "access", "latest", "removed_at"]
    search_fields = ["name", "owner__slug"]

    def can_go(self, rows: QuerySet[Vector]) -> list[Vector]:
        return list(rows.filter(removed_at=None))

    def remove_one(self, actor: Any, row: Vector, kind: str, reason: str) -> None:
        vector_remove(actor=actor, vector=row, kind=kind, reason=reason)

    def copies(self, row: Vector) -> list[VectorVersion]:
        released = row.versions.filter(state__in=RELEASED)
        return [copy for version in released for copy in copies_of(version) if copy.vector_id != row.pk]


@admin.register(VectorVersion)
class VectorVersionAdmin(RemovalAdmin):
    """Versions with their state, verdict and grade."""

    list_display = ["vector", "version", "state", "verdict", "grade", "published_at"]
    list_filter = ["state", "verdict", "grade"]

    def can_go(self, rows: QuerySet[VectorVersion]) -> list[VectorVersion]:
        return list(rows.filter(state__in=RELEASED).select_related("vector__owner"))

    def remove_one(self, actor: Any, row: VectorVersion, kind: str, reason: str) -> None:
        version_remove(actor=actor, version=row, kind=kind, reason=reason)

    def copies(self, row: VectorVersion) -> list[VectorVersion]:
        return copies_of(row)
