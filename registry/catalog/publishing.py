"""The publish checklist: small checks that each return what is wrong, or None. Add a check by adding a
function. What the safety gate of a report allows is in `screening`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from registry.catalog.lineage import descents_of
from registry.catalog.models import VectorVersion
from registry.catalog.screening import screening_problem
from registry.catalog.states import Access, License, Origin, VersionState
from registry.core.errors import InvalidError
from registry.storage.services import blob_read
from steering_core.errors import FormatError
from steering_core.formats.bearing import inspect_vector
from steering_core.formats.conformance import read_certificate


@dataclass(frozen=True, slots=True)
class PublishWish:
    """How a version is to be published; the visibility is the one that its vector will have."""

    license: str
    visibility: str


def artifact_manifest(*, sha256: str) -> dict[str, Any]:
    """Re-read a stored artifact as strictly as a stranger's file and return what it says about itself.

    Raises:
        InvalidError: it breaks docs/format.md.
        BlobMissingError, BlobCorruptError: the store lost or changed it.
    """
    try:
        return inspect_vector(blob_read(sha256=sha256))
    except FormatError as error:
        raise InvalidError(error.message, code=error.code) from error


def certificate_check(*, sha256: str, manifest: dict[str, Any]) -> None:
    """Re-read a stored certificate strictly, and see that it is about the vector of this manifest.

    Raises:
        InvalidError: it breaks docs/conformance.md, or is about another vector or model.
        BlobMissingError, BlobCorruptError: the store lost or changed it.
    """
    try:
        certificate = read_certificate(blob_read(sha256=sha256))
    except FormatError as error:
        raise InvalidError(error.message, code=error.code) from error
    about = (certificate.tensor_digest, certificate.model_hash)
    expected = (manifest.get("tensor_digest"), manifest.get("model", {}).get("model_hash"))
    if about != expected:
        raise InvalidError(
            f"the certificate is about {about[0]} on {about[1]}, the file about {expected[0]} on "
            f"{expected[1]}; make it of the vector that is stored",
            code="conformance.other_vector",
        )


def publish_problems(version: VectorVersion, wish: PublishWish) -> list[str]:
    """Everything that stands in the way of publishing, in words for the owner; empty when nothing does."""
    return [problem for check in CHECKS if (problem := check(version, wish))]


def _is_extracted(version: VectorVersion, wish: PublishWish) -> str | None:
    if version.state == VersionState.EXTRACTED:
        return None
    return (
        f"it is {version.state}; only an extracted version can be published, so wait for its run to succeed"
    )


def _artifact_is_whole(version: VectorVersion, wish: PublishWish) -> str | None:
    if version.artifact_id is None:
        return "it has no artifact"
    manifest = artifact_manifest(sha256=version.artifact_id)
    return (
        None
        if manifest == version.manifest
        else "the stored file does not say what was recorded at extraction"
    )


def _certificate_is_whole(version: VectorVersion, wish: PublishWish) -> str | None:
    if version.conformance_id is None or version.manifest is None:
        return None
    try:
        certificate_check(sha256=version.conformance_id, manifest=version.manifest)
    except InvalidError as error:
        return error.message
    return None


def _has_report(version: VectorVersion, wish: PublishWish) -> str | None:
    return None if version.report and version.verdict else "it has no report"


def _has_license(version: VectorVersion, wish: PublishWish) -> str | None:
    if wish.license in License.values:
        return None
    return f"licence {wish.license!r} is not one of {', '.join(License.values)}"


def _is_screened(version: VectorVersion, wish: PublishWish) -> str | None:
    return screening_problem(version.report, wish.visibility) if version.report else None


def _is_not_sold(version: VectorVersion, wish: PublishWish) -> str | None:
    if version.vector.access != Access.PAID or not is_of_unknown_provenance(version):
        return None
    return "it goes back to an imported file, and what is of unknown provenance is never sold"


def is_of_unknown_provenance(version: VectorVersion) -> bool:
    """Whether a version was imported, or goes back to one that was: moved from it, or computed of it."""
    level = {version.pk}
    while level:
        if VectorVersion.objects.filter(pk__in=level, origin=Origin.IMPORTED).exists():
            return True
        level = {step.parent for step in descents_of(level, upward=True)}
    return False


CHECKS: list[Callable[[VectorVersion, PublishWish], str | None]] = [
    _is_extracted,
    _has_license,
    _has_report,
    _artifact_is_whole,
    _certificate_is_whole,
    _is_screened,
    _is_not_sold,
]
