"""What was made of a data set: the vectors that a viewer may see, with their verdicts."""

from typing import Any

from django.db.models import Q

from registry.accounts.access import held_by, listed_to
from registry.accounts.roles import Role
from registry.catalog.models import VectorVersion
from registry.catalog.states import RELEASED, UNRELEASED
from registry.datasets.models import Dataset

MOST = 50


def extracted_list(*, viewer: Any, dataset: Dataset) -> list[VectorVersion]:
    """Released versions whose vector the viewer may find, and drafts of the viewer's own; newest first."""
    released = Q(state__in=RELEASED) & listed_to(viewer, prefix="vector__")
    own = Q(state__in=UNRELEASED) & held_by(viewer, Role.WRITER, prefix="vector__")
    rows = VectorVersion.objects.filter(released | own, dataset_version__dataset=dataset)
    rows = rows.select_related("vector__owner", "base_model", "dataset_version").defer("report", "manifest")
    return list(rows.order_by("-created_at", "id")[:MOST])
