"""Request rates on the real cache."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client, override_settings

from registry.api.throttling import BucketThrottle
from registry.core.rates import parse_rate
from tests.api.conftest import Api
from tests.factories import make_vector_version


@pytest.fixture
def rates(settings: Any) -> Iterator[None]:
    # A day is long enough that no window ends while a test runs.
    limits = {
        "anon": "2/day",
        "user": "3/day",
        "jobs-user": "1/day",
        "files-anon": "1/day",
        "pages-anon": "1/day",
    }
    cache.clear()
    with override_settings(REST_FRAMEWORK={**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": limits}):
        yield
    cache.clear()


@pytest.mark.usefixtures("rates")
def test_third_anonymous_request_is_throttled(nobody: Api) -> None:
    assert [nobody.get("/vectors").status_code for _ in range(3)] == [200, 200, 429]
    answer = nobody.get("/vectors")
    assert answer.json()["code"] == "request.throttled"
    assert 0 < int(answer["Retry-After"]) <= 86_400


@pytest.mark.usefixtures("rates")
def test_second_token_of_a_user_gives_no_more_requests(caller: Callable[..., Api]) -> None:
    one, two = caller("acme"), caller("acme")
    assert [api.get("/me").status_code for api in (one, two, one, two)] == [200, 200, 200, 429]


@pytest.mark.usefixtures("rates")
def test_other_users_are_counted_apart(owner: Api, other: Api) -> None:
    assert [owner.get("/me").status_code for _ in range(4)][-1] == 429
    assert other.get("/me").status_code == 200


@pytest.mark.usefixtures("rates")
def test_forwarded_for_of_a_stranger_is_not_believed(nobody: Api) -> None:
    addresses = [f"203.0.113.{n}" for n in range(3)]
    answers = [nobody.get("/vectors", **{"X-Forwarded-For": address}) for address in addresses]
    assert answers[-1].status_code == 429


@pytest.mark.usefixtures("rates")
def test_unknown_path_is_throttled_too(nobody: Api) -> None:
    assert [nobody.get("/nothing").status_code for _ in range(3)] == [404, 404, 429]


def test_without_rates_nothing_is_counted(nobody: Api) -> None:
    assert {nobody.get("/vectors").status_code for _ in range(5)} == {200}


@pytest.mark.usefixtures("rates")
def test_every_answer_says_what_is_left(nobody: Api) -> None:
    answers = [nobody.get(path) for path in ("/vectors", "/vectors/no/body", "/vectors")]
    assert [answer["RateLimit"].partition(";t=")[0] for answer in answers] == [
        '"api";r=1',
        '"api";r=0',
        '"api";r=0',
    ]
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"api";q=2;w=86400'}


@pytest.mark.usefixtures("rates")
def test_buckets_are_counted_apart(nobody: Api, owner: Api) -> None:
    row = make_vector_version(owner=owner.user)
    files = [nobody.get(f"/blobs/{row.digest}") for _ in range(2)]
    assert [answer.status_code for answer in files] == [200, 429]
    assert files[1]["RateLimit"].startswith('"files";r=0;')
    assert nobody.get("/vectors").status_code == 200
    # Reading runs is no job; starting one is.
    assert [owner.post("/runs", {}).status_code for _ in range(2)] == [422, 429]
    assert owner.get("/runs")["RateLimit-Policy"].startswith('"api";')


@pytest.mark.usefixtures("rates", "db")
def test_pages_have_a_bucket_of_their_own_and_health_has_none() -> None:
    pages = [Client().get("/docs/api") for _ in range(2)]
    assert [page.status_code for page in pages] == [200, 429]
    assert pages[0]["RateLimit"].startswith('"pages";r=0;')
    assert int(pages[1]["Retry-After"]) > 0
    assert Client().get("/healthz").status_code == 200


@pytest.mark.usefixtures("rates")
def test_valkey_out_of_reach_lets_requests_through(nobody: Api) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        answers = [nobody.get("/vectors") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert not answers[0].has_header("RateLimit")


@pytest.mark.parametrize(
    ("rate", "parsed"), [("300/min", (300, 60)), ("5/s", (5, 1)), ("1/day", (1, 86_400))]
)
def test_parse_rate_gives_count_and_seconds(rate: str, parsed: tuple[int, int]) -> None:
    assert parse_rate(rate) == parsed


def test_throttle_before_any_request_has_no_wait() -> None:
    assert BucketThrottle().wait() is None
