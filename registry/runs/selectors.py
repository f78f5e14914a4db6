"""Read runs. A run is its owner's alone."""

from django.db.models import QuerySet

from registry.accounts.models import User
from registry.core.errors import NotFoundError
from registry.core.naming import row_id
from registry.runs.models import Run, RunEvent
from registry.storage.models import Blob


def run_list(*, owner: User) -> QuerySet[Run]:
    """The owner's runs, newest first."""
    return _rows().filter(owner=owner)


def run_get(*, owner: User, run_id: str) -> Run:
    """One run of this owner.

    Raises:
        NotFoundError: unknown, or another user's.
    """
    run = _rows().filter(owner=owner, pk=row_id(run_id)).first()
    if run is None:
        raise NotFoundError("you have no such run", code="run.not_found")
    return run


def event_list(*, run: Run, after: int = 0, limit: int = 200) -> QuerySet[RunEvent]:
    """The run's log after an event id, oldest first."""
    return run.events.filter(pk__gt=after)[:limit]


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


def _rows() -> QuerySet[Run]:
    return Run.objects.select_related(
        "owner",
        "vector_version__vector__owner",
        "vector_version__base_model",
        "vector_version__dataset_version__dataset__owner",
        "vector_version__artifact",
        "vector_version__migrated_from__vector__owner",
        "statistics",
    )
