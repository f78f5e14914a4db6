"""Runs and their append-only event log."""

import pgtrigger
from django.conf import settings
from django.db import models

from registry.catalog.models import Vector, VectorVersion
from registry.core.models import UUIDModel
from registry.presets.models import Preset, PresetVersion
from registry.runs.states import ACTIVE, TERMINAL, ErrorClass, RunState
from registry.storage.models import Blob


class Run(UUIDModel):
    """Work that takes time. The lease columns say which attempt may write; see `services`."""

    class Kind(models.TextChoices):
        EXTRACT = "extract"
        MIGRATE = "migrate"
        IMPORT = "import"
        COMPOSE = "compose"
        DERIVE = "derive"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs")
    # What it works on: the version of a vector that it makes, or the version of a preset that it measures.
    vector_version = models.OneToOneField(
        VectorVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="run"
    )
    preset_version = models.ForeignKey(
        PresetVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="runs"
    )
    # Of the measurement of a preset, what was asked beside its strengths: {"wanted", "tier"}.
    measure = models.JSONField(default=dict, blank=True)
    # What to do once the run succeeds: {} or {"version", "license", "visibility"}.
    publish_as = models.JSONField(default=dict)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    request_digest = models.CharField(max_length=71)
    # The activations that the vector was made of, as far as they were kept.
    statistics = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    stage = models.CharField(max_length=40, blank=True)
    progress = models.FloatField(default=0.0)
    error_class = models.CharField(max_length=10, choices=ErrorClass.choices, blank=True)
    error_code = models.CharField(max_length=80, blank=True)
    error_message = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)

    attempt = models.PositiveIntegerField(default=0)
    lease_token = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    notified_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "idempotency_key"], name="run_idempotency_key_is_used_once"
            ),
            models.CheckConstraint(
                condition=models.Q(vector_version__isnull=False, preset_version__isnull=True)
                | models.Q(vector_version__isnull=True, preset_version__isnull=False, kind="compose"),
                name="run_works_on_one_thing",
            ),
            models.UniqueConstraint(
                fields=["preset_version"],
                condition=models.Q(state__in=ACTIVE),
                name="preset_version_is_measured_once_at_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["lease_until"], name="run_active", condition=models.Q(state__in=ACTIVE)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_over(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.state in TERMINAL

    @property
    def target(self) -> VectorVersion | PresetVersion:
        """The version of a vector or preset that it works on."""
        found = self.vector_version or self.preset_version
        assert found is not None  # a constraint of the table
        return found

    @property
    def subject(self) -> Vector | Preset:
        """The vector or preset that the version belongs to."""
        found = self.target
        return found.vector if isinstance(found, VectorVersion) else found.preset


class RunEvent(models.Model):
    """One line of a run's log, numbered by its id; never changed."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    attempt = models.PositiveIntegerField()
    stage = models.CharField(max_length=40)
    progress = models.FloatField()
    message = models.CharField(max_length=500)
    # What was measured on the way, see `facts`; {} for a line that only says something.
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["id"]
        # The tail of one run's log, whatever the planner thinks of the primary key.
        indexes = [models.Index(fields=["run", "id"], name="log_of_run")]
        triggers = [
            pgtrigger.Protect(
                name="run_event_is_appended_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return self.message
