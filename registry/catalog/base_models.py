"""Register base models."""

import logging
from pathlib import Path
from typing import Any

from registry.catalog.models import BaseModelRevision
from registry.core.errors import InvalidError
from registry.core.naming import check_slug
from registry.storage.models import Blob
from registry.storage.services import blob_put
from steering_core.evaluation.suite import read_suite, write_suite
from steering_core.models.fingerprint import model_fingerprint

logger = logging.getLogger(__name__)

SCORERS = ("", "demo")
SUITE_MEDIA_TYPE = "application/json"


def base_model_register(
    *, path: Path, name: str, scorer: str = "", suite: bytes = b""
) -> tuple[BaseModelRevision, bool]:
    """Fingerprint a model folder and register it; the same content again updates what is said of it.

    Args:
        path: a local folder in the Hugging Face layout.
        name: `owner/name`, for people.
        scorer: which exact scorer belongs to this model: `demo`, or empty for none.
        suite: a file of prompts and questions to measure with; empty leaves the one that is there.
    Returns:
        The row, and whether it is new.
    Raises:
        ModelError: the folder is incomplete or unsafe to load.
        EvaluationError: the suite breaks docs/suites.md.
        InvalidError: the name or the scorer is not valid, or the scorer brings a suite of its own.
        BlobStoreError, BlobCorruptError: the store is out of reach or changes bytes.
    """
    owner, _, rest = name.partition("/")
    check_slug(owner, what="name")
    check_slug(rest, what="name")
    if scorer not in SCORERS:
        raise InvalidError(
            f"scorer {scorer!r} is not known; choose 'demo' or none", code="base_model.scorer_unknown"
        )
    chosen: dict[str, Any] = {"name": name, "path": str(path.resolve()), "scorer": scorer}
    if scorer or suite:
        chosen["suite"] = _suite_blob(scorer, suite)
    found = model_fingerprint(path)
    row, is_new = BaseModelRevision.objects.update_or_create(
        model_hash=found.model_hash,
        defaults=chosen,
        create_defaults={
            **chosen,
            "architecture": found.architecture,
            "n_layers": found.n_layers,
            "d_model": found.d_model,
            "max_positions": found.max_positions,
            "files": found.files,
        },
    )
    logger.info("base model registered", extra={"model_hash": row.model_hash, "is_new": is_new})
    return row, is_new


def _suite_blob(scorer: str, suite: bytes) -> Blob | None:
    """The suite as a blob in its canonical form, whose digest is the one that reports name."""
    if scorer and suite:
        raise InvalidError(
            f"scorer {scorer!r} brings a suite of its own; leave one of the two out",
            code="base_model.suite_unused",
        )
    return blob_put(data=write_suite(read_suite(suite)), media_type=SUITE_MEDIA_TYPE) if suite else None
