"""Read runs: for whoever started one, and for those who may change the vector that it makes."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from registry.accounts.access import held_by
from registry.accounts.models import User
from registry.accounts.roles import Role
from registry.catalog.models import VectorVersion
from registry.core.errors import NotFoundError
from registry.core.naming import row_id
from registry.datasets.models import Dataset
from registry.runs.models import Run, RunEvent
from registry.runs.states import ACTIVE, RunState
from registry.storage.models import Blob


def run_visible_to(viewer: User, least: Role) -> Q:
    """Runs that somebody started, and those of vectors and presets on which they have this role."""
    return (
        Q(owner=viewer)
        | held_by(viewer, least, prefix="vector_version__vector__")
        | held_by(viewer, least, prefix="preset_version__preset__")
    )


# What a list of runs may be narrowed to, by the word that asks for it.
STATE_GROUPS: dict[str, tuple[str, ...]] = {
    "active": ACTIVE,
    "succeeded": (RunState.SUCCEEDED,),
    "failed": (RunState.FAILED, RunState.TIMED_OUT),
    "cancelled": (RunState.CANCELLED,),
}


def run_list(*, viewer: User, state: str = "", kind: str = "", owner: str = "") -> QuerySet[Run]:
    """The runs that somebody may see, newest first.

    Args:
        state: a word of `STATE_GROUPS`; empty for all.
        owner: whose vectors and presets they work on.
    """
    rows = _rows().filter(run_visible_to(viewer, Role.WRITER))
    if state:
        rows = rows.filter(state__in=STATE_GROUPS[state])
    if kind:
        rows = rows.filter(kind=kind)
    if owner:
        rows = rows.filter(
            Q(vector_version__vector__owner__slug=owner) | Q(preset_version__preset__owner__slug=owner)
        )
    return rows


def dataset_runs(*, viewer: Any, dataset: Dataset, limit: int) -> list[Run]:
    """The newest runs that read a data set, of those that the viewer may see."""
    if not isinstance(viewer, User):
        return []
    rows = run_list(viewer=viewer).filter(vector_version__dataset_version__dataset=dataset)
    return list(rows.defer("vector_version__report", "vector_version__manifest")[:limit])


def run_get(*, viewer: User, run_id: str) -> Run:
    """One run.

    Raises:
        NotFoundError: unknown, or not the viewer's to see.
    """
    run = _rows().filter(run_visible_to(viewer, Role.WRITER), pk=row_id(run_id)).first()
    if run is None:
        raise NotFoundError("there is no such run of yours", code="run.not_found")
    return run


def event_list(*, run: Run, after: int = 0, limit: int = 200) -> QuerySet[RunEvent]:
    """The run's log after an event id, oldest first."""
    return run.events.filter(pk__gt=after).order_by("run", "pk")[:limit]


def event_tail(*, run: Run, limit: int) -> list[RunEvent]:
    """The newest events of the run's log, oldest first."""
    return list(run.events.order_by("-run", "-pk")[:limit])[::-1]


def run_statistics(*, run: Run) -> Blob:
    """The file of the activations that a run kept.

    Raises:
        NotFoundError: it kept none.
    """
    if run.statistics is None:
        raise NotFoundError(
            "this run has no statistics: it has not succeeded, or they were too large to be kept",
            code="run.no_statistics",
        )
    return run.statistics


def version_statistics(*, viewer: Any, version: VectorVersion) -> tuple[uuid.UUID, Blob] | None:
    """The run that made a version and the activations that it kept; None where it kept none, or is not the
    viewer's to see.
    """
    if not isinstance(viewer, User):
        return None
    rows = Run.objects.filter(run_visible_to(viewer, Role.WRITER), vector_version=version)
    run = rows.exclude(statistics=None).select_related("statistics").first()
    return (run.pk, run.statistics) if run and run.statistics else None


def _rows() -> QuerySet[Run]:
    return Run.objects.select_related(
        "owner",
        "vector_version__vector__owner",
        "vector_version__base_model",
        "vector_version__dataset_version__dataset__owner",
        "vector_version__artifact",
        "vector_version__migrated_from__vector__owner",
        "preset_version__preset__owner",
        "preset_version__base_model",
        "statistics",
    )


@dataclass(frozen=True, slots=True)
class Queue:
    """How many runs work, how many wait, and how many of those came before a run; of all users, so no more is
    said of them.
    """

    working: int
    waiting: int
    ahead: int


def queue_get(*, run: Run | None = None) -> Queue:
    """The queue now, from one query; `ahead` counts all that wait where no run is given."""
    queued = Q(state=RunState.QUEUED)
    before = queued & Q(created_at__lt=run.created_at) if run else queued
    return Queue(
        **Run.objects.filter(state__in=ACTIVE).aggregate(
            working=Count("pk", filter=Q(state=RunState.RUNNING)),
            waiting=Count("pk", filter=queued),
            ahead=Count("pk", filter=before),
        )
    )


def active_count(*, owner: User) -> int:
    """How many of somebody's runs wait or work, which the quota counts."""
    return Run.objects.filter(owner=owner, state__in=ACTIVE).count()
