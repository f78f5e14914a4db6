"""The Upload row. Its parts lie in a `storage.staging.Staging`, and are listed from there."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from registry.core.models import UUIDModel
from registry.storage.models import SHA256_HEX, Blob
from registry.uploads.states import Method, Purpose, UploadState


class Upload(UUIDModel):
    """A file that its owner has announced by digest and size, and sends in numbered parts of one size."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    # What the owner calls it: for display, and where the bytes alone do not say what they are.
    filename = models.CharField(max_length=255, blank=True)
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    method = models.CharField(max_length=3, choices=Method.choices)
    part_bytes = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=UploadState.choices, default=UploadState.PENDING)
    expires_at = models.DateTimeField()
    # Whether parts may lie in the staging still; false only once no address to put one works any more.
    has_parts = models.BooleanField(default=True)
    blob = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(sha256__regex=SHA256_HEX), name="upload_sha256_is_hex"),
            models.CheckConstraint(
                condition=Q(state=UploadState.COMPLETE, blob__isnull=False, blob=F("sha256"))
                | ~Q(state=UploadState.COMPLETE) & Q(blob__isnull=True),
                name="complete_upload_is_its_blob",
            ),
        ]
        indexes = [
            models.Index(fields=["owner"], name="upload_open", condition=Q(state=UploadState.PENDING)),
            models.Index(fields=["expires_at"], name="upload_to_clear", condition=Q(has_parts=True)),
        ]
        triggers = [
            pgtrigger.ReadOnly(
                name="upload_is_what_was_announced",
                fields=["owner", "sha256", "size_bytes", "filename", "purpose", "method", "part_bytes"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.filename or self.pk}"

    @property
    def digest(self) -> str:
        """`sha256:…` of the whole."""
        return f"sha256:{self.sha256}"

    @property
    def n_parts(self) -> int:
        """How many parts the file has, the last one being what is left."""
        return -(-self.size_bytes // self.part_bytes)

    def part_size(self, number: int) -> int:
        """The size of a part, counted from 1."""
        return min(self.part_bytes, self.size_bytes - (number - 1) * self.part_bytes)

    @property
    def is_open(self) -> bool:
        """Whether it takes parts. A pending one past its time does not, swept or not."""
        return self.state == UploadState.PENDING and self.expires_at > timezone.now()

    @property
    def state_now(self) -> str:
        """The state, a minute before the sweeper knows."""
        is_late = self.state == UploadState.PENDING and not self.is_open
        return UploadState.EXPIRED if is_late else self.state
