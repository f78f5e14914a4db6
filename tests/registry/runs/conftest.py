"""A queued run, made the way a user makes one.

Models are imported inside the fixtures: a conftest beside the tests may be read before Django is set up.
"""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def owner(db: None) -> Any:
    from tests.factories import make_user

    return make_user()


@pytest.fixture
def request_for(owner: Any) -> Callable[..., Any]:
    """An extraction request on the owner's own dataset; keywords change it."""
    from registry.runs.services import ExtractionRequest
    from tests.factories import make_base_model, make_dataset_version

    dataset = make_dataset_version(owner=owner)
    base_model = make_base_model()

    def build(**changes: str) -> ExtractionRequest:
        fields = {"dataset": str(dataset), "base_model": base_model.model_hash, "vector": "formality"}
        return ExtractionRequest(**{**fields, **changes})

    return build


@pytest.fixture
def run(owner: Any, request_for: Callable[..., Any]) -> Any:
    from registry.runs.services import extraction_start

    return extraction_start(actor=owner, request=request_for())[0]
