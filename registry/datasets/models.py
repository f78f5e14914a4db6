"""Datasets, their immutable versions, and uploads that wait for their owner's word."""

from datetime import timedelta

import pgtrigger
from django.conf import settings
from django.db import models
from django.utils import timezone

from registry.accounts.access import Visibility
from registry.accounts.models import Namespace
from registry.accounts.ownership import OwnedName, keeps_names
from registry.core.licences import License
from registry.core.models import UUIDModel
from registry.datasets.states import EditKind
from registry.storage.models import Blob

UPLOAD_LIFETIME = timedelta(days=7)


class Dataset(UUIDModel):
    """A name under which one owner publishes versions of contrastive pairs."""

    owner = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=500, blank=True)
    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.PRIVATE)
    # Why operators made it private; while it says so, nobody else shows it again.
    hidden_reason = models.CharField(max_length=500, blank=True)
    license = models.CharField(max_length=20, choices=License.choices, blank=True)
    # Tags as in BCP 47, such as en or pt-BR; several stand with commas between.
    language = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="dataset_name_is_unique_per_owner"),
            models.CheckConstraint(
                condition=models.Q(hidden_reason="") | models.Q(visibility=Visibility.PRIVATE),
                name="hidden_dataset_is_private",
            ),
        ]
        triggers = [keeps_names("datasets_datasetname")]

    # The old name by which this row was found, if it was; see `accounts.ownership.row_named`.
    asked_as = ""

    def __str__(self) -> str:
        return f"{self.owner.slug}/{self.name}"


class DatasetName(OwnedName):
    """A name that a data set has or had."""

    row = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="names")


class DatasetVersion(UUIDModel):
    """Pairs that never change: the canonical JSON Lines in `blob`, with the report made when they came in."""

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    n_pairs = models.PositiveIntegerField()
    source_format = models.CharField(max_length=30)
    source_filename = models.CharField(max_length=255, blank=True)
    source_digest = models.CharField(max_length=71)
    report = models.JSONField()
    # What its maker says changed since the version before.
    notes = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_is_unique")
        ]
        triggers = [
            pgtrigger.Protect(
                name="dataset_version_is_frozen", operation=pgtrigger.Update | pgtrigger.Delete
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset}@{self.number}"

    @property
    def digest(self) -> str:
        """`sha256:…` of the canonical JSON Lines."""
        return f"sha256:{self.blob_id}"


class DatasetUpload(UUIDModel):
    """Pairs that their owner looks at and mends before saving them; forgotten a week after the last touch.

    `blob` holds the pairs as they came and never changes; what was done to them since are the `edits`.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    # The version whose rows are being edited, if it is one.
    based_on = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    name = models.CharField(max_length=129, blank=True)
    n_pairs = models.PositiveIntegerField()
    source_format = models.CharField(max_length=30)
    source_filename = models.CharField(max_length=255, blank=True)
    source_digest = models.CharField(max_length=71)
    report = models.JSONField()
    # Row numbers by flag; with the report they tell how the pairs were after the edit `reported_edit`.
    flags = models.JSONField(default=dict)
    reported_edit = models.BigIntegerField(default=0)
    preview = models.JSONField()
    touched_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-touched_at", "id"]

    @property
    def is_expired(self) -> bool:
        """Not touched for a week."""
        return timezone.now() - self.touched_at > UPLOAD_LIFETIME


class DatasetEdit(models.Model):
    """One thing done to the rows of an upload, in the order of their ids. Undoing deletes the newest."""

    upload = models.ForeignKey(DatasetUpload, on_delete=models.CASCADE, related_name="edits")
    kind = models.CharField(max_length=10, choices=EditKind.choices)
    # Numbers from 1, as they came; added rows go on from there. Empty means every row.
    rows = models.JSONField(default=list)
    # The new texts of a row that was written by hand.
    pair = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["upload", "id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.rows}"
