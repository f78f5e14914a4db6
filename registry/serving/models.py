"""Files made for other engines, how often files were downloaded, and dumps of the catalog."""

from django.db import models

from registry.catalog.models import Vector, VectorVersion
from registry.core.models import UUIDModel
from registry.storage.models import Blob


class Conversion(UUIDModel):
    """A native file in the form of another engine: made once by a worker, then served by digest.

    It hangs on the bytes and not on a version, since equal files have equal forms.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        WORKING = "working"
        DONE = "done"
        REFUSED = "refused", "The engine cannot say this vector"
        FAILED = "failed", "A fault of ours"

    artifact = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    format = models.CharField(max_length=20)
    # Which writers made it; see `conversions.WRITERS`.
    writers = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    error_code = models.CharField(max_length=80, blank=True)
    error_message = models.CharField(max_length=1000, blank=True)
    # What is left out or means something else there, a sentence each; and how to run the engine with it.
    warnings = models.JSONField(default=list)
    usage = models.TextField(blank=True)

    attempt = models.PositiveIntegerField(default=0)
    lease_token = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    notified_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["artifact", "format", "writers"], name="conversion_is_made_once")
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                name="conversion_open",
                condition=models.Q(state__in=["waiting", "working"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.format} of {self.artifact}"


class ConvertedFile(models.Model):
    """A file of a conversion. Most have one; some engines read a second one beside it."""

    conversion = models.ForeignKey(Conversion, on_delete=models.CASCADE, related_name="files")
    # What its name ends with, `.gguf`.
    suffix = models.CharField(max_length=20)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["conversion", "suffix"], name="converted_file_is_one_per_suffix")
        ]

    def __str__(self) -> str:
        return f"{self.conversion}{self.suffix}"


class DailyDownloads(models.Model):
    """How many callers downloaded a version on a day (UTC). docs/api.md says what counts."""

    class Kind(models.TextChoices):
        DIRECT = "direct", "People and their programs"
        CI = "ci", "Automated builds and crawlers"

    version = models.ForeignKey(VectorVersion, on_delete=models.CASCADE, related_name="daily_downloads")
    day = models.DateField()
    kind = models.CharField(max_length=6, choices=Kind.choices)
    count = models.PositiveIntegerField()

    class Meta:
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(fields=["version", "day", "kind"], name="downloads_are_one_row_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.day} {self.kind}: {self.count}"


class VectorDownloads(models.Model):
    """The sums of a vector without CI, kept so that lists need not add up days."""

    vector = models.OneToOneField(
        Vector, primary_key=True, on_delete=models.CASCADE, related_name="downloads"
    )
    total = models.PositiveBigIntegerField(default=0)
    last_30_days = models.PositiveIntegerField(default=0)
    # The day that the 30 days end with.
    as_of = models.DateField()

    def __str__(self) -> str:
        return f"{self.vector}: {self.total}"


class DownloadBatch(models.Model):
    """Counts that were taken from Valkey and added: a batch that is met again is not added twice."""

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.id)


class CatalogDump(UUIDModel):
    """All that was public on a day, as one file; see `dumps`."""

    day = models.DateField(unique=True)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    lines = models.PositiveIntegerField()

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return str(self.day)


class DumpedRow(models.Model):
    """What has a line in the dumps of these days, so that they can be withdrawn when it is public no more."""

    # The kind of its line, and the id of its row.
    kind = models.CharField(max_length=20)
    row = models.UUIDField()
    first_day = models.DateField()
    last_day = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "row"], name="dumped_row_is_there_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.row}: {self.first_day} to {self.last_day}"
