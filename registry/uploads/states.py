"""The life of an upload; a pending one takes parts, a complete one is a verified blob."""

from django.db import models


class UploadState(models.TextChoices):
    """Only a pending one changes."""

    PENDING = "pending"
    COMPLETE = "complete"
    ABORTED = "aborted"
    EXPIRED = "expired"


TRANSITIONS: dict[str, frozenset[str]] = {
    UploadState.PENDING: frozenset({UploadState.COMPLETE, UploadState.ABORTED, UploadState.EXPIRED}),
}


class Purpose(models.TextChoices):
    """What a file is for; it can be used for nothing else."""

    DATASET = "dataset", "A file of contrastive pairs"
    VECTOR = "vector", "A vector file to import"


class Method(models.TextChoices):
    """Which way the parts take."""

    S3 = "s3", "PUT to signed addresses in the object store"
    APP = "app", "PUT through this interface"
