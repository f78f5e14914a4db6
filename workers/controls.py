"""Published vectors of other data sets, which are tried beside a vector as controls of the wrong concept.

Which ones, the claim says; `steering_core.evaluation.nulls` takes those at the vector's own place.
"""

import logging
from collections.abc import Callable, Sequence

from registry.catalog.artifacts import stored_vector
from registry.storage.blobs import BlobCorruptError, BlobMissingError
from steering_core.errors import FormatError
from steering_core.vector import SteeringVector

logger = logging.getLogger(__name__)


def read_controls(
    digests: Sequence[str], model_hash: str, say: Callable[[str], None] = lambda said: None
) -> list[SteeringVector]:
    """The vectors in these files. A file that is damaged costs a control and not the run.

    Args:
        digests: sha256 of native files.
        model_hash: whose vectors they have to be.
        say: told which vectors came of it.
    Raises:
        BlobStoreError: the store is out of reach.
    """
    vectors = []
    for sha256 in digests:
        try:
            vector = stored_vector(sha256)
        except (BlobMissingError, BlobCorruptError, FormatError) as error:
            logger.error("control cannot be read", extra={"sha256": sha256, "code": error.code})
            continue
        if vector.model.model_hash == model_hash:
            vectors.append(vector)
    if vectors:
        named = ", ".join(vector.tensor_digest[7:19] for vector in vectors)
        say(f"Vectors of other data sets, to be tried beside it where they act at its place: {named}")
    return vectors
