"""Base model revisions; steering vectors with their versions, aliases, old names and requests for access.
What is published is frozen by database triggers.
"""

import pgtrigger
from django.conf import settings
from django.db import models

from registry.accounts.access import Visibility
from registry.accounts.models import Namespace
from registry.accounts.ownership import OwnedName, keeps_names
from registry.catalog.states import (
    EDGES,
    NAMED,
    RELEASED,
    Access,
    AccessMode,
    Domain,
    Grade,
    License,
    Origin,
    RemovalKind,
    RequestState,
    Verdict,
    VersionState,
)
from registry.core.models import UUIDModel
from registry.datasets.models import DatasetVersion
from registry.storage.models import Blob
from steering_core.spec import ExtractionSpec

# What may still be said of a released version.
MOVABLE = (
    "state",
    "yanked_at",
    "yank_reason",
    "deprecated_at",
    "deprecation_reason",
    "replacement",
    "removed_at",
    "removal_kind",
    "removal_reason",
)
# Keys of a version's spec that say where its directions come from, beside the `ExtractionSpec`.
NOT_OF_EXTRACTION = ("migrated_from", "imported", "derived")
# Compares whole rows, so that a column added later is frozen without anybody having to remember it.
FROZEN_COLUMNS_CHANGE = f"""
    OLD.state IN ('published', 'yanked', 'removed')
    AND (to_jsonb(NEW) - ARRAY[{", ".join(f"'{name}'" for name in MOVABLE)}])
        IS DISTINCT FROM (to_jsonb(OLD) - ARRAY[{", ".join(f"'{name}'" for name in MOVABLE)}])
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


class Retirable(models.Model):
    """What may be said of a vector or a version when it should not be used any more, and by whom it was taken
    away: the owner deprecates, the operators remove.
    """

    deprecated_at = models.DateTimeField(null=True, blank=True)
    deprecation_reason = models.CharField(max_length=500, blank=True)
    # What to use instead, as people write it: `owner/name` or `owner/name@1.0.0`.
    replacement = models.CharField(max_length=210, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    removal_kind = models.CharField(max_length=6, choices=RemovalKind.choices, blank=True)
    removal_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        abstract = True


class Vector(Retirable, UUIDModel):
    """A name under which one owner publishes versions of a steering vector."""

    owner = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="vectors")
    name = models.CharField(max_length=64)
    title = models.CharField(max_length=120, blank=True)
    description = models.TextField(max_length=4000, blank=True)
    # Markdown as it was typed, for whoever wants to know more; `core.markdown` makes HTML of it.
    card_text = models.TextField(max_length=20_000, blank=True)
    # What it turns up and down, in the words that others use: `formality`, `warmth`.
    trait = models.CharField(max_length=64, blank=True)
    # The shelf on which it stands; empty while nobody chose one.
    domain = models.CharField(max_length=20, choices=Domain.choices, blank=True)
    # BCP 47 tag of the language that its pairs are in, such as `en`.
    language = models.CharField(max_length=20, blank=True)
    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.PRIVATE)
    # Who of those that see it may have its files, see `accounts.access.check_files`.
    access = models.CharField(max_length=5, choices=Access.choices, default=Access.OPEN)
    # Of a gated one: who lets people in, and what they agree to.
    access_mode = models.CharField(max_length=6, choices=AccessMode.choices, default=AccessMode.MANUAL)
    access_terms = models.TextField(max_length=4000, blank=True)
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
        triggers = [
            keeps_names("catalog_vectorname"),
            pgtrigger.Protect(
                name="removed_vector_stays_removed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__removed_at__isnull=False),
            ),
        ]

    # The old name by which this row was found, if it was; see `accounts.ownership.row_named`.
    asked_as = ""

    def __str__(self) -> str:
        return f"{self.owner.slug}/{self.name}"


class VectorName(OwnedName):
    """A name that a vector has or had."""

    row = models.ForeignKey(Vector, on_delete=models.PROTECT, related_name="names")


class VectorVersion(Retirable, UUIDModel):
    """One extraction: a draft until it is published, then frozen under a version that is never used again."""

    vector = models.ForeignKey(Vector, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=32, null=True, blank=True)
    state = models.CharField(max_length=10, choices=VersionState.choices, default=VersionState.DRAFT)
    base_model = models.ForeignKey(
        BaseModelRevision, on_delete=models.PROTECT, related_name="vector_versions"
    )
    # What it is measured with; an extracted one is made of its train split too.
    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.PROTECT, related_name="vector_versions"
    )
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.EXTRACTED)
    # Of an imported version, the file as it was brought; null for all others.
    imported_file = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
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
                condition=pgtrigger.Q(old__state__in=NAMED),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.vector}@{self.version or 'draft'}"

    @property
    def extraction_spec(self) -> ExtractionSpec:
        """What its run was asked to do; a moved version has its source's method."""
        return ExtractionSpec.from_json({k: v for k, v in self.spec.items() if k not in NOT_OF_EXTRACTION})

    @property
    def digest(self) -> str:
        """`sha256:…` of the native file, or empty while there is none."""
        return f"sha256:{self.artifact_id}" if self.artifact_id else ""


