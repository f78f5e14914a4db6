"""Staff pages: look, do not touch."""

from django.contrib import admin

from registry.datasets.models import Dataset, DatasetVersion


@admin.register(Dataset)
class DatasetAdmin(admin.ModelAdmin):
    """Datasets with their owner and visibility."""

    list_display = ["name", "owner", "visibility", "created_at"]
    search_fields = ["name", "owner__username"]


@admin.register(DatasetVersion)
class DatasetVersionAdmin(admin.ModelAdmin):
    """Versions are frozen in the database; the page only shows them."""

    list_display = ["dataset", "number", "n_pairs", "source_format", "created_at"]

    def has_change_permission(self, request, obj=None):  # type: ignore[no-untyped-def]
        return False

    def has_delete_permission(self, request, obj=None):  # type: ignore[no-untyped-def]
        return False
