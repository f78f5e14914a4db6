"""One module per kind of run."""

from workers.tasks import extraction

__all__ = ["extraction"]
