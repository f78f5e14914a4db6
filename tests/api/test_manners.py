"""What all operations share: conditional changes, deprecation, headers of errors."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from registry.api.deprecation import Deprecation
from registry.api.endpoint import Endpoint
from registry.api.preconditions import PreconditionError, check_if_match, etag_of, guarded
from registry.catalog.models import Vector
from tests.api.conftest import Api
from tests.factories import make_vector_version

ETAG = etag_of({"title": "Formality"})


def asking(if_match: str | None) -> Request:
    headers = {} if if_match is None else {"If-Match": if_match}
    return Request(RequestFactory().patch("/", headers=headers))


@pytest.mark.parametrize("sent", [None, "*", ETAG, f'"other", {ETAG}'])
def test_if_match_that_fits_is_let_through(sent: str | None) -> None:
    check_if_match(asking(sent), ETAG)


@pytest.mark.parametrize("sent", ['"other"', f"W/{ETAG}", "garbage", ""])
def test_if_match_that_does_not_fit_is_412(sent: str) -> None:
    with pytest.raises(PreconditionError) as caught:
        check_if_match(asking(sent), ETAG)
    assert (caught.value.http_status, caught.value.code) == (412, "precondition.failed")


def test_if_match_of_what_is_not_there_is_412() -> None:
    check_if_match(asking(None), None)
    with pytest.raises(PreconditionError):
        check_if_match(asking("*"), None)


@pytest.mark.django_db
def test_guarded_looks_again_once_the_row_is_locked() -> None:
    vector = make_vector_version().vector
    rows = Vector.objects.filter(pk=vector.pk)

    def now() -> str:
        return etag_of({"title": Vector.objects.get(pk=vector.pk).title})

    seen = now()
    with guarded(asking(seen), rows, now):
        rows.update(title="changed")
    with pytest.raises(PreconditionError), guarded(asking(seen), rows, now):
        rows.update(title="lost")
    assert Vector.objects.get(pk=vector.pk).title == "changed"


class Leaving(Endpoint):
    """An operation that will go."""

    authentication_classes = []
    permission_classes = []
    deprecation = Deprecation(datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC), "/api/v2/x")

    def get(self, request: Request) -> Response:
        return Response({}, headers={"Link": '<next>; rel="next"', "Vary": "Accept"})


def test_deprecated_operation_says_so_beside_its_own_headers() -> None:
    answer = Leaving.as_view()(APIRequestFactory().get("/"))
    assert answer["Deprecation"] == "@1798761600"
    assert answer["Sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
    links = answer["Link"].split(", ")
    assert [link.partition("; ")[2].partition(";")[0] for link in links] == [
        'rel="next"',
        'rel="deprecation"',
        'rel="successor-version"',
    ]
    assert answer["Vary"] == "Accept, Authorization"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nothing", 404, "request.not_found"),
        ("/vectors/no/body", 404, "vector.not_found"),
        ("/me", 401, "request.not_authenticated"),
        ("/vectors?limit=0", 422, "request.invalid"),
    ],
)
def test_head_of_an_error_says_everything_in_headers(nobody: Api, path: str, status: int, code: str) -> None:
    answer = nobody.head(path)
    assert (answer.status_code, answer["X-Error-Code"], answer.content) == (status, code, b"")
    assert answer["X-Error-Message"]
    assert len(answer["X-Request-Id"]) == 32
    assert answer["Cache-Control"] == "no-store"
    assert "Authorization" in answer["Vary"]


def test_bad_token_is_told_how_to_authenticate(caller: Callable[..., Api]) -> None:
    answer = Api(None, "brg_wrong").head("/vectors")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


def test_change_of_what_the_caller_has_not_seen_is_refused(owner: Api) -> None:
    make_vector_version(owner=owner.user)
    path = "/vectors/acme/formality"
    seen = owner.get(path)["ETag"]
    changed = owner.send("PATCH", path, {"title": "One"}, **{"If-Match": seen})
    assert (changed.status_code, changed["ETag"] != seen) == (200, True)
    late = owner.send("PATCH", path, {"title": "Two"}, **{"If-Match": seen})
    assert (late.status_code, late.json()["code"]) == (412, "precondition.failed")
    assert owner.get(path).json()["title"] == "One"
    assert owner.get(path)["ETag"] == changed["ETag"]
    assert owner.patch(path, {"title": "Three"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/presets", {"name": 7}, "/name"),
        ("/credentials/revoke", {"tokens": ["brg_x", 3]}, "/tokens"),
    ],
)
def test_number_where_a_text_is_expected_is_refused(
    owner: Api, path: str, body: dict[str, object], pointer: str
) -> None:
    answer = owner.post(path, body)

    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert answer.json()["errors"][0]["pointer"] == pointer
