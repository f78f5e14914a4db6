"""Addresses that objects carry, absolute from `PUBLIC_URL`: pages for people, and where a client goes on."""

from django.conf import settings
from django.urls import reverse

from registry.catalog.models import Vector, VectorVersion
from registry.catalog.states import RELEASED
from registry.datasets.models import Dataset, DatasetVersion
from registry.presets.models import Preset
from registry.runs.models import Run


def page(path: str) -> str:
    """The address of a page."""
    return f"{settings.PUBLIC_URL}{path}"


def operation(name: str, *args: object) -> str:
    """The address of an operation of this interface, by the name of its path in `v1.urls`."""
    return page(reverse(f"v1:{name}", args=args))


def dataset_page(row: Dataset) -> str:
    """`/datasets/owner/name`"""
    return page(f"/datasets/{row.owner.slug}/{row.name}")


def dataset_version_page(row: DatasetVersion) -> str:
    """`/datasets/owner/name/versions/1`"""
    return f"{dataset_page(row.dataset)}/versions/{row.number}"


def preset_page(row: Preset) -> str:
    """`/presets/owner/name`"""
    return page(f"/presets/{row.owner.slug}/{row.name}")


def vector_page(row: Vector) -> str:
    """`/owner/name`"""
    return page(f"/{row.owner.slug}/{row.name}")


def version_page(row: VectorVersion) -> str:
    """`/owner/name/versions/1.0.0`; a draft is shown on the page of its vector."""
    here = vector_page(row.vector)
    return f"{here}/versions/{row.version}" if row.version else here


def run_page(row: Run) -> str:
    """`/runs/{id}`"""
    return page(f"/runs/{row.pk}")


def version_url(row: VectorVersion) -> str:
    """The object of a version: by name once it is released, by row id before."""
    if row.state in RELEASED:
        return operation("version", row.vector.owner.slug, row.vector.name, row.version)
    return operation("version-by-id", row.pk)


def version_conformance(row: VectorVersion) -> str:
    """Where the certificate is: by name once the version is released, by row id before."""
    if row.state in RELEASED:
        vector = row.vector
        return operation("version-conformance", vector.owner.slug, vector.name, row.version)
    return operation("draft-conformance", row.pk)


def version_download(row: VectorVersion) -> str | None:
    """Where the file is: by name once it is released, by row id before, None while there is none."""
    if row.artifact_id is None:
        return None
    if row.state in RELEASED:
        vector = row.vector
        return operation("version-download", vector.owner.slug, vector.name, row.version)
    return operation("draft-download", row.pk)
