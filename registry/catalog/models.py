"""Base model revisions, steering vectors and their versions. What is published is frozen by database
triggers.
"""

import pgtrigger
from django.db import models

from registry.accounts.access import Visibility
from registry.accounts.models import Namespace
from registry.catalog.states import EDGES, RELEASED, Access, Grade, License, Verdict, VersionState
from registry.core.models import UUIDModel
from registry.datasets.models import DatasetVersion
from registry.storage.models import Blob
from steering_core.spec import ExtractionSpec

# Compares whole rows, so that a column added later is frozen without anybody having to remember it.
FROZEN_COLUMNS_CHANGE = """
    OLD.state IN ('published', 'yanked')
    AND (to_jsonb(NEW) - ARRAY['state', 'yanked_at', 'yank_reason'])
        IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['state', 'yanked_at', 'yank_reason'])
"""


class BaseModelRevision(UUIDModel):
    """Weights, config, tokenizer and chat template, named by one digest. Registered by staff."""

    name = models.CharField(max_length=129)
    model_hash = models.CharField(max_length=71, unique=True)
    path = models.CharField(max_length=1000)
    architecture = models.CharField(max_length=100)
    n_layers = models.PositiveIntegerField()
    d_model = models.PositiveIntegerField()
    max_positions = models.PositiveIntegerField()
    files = models.JSONField()
    scorer = models.CharField(max_length=20, blank=True)
    # The prompts and questions that operators brought for this model; null for none, and where the scorer
    # brings its own. It may be changed: a report names the digest of the one that it was made with.
    suite = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["name", "-created_at"]
        triggers = [pgtrigger.ReadOnly(name="base_model_hash_is_fixed", fields=["model_hash", "files"])]

    def __str__(self) -> str:
        return f"{self.name} {self.model_hash[:19]}"

    @property
    def suite_digest(self) -> str | None:
        """`sha256:…` of the suite's canonical file, as reports name it; None where none was brought."""
        return f"sha256:{self.suite_id}" if self.suite_id else None


class Vector(UUIDModel):
    """A name under which one owner publishes versions of a steering vector."""

    owner = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="vectors")
    name = models.CharField(max_length=64)
    title = models.CharField(max_length=120, blank=True)
    description = models.TextField(max_length=4000, blank=True)
    # What it turns up and down, in the words that others use: `formality`, `warmth`.
    trait = models.CharField(max_length=64, blank=True)
    # BCP 47 tag of the language that its pairs are in, such as `en`.
    language = models.CharField(max_length=20, blank=True)
    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.PRIVATE)
    # Who of those that see it may have its files, see `accounts.access.check_files`.
    access = models.CharField(max_length=5, choices=Access.choices, default=Access.OPEN)
    # The newest published version that is not yanked; kept here so that the catalog can filter by its
    # verdict.
    latest = models.ForeignKey(
        "VectorVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="vector_name_is_unique_per_owner")
        ]

    def __str__(self) -> str:
        return f"{self.owner.slug}/{self.name}"


class VectorVersion(UUIDModel):
    """One extraction: a draft until it is published, then frozen under a version that is never used again."""

    vector = models.ForeignKey(Vector, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=32, null=True, blank=True)
    state = models.CharField(max_length=10, choices=VersionState.choices, default=VersionState.DRAFT)
    base_model = models.ForeignKey(
        BaseModelRevision, on_delete=models.PROTECT, related_name="vector_versions"
    )
    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.PROTECT, related_name="vector_versions"
    )
    # Of a version that was moved here from another base model, where it came from; null for all others.
    migrated_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="migrations"
    )
    spec = models.JSONField()
    spec_digest = models.CharField(max_length=71)
    artifact = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # What an engine must do with the artifact, see `steering_core.formats.conformance`; null for a vector
    # that could not be certified, and `conformance_missing` says why.
    conformance = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    conformance_missing = models.CharField(max_length=500, blank=True)
    manifest = models.JSONField(null=True, blank=True)
    report = models.JSONField(null=True, blank=True)
    verdict = models.CharField(max_length=12, choices=Verdict.choices, blank=True)
    grade = models.CharField(max_length=1, choices=Grade.choices, blank=True)
    license = models.CharField(max_length=20, choices=License.choices, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    yanked_at = models.DateTimeField(null=True, blank=True)
    yank_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["vector", "version"], name="vector_version_is_used_once"),
            models.CheckConstraint(
                condition=~models.Q(state__in=RELEASED)
                | models.Q(
                    version__isnull=False,
                    artifact__isnull=False,
                    report__isnull=False,
                    published_at__isnull=False,
                )
                & ~models.Q(license=""),
                name="released_version_is_complete",
            ),
            # The last line of defence; `screening` says why, and what may be public.
            models.CheckConstraint(
                condition=~models.Q(state__in=RELEASED)
                | ~models.Q(report__gates__contains=[{"name": "safety", "verdict": "fail"}]),
                name="released_version_passes_the_safety_gate",
            ),
        ]
        triggers = [
            pgtrigger.FSM(name="version_state_moves_forward", field="state", transitions=EDGES),
            pgtrigger.Protect(
                name="released_version_is_frozen",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(FROZEN_COLUMNS_CHANGE),
            ),
            pgtrigger.Protect(
                name="released_version_is_kept",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Q(old__state__in=RELEASED),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.vector}@{self.version or 'draft'}"

    @property
    def extraction_spec(self) -> ExtractionSpec:
        """What its run was asked to do; a moved version has its source's method."""
        return ExtractionSpec.from_json({k: v for k, v in self.spec.items() if k != "migrated_from"})

    @property
    def digest(self) -> str:
        """`sha256:…` of the native file, or empty while there is none."""
        return f"sha256:{self.artifact_id}" if self.artifact_id else ""
