"""The Blob row: which bytes are known to be stored. The bytes themselves are in a `blobs.BlobStore`."""

import pgtrigger
from django.db import models

SHA256_HEX = r"^[0-9a-f]{64}$"


class Blob(models.Model):
    """Bytes named by their sha256; `stored` is set only after they were read back and compared."""

    class State(models.TextChoices):
        PENDING = "pending"
        STORED = "stored"

    sha256 = models.CharField(primary_key=True, max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    media_type = models.CharField(max_length=100)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(sha256__regex=SHA256_HEX), name="blob_sha256_is_hex")
        ]
        triggers = [pgtrigger.ReadOnly(name="blob_is_what_it_is", fields=["sha256", "size_bytes"])]

    def __str__(self) -> str:
        return self.digest

    @property
    def digest(self) -> str:
        """`sha256:…`"""
        return f"sha256:{self.sha256}"
