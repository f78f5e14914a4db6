"""What changed between two versions: what was asked for, where the directions stand, how far they turned, and
which measured numbers differ by more than their intervals. Everything is read, nothing is measured anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.accounts.access import check_files, sees
from registry.catalog.models import VectorVersion
from registry.catalog.selectors import artifact_read, version_find, version_get
from registry.core.errors import NotAllowedError
from steering_core.formats.bearing import read_vector
from steering_core.vector import SteeringVector

# Between the name of another vector and its owner, since a slash ends a part of a path.
TILDE = "~"


@dataclass(frozen=True, slots=True)
class Change:
    """A field that is not the same in both."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Place:
    """A site and block at which both have a direction.

    Attributes:
        cosine: between the two directions, in float64: 1 for the same, 0 for unrelated, -1 for opposite.
        strength_ratio: norm(after) / norm(before).
    """

    place: str
    cosine: float
    norm_before: float
    norm_after: float
    residual_norm_before: float
    residual_norm_after: float
    strength_ratio: float


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric of the reports; `before` or `after` is None where it was not measured.

    Attributes:
        differs: whether the intervals are apart; None where one has none.
    """

    id: str
    gate: str
    label: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    differs: bool | None


@dataclass(frozen=True, slots=True)
class Diff:
    """Two versions beside each other.

    Attributes:
        facts: base model, data set, verdict and so on, those that changed.
        spec: fields of what the runs were asked to do that changed.
        places: site keys: of both, then those that only one of them has.
        directions: for each shared place; empty where they cannot be compared, and `directions_missing` says
            why.
    """

    before: VectorVersion
    after: VectorVersion
    facts: tuple[Change, ...]
    spec: tuple[Change, ...]
    places: Mapping[str, list[str]]
    directions: tuple[Place, ...]
    directions_missing: str
    metrics: tuple[MetricChange, ...]


def version_other(*, viewer: Any, version: VectorVersion, other: str) -> VectorVersion:
    """What a version is compared with: a reference of the same vector, `owner~name@ref`, or a row id.

    Raises:
        NotFoundError, RemovedError, InvalidError: as `selectors.version_find`.
    """
    if TILDE in other or len(other) == 36:
        return version_find(viewer=viewer, reference=other.replace(TILDE, "/", 1))
    vector = version.vector
    return version_get(viewer=viewer, owner=vector.owner.slug, name=vector.name, reference=other)


def version_diff(*, viewer: Any, before: VectorVersion, after: VectorVersion) -> Diff:
    """Compare two versions that the viewer sees.

    Raises:
        BlobMissingError, BlobCorruptError, BlobStoreError: damage, or the store is out of reach.
    """
    missing = _why_not_compared(viewer, before, after)
    directions: tuple[Place, ...] = ()
    if not missing:
        directions = _directions(*(read_vector(artifact_read(version=row)) for row in (before, after)))
    places = [
        {str(at["key"]) for at in (row.manifest or {}).get("directions", ())} for row in (before, after)
    ]
    return Diff(
        before=before,
        after=after,
        facts=_changes(_facts(viewer, before), _facts(viewer, after)),
        spec=_changes(before.spec, after.spec),
        places={
            "shared": sorted(places[0] & places[1]),
            "before": sorted(places[0] - places[1]),
            "after": sorted(places[1] - places[0]),
        },
        directions=directions,
        directions_missing=missing,
        metrics=_metrics(before.report or {}, after.report or {}),
    )


def _why_not_compared(viewer: Any, before: VectorVersion, after: VectorVersion) -> str:
    for row in (before, after):
        if row.artifact_id is None:
            return f"{row} has no file yet"
        # From enough cosines with vectors of one's own a direction can be worked out.
        try:
            check_files(viewer, row.vector)
        except NotAllowedError as error:
            return error.message
    if before.base_model_id != after.base_model_id:
        return "they are for different base models, whose activations have no coordinates in common"
    return ""


def _directions(before: SteeringVector, after: SteeringVector) -> tuple[Place, ...]:
    found = []
    for place in sorted(set(before.directions) & set(after.directions)):
        one, two = (vector.directions[place].astype(np.float64) for vector in (before, after))
        norms = before.norm(place), after.norm(place)
        cosine = float(np.clip(one @ two / (norms[0] * norms[1]), -1.0, 1.0))
        residual = before.residual_norms[place], after.residual_norms[place]
        found.append(Place(place, cosine, *norms, *residual, norms[1] / norms[0]))
    return tuple(found)


def _facts(viewer: Any, row: VectorVersion) -> dict[str, Any]:
    dataset, manifest = row.dataset_version, row.manifest or {}
    return {
        "vector": str(row.vector),
        "version": row.version,
        "digest": row.digest,
        "base_model": row.base_model.name,
        "model_hash": row.base_model.model_hash,
        "dataset": str(dataset) if dataset and sees(viewer, dataset.dataset) else None,
        "operation": manifest.get("operation"),
        "sign": manifest.get("sign"),
        "window": manifest.get("window"),
        "verdict": row.verdict,
        "grade": row.grade,
        "license": row.license,
        "tier": (row.report or {}).get("tier"),
    }


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(
        Change(name, before.get(name), after.get(name))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )


def _metrics(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[MetricChange, ...]:
    """Metric by metric, in the order of the reports; reports of version 1 have none of these."""
    one, two = ({str(m["id"]): m for m in _metric_list(report)} for report in (before, after))
    found = []
    for name in dict.fromkeys((*one, *two)):
        known = one.get(name) or two[name]
        pair = _shown(one.get(name)), _shown(two.get(name))
        gate, label = str(known.get("gate", "")), str(known.get("label", name))
        found.append(MetricChange(name, gate, label, *pair, _differs(*pair)))
    return tuple(found)


def _metric_list(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    metrics = report.get("metrics")
    return [m for m in metrics if isinstance(m, dict) and "id" in m] if isinstance(metrics, list) else []


def _shown(metric: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if metric is None:
        return None
    return {name: metric.get(name) for name in ("value", "low", "high", "n", "verdict")}


def _differs(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> bool | None:
    if before is None or after is None:
        return None
    ends = before["low"], before["high"], after["low"], after["high"]
    if any(end is None for end in ends):
        return None
    return bool(ends[1] < ends[2] or ends[3] < ends[0])
