"""`Idempotency-Key` on a POST that creates: uploads of pairs, publishing. Runs have tests of their own."""

import threading
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from registry.api.models import KeyedAnswer
from registry.catalog.states import VersionState
from registry.datasets.models import DatasetVersion
from tests.api.conftest import Api
from tests.factories import make_pairs_file, make_vector_version

PUBLISH = "/vectors/acme/formality/publish"
BODY = {"version": "1.0.0", "license": "MIT", "visibility": "public"}
KEY = {"Idempotency-Key": "k-1"}


@pytest.fixture
def draft(owner: Api) -> Any:
    return make_vector_version(owner=owner.user, state=VersionState.EXTRACTED)


@pytest.mark.usefixtures("draft")
def test_second_post_gets_the_first_answer(owner: Api) -> None:
    first, second = (owner.post(PUBLISH, BODY, **KEY) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second["Location"] == first["Location"]
    assert (first.has_header("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (False, "true")
    assert owner.post(PUBLISH, BODY).json()["code"] == "version.taken"


@pytest.mark.usefixtures("draft")
def test_key_with_another_body_is_refused(owner: Api) -> None:
    owner.post(PUBLISH, BODY, **KEY)
    answer = owner.post(PUBLISH, BODY | {"license": "Apache-2.0"}, **KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency.mismatch")


@pytest.mark.usefixtures("draft")
def test_refused_post_may_be_sent_again_with_its_key(owner: Api) -> None:
    assert owner.post(PUBLISH, BODY | {"version": "one"}, **KEY).status_code == 422
    assert owner.post(PUBLISH, BODY, **KEY).status_code == 201


def test_form_with_a_file_is_stored_once(owner: Api) -> None:
    def push(word: str) -> Any:
        fields = {"name": "tone", "file": BytesIO(make_pairs_file(word=word))}
        return owner.client.post("/api/v1/datasets", fields, headers=KEY)

    first, second, other = push("tone"), push("tone"), push("style")
    assert (first.status_code, second.status_code, other.status_code) == (201, 201, 422)
    assert second.json() == first.json()
    assert DatasetVersion.objects.count() == 1


@pytest.mark.usefixtures("draft")
def test_keys_of_two_users_are_two(owner: Api, other: Api) -> None:
    assert owner.post(PUBLISH, BODY, **KEY).status_code == 201
    answer = other.post(PUBLISH, BODY, **KEY)
    assert answer.json()["code"] == "access.role_needed"


@pytest.mark.usefixtures("draft")
def test_kept_answer_cannot_be_read_without_its_key(owner: Api) -> None:
    owner.post(PUBLISH, BODY, **KEY)
    row = KeyedAnswer.objects.get()
    assert b"formality" not in bytes(row.answer or b"")
    assert "k-1" not in row.key_sha256


@pytest.mark.usefixtures("draft")
def test_first_request_under_way_is_409_until_it_has_died(owner: Api) -> None:
    owner.post(PUBLISH, BODY, **KEY)
    KeyedAnswer.objects.update(answer=None)
    answer = owner.post(PUBLISH, BODY, **KEY)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency.in_flight")
    KeyedAnswer.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    assert owner.post(PUBLISH, BODY, **KEY).json()["code"] == "version.taken"


@pytest.mark.usefixtures("draft")
def test_key_is_free_again_after_a_day(owner: Api) -> None:
    owner.post(PUBLISH, BODY, **KEY)
    KeyedAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert owner.post(PUBLISH, BODY | {"version": "2.0.0"}, **KEY).json()["code"] == "version.not_found"


@pytest.mark.django_db(transaction=True)
def test_ten_posts_with_one_key_publish_once(owner: Api, caller: Callable[..., Api]) -> None:
    make_vector_version(owner=owner.user, state=VersionState.EXTRACTED)
    answers: list[int] = []
    start = threading.Barrier(10)

    def post(api: Api) -> None:
        start.wait()
        try:
            answers.append(api.post(PUBLISH, BODY, **KEY).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=(Api(owner.user, owner.token),)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {201, 409}
    assert 201 in answers
    assert owner.post(PUBLISH, BODY, **KEY)["Idempotency-Replayed"] == "true"
