"""Start the derivation of a version: turned around, or a weighted sum of released ones. What it is, is worked
out here to see that it can be, and again by the worker that measures it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from registry.accounts.access import check_files, visible_to
from registry.accounts.models import User
from registry.catalog.drafts import Derivation, Draft, draft_place
from registry.catalog.models import VectorVersion, VersionParent
from registry.catalog.selectors import artifact_read, version_find
from registry.catalog.states import RELEASED, Origin
from registry.core.errors import InvalidError, NotAllowedError
from registry.core.naming import parse_dataset_reference
from registry.datasets.models import Dataset, DatasetVersion
from registry.datasets.selectors import dataset_version_get
from registry.runs.models import Run
from registry.runs.services import RequestKey, run_of_key, run_queue, spec_errors
from steering_core.errors import FormatError, ModelMismatchError
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.vector import combined

MAX_PARENTS = 8
MAX_WEIGHT = 100.0


@dataclass(frozen=True, slots=True)
class ParentWish:
    """A released version, as people write it, and what its directions are to be multiplied with."""

    reference: str
    weight: float


@dataclass(frozen=True, slots=True)
class DeriveRequest:
    """A version to compute from others.

    Attributes:
        vector: the name that it goes under; made when it is new.
        parents: one with a negative weight turns a version around; several are added up.
        dataset: pairs to measure it with; empty for those that the first parent was measured with.
    """

    vector: str
    parents: tuple[ParentWish, ...]
    dataset: str = ""
    tier: str = "standard"


def derive_start(*, actor: User, request: DeriveRequest, idempotency_key: str = "") -> tuple[Run, bool]:
    """Queue a derivation and return its run, and whether it is new; run, key and quota as in
    `extraction_start`.

    Raises:
        InvalidError: the parents cannot be combined, or the key was used for another request.
        NotFoundError: a parent, the data set or the vector is unknown, or not the actor's to see.
        NotAllowedError: the vector is not the actor's to write, or a file or the pairs are not theirs.
        QuotaExceededError: too many runs of the actor wait.
    """
    key = RequestKey.of(idempotency_key, request)
    if run := run_of_key(actor, key):
        return run, False
    draft_place(actor=actor, name=request.vector)
    kind = _kind(request.parents)
    parts = tuple((_parent(actor, wish), wish.weight) for wish in request.parents)
    _check_sum(parts)
    first = parts[0][0]
    dataset_version = _dataset_version(actor, request, first)
    with spec_errors():
        spec = replace(first.extraction_spec, dataset_digest=dataset_version.digest, tier=request.tier)
    draft = Draft(
        request.vector,
        first.base_model,
        dataset_version,
        spec,
        origin=Origin.DERIVED,
        derivation=Derivation(kind, parts),
    )
    return run_queue(actor, Run.Kind.DERIVE, draft, key, {})


def _kind(parents: Sequence[ParentWish]) -> VersionParent.Kind:
    """What is asked for.

    Raises:
        InvalidError: too many, none, or a weight that says nothing.
    """
    if not 1 <= len(parents) <= MAX_PARENTS:
        raise InvalidError(
            f"{len(parents)} parents; give one with a negative weight, or 2 to {MAX_PARENTS} to add up",
            code="derive.parents",
        )
    for wish in parents:
        if not (math.isfinite(wish.weight) and 0 < abs(wish.weight) <= MAX_WEIGHT):
            raise InvalidError(
                f"the weight {wish.weight} of {wish.reference} is 0 or beyond {MAX_WEIGHT:g}",
                code="derive.weight",
            )
    if len(parents) > 1:
        return VersionParent.Kind.COMBINED
    if parents[0].weight > 0:
        raise InvalidError(
            f"{parents[0].reference} times {parents[0].weight:g} is itself at another strength; give a "
            "negative weight to turn it around, or more parents",
            code="derive.weight",
        )
    return VersionParent.Kind.NEGATED


def _parent(actor: User, wish: ParentWish) -> VectorVersion:
    row = version_find(viewer=actor, reference=wish.reference)
    if row.state not in RELEASED:
        raise InvalidError(
            f"{wish.reference} is {row.state}; only what is published stays as it is, so publish it first",
            code="derive.parents",
        )
    check_files(actor, row.vector)
    return row


def _check_sum(parts: Sequence[tuple[VectorVersion, float]]) -> None:
    """Compute it, so that what cannot be is refused at once."""
    if len({row.artifact_id for row, _ in parts}) < len(parts):
        raise InvalidError("one of the parents is there twice; add its weights up", code="derive.parents")
    try:
        # Written, since not all that can be computed can be a file.
        write_vector(combined([(read_vector(artifact_read(version=row)), w) for row, w in parts]))
    except (FormatError, ModelMismatchError) as error:
        raise InvalidError(error.message, code=error.code) from error


def _dataset_version(actor: User, request: DeriveRequest, first: VectorVersion) -> DatasetVersion:
    if request.dataset:
        owner, name, number = parse_dataset_reference(request.dataset)
        return dataset_version_get(viewer=actor, owner=owner, name=name, number=number)
    found = first.dataset_version
    if not Dataset.objects.filter(visible_to(actor), pk=found.dataset_id).exists():
        raise NotAllowedError(
            f"the pairs that {first} was measured with are private; name others with `dataset`",
            code="derive.private_dataset",
        )
    return found
