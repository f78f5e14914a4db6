"""The one task decorator: claim, keep the lease, do the work, turn whatever happens into the run's outcome.

A task body takes a `Claim` and a `Progress` and returns its result. It never sees the database,
never retries by itself, and no exception leaves the task: a MemoryError that escaped would take the
whole worker down.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from registry.celery import app
from registry.core.errors import InvalidError, RegistryError
from registry.core.faults import fault_point
from registry.core.logging import run_id as run_id_in_log
from registry.runs.claims import ArtifactResult, Claim, MixResult
from registry.runs.leases import (
    run_claim,
    run_complete,
    run_fail,
    run_found,
    run_heartbeat,
    run_progress,
)
from registry.runs.states import ErrorClass
from steering_core.errors import ModelError, SteeringError

logger = logging.getLogger(__name__)


class Report(Protocol):
    """What a body says of itself: how far it is, by calling it, and what it found on the way."""

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Say how far the body is; whatever this raises has to end it."""

    def found(self, message: str, facts: dict[str, Any]) -> None:
        """Say what was measured on the way; see `steering_core.evaluation.interim`."""


# A body takes the claim of its kind of run and returns that kind's result.
Body = Callable[[Any, Report], ArtifactResult | MixResult]


class LeaseLostError(Exception):
    """Another worker has the run now; whatever this one does is dropped."""


class RunCancelledError(Exception):
    """The owner cancelled the run."""


class RunTimedOutError(Exception):
    """The run is past its deadline."""


_STOPS: dict[str, type[Exception]] = {
    "lost": LeaseLostError,
    "cancel": RunCancelledError,
    "timed_out": RunTimedOutError,
}


def run_task(name: str) -> Callable[[Body], Any]:
    """Register a body as the Celery task of this name. The task's one argument is the run's id."""

    def decorate(body: Body) -> Any:
        def task(run_id: str) -> None:
            bound = run_id_in_log.set(run_id)
            try:
                close_old_connections()
                _attempt(run_id, body)
            except DatabaseError:
                # Nothing can be recorded; the lease lapses and the sweeper rings again.
                logger.exception("database out of reach during a run")
                connection.close()
            finally:
                run_id_in_log.reset(bound)

        return app.task(name=name)(task)

    return decorate


def _attempt(run_id: str, body: Body) -> None:
    fault_point("before_claim", run_id)
    claim = run_claim(run_id=run_id)
    if claim is None:
        logger.info("nothing to claim")
        return
    fault_point("after_claim", run_id)
    with Lease(claim) as lease:
        failure = _work(claim, lease, body)
    if failure is not None:
        error_class, code, message = failure
        run_fail(
            run_id=run_id, lease_token=claim.lease_token, error_class=error_class, code=code, message=message
        )
    fault_point("after_commit", run_id)


def _work(claim: Claim, lease: "Lease", body: Body) -> tuple[ErrorClass, str, str] | None:
    """Run the body and hand its result over; what went wrong comes back as class, code and message."""
    try:
        result = body(claim, lease)
        if not run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result):
            logger.warning("the lease was lost; the result was dropped")
        return None
    except LeaseLostError:
        logger.warning("the lease was lost; stopped working")
        return None
    except RunCancelledError:
        return ErrorClass.CANCELLED, "run.cancelled", "cancelled"
    except (RunTimedOutError, SoftTimeLimitExceeded):
        return ErrorClass.TIMED_OUT, "run.timed_out", "the run took longer than the time limit"
    except DatabaseError:
        raise
    except ModelError as error:
        # Base models are registered by staff: their faults are ours, not the user's.
        logger.exception("base model cannot be used", extra={"code": error.code})
        return ErrorClass.PLATFORM, error.code, _PLATFORM
    except (SteeringError, InvalidError) as error:
        return ErrorClass.USER, error.code, error.message
    except RegistryError as error:
        logger.exception("platform error", extra={"code": error.code})
        return ErrorClass.PLATFORM, error.code, _PLATFORM
    except MemoryError:
        logger.exception("out of memory")
        return ErrorClass.PLATFORM, "run.out_of_memory", "the worker ran out of memory on this run"
    except Exception as error:
        # torch's OutOfMemoryError is a RuntimeError; anything else here is a bug, logged with its trace.
        logger.exception("unexpected error in a run", extra={"error": type(error).__name__})
        return ErrorClass.PLATFORM, "run.internal", _PLATFORM


class Lease:
    """Keeps a claimed run's lease alive from a thread while the body works.

    The thread only notices; it is the body's call to say how far it is that stops the work. It is the body's
    `Report`.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self._stop = threading.Event()
        self._verdict = "ok"
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Record how far the body is.

        Raises:
            LeaseLostError, RunCancelledError, RunTimedOutError: the body has to stop.
        """
        if self._verdict in _STOPS:
            raise _STOPS[self._verdict]
        claim = self.claim
        if not run_progress(
            run_id=claim.run_id,
            lease_token=claim.lease_token,
            stage=stage,
            progress=fraction,
            message=message,
        ):
            raise LeaseLostError

    def found(self, message: str, facts: dict[str, Any]) -> None:
        """Put facts into the log. They come again in the report, so what cannot be told ends no run."""
        claim = self.claim
        try:
            run_found(run_id=claim.run_id, lease_token=claim.lease_token, message=message, facts=facts)
        except InvalidError as error:
            logger.warning("facts left out of the log", extra={"code": error.code})

    def _beat(self) -> None:
        while self._verdict == "ok" and not self._stop.wait(self.claim.lease_seconds / 3):
            try:
                self._verdict = run_heartbeat(run_id=self.claim.run_id, lease_token=self.claim.lease_token)
            except DatabaseError as error:
                # One missed beat is no loss: the lease is three beats long.
                logger.warning("heartbeat failed", extra={"error": type(error).__name__})
                connection.close()
        connection.close()


_PLATFORM = "something on our side failed; if it does not go away, report the run's id"
