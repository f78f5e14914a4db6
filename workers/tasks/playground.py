"""The playground's task: take the request whose turn it is, write its texts, say how it ended.

It claims no run and asks no database: a request lives in Valkey, and is asked for again if it is lost. The
ring carries nothing, so one that comes too often finds an empty line.
"""

import logging
import threading

from registry.celery import app
from registry.core.errors import RegistryError
from registry.core.valkey import AWAY
from registry.playground.dispatch import PLAY
from registry.playground.events import Event, end, failure
from registry.playground.line import PULSE_SECONDS, line_take, pulse
from registry.playground.wishes import Job
from steering_core.errors import ModelError, SteeringError
from workers.players import Player, StoppedError

logger = logging.getLogger(__name__)


@app.task(name=PLAY, acks_late=False)  # type: ignore[untyped-decorator]
def play() -> None:
    """Serve the head of the line, if there is one."""
    try:
        job = line_take()
        if job is None:
            return
        with Pulse(job):
            end(job, _played(job))
    except AWAY as error:
        # Whoever watches is told by the web process, which cannot reach Valkey either.
        logger.warning("valkey out of reach in the playground", extra={"error": type(error).__name__})


def _played(job: Job) -> Event:
    """The event that ends a request, whatever happens."""
    try:
        return Player(job).play()
    except StoppedError as stopped:
        return failure(stopped.code)
    except AWAY:
        raise
    except ModelError as error:
        logger.exception("base model cannot be used", extra={"code": error.code})
    except SteeringError as error:
        return failure(error.code, error.message)
    except RegistryError as error:
        logger.exception("platform error in the playground", extra={"code": error.code})
    except MemoryError:
        logger.exception("out of memory in the playground")
    except Exception as error:
        logger.exception("unexpected error in the playground", extra={"error": type(error).__name__})
    return failure("playground.failed")


class Pulse:
    """Says that the worker lives, from a thread, while a model loads or a long text is written."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(PULSE_SECONDS / 4):
            try:
                pulse(self._job)
            except AWAY as error:
                logger.warning("pulse failed", extra={"error": type(error).__name__})
