"""One module per kind of run, and one for conversions."""

from workers.tasks import composition, conversion, derivation, extraction, importing, migration

__all__ = ["composition", "conversion", "derivation", "extraction", "importing", "migration"]
