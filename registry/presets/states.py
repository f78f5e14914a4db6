"""The life of a preset version, and what is said of its mix."""

from django.db import models


class PresetState(models.TextChoices):
    """A draft is put together and measured; a published one is frozen under a version for good."""

    DRAFT = "draft"
    DISCARDED = "discarded"
    PUBLISHED = "published"
    YANKED = "yanked"


TRANSITIONS: dict[str, frozenset[str]] = {
    PresetState.DRAFT: frozenset({PresetState.PUBLISHED, PresetState.DISCARDED}),
    PresetState.PUBLISHED: frozenset({PresetState.YANKED}),
    PresetState.YANKED: frozenset({PresetState.PUBLISHED}),
}
RELEASED = (PresetState.PUBLISHED, PresetState.YANKED)
EDGES = [(start, end) for start, ends in TRANSITIONS.items() for end in sorted(ends)]


class MixVerdict(models.TextChoices):
    """What was measured of the mix at its strengths; `evaluation.composition.verdict` has the rule."""

    UNMEASURED = "unmeasured"
    PASS = "pass"  # noqa: S105  a verdict, not a password
    WARN = "warn"
    INSUFFICIENT = "insufficient"
    FAIL = "fail"


class MixMode(models.TextChoices):
    """How strengths come together, see `steering_core.formats.preset`."""

    SUM = "sum", "Sum: strengths as they are"
    EQUAL_DOSE = "equal_dose", "Equal dose: divided by the root of how many are on"