class VersionParent(models.Model):
    """A version that another one was computed from. What is moved to another base model has one source, which
    is a column of its own, `migrated_from`.

    A parent is older than its child, so that nothing can come from itself.
    """

    class Kind(models.TextChoices):
        NEGATED = "negated", "Turned around"
        COMBINED = "combined", "Weighted sum"

    child = models.ForeignKey(VectorVersion, on_delete=models.PROTECT, related_name="parent_links")
    parent = models.ForeignKey(VectorVersion, on_delete=models.PROTECT, related_name="child_links")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    # What the parent's directions were multiplied with.
    weight = models.FloatField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["child", "parent"], name="version_parent_is_named_once")
        ]
        triggers = [
            pgtrigger.Protect(name="version_parent_is_kept", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="version_parent_is_older",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="""
                    IF NOT EXISTS (
                        SELECT FROM catalog_vectorversion parent, catalog_vectorversion child
                        WHERE parent.id = NEW.parent_id AND child.id = NEW.child_id
                        AND parent.created_at < child.created_at
                        AND parent.state IN ('published', 'yanked', 'removed')
                    ) THEN
                        RAISE EXCEPTION 'a parent is released, and older than its child';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.child} from {self.weight:g} times {self.parent}"


class Alias(UUIDModel):
    """A name for a version that moves: `acme/formality@stable`. A protected one is moved by admins alone."""

    vector = models.ForeignKey(Vector, on_delete=models.PROTECT, related_name="aliases")
    name = models.CharField(max_length=64)
    version = models.ForeignKey(VectorVersion, on_delete=models.PROTECT, related_name="aliases")
    is_protected = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["vector", "name"], name="one_alias_of_a_name")]

    def __str__(self) -> str:
        return f"{self.vector}@{self.name}"


class AliasEvent(UUIDModel):
    """What an alias was before and after a change; null for what was or is not there. Never changed."""

    vector = models.ForeignKey(Vector, on_delete=models.PROTECT, related_name="alias_events")
    name = models.CharField(max_length=64)
    before = models.ForeignKey(VectorVersion, null=True, on_delete=models.PROTECT, related_name="+")
    after = models.ForeignKey(VectorVersion, null=True, on_delete=models.PROTECT, related_name="+")
    is_protected = models.BooleanField()
    # The username, which outlives the user.
    actor = models.CharField(max_length=150)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["vector", "name", "-created_at"], name="history_of_alias")]
        triggers = [
            pgtrigger.Protect(name="alias_event_is_kept", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.vector}@{self.name}: {self.before_id} to {self.after_id}"


class AccessRequest(UUIDModel):
    """Somebody's wish for the files of a gated vector, and what became of it; the audit log has the past."""

    vector = models.ForeignKey(Vector, on_delete=models.PROTECT, related_name="access_requests")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=9, choices=RequestState.choices, default=RequestState.REQUESTED)
    message = models.CharField(max_length=1000, blank=True)
    # sha256 in hex of the terms that were agreed to; empty where there were none.
    terms_sha256 = models.CharField(max_length=64, blank=True)
    # Username; empty while nobody has decided, and where accepting the terms was enough.
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["vector", "user"], name="one_access_request_each")]

    def __str__(self) -> str:
        return f"{self.user.get_username()} for {self.vector}"
