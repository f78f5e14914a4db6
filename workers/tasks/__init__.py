"""One module per kind of run."""

from workers.tasks import extraction, migration

__all__ = ["extraction", "migration"]
