"""Staff pages: look, do not touch."""

from django.contrib import admin

from registry.core.admin import LookOnlyAdmin
from registry.datasets.models import Dataset, DatasetVersion


@admin.register(Dataset)
class DatasetAdmin(LookOnlyAdmin):
    """Datasets with their owner and visibility."""

    list_display = ["name", "owner", "visibility", "created_at"]
    search_fields = ["name", "owner__slug"]


@admin.register(DatasetVersion)
class DatasetVersionAdmin(LookOnlyAdmin):
    """Versions with their size and the form they came in."""

    list_display = ["dataset", "number", "n_pairs", "source_format", "created_at"]
