"""The form that moves a version to another base model, and what a moved version's page says."""

from typing import Any

import pytest
from django.test import Client

from registry.catalog.vectors import vector_update
from registry.runs.models import Run
from registry.runs.services import MigrationRequest, migration_start
from tests.factories import make_base_model, make_user, make_vector_version

pytestmark = pytest.mark.django_db
OTHER_HASH = "sha256:" + "cd" * 32


@pytest.fixture
def version(acme: Any) -> Any:
    return make_vector_version(owner=acme)


@pytest.fixture
def target() -> Any:
    return make_base_model(name="bearing/other", model_hash=OTHER_HASH)


def fields(version: Any, **changes: str) -> dict[str, str]:
    """What the form sends."""
    sent = {"base_model": OTHER_HASH, "vector": "formality-two", "tier": "smoke", "idempotency_key": "k"}
    return {"version_id": str(version.pk), **sent, **changes}


def test_vector_page_offers_the_move_to_its_owner_alone(
    signed_in: Client, stranger: Client, version: Any, target: Any
) -> None:
    mine, theirs = (client.get("/acme/formality").content.decode() for client in (signed_in, stranger))

    assert "Move to another base model" in mine
    assert f'value="{OTHER_HASH}"' in mine
    assert "Move to another base model" not in theirs


def test_vector_page_without_another_base_model_offers_no_move(signed_in: Client, version: Any) -> None:
    assert "Move to another base model" not in signed_in.get("/acme/formality").content.decode()


def test_move_sent_twice_starts_one_run_and_shows_it(signed_in: Client, version: Any, target: Any) -> None:
    answers = [signed_in.post("/acme/formality/migrate", fields(version)) for _ in range(2)]

    run = Run.objects.get(kind="migrate")
    assert [answer["Location"] for answer in answers] == [f"/runs/{run.pk}"] * 2
    assert "Moving acme/formality to bearing/other" in signed_in.get(f"/runs/{run.pk}").content.decode()


def test_move_that_is_refused_shows_the_form_again(signed_in: Client, version: Any, target: Any) -> None:
    answer = signed_in.post("/acme/formality/migrate", fields(version, vector="Not A Slug"))

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "is not a valid name" in page
    assert 'value="Not A Slug"' in page
    assert not Run.objects.filter(kind="migrate").exists()


def test_move_of_somebody_elses_vector_takes_their_pairs(stranger: Client, version: Any, target: Any) -> None:
    assert stranger.post("/acme/formality/migrate", fields(version)).status_code == 403


def test_page_of_a_moved_version_names_its_source_only_to_those_who_may_see_it(
    signed_in: Client, version: Any, target: Any, acme: Any
) -> None:
    request = MigrationRequest("acme/formality@1.0.0", OTHER_HASH, "formality-two")
    migration_start(actor=acme, request=request)

    page = signed_in.get("/acme/formality-two").content.decode()

    assert 'Moved from <a href="/acme/formality/versions/1.0.0">acme/formality@1.0.0</a>' in page
    assert 'on base model <span class="mono">bearing/demo</span>' in page


def test_page_of_a_version_that_was_moved_from_a_private_one_tells_no_name(
    client: Client, acme: Any, version: Any, target: Any
) -> None:
    request = MigrationRequest("acme/formality@1.0.0", OTHER_HASH, "formality-two")
    run, _ = migration_start(actor=acme, request=request)
    vector_update(actor=acme, name="formality", visibility="private")
    lex = make_user("lex")
    run.vector_version.vector.owner = lex.namespaces.get()
    run.vector_version.vector.save()
    client.force_login(lex)

    page = client.get("/lex/formality-two").content.decode()

    assert "Moved from a private vector on base model" in page
    assert "acme" not in page
