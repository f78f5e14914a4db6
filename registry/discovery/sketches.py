"""Sketches of the directions of versions: written once for each file, and searched for what points the same
way or the opposite one. Candidates come from the sketches, cosines from the files.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache as once

import numpy as np
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import F, FloatField, Func, QuerySet, Value

from registry.catalog.artifacts import stored_vector
from registry.catalog.models import VectorVersion
from registry.core.errors import RegistryError
from registry.core.valkey import AWAY
from registry.discovery.models import Sketch
from registry.discovery.projection import SIZE, Numbers, cosine, sketch_of
from steering_core.errors import FormatError
from steering_core.spec import parse_site_key
from steering_core.vector import SteeringVector

logger = logging.getLogger(__name__)

# Without pgvector as many sketches of a base model and site are read and compared, the newest.
COMPARED = 20_000
# How long the cosine of two files is remembered. It never changes.
KEPT_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Match:
    """Another version and how it points: 1 the same way, -1 the opposite one."""

    version: VectorVersion
    cosine: float


def sketches_write(version: VectorVersion) -> list[Sketch]:
    """The sketches of a version that has a file, one for each site, written unless they are there.

    Raises:
        BlobMissingError, BlobCorruptError, BlobStoreError, FormatError: the file cannot be read.
    """
    if not version.sketches.exists():
        vector = stored_vector(str(version.artifact_id))
        rows = [
            Sketch(
                version=version,
                base_model_id=version.base_model_id,
                site=site,
                block=block,
                numbers=sketch_of(vector.directions[f"{site}.{block}"]).tolist(),
            )
            for site, block in main_blocks(vector).items()
        ]
        # Somebody else may write the same.
        Sketch.objects.bulk_create(rows, ignore_conflicts=True)
    return list(version.sketches.exclude(site=""))


def main_blocks(vector: SteeringVector) -> dict[str, int]:
    """Site -> the block where the direction is the largest share of the residual stream."""
    found: dict[str, int] = {}
    for key in sorted(vector.directions, key=vector.ratio):
        site, block = parse_site_key(key)
        found[site] = block
    return found


def matches(sketch: Sketch, among: QuerySet[Sketch], *, limit: int, least: float) -> list[Match]:
    """The versions of these sketches that point most like this one or most against it, by their files.

    Args:
        among: sketches of any base model and site; only those of the same are compared.
        limit: how many candidates are looked at.
        least: what the cosine of the sketches has to be at least, with either sign.
    """
    same = among.filter(base_model=sketch.base_model_id, site=sketch.site)
    find = _by_index if has_neighbours() else _one_by_one
    near = find(np.asarray(sketch.numbers, np.float32), same, limit)
    chosen = sorted((pk for pk, value in near.items() if abs(value) >= least), key=lambda pk: -abs(near[pk]))
    rows = Sketch.objects.select_related("version__vector__owner", "version__base_model").in_bulk(
        chosen[:limit]
    )
    others = [rows[pk] for pk in chosen[:limit]]
    return [
        Match(row.version, value)
        for row, value in zip(others, _cosines(sketch, others), strict=True)
        if value is not None
    ]


@once
def has_neighbours() -> bool:
    """Whether the database has pgvector; asked once in a process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'")
        return cursor.fetchone() is not None


def _by_index(numbers: Numbers, among: QuerySet[Sketch], limit: int) -> dict[int, float]:
    """Sketch id -> cosine, of those nearest to the numbers and to their opposite."""
    found: dict[int, float] = {}
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Goes on until enough of what the index gives fits the other conditions.
            cursor.execute("SET LOCAL hnsw.iterative_scan = 'relaxed_order'; SET LOCAL hnsw.ef_search = 100")
        for sign in (1, -1):
            text = "[" + ",".join(repr(float(value)) for value in sign * numbers) + "]"
            distance = Func(
                F("numbers"),
                Value(text),
                template=f"(%(expressions)s::vector({SIZE}))",
                arg_joiner=f"::vector({SIZE}) <=> ",
                output_field=FloatField(),
            )
            rows = among.annotate(distance=distance).order_by("distance")[:limit]
            found |= {pk: sign * (1 - value) for pk, value in rows.values_list("pk", "distance")}
    return found


def _one_by_one(numbers: Numbers, among: QuerySet[Sketch], limit: int) -> dict[int, float]:
    """As `_by_index`, for a database without pgvector."""
    rows = list(among.order_by("-pk").values_list("pk", "numbers")[:COMPARED])
    if not rows:
        return {}
    values = np.asarray([row for _, row in rows], np.float32) @ numbers
    best = np.argsort(-np.abs(values))[:limit]
    return {rows[place][0]: float(values[place]) for place in best}


def _cosines(sketch: Sketch, others: Sequence[Sketch]) -> list[float | None]:
    """By the files, remembered for each pair; None for a file that cannot be read now."""
    keys = [f"cosine:{_named(sketch)}:{_named(other)}" for other in others]
    known = _remembered(keys)
    fresh: dict[str, float] = {}
    mine: SteeringVector | None = None
    for key, other in zip(keys, others, strict=True):
        if key in known:
            continue
        try:
            mine = mine or _vector(sketch)
            fresh[key] = _cosine(mine, sketch, _vector(other), other)
        except (RegistryError, FormatError) as error:
            # What is damaged or out of reach is reported where it is served; here it is one match less.
            logger.warning("file not compared", extra={"error": type(error).__name__})
    _remember(fresh)
    return [(known | fresh).get(key) for key in keys]


def _cosine(one: SteeringVector, left: Sketch, other: SteeringVector, right: Sketch) -> float:
    """At the main blocks, and at each of them in both, since noise may make another one the main one."""
    here, there = f"{left.site}.{left.block}", f"{right.site}.{right.block}"
    pairs = [(here, there), (here, here), (there, there)]
    values = [
        cosine(one.directions[a], other.directions[b])
        for a, b in pairs
        if a in one.directions and b in other.directions
    ]
    clearest: float = max(values, key=abs)
    return round(clearest, 4)


def _vector(sketch: Sketch) -> SteeringVector:
    return stored_vector(str(sketch.version.artifact_id))


def _named(sketch: Sketch) -> str:
    return f"{sketch.version.artifact_id}/{sketch.site}"


def _remembered(keys: Iterable[str]) -> dict[str, float]:
    try:
        return dict(cache.get_many(list(keys)))
    except AWAY:
        return {}


def _remember(values: dict[str, float]) -> None:
    try:
        if values:
            cache.set_many(values, KEPT_SECONDS)
    except AWAY:
        logger.warning("valkey out of reach, cosines are not remembered")
