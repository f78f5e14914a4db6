"""One module per kind of run, and one for conversions."""

from workers.tasks import composition, conversion, extraction, importing, migration

__all__ = ["composition", "conversion", "extraction", "importing", "migration"]
