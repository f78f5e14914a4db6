"""The OpenAPI document over HTTP. `/me` is tested with authentication."""

import json
from pathlib import Path

from tests.api.conftest import Api

ROOT = Path(__file__).resolve().parents[3]


def test_openapi_document_is_the_one_in_the_repository(nobody: Api) -> None:
    answer = nobody.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == json.loads((ROOT / "docs" / "openapi.json").read_text())
