"""Datasets, their immutable versions, and uploads that wait for their owner's word."""

from datetime import timedelta

import pgtrigger
from django.conf import settings
from django.db import models
from django.utils import timezone

from registry.accounts.access import Visibility
from registry.accounts.models import Namespace
from registry.accounts.ownership import OwnedName, keeps_names
from registry.core.models import UUIDModel
from registry.storage.models import Blob

UPLOAD_LIFETIME = timedelta(hours=24)


class Dataset(UUIDModel):
    """A name under which one owner publishes versions of contrastive pairs."""

    owner = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=500, blank=True)
    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.PRIVATE)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="dataset_name_is_unique_per_owner")
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
    """A checked file whose owner has seen the report and not yet decided; forgotten after a day."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    n_pairs = models.PositiveIntegerField()
    source_format = models.CharField(max_length=30)
    source_filename = models.CharField(max_length=255, blank=True)
    source_digest = models.CharField(max_length=71)
    report = models.JSONField()
    preview = models.JSONField()

    @property
    def is_expired(self) -> bool:
        """Older than a day."""
        return timezone.now() - self.created_at > UPLOAD_LIFETIME
