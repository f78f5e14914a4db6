"""What refers to a version, gathered from the apps that keep it. Whatever comes next adds a function here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from registry.api import links
from registry.catalog.models import VectorVersion
from registry.catalog.states import RELEASED
from registry.core.errors import NotFoundError
from registry.runs.selectors import version_statistics
from registry.serving.conversions import WRITERS
from registry.serving.models import Conversion
from registry.serving.selectors import conversion_list
from registry.storage.models import Blob
from registry.trust.selectors import blind_conclusion, blind_items, conclusion_json
from steering_core.formats.engines import ENGINES
from steering_core.spec import canonical_json, digest

REPORT_TYPE = "application/json"
TYPES = ("report", "conformance", "statistics", "blind-test", "conversion")


@dataclass(frozen=True, slots=True)
class Referrer:
    """A file about a version, or made of it.

    Attributes:
        created_at: when it was made; None where that is not known.
        annotations: more of it, such as the engine that a form is for.
    """

    type: str
    digest: str
    size_bytes: int
    media_type: str
    url: str
    created_at: datetime | None
    annotations: dict[str, str]


def referrer_list(viewer: Any, row: VectorVersion) -> list[Referrer]:
    """All of them, in the order of `TYPES`. What the viewer may not have is listed, but for statistics."""
    return [referrer for find in FINDERS for referrer in find(viewer, row)]


def _report(viewer: Any, row: VectorVersion) -> Iterator[Referrer]:
    if row.report is not None and row.state in RELEASED:
        url = f"{links.version_url(row)}/report"
        yield _of_json("report", row.report, url, row.published_at)


def _conformance(viewer: Any, row: VectorVersion) -> Iterator[Referrer]:
    if row.conformance is not None:
        yield _of_blob("conformance", row.conformance, links.version_conformance(row))


def _statistics(viewer: Any, row: VectorVersion) -> Iterator[Referrer]:
    """They give away the pairs' activations, so only those who may see the run know of them."""
    if (found := version_statistics(viewer=viewer, version=row)) is not None:
        run_id, blob = found
        yield _of_blob("statistics", blob, links.operation("run-statistics", run_id))


def _blind_test(viewer: Any, row: VectorVersion) -> Iterator[Referrer]:
    """What people say until now; its digest changes with the next answer."""
    try:
        blind_items(version=row)
    except NotFoundError:
        return
    said = conclusion_json(blind_conclusion(version=row))
    yield _of_json("blind-test", said, f"{links.version_url(row)}/blind-test", timezone.now())


def _conversions(viewer: Any, row: VectorVersion) -> Iterator[Referrer]:
    for format, made in sorted(conversion_list(version=row, writers=WRITERS).items()):
        if made.state != Conversion.State.DONE:
            continue
        for file in made.files.all():
            is_main = file.suffix == ENGINES[format].suffix
            query = {"format": format} | ({} if is_main else {"part": file.suffix.lstrip(".")})
            url = f"{links.version_download(row)}?{urlencode(query)}"
            yield _of_blob("conversion", file.blob, url, format=format, suffix=file.suffix)


def _of_blob(type: str, blob: Blob, url: str, **annotations: str) -> Referrer:
    return Referrer(type, blob.digest, blob.size_bytes, blob.media_type, url, blob.created_at, annotations)


def _of_json(type: str, value: Any, url: str, at: datetime | None) -> Referrer:
    data = canonical_json(value)
    return Referrer(type, digest(data), len(data), REPORT_TYPE, url, at, {})


FINDERS: list[Callable[[Any, VectorVersion], Iterator[Referrer]]] = [
    _report,
    _conformance,
    _statistics,
    _blind_test,
    _conversions,
]
