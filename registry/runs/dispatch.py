"""Ring the doorbell: tell a worker, by name, that a run waits. A ring that fails costs one sweep, never
a run.
"""

import logging

from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from registry.celery import app
from registry.runs.models import Run
from registry.runs.task_names import COMPOSE, DERIVE, EXTRACT, IMPORT, MIGRATE, QUEUE_OF

logger = logging.getLogger(__name__)

TASK_OF = {
    Run.Kind.EXTRACT: EXTRACT,
    Run.Kind.MIGRATE: MIGRATE,
    Run.Kind.IMPORT: IMPORT,
    Run.Kind.COMPOSE: COMPOSE,
    Run.Kind.DERIVE: DERIVE,
}


def ring_on_commit(run: Run) -> None:
    """Ring once the caller's transaction is durable."""
    transaction.on_commit(lambda: ring(run))


def ring(run: Run) -> bool:
    """Ring now; False when the broker is out of reach, in which case the sweeper rings again."""
    task = TASK_OF[Run.Kind(run.kind)]
    try:
        app.signature(task, args=[str(run.pk)]).apply_async(queue=QUEUE_OF[task])
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("broker out of reach", extra={"run_id": run.pk, "error": type(error).__name__})
        return False
    Run.objects.filter(pk=run.pk).update(notified_at=timezone.now())
    return True
