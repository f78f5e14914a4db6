"""The examples of the OpenAPI document, against the schemas that stand beside them."""

from typing import Any

import jsonschema
import pytest
from drf_spectacular.generators import SchemaGenerator

from registry.api.examples import EXAMPLES, PROBLEM

DOCUMENT = SchemaGenerator(urlconf="registry.urls").get_schema(request=None, public=True)
METHODS = {
    method["operationId"]: method for methods in DOCUMENT["paths"].values() for method in methods.values()
}


def check(example: Any, schema: dict[str, Any]) -> None:
    jsonschema.validate(example, {**schema, "components": DOCUMENT["components"]})


@pytest.mark.parametrize("operation_id", EXAMPLES)
def test_example_is_what_its_schema_says(operation_id: str) -> None:
    request, status, answer = EXAMPLES[operation_id]
    method = METHODS[operation_id]
    if request is not None:
        body = method["requestBody"]["content"]["application/json"]
        assert body["example"] == request
        check(request, body["schema"])
    assert status in method["responses"]
    if answer is not None:
        shown = method["responses"][status]["content"]["application/json"]
        assert shown["example"] == answer
        check(answer, shown["schema"])


def test_every_operation_shows_a_problem() -> None:
    for method in METHODS.values():
        refused = method["responses"]["4XX"]["content"]["application/problem+json"]
        check(refused["example"], refused["schema"])
    assert PROBLEM["status"] == 404


def test_document_is_of_openapi_3_1_and_closes_its_bodies() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["RunBodyRequest"]["additionalProperties"] is False
    names = {p["name"]: p for p in METHODS["vectors_version_get"]["parameters"]}
    assert names["ref"]["schema"]["pattern"].startswith("^(latest|")
    keyed = {p["name"] for p in METHODS["vectors_publish"]["parameters"]}
    assert "Idempotency-Key" in keyed
