"""What goes back to an imported file, over any number of steps."""

from typing import Any

import pytest

from registry.catalog.models import VectorVersion, VersionParent
from registry.catalog.publishing import is_of_unknown_provenance
from registry.catalog.releasing import version_publish
from tests.factories import make_vector_version

pytestmark = pytest.mark.django_db


def test_unknown_provenance_is_passed_on_by_what_is_computed_or_moved(owner: Any) -> None:
    first = make_vector_version(owner, name="first", state="extracted")
    VectorVersion.objects.filter(pk=first.pk).update(origin="imported")
    version_publish(actor=owner, name="first", version="1.0.0", license="MIT")
    computed, moved, plain = (
        make_vector_version(owner, name=name, state="extracted", seed=seed)
        for seed, name in enumerate(("computed", "moved", "plain"), 1)
    )
    VersionParent.objects.create(parent=first, child=computed, kind="negated", weight=-1.0)
    VectorVersion.objects.filter(pk=moved.pk).update(migrated_from=computed)

    assert all(map(is_of_unknown_provenance, (first, computed, moved)))
    assert not is_of_unknown_provenance(plain)
