"""Who may see what."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from registry.core.visibility import visible_to
from registry.datasets.models import Dataset

pytestmark = pytest.mark.django_db


def test_private_rows_are_their_owners_alone(owner: Any, other: Any) -> None:
    Dataset.objects.create(owner=owner, name="open", visibility="public")
    Dataset.objects.create(owner=owner, name="closed")
    seen = [
        sorted(Dataset.objects.filter(visible_to(viewer)).values_list("name", flat=True))
        for viewer in (owner, other, AnonymousUser(), None)
    ]
    assert seen == [["closed", "open"], ["open"], ["open"], ["open"]]
