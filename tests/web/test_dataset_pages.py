"""Datasets: the list, one version, its file, and starting an extraction."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from registry.accounts.models import User
from registry.runs.models import Run
from tests.factories import make_base_model, make_dataset_version, make_pairs_file, make_run
from tests.web.pages import words

pytestmark = pytest.mark.django_db
PAGE = "/datasets/acme/tone-pairs"


def test_dataset_list_shows_public_and_own_ones(client: Client, signed_in: Client, acme: User) -> None:
    make_dataset_version(owner=acme, visibility="public")
    make_dataset_version(owner=acme, name="secret")
    assert "acme/secret" not in words(client.get("/datasets/").content)
    page = words(signed_in.get("/datasets/").content)
    assert "acme/secret" in page
    assert "acme/tone-pairs" in page


def test_dataset_page_shows_report_splits_pairs_and_digest(client: Client, acme: User) -> None:
    version = make_dataset_version(owner=acme, visibility="public")
    page = words(client.get(PAGE).content)
    for text in ("Usable pairs", "Train", "Select", "Test", "Certainly. Answer 0.", version.digest, "JSONL"):
        assert text in page


def test_dataset_private_is_404_for_others(stranger: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    for path in ("", "/versions/1", "/versions/1/download"):
        assert stranger.get(PAGE + path).status_code == 404
    assert stranger.post(f"{PAGE}/versions/1/extract").status_code == 404
    assert stranger.post(f"{PAGE}/publish").status_code == 404


def test_dataset_download_is_the_canonical_file(client: Client, acme: User) -> None:
    make_dataset_version(owner=acme, visibility="public")
    response = client.get(f"{PAGE}/versions/1/download")
    assert response.content == make_pairs_file()
    assert response["Content-Disposition"] == 'attachment; filename="acme-tone-pairs-1.jsonl"'


def test_dataset_made_public_is_seen_by_everybody(signed_in: Client, client: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    assert signed_in.post(f"{PAGE}/publish")["Location"] == PAGE
    assert client.get(PAGE).status_code == 200


def test_extract_form_starts_one_run_however_often_it_is_sent(signed_in: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    sent = {
        "base_model": make_base_model().model_hash,
        "vector": "tone",
        "tier": "smoke",
        "idempotency_key": "k1",
    }
    first, second = (signed_in.post(f"{PAGE}/versions/1/extract", sent)["Location"] for _ in range(2))
    assert first == second == f"/runs/{Run.objects.get().pk}"


def test_extract_form_starts_with_the_defaults_folded_away(signed_in: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    sent = {"base_model": make_base_model().model_hash, "vector": "tone", "tier": "smoke"}
    page = signed_in.get(f"{PAGE}/versions/1/extract").content.decode()
    assert '<details class="more"><summary>For experts' in page
    assert "it reads better than it writes" in words(page)
    signed_in.post(f"{PAGE}/versions/1/extract", {**sent, "idempotency_key": "k1"})
    spec = Run.objects.get().vector_version.spec
    assert (spec["method"], spec["site"], spec["pooling"]) == ("mean_difference", "resid_post", "auto")


def test_extract_form_takes_every_expert_setting(signed_in: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    expert = {"method": "whitened", "site": "mlp_out", "pooling": "next_turn"}
    sent = {"base_model": make_base_model().model_hash, "vector": "tone", "tier": "smoke", **expert}
    signed_in.post(f"{PAGE}/versions/1/extract", {**sent, "idempotency_key": "k1"})
    spec = Run.objects.get().vector_version.spec
    assert {name: spec[name] for name in expert} == expert


def test_extract_form_refused_with_an_expert_setting_shows_it(signed_in: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    sent = {"base_model": make_base_model().model_hash, "vector": "No", "tier": "smoke", "method": "pca"}
    page = signed_in.post(f"{PAGE}/versions/1/extract", {**sent, "idempotency_key": "k1"}).content.decode()
    assert '<details class="more" open><summary>For experts' in page


def test_extract_form_unknown_site_is_refused_on_the_page(signed_in: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    sent = {"base_model": make_base_model().model_hash, "vector": "tone", "tier": "smoke", "site": "x"}
    response = signed_in.post(f"{PAGE}/versions/1/extract", {**sent, "idempotency_key": "k1"})
    assert (response.status_code, Run.objects.count()) == (422, 0)


def test_extract_form_refusal_keeps_what_was_typed(signed_in: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    sent = {
        "base_model": make_base_model().model_hash,
        "vector": "Not A Slug",
        "tier": "smoke",
        "idempotency_key": "k1",
    }
    response = signed_in.post(f"{PAGE}/versions/1/extract", sent)
    assert response.status_code == 422
    assert "is not a valid name" in words(response.content)
    assert 'value="Not A Slug"' in response.content.decode()
    assert 'value="k1"' not in response.content.decode()


def test_extract_page_without_base_models_says_so(signed_in: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    assert "No base model is registered" in words(signed_in.get(f"{PAGE}/versions/1/extract").content)


def test_dataset_page_lists_the_newest_runs_of_the_viewer_at_the_price_of_one(
    signed_in: Client, stranger: Client, acme: User, django_assert_num_queries: Any
) -> None:
    make_dataset_version(owner=acme, visibility="public")
    run = make_run(owner=acme)
    with CaptureQueriesContext(connection) as once:
        page = signed_in.get(PAGE).content.decode()
    assert f'href="/runs/{run.pk}"' in page
    assert "acme/formality extraction with @1" in words(page)
    make_run(owner=acme, vector="other")
    with django_assert_num_queries(len(once)):
        signed_in.get(PAGE)
    assert "Your newest runs" not in words(stranger.get(PAGE).content)


def test_dataset_list_costs_the_same_for_one_or_three(
    client: Client, acme: User, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        make_dataset_version(owner=acme, name=f"pairs-{number}", visibility="public")
        with django_assert_num_queries(1):
            client.get("/datasets/")
