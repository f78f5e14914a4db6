"""Answers of blind tests, one row each; never changed."""

import pgtrigger
from django.conf import settings
from django.db import models

from registry.catalog.models import VectorVersion
from registry.core.models import UUIDModel


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
