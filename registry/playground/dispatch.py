"""Ring for a worker of the playground. The ring says nothing: whoever hears it asks the line for its head."""

import logging

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from registry.celery import app

logger = logging.getLogger(__name__)

PLAY = "bearing.play"
QUEUE = "playground"
# A ring that was not heard for so long is of no use; who still waits rings again.
RING_EXPIRES = 60


def ring() -> bool:
    """Ring now; False when the broker is out of reach."""
    try:
        app.signature(PLAY).apply_async(queue=QUEUE, expires=RING_EXPIRES)
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("broker out of reach", extra={"error": type(error).__name__})
        return False
    return True
