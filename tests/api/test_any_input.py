"""Random junk in every parameter of every operation: any answer but a fault of ours."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.urls import URLPattern
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.api.v1.urls import urlpatterns
from tests.api.conftest import Api
from tests.factories import make_vector_version

FEW = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
WORDS = [
    "acme",
    "formality",
    "tone-pairs",
    "latest",
    "1.0.0",
    "sha256:" + "0" * 64,
    "1",
    "0",
    "-1",
    "",
    "\0",
    "..",
    "%00",
]
PARAMETERS = ["q", "owner", "base_model", "verdict", "mine", "after", "cursor", "limit", "format", "page"]
FIELDS = [
    "dataset",
    "base_model",
    "vector",
    "method",
    "publish_version",
    "license",
    "visibility",
    "title",
    "reason",
]
TEXT = st.sampled_from(WORDS) | st.text(max_size=80)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NAMED = [pattern for pattern in urlpatterns if isinstance(pattern, URLPattern) and pattern.name]
WRITES = [
    (method, pattern)
    for pattern in NAMED
    for method in ("POST", "PUT", "PATCH", "DELETE")
    if method in pattern.callback.cls().allowed_methods
]


@pytest.fixture
def filled(owner: Api) -> Api:
    make_vector_version(owner=owner.user)
    return owner


def fill(route: str, words: list[str]) -> str:
    """A route with junk in place of its parameters."""
    parts = [words[i % len(words)] if "<" in part else part for i, part in enumerate(str(route).split("/"))]
    return "/" + "/".join(quote(part, safe="") for part in parts)


@FEW
@given(
    pattern=st.sampled_from(NAMED),
    words=st.lists(TEXT, min_size=1, max_size=4),
    query=st.dictionaries(st.sampled_from(PARAMETERS), TEXT, max_size=3),
    header=st.sampled_from(["Range", "If-None-Match", "If-Range", "Accept", "Idempotency-Key"]),
    value=st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n"), max_size=40),
)
def test_any_read_is_answered(
    filled: Api, pattern: Any, words: list[str], query: dict[str, str], header: str, value: str
) -> None:
    safe = {key: text.encode("utf-8", "replace").decode() for key, text in query.items()}
    words = [word.encode("utf-8", "replace").decode() for word in words]
    answer = filled.get(fill(pattern.pattern, words), safe, **{header: value})
    assert answer.status_code < 500, answer.content


@FEW
@given(
    write=st.sampled_from(WRITES),
    words=st.lists(TEXT, min_size=1, max_size=4),
    body=JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6),
)
def test_any_json_is_answered(filled: Api, write: Any, words: list[str], body: Any) -> None:
    method, pattern = write
    words = [word.encode("utf-8", "replace").decode() for word in words]
    answer = filled.send(method, fill(pattern.pattern, words), body)
    assert answer.status_code < 500, answer.content


@FEW
@given(
    data=st.binary(max_size=300),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=x"]),
)
def test_any_bytes_are_answered(filled: Api, data: bytes, kind: str) -> None:
    for path in ("/runs", "/datasets", "/vectors/inspect"):
        answer = filled.client.generic("POST", f"/api/v1{path}", data, kind)
        assert 400 <= answer.status_code < 500


@FEW
@given(
    fields=st.dictionaries(
        st.sampled_from(["name", "visibility", "description", "file", "x"]), TEXT, max_size=4
    )
)
def test_any_form_is_answered(filled: Api, fields: dict[str, str]) -> None:
    safe = json.loads(json.dumps(fields).encode("utf-8", "replace"))
    safe = {key: text.encode("utf-8", "replace").decode() for key, text in safe.items()}
    assert 400 <= filled.upload("/datasets", **safe).status_code < 500
