"""The life of a run. The last four states are terminal."""

from django.db import models


class RunState(models.TextChoices):
    """A run is queued until a worker claims it, and queued again when an attempt was lost."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


TERMINAL = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.TIMED_OUT)
ACTIVE = (RunState.QUEUED, RunState.RUNNING)


class ErrorClass(models.TextChoices):
    """Who has to act. Only platform errors are tried again by themselves."""

    USER = "user", "The data or the request: shown, not retried"
    PLATFORM = "platform", "Ours: retried, and the text is hidden"
    POISON = "poison", "It took its worker down every time"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
