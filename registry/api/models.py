"""Answers that are kept for a day, so that a POST that was sent twice happens once; see `idempotency`."""

from django.conf import settings
from django.db import models


class KeyedAnswer(models.Model):
    """One `Idempotency-Key` of one user. `answer` is null while the first request is under way."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key_sha256 = models.CharField(max_length=64)
    request_digest = models.CharField(max_length=71)
    # Encrypted under the key itself, which is not kept: an answer may hold the text of a new token.
    answer = models.BinaryField(null=True)
    # Until when the first request may take before another is let in.
    locked_until = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key_sha256"], name="idempotency_key_is_one_request")
        ]

    def __str__(self) -> str:
        return self.key_sha256[:12]
