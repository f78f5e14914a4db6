"""Revisions, as that client writes them: `main`, a version, an alias, or a commit of 40 hex digits."""

import re
from typing import Any

from registry.catalog.models import VectorVersion
from registry.catalog.resolving import version_at_prefix
from registry.catalog.selectors import version_get
from registry.core.errors import InvalidError, NotFoundError

COMMIT_LENGTH = 40
_COMMIT = re.compile(r"[0-9a-f]{40}")


def commit_of(row: VectorVersion) -> str:
    """The commit that a version is: the beginning of its file's sha256. The client keeps what it has by it,
    and asks nothing again for what it names.
    """
    return str(row.artifact_id)[:COMMIT_LENGTH]


def version_at(*, viewer: Any, owner: str, name: str, revision: str) -> VectorVersion:
    """The version that a revision names.

    Raises:
        NotFoundError: no such vector or version for this viewer.
        RemovedError: operators took it away.
    """
    if _COMMIT.fullmatch(revision):
        return version_at_prefix(viewer=viewer, owner=owner, name=name, prefix=revision)
    reference = "latest" if revision == "main" else revision
    try:
        return version_get(viewer=viewer, owner=owner, name=name, reference=reference)
    except InvalidError as error:
        raise NotFoundError(
            f"{owner}/{name} has no revision {revision[:80]!r}; use main, a version, an alias or a commit",
            code="version.not_found",
        ) from error
