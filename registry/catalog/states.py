"""The lives of versions and of requests for access. A released version has no way back to a draft."""

from django.db import models

from registry.core.licences import License as License


class VersionState(models.TextChoices):
    """A draft waits for its run; an extracted version has an artifact and a report; a published one has
    a name. Its owner may discard what was never published; operators may remove what was.
    """

    DRAFT = "draft"
    FAILED = "failed"
    EXTRACTED = "extracted"
    DISCARDED = "discarded"
    PUBLISHED = "published"
    YANKED = "yanked"
    REMOVED = "removed"


TRANSITIONS: dict[str, frozenset[str]] = {
    VersionState.DRAFT: frozenset({VersionState.EXTRACTED, VersionState.FAILED}),
    VersionState.FAILED: frozenset({VersionState.DISCARDED}),
    VersionState.EXTRACTED: frozenset({VersionState.PUBLISHED, VersionState.DISCARDED}),
    VersionState.PUBLISHED: frozenset({VersionState.YANKED, VersionState.REMOVED}),
    VersionState.YANKED: frozenset({VersionState.PUBLISHED, VersionState.REMOVED}),
}
# What has a name and may be had; what has a name for good; what its owner still works on.
RELEASED = (VersionState.PUBLISHED, VersionState.YANKED)
NAMED = (*RELEASED, VersionState.REMOVED)
UNRELEASED = (VersionState.DRAFT, VersionState.FAILED, VersionState.EXTRACTED)
EDGES = [(start, end) for start, ends in TRANSITIONS.items() for end in sorted(ends)]


class Origin(models.TextChoices):
    """How a version's directions came about. Only what was extracted here has full provenance."""

    EXTRACTED = "extracted", "Extracted here from its data set"
    IMPORTED = "imported", "Imported: brought as a file, provenance unknown"
    MIGRATED = "migrated", "Moved here from another base model"
    DERIVED = "derived", "Computed from other versions"


class Verdict(models.TextChoices):
    """What a report says over all; the order is from best to worst."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    WARN = "warn"
    INSUFFICIENT = "insufficient"
    FAIL = "fail"


class Grade(models.TextChoices):
    """The report in one letter, see `steering_core.evaluation.gates`; reports of version 1 have none."""

    A = "A"
    B = "B"
    C = "C"
    F = "F"


class Access(models.TextChoices):
    """Who of those that see a vector may have its files."""

    OPEN = "open", "Open: whoever sees it"
    GATED = "gated", "Gated: whoever asked and was let in"
    PAID = "paid", "Paid: whoever bought it"


class Domain(models.TextChoices):
    """What a vector or preset is for: the shelf of the catalog on which people look for it. ADR 0024."""

    TONE = "tone"
    VERBOSITY = "verbosity"
    CONFIDENCE = "confidence"
    MOOD = "mood"
    HONESTY = "honesty"
    PERSONA = "persona"
    SAFETY = "safety"
    SUPPORT = "customer-support", "Customer support"
    LEGAL = "legal"
    MEDICAL = "medical"
    EDUCATION = "education"
    CODING = "coding"
    OTHER = "other"


class RemovalKind(models.TextChoices):
    """Why operators remove something."""

    SAFETY = "safety", "Safety: it does harm"
    LEGAL = "legal", "Legal: the law wants it gone"


class AccessMode(models.TextChoices):
    """Who lets people in to a gated vector."""

    AUTO = "auto", "Automatic: whoever accepts the terms"
    MANUAL = "manual", "Manual: an admin decides"


class RequestState(models.TextChoices):
    """The life of a request for access."""

    REQUESTED = "requested"
    GRANTED = "granted"
    DENIED = "denied"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"


REQUEST_TRANSITIONS: dict[str, frozenset[str]] = {
    RequestState.REQUESTED: frozenset({RequestState.GRANTED, RequestState.DENIED, RequestState.WITHDRAWN}),
    RequestState.GRANTED: frozenset({RequestState.REVOKED, RequestState.WITHDRAWN}),
    RequestState.DENIED: frozenset({RequestState.GRANTED}),
    RequestState.REVOKED: frozenset({RequestState.GRANTED}),
    # Whoever took it back may ask again.
    RequestState.WITHDRAWN: frozenset({RequestState.REQUESTED, RequestState.GRANTED}),
}
