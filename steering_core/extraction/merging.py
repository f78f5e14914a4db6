"""New statistics files from old ones: dropped rows, merged datasets, fewer places. No model."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from steering_core.errors import ExtractionError
from steering_core.extraction.statistics import (
    POLES,
    Indices,
    Labels,
    Reading,
    Rows,
    Statistics,
    StatisticsWriter,
    write_statistics,
)
from steering_core.spec import site_key


def copy_statistics(
    sources: Sequence[tuple[Statistics, Indices]], file: Path, *, reading: Reading | None = None
) -> Statistics:
    """Write some pairs of one or several statistics files to a new one: dropped rows, merged datasets.

    A pair that stands in several is taken once. Groups keep apart what came from different files.

    Args:
        reading: what to keep; everything that the first file has if None.

    Raises:
        ExtractionError: they are of different base model revisions, or one lacks what is to be kept.
    """
    first = sources[0][0]
    reading = reading or first.reading
    if any(other.model.model_hash != first.model.model_hash for other, _ in sources):
        raise ExtractionError(
            "the files hold activations of different base model revisions; merge files of one only",
            code="extraction.statistics_differ",
        )
    kept = _without_repeats(sources)
    labels = _joined_labels(kept)
    origins = [_shared(getattr(one, name) for one, _ in sources) for name in ("dataset_digest", "dtype")]
    with write_statistics(file, first.model, reading, labels, *origins) as writer:
        start = 0
        for statistics, pairs in kept:
            columns = [statistics.reading.blocks.index(block) for block in reading.blocks]
            writer.put("norms", start, statistics.norms[pairs][:, columns])
            for pooling in reading.poolings:
                for site, block in reading.places:
                    _copy_rows(
                        statistics.rows(pooling, site, block, pairs), writer, pooling, site, block, start
                    )
            start += len(pairs)
    return Statistics(file)


def _shared(values: Iterable[str]) -> str:
    """What all of them are, or nothing."""
    different = set(values)
    return different.pop() if len(different) == 1 else ""


def _copy_rows(rows: Rows, writer: StatisticsWriter, pooling: str, site: str, block: int, start: int) -> None:
    for chunk in rows.chunks():
        for pole, part in zip(POLES, chunk, strict=True):
            writer.put(f"{pooling}/{site_key(site, block)}/{pole}", start, part)
        start += len(chunk[0])


def _without_repeats(sources: Sequence[tuple[Statistics, Indices]]) -> list[tuple[Statistics, Indices]]:
    seen: set[bytes] = set()
    kept = []
    for statistics, pairs in sources:
        fresh = []
        for pair in pairs:
            key = statistics.labels.keys[pair].tobytes()
            if key not in seen:
                seen.add(key)
                fresh.append(pair)
        kept.append((statistics, np.array(fresh, np.int64)))
    return kept


def _joined_labels(kept: Sequence[tuple[Statistics, Indices]]) -> Labels:
    taken = [statistics.labels.taken(pairs) for statistics, pairs in kept]
    groups, start = [], 0
    for labels in taken:
        groups.append(labels.groups + start)
        start += int(labels.groups.max(initial=-1)) + 1
    return Labels(
        np.concatenate(groups),
        np.concatenate([labels.splits for labels in taken]),
        np.concatenate([labels.keys for labels in taken]),
    )
