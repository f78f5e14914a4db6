"""Read datasets. Every function takes the viewer; what the viewer may not see does not exist."""

from typing import Any

from django.core.cache import cache
from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from registry.accounts.access import listed_to, visible_to
from registry.accounts.models import User
from registry.accounts.ownership import row_named
from registry.core.errors import NotFoundError
from registry.core.naming import row_id
from registry.datasets.models import UPLOAD_LIFETIME, Dataset, DatasetUpload, DatasetVersion
from registry.storage.services import blob_read
from steering_core.pairs.flags import flagged_rows
from steering_core.pairs.jsonl import read_canonical
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import split_pairs

FLAGS_SECONDS = 7 * 24 * 3600


def dataset_list(*, viewer: Any, owner: str = "", query: str = "") -> QuerySet[Dataset]:
    """Datasets the viewer may see, newest first, annotated with `newest_number` and `n_versions`."""
    rows = _rows(listed_to(viewer))
    if owner:
        rows = rows.filter(owner__slug=owner)
    if query:
        rows = rows.filter(Q(name__icontains=query) | Q(description__icontains=query))
    return rows


def dataset_get(*, viewer: Any, owner: str, name: str) -> Dataset:
    """One dataset, by its name or by one that it had, annotated as in `dataset_list`.

    Raises:
        NotFoundError: unknown, or private and not the viewer's.
    """
    row: Dataset | None = row_named(_rows(visible_to(viewer)), owner, name)
    if row is None:
        raise NotFoundError(f"there is no dataset {owner}/{name}", code="dataset.not_found")
    return row


def dataset_version_get(*, viewer: Any, owner: str, name: str, number: int | None = None) -> DatasetVersion:
    """One version of a dataset; without a number the newest.

    Raises:
        NotFoundError: the dataset or the version is unknown, or private and not the viewer's.
    """
    dataset = dataset_get(viewer=viewer, owner=owner, name=name)
    versions = dataset.versions.select_related("dataset__owner", "blob")
    row = versions.first() if number is None else versions.filter(number=number).first()
    if row is None:
        raise NotFoundError(
            f"dataset {owner}/{name} has no version {number}", code="dataset.version_not_found"
        )
    return row


def reads_pairs(viewer: Any, sha256: str) -> bool:
    """Whether the viewer may read the pairs of some version whose canonical file has this sha256."""
    rows = DatasetVersion.objects.filter(visible_to(viewer, prefix="dataset__"), blob_id=sha256)
    return rows.exists()


def draft_list(*, owner: User) -> list[DatasetUpload]:
    """The uploads that a user has not finished, the last touched first."""
    since = timezone.now() - UPLOAD_LIFETIME
    rows = DatasetUpload.objects.filter(owner=owner, touched_at__gte=since)
    return list(
        rows.select_related("based_on__dataset__owner").annotate(n_edits=Count("edits")).defer("report")
    )


def version_pairs(*, version: DatasetVersion) -> list[ContrastivePair]:
    """Every pair of a version."""
    return read_canonical(blob_read(sha256=version.blob_id))


def version_flags(*, version: DatasetVersion, pairs: list[ContrastivePair]) -> dict[str, list[int]]:
    """Row numbers by flag. Found once, then kept: the pairs of a digest never change."""
    key = f"dataset-flags:1:{version.blob_id}"
    rows: dict[str, list[int]] | None = cache.get_or_set(key, lambda: row_flags(pairs), FLAGS_SECONDS)
    return row_flags(pairs) if rows is None else rows


def row_flags(pairs: list[ContrastivePair]) -> dict[str, list[int]]:
    """Row numbers, from 1, by flag."""
    return {flag: [place + 1 for place in places] for flag, places in flagged_rows(pairs).items()}


def version_splits(*, pairs: list[ContrastivePair], seed: str) -> dict[int, str]:
    """The split of each row by its number; a row that does not count has none."""
    splits = split_pairs(pairs, seed)
    return {
        index + 1: name
        for name, indexes in (("train", splits.train), ("select", splits.select), ("test", splits.test))
        for index in indexes
    }


def upload_get(*, owner: User, upload_id: str, lock: bool = False) -> DatasetUpload:
    """A staged upload of this user.

    Args:
        lock: keep it to the end of the transaction: two tabs then edit one after the other.
    Raises:
        NotFoundError: unknown, another user's, or expired.
    """
    rows = DatasetUpload.objects.select_related("blob", "based_on__dataset__owner")
    if lock:
        rows = rows.select_for_update(of=("self",))
    row = rows.filter(owner=owner, pk=row_id(upload_id)).first()
    if row is None or row.is_expired:
        raise NotFoundError(
            "this upload is gone a week after it was last touched; upload the file again",
            code="upload.not_found",
        )
    return row


def _rows(seen: Q) -> QuerySet[Dataset]:
    rows = Dataset.objects.filter(seen).select_related("owner")
    return rows.annotate(newest_number=Max("versions__number"), n_versions=Count("versions"))
