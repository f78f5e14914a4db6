"""How much of a dataset file is read before it is refused; docs/datasets.md states the same numbers."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in bytes, characters and counts; `min_*` hold for what is left without duplicates."""

    max_bytes: int = 32 * MIB
    max_array_bytes: int = 8 * MIB
    max_rows: int = 50_000
    max_line_bytes: int = MIB
    max_field_chars: int = 32_768
    max_label_chars: int = 200
    max_columns: int = 16
    max_combining_marks: int = 8
    min_pairs: int = 10
    min_groups: int = 5


DEFAULT_LIMITS = Limits()
