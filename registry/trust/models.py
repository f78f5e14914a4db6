"""Answers of blind tests, one row each, never changed; and flags: what staff should look at."""

import pgtrigger
from django.conf import settings
from django.db import models

from registry.catalog.models import Vector, VectorVersion
from registry.core.models import UUIDModel
from registry.datasets.models import Dataset
from registry.presets.models import Preset


class BlindAnswer(UUIDModel):
    """What one rater said of one comparison.

    `kind`, `item` and `is_left` are kept as they were shown, so that an answer keeps its meaning.
    """

    class Kind(models.TextChoices):
        STEERED = "steered"
        IDENTICAL = "identical"
        RANDOM = "random"

    class Answer(models.TextChoices):
        LEFT = "left", "First"
        RIGHT = "right", "Second"
        TIE = "tie", "No difference"

    version = models.ForeignKey(VectorVersion, on_delete=models.PROTECT, related_name="blind_answers")
    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="blind_answers"
    )
    number = models.PositiveSmallIntegerField()
    item = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    is_left = models.BooleanField()
    answer = models.CharField(max_length=5, choices=Answer.choices)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["version", "rater", "number"], name="blind_answer_is_given_once")
        ]
        triggers = [
            pgtrigger.Protect(
                name="blind_answer_is_appended_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.rater} on {self.version}, {self.number}"


class Flag(UUIDModel):
    """Something that staff should look at: a user reported it, or the service found it. Exactly one of
    `vector`, `version`, `preset` and `dataset` is what it is about.
    """

    class Reason(models.TextChoices):
        HARM = "harm", "It does harm, or hides what it does"
        RIGHTS = "rights", "It breaks the law or somebody’s rights"
        PERSON = "person", "It holds data about a person"
        MISLEADING = "misleading", "Its name or description misleads"
        OTHER = "other", "Something else"
        # What the service finds.
        COPY = "copy", "Points where a vector of somebody else points"
        FLIPPED = "flipped", "Is a vector of somebody else with its sign flipped"
        UNSAFE = "unsafe", "A draft fails the safety screen"

    class State(models.TextChoices):
        OPEN = "open"
        DECIDED = "decided"

    class Outcome(models.TextChoices):
        DISMISSED = "dismissed", "Dismissed: nothing is wrong"
        DEPRECATED = "deprecated", "Deprecated, with a warning"
        REMOVED = "removed", "Taken down for good"
        HIDDEN = "hidden", "Made private"
        UNHIDDEN = "unhidden", "Its owner may show it again"

    FOR_USERS = ("harm", "rights", "person", "misleading", "other")

    reason = models.CharField(max_length=10, choices=Reason.choices)
    # Null for what the service found, and for a reporter whose account is gone.
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    text = models.CharField(max_length=2000)
    vector = models.ForeignKey(Vector, null=True, blank=True, on_delete=models.PROTECT, related_name="flags")
    version = models.ForeignKey(
        VectorVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="flags"
    )
    preset = models.ForeignKey(Preset, null=True, blank=True, on_delete=models.PROTECT, related_name="flags")
    dataset = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="flags"
    )
    # Of a copy, what it is a copy of.
    source = models.ForeignKey(
        VectorVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(max_length=7, choices=State.choices, default=State.OPEN)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    # Username; empty while it is open.
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(vector__isnull=False, version=None, preset=None, dataset=None)
                | models.Q(vector=None, version__isnull=False, preset=None, dataset=None)
                | models.Q(vector=None, version=None, preset__isnull=False, dataset=None)
                | models.Q(vector=None, version=None, preset=None, dataset__isnull=False),
                name="flag_is_about_one_thing",
            ),
            models.UniqueConstraint(
                fields=["version", "source"],
                name="one_flag_of_a_copy",
                condition=models.Q(source__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["version"], name="one_flag_of_an_unsafe_draft", condition=models.Q(reason="unsafe")
            ),
        ]
        indexes = [models.Index(fields=["state", "-created_at"], name="flag_queue")]

    def __str__(self) -> str:
        return f"{self.reason} {self.subject}"

    @property
    def subject(self) -> str:
        """What it is about, as people write it."""
        return str(self.version or self.vector or self.preset or self.dataset)

    @property
    def subject_owner(self) -> str:
        """Whose it is."""
        row = self.version.vector if self.version else self.vector or self.preset or self.dataset
        return row.owner.slug if row else ""
