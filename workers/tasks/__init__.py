"""One module per kind of run, one for conversions, and one for the playground."""

from workers.tasks import composition, conversion, derivation, extraction, importing, migration, playground

__all__ = ["composition", "conversion", "derivation", "extraction", "importing", "migration", "playground"]
