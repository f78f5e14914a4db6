"""Presets, their versions, and the vector versions that those mix. Triggers freeze what is published."""

import pgtrigger
from django.db import models

from registry.accounts.access import Visibility
from registry.accounts.models import Namespace
from registry.accounts.ownership import OwnedName, keeps_names
from registry.catalog.models import BaseModelRevision, VectorVersion
from registry.catalog.states import Domain
from registry.core.models import UUIDModel
from registry.presets.states import EDGES, RELEASED, MixMode, MixVerdict, PresetState
from registry.storage.models import Blob
from steering_core.formats.preset import MAX_LABEL, MAX_MEMBERS, applied

# What may still be said of a released version.
MOVABLE = ("state", "yanked_at", "yank_reason")
_MOVED = ", ".join(f"'{name}'" for name in MOVABLE)
FROZEN_COLUMNS_CHANGE = f"""
    OLD.state IN ('published', 'yanked')
    AND (to_jsonb(NEW) - ARRAY[{_MOVED}]) IS DISTINCT FROM (to_jsonb(OLD) - ARRAY[{_MOVED}])
"""
# Of a member that is added, changed or taken away.
MEMBERS_ARE_FROZEN = """
    IF EXISTS (
        SELECT FROM presets_presetversion
        WHERE id IN (CASE WHEN TG_OP <> 'DELETE' THEN NEW.version_id END,
                     CASE WHEN TG_OP <> 'INSERT' THEN OLD.version_id END)
        AND state IN ('published', 'yanked')
    ) THEN
        RAISE EXCEPTION 'the members of a released preset version are frozen';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
"""


class Preset(UUIDModel):
    """A name under which one owner publishes versions of a mix."""

    owner = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="presets")
    name = models.CharField(max_length=64)
    title = models.CharField(max_length=120, blank=True)
    description = models.TextField(max_length=4000, blank=True)
    # The shelf on which it stands; empty while nobody chose one.
    domain = models.CharField(max_length=20, choices=Domain.choices, blank=True)
    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.PRIVATE)
    # Why operators made it private; while it says so, nobody else shows it again.
    hidden_reason = models.CharField(max_length=500, blank=True)
    # The highest published version that is not yanked.
    latest = models.ForeignKey(
        "PresetVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="preset_name_is_unique_per_owner"),
            models.CheckConstraint(
                condition=models.Q(hidden_reason="") | models.Q(visibility=Visibility.PRIVATE),
                name="hidden_preset_is_private",
            ),
        ]
        triggers = [keeps_names("presets_presetname")]

    # The old name by which this row was found, if it was; see `accounts.ownership.row_named`.
    asked_as = ""

    def __str__(self) -> str:
        return f"{self.owner.slug}/{self.name}"


class PresetName(OwnedName):
    """A name that a preset has or had."""

    row = models.ForeignKey(Preset, on_delete=models.PROTECT, related_name="names")


class PresetVersion(UUIDModel):
    """One mix: a draft until it is published, then frozen under a version that is never used again."""

    preset = models.ForeignKey(Preset, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=32, null=True, blank=True)
    state = models.CharField(max_length=10, choices=PresetState.choices, default=PresetState.DRAFT)
    base_model = models.ForeignKey(
        BaseModelRevision, on_delete=models.PROTECT, related_name="preset_versions"
    )
    mode = models.CharField(max_length=10, choices=MixMode.choices, default=MixMode.SUM)
    # What was measured of the mix, see `steering_core.evaluation.composition.record`; null if nothing was.
    composition = models.JSONField(null=True, blank=True)
    verdict = models.CharField(max_length=12, choices=MixVerdict.choices, default=MixVerdict.UNMEASURED)
    # Why, a sentence each.
    reasons = models.JSONField(default=list, blank=True)
    # `preset.json`; its sha256 is the identity of the version.
    manifest = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField(null=True, blank=True)
    yanked_at = models.DateTimeField(null=True, blank=True)
    yank_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["preset", "version"], name="preset_version_is_used_once"),
            models.CheckConstraint(
                condition=~models.Q(state__in=RELEASED)
                | models.Q(version__isnull=False, manifest__isnull=False, published_at__isnull=False),
                name="released_preset_version_is_complete",
            ),
            models.CheckConstraint(
                condition=models.Q(composition__isnull=True, verdict=MixVerdict.UNMEASURED)
                | models.Q(composition__isnull=False) & ~models.Q(verdict=MixVerdict.UNMEASURED),
                name="preset_verdict_rests_on_a_composition",
            ),
        ]
        triggers = [
            pgtrigger.FSM(name="preset_version_state_moves_forward", field="state", transitions=EDGES),
            pgtrigger.Protect(
                name="released_preset_version_is_frozen",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(FROZEN_COLUMNS_CHANGE),
            ),
            pgtrigger.Protect(
                name="released_preset_version_is_kept",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Q(old__state__in=RELEASED),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.preset}@{self.version or 'draft'}"

    @property
    def digest(self) -> str:
        """`sha256:…` of `preset.json`, or empty while there is none."""
        return f"sha256:{self.manifest_id}" if self.manifest_id else ""

    @property
    def ordered(self) -> list["PresetMember"]:
        """The members in order; no query once they are prefetched."""
        return sorted(self.members.all(), key=lambda member: member.position)

    @property
    def strengths(self) -> tuple[float, ...]:
        """What each member is applied at, in order, after the mode."""
        return applied(self.mode, tuple(member.strength for member in self.ordered))


class PresetMember(models.Model):
    """One vector version of a mix, and its slider."""

    version = models.ForeignKey(PresetVersion, on_delete=models.CASCADE, related_name="members")
    vector_version = models.ForeignKey(VectorVersion, on_delete=models.PROTECT, related_name="preset_members")
    position = models.PositiveSmallIntegerField()
    strength = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    label = models.CharField(max_length=MAX_LABEL)
    low_label = models.CharField(max_length=MAX_LABEL, blank=True)
    high_label = models.CharField(max_length=MAX_LABEL, blank=True)

    class Meta:
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="preset_member_has_its_place"),
            models.UniqueConstraint(fields=["version", "label"], name="preset_label_is_used_once"),
            models.UniqueConstraint(fields=["version", "vector_version"], name="preset_mixes_a_vector_once"),
            models.CheckConstraint(
                condition=models.Q(strength__gte=models.F("low"), strength__lte=models.F("high")),
                name="preset_strength_is_within_its_range",
            ),
            models.CheckConstraint(
                condition=models.Q(position__lt=MAX_MEMBERS), name="preset_has_few_members"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="members_of_a_released_preset_are_frozen",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func=MEMBERS_ARE_FROZEN,
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.strength:+g}: {self.vector_version}"
