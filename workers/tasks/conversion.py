"""Convert a native file to another engine's form. It reads and writes blobs; no model is loaded."""

import logging

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection

from registry.catalog.artifacts import stored_vector
from registry.celery import app
from registry.serving.conversions import (
    CONVERT,
    LEASE_SECONDS,
    ConversionClaim,
    ConversionResult,
    conversion_claim,
    conversion_complete,
    conversion_fail,
    conversion_refuse,
)
from steering_core.errors import FormatError
from steering_core.formats.engines import ENGINES
from steering_core.formats.loose import LooseVector, loosen

logger = logging.getLogger(__name__)


# Past the lease another worker would begin the same.
@app.task(name=CONVERT, soft_time_limit=LEASE_SECONDS - 20)  # type: ignore[untyped-decorator]
def convert(conversion_id: str) -> None:
    """The task: claim, convert, and say how it ended, whatever happens."""
    try:
        close_old_connections()
        claim = conversion_claim(conversion_id=conversion_id)
        if claim is None:
            logger.info("nothing to claim", extra={"conversion_id": conversion_id})
            return
        _attempt(claim)
    except DatabaseError:
        # Nothing can be recorded; the lease lapses and the sweeper rings again.
        logger.exception("database out of reach during a conversion")
        connection.close()


def _attempt(claim: ConversionClaim) -> None:
    try:
        # Was read as strictly before it was stored, so an error here is a fault of ours.
        loose = loosen(stored_vector(claim.artifact_sha256))
        try:
            result = converted(loose, claim.format)
        except FormatError as error:
            conversion_refuse(claim=claim, code=error.code, message=error.message)
            return
        if not conversion_complete(claim=claim, result=result):
            logger.warning("the lease was lost; the result was dropped")
    except DatabaseError:
        raise
    except Exception:
        # The time limit is one of these.
        logger.exception("conversion failed", extra={"conversion_id": claim.conversion_id})
        conversion_fail(claim=claim)


def converted(loose: LooseVector, format: str) -> ConversionResult:
    """A vector in the form of an engine, with its directions as they are stored.

    Raises:
        FormatError: the engine cannot say the vector.
    """
    engine = ENGINES[format]
    exported = engine.export(loose)
    files = {engine.suffix: exported.data, **exported.sidecars}
    return ConversionResult(files, exported.warnings, exported.usage)
