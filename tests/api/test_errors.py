"""Every failure is a problem with a stable code, whoever raised it."""

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFieldsSent
from django.db import DataError, OperationalError, connection
from django.http import Http404
from rest_framework import exceptions

from registry.api.errors import header_text, problem_handler
from registry.core.errors import ConflictError, UnavailableError
from registry.core.logging import request_id
from steering_core.errors import FormatError
from tests.api.conftest import Api

FIELDS = {"type", "title", "status", "detail", "code", "errors", "request_id"}


def test_unknown_path_is_a_problem(nobody: Api) -> None:
    for path in (
        "/nothing",
        "/vectors/",
        "/",
        "/runs/not-a-uuid",
        "/blobs/sha256:xyz",
        "/datasets/a/b/versions/0x1",
    ):
        answer = nobody.get(path)
        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] == "request.not_found"


def test_unknown_path_above_the_version_is_a_problem(nobody: Api) -> None:
    for path in ("/api", "/api/", "/api/v2/vectors"):
        assert nobody.client.get(path).json()["code"] == "request.not_found"


def test_problem_has_all_members_and_headers(nobody: Api) -> None:
    answer = nobody.get("/vectors/acme/nothing")
    body = answer.json()
    assert set(body) == FIELDS
    assert body["request_id"] == answer["X-Request-Id"]
    assert answer["X-Error-Code"] == body["code"] == "vector.not_found"
    assert answer["X-Error-Message"] == body["detail"]
    assert answer["Cache-Control"] == "no-store"


def test_problem_on_head_stands_in_headers(nobody: Api) -> None:
    answer = nobody.head("/vectors/acme/nothing")
    assert answer.content == b""
    assert answer["X-Error-Code"] == "vector.not_found"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "POST"])
def test_method_that_is_not_there_is_refused(nobody: Api, method: str) -> None:
    answer = nobody.send(method, "/vectors")
    assert answer.status_code == 405
    assert answer.json()["code"] == "request.method_not_allowed"
    assert "GET" in answer["Allow"]


def test_accept_header_changes_nothing(nobody: Api) -> None:
    for accept in ("text/html", "application/octet-stream", "garbage"):
        assert nobody.get("/vectors", Accept=accept).status_code == 200
    assert nobody.get("/vectors", {"format": "xml"}).status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ConflictError("taken", code="version.taken"), 409, "version.taken"),
        (FormatError("bad", code="format.shape"), 422, "format.shape"),
        (Http404(), 404, "request.not_found"),
        (PermissionDenied(), 403, "request.not_allowed"),
        (RequestDataTooBig(), 413, "request.too_large"),
        (TooManyFieldsSent(), 400, "request.parse_error"),
        (OperationalError("gone"), 503, "database.unavailable"),
        (UnavailableError("gone"), 503, "unavailable"),
        (exceptions.APIException("odd"), 500, "request.failed"),
        (exceptions.PermissionDenied(), 403, "request.not_allowed"),
        (DataError("our own mistake"), 500, "internal"),
        (KeyError("secret"), 500, "internal"),
    ],
)
def test_handler_gives_status_and_code(error: Exception, status: int, code: str) -> None:
    answer = problem_handler(error, {})
    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert ("Retry-After" in answer) == (status == 503)


def test_unexpected_error_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    token = request_id.set("r1")
    answer = problem_handler(KeyError("secret"), {})
    request_id.reset(token)
    assert "secret" not in str(answer.data)
    assert answer.data["request_id"] == "r1"
    assert caplog.records[0].exc_info is not None


@pytest.mark.django_db(transaction=True)
def test_lost_database_connection_answers_503(nobody: Api) -> None:
    with connection.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    answer = nobody.get("/vectors")
    connection.close()
    assert answer.status_code == 503
    assert answer.json()["code"] == "database.unavailable"
    assert answer["Retry-After"] == "5"


def test_header_text_is_one_line_of_ascii() -> None:
    assert header_text("a\r\nSet-Cookie: x\té" + "x" * 400).startswith("a Set-Cookie: x ?x")
    assert len(header_text("y" * 999)) == 300


def test_nested_faults_have_pointers() -> None:
    error = exceptions.ValidationError({"a/b": {"c": ["no"]}, "non_field_errors": ["bad"]})
    pointers = [item["pointer"] for item in problem_handler(error, {}).data["errors"]]
    assert pointers == ["/a~1b/c", ""]
