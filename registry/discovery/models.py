"""What searches read in place of the catalog: one row for each vector, and sketches of directions. All of it
is derived: `manage.py reindex_catalog` makes it anew.
"""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL

from registry.accounts.models import Namespace
from registry.catalog.models import BaseModelRevision, Vector, VectorVersion

# What a vector is worth to somebody who asked for nothing in particular. A step of the verdict counts as much
# as ten times the downloads, and as much as a year: newer ones start higher, so no row has to be aged.
SCORE = """
    verdict_rank + grade_rank / 4.0::float8 + log((1 + downloads)::float8) - 2 * is_deprecated::int
    + (extract(epoch FROM fresh_at - '2026-01-01 00:00:00+00'::timestamptz) / 31536000)::float8
"""
IS_RELEASED = Q(is_released=True)


class SearchEntry(models.Model):
    """A vector as searches see it. `owner`, `name` and `visibility` are those of the vector, so that
    `accounts.access` decides about this row as about the vector itself.
    """

    vector = models.OneToOneField(
        Vector, primary_key=True, on_delete=models.CASCADE, related_name="search_entry"
    )
    owner = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=64)
    visibility = models.CharField(max_length=12)
    # Whether it has a published version; all below is about the newest one.
    is_released = models.BooleanField()
    # Name, title and trait, for words that are almost right.
    words = models.CharField(max_length=260)
    document = SearchVectorField()
    # `verdict=pass`, `license=MIT`, …: one index answers any combination. `entries.FACETS` names them.
    facets = ArrayField(models.TextField())
    verdict_rank = models.PositiveSmallIntegerField()
    grade_rank = models.PositiveSmallIntegerField()
    is_deprecated = models.BooleanField()
    # When the newest version was published; of a vector without one, when it was made.
    fresh_at = models.DateTimeField()
    # Of the last 30 days, without CI; told by whoever counts them.
    downloads = models.PositiveIntegerField(default=0)
    score = models.GeneratedField(
        expression=RawSQL(SCORE, []),  # noqa: S611  a constant
        output_field=models.FloatField(),
        db_persist=True,
    )

    class Meta:
        indexes = [
            # Without its pending list, which searches would have to read through.
            GinIndex(fields=["document", "facets"], name="search_words_and_facets", fastupdate=False),
            models.Index(F("score").desc(), F("vector").desc(), name="search_best", condition=IS_RELEASED),
            models.Index(
                F("fresh_at").desc(), F("vector").desc(), name="search_newest", condition=IS_RELEASED
            ),
            models.Index(
                F("downloads").desc(),
                F("score").desc(),
                F("vector").desc(),
                name="search_most_used",
                condition=IS_RELEASED,
            ),
            models.Index(
                F("verdict_rank").desc(),
                F("score").desc(),
                F("vector").desc(),
                name="search_best_verdict",
                condition=IS_RELEASED,
            ),
            models.Index(F("name"), F("score").desc(), F("vector").desc(), name="search_named"),
            models.Index(F("owner"), F("score").desc(), F("vector").desc(), name="search_of_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.owner_id}/{self.name}"


class Card(models.Model):
    """What lists show of the newest version of a vector, in place of its report, which is a hundred times
    larger. In a table of its own: searches read through many entries and show few.
    """

    vector = models.OneToOneField(Vector, primary_key=True, on_delete=models.CASCADE, related_name="card")
    # `cards.Shown`.
    shown = models.JSONField()
    # A stored reply with and without the vector, `cards.Sample`; null where the report has none.
    sample = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"card of {self.vector_id}"


class RealField(models.FloatField):
    """Single precision: half the bytes, and what pgvector casts to its own type."""

    def db_type(self, connection: Any) -> str:
        return "real"


class Sketch(models.Model):
    """The direction of a version at a site, at the block where it is strongest, projected to few numbers.

    See `projection`. One with an empty site stands for a file that cannot be read.
    """

    version = models.ForeignKey(VectorVersion, on_delete=models.CASCADE, related_name="sketches")
    base_model = models.ForeignKey(BaseModelRevision, on_delete=models.CASCADE, related_name="+")
    site = models.CharField(max_length=20)
    block = models.PositiveIntegerField(default=0)
    numbers = ArrayField(RealField(), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "site"], name="one_sketch_of_version_and_site")
        ]
        indexes = [models.Index(fields=["base_model", "site"], name="sketches_to_compare")]

    def __str__(self) -> str:
        return f"{self.version_id} {self.site}.{self.block}"


class NearCopy(models.Model):
    """That a version points where an older one of another vector does, or straight away from there."""

    version = models.ForeignKey(VectorVersion, on_delete=models.CASCADE, related_name="near_copies")
    source = models.ForeignKey(VectorVersion, on_delete=models.CASCADE, related_name="+")
    cosine = models.FloatField()

    class Meta:
        ordering = ["-cosine"]
        constraints = [models.UniqueConstraint(fields=["version", "source"], name="one_near_copy_of_a_pair")]

    def __str__(self) -> str:
        return f"{self.version_id} of {self.source_id}: {self.cosine}"
