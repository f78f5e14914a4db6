"""What changed between two versions of a dataset, row by row."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.datasets.models import DatasetVersion
from registry.datasets.selectors import version_pairs
from steering_core.pairs.changes import KINDS, Change, changes_between


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """Two versions beside each other.

    Attributes:
        changes: in the order of `after`; what is gone stands last. Moved rows are no change.
    """

    before: DatasetVersion
    after: DatasetVersion
    changes: Sequence[Change]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many changes there are of each of `KINDS`."""
        counts = Counter(change.kind for change in self.changes)
        return {kind: counts[kind] for kind in KINDS}

    def of_kind(self, kind: str) -> Sequence[Change]:
        """The changes of one kind; all for an empty one."""
        return [change for change in self.changes if kind in ("", change.kind)]


def dataset_diff(*, before: DatasetVersion, after: DatasetVersion) -> DatasetDiff:
    """Compare two versions that the viewer sees.

    Raises:
        BlobMissingError, BlobCorruptError, BlobStoreError: from reading the pairs.
    """
    pairs = version_pairs(version=before), version_pairs(version=after)
    return DatasetDiff(before, after, changes_between(*pairs))
