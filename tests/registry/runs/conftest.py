"""A queued run, made the way a user makes one."""

from collections.abc import Callable

import pytest
from tests.factories import make_base_model, make_dataset_version, make_user

from registry.accounts.models import User
from registry.runs.models import Run
from registry.runs.services import ExtractionRequest, extraction_start


@pytest.fixture
def owner(db: None) -> User:
    return make_user()


@pytest.fixture
def request_for(owner: User) -> Callable[..., ExtractionRequest]:
    """An extraction request on the owner's own dataset; keywords change it."""
    dataset = make_dataset_version(owner=owner)
    base_model = make_base_model()

    def build(**changes: str) -> ExtractionRequest:
        fields = {"dataset": str(dataset), "base_model": base_model.model_hash, "vector": "formality"}
        return ExtractionRequest(**{**fields, **changes})

    return build


@pytest.fixture
def run(owner: User, request_for: Callable[..., ExtractionRequest]) -> Run:
    return extraction_start(owner=owner, request=request_for())[0]
