"""One module per kind of run, and one for conversions."""

from workers.tasks import conversion, extraction, importing, migration

__all__ = ["conversion", "extraction", "importing", "migration"]
