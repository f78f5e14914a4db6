"""The vector page: for everybody, for its owner, in every state of a version."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.catalog.lifecycle import vector_deprecate, version_yank
from registry.catalog.models import Vector, VectorVersion
from tests.factories import make_organisation, make_vector, make_vector_version
from tests.reports import older_report, report_v1
from tests.web.pages import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def published(acme: User) -> VectorVersion:
    return make_vector_version(owner=acme)


def test_vector_page_says_what_it_is_how_to_use_it_and_how_it_was_measured(
    client: Client, published: VectorVersion
) -> None:
    page = words(client.get("/acme/formality").content)
    for text in (
        "Turns replies from casual to formal; works from −0.3 to 0.45.",
        "from steering_core.client import pull",
        "pull(&quot;acme/formality@1.0.0&quot;)".replace("&quot;", '"'),
        "bearing pull acme/formality@1.0.0",
        "sha256sum -c",
        "Does the direction exist?",
        "19 random vectors",
        published.digest,
        published.spec_digest,
        "CC-BY-4.0",
    ):
        assert text in page


def test_vector_page_has_the_exact_commands_of_each_engine(client: Client, published: VectorVersion) -> None:
    page = unescape(words(client.get("/acme/formality").content))
    ratio = published.manifest["directions"][0]["ratio"]
    for text in (
        "It acts on the output of block 2, counted from 0: resid_post.2 .",
        f"Strength +0.3 is {0.3 / ratio:.2f} × the stored direction",
        "bearing convert acme/formality@1.0.0 formality.gguf \\ --to llama.cpp --strength 0.3",
        "llama-server -m MODEL.gguf --control-vector-scaled formality.gguf:1",
        'ControlVector.import_gguf("formality.gguf")',
    ):
        assert text in page


def test_vector_page_gives_every_text_to_copy_an_id_of_its_own(
    client: Client, published: VectorVersion
) -> None:
    page = client.get("/acme/formality").content.decode()
    ids = re.findall(r'\bid="([^"]+)"', page)
    copied = re.findall(r'data-copy="([^"]+)"', page)

    assert len(set(ids)) == len(ids)
    assert len(set(copied)) == len(copied)
    assert set(copied) <= set(ids)


def test_vector_page_says_why_an_engine_cannot_be_used(client: Client, published: VectorVersion) -> None:
    page = words(client.get("/acme/formality").content)

    assert "ds4 not this vector The vector is for the operation add; ds4 has project." in page
    assert "--to ds4" not in page


def test_vector_page_says_how_to_check_an_engine(client: Client, published: VectorVersion) -> None:
    page = words(client.get("/acme/formality").content)

    assert "Certificate: yes" in page
    assert "bearing verify acme/formality@1.0.0 \\ --engine llama.cpp --model model.gguf" in page


def test_vector_page_without_a_certificate_says_why(
    client: Client, acme: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "the effect is too small to tell the right block from the one before"
    monkeypatch.setattr("tests.factories.certified", lambda seed: {"conformance_missing": why})
    make_vector_version(owner=acme)

    page = words(client.get("/acme/formality").content)

    assert f"Certificate: none {why.capitalize()}" in page
    assert "bearing verify" not in page


def test_vector_page_shows_sign_set_points_and_doses(
    client: Client, acme: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    vector = replace(
        make_vector(),
        sign="positive",
        set_points={"resid_post.2": (-0.7, 1.4)},
        doses=((-0.3, 0.41), (0.0, 0.0), (0.3, 0.52)),
    )
    monkeypatch.setattr("tests.factories.make_vector", lambda seed=0: vector)
    make_vector_version(owner=acme)

    page = words(client.get("/acme/formality").content)

    for text in (
        "a positive strength moves replies towards formal, a negative one towards casual",
        "the negative and the positive texts lie at −0.70 and 1.40 along the direction",
        "(the best of a few on the select split; 0.52 nats)",
        "Strength Multiplier Nats",
    ):
        assert text in page


def test_vector_page_says_where_to_start_and_how_steady_it_is(
    client: Client, published: VectorVersion
) -> None:
    page = words(client.get("/acme/formality").content)
    for text in (
        "start at +0.30",
        "How steady is it",
        "0.971 with the direction that endless pairs would give",
        "row 17 3.1°",
        "About 9 train pairs give a cosine of 0.95; 12 were used.",
    ):
        assert text in page
    assert "more place" not in page


def test_vector_page_with_an_older_report_leaves_out_what_it_lacks(
    signed_in: Client, acme: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.factories.make_report", lambda *asked: older_report())
    make_vector_version(owner=acme, visibility="private")
    response = signed_in.get("/acme/formality")
    page = words(response.content)
    assert response.status_code == 200
    assert "How the place was chosen" in page
    for text in ("How steady is it", "start at", "train pairs give", "Start at"):
        assert text not in page


def test_vector_page_with_a_report_of_version_1_is_public_as_it_was(
    client: Client, acme: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.factories.make_report", lambda *asked: report_v1())
    version = make_vector_version(owner=acme, visibility="private")
    type(version.vector).objects.update(visibility="public")

    page = words(client.get("/acme/formality").content)

    assert "Does the direction exist?" in page
    for text in ("grade", "What the report says", "Or just ask?", "Gate by gate"):
        assert text not in page


def test_vector_page_begins_with_the_headlines_then_the_gates(client: Client, acme: User) -> None:
    make_vector_version(owner=acme, verdict="insufficient")

    page = words(client.get("/acme/formality").content)

    order = [
        "grade C",
        "standard tier on bearing/demo , 4 test pairs in 4 groups",
        "A system prompt does more than this vector",
        "Effect: What decides causal.",
        "Existence insufficient data",
        "Or just ask?",
        "Gate by gate",
        "About 120 pairs would decide it. Rule: passes if the lower bound is at least 0.85",
        "From 24 in 20 groups, test pairs.",
        "For your information",
        "1,400 texts and 52,000 tokens of replies",
    ]
    assert sorted(order, key=lambda text: page.find(text)) == order
    assert all(text in page for text in order)


def test_draft_that_was_not_screened_is_offered_privately_and_says_why(signed_in: Client, acme: User) -> None:
    version = make_vector_version(owner=acme, state="extracted", safety="insufficient")
    response = signed_in.get("/acme/formality")
    sent = {"draft_id": version.pk, "version": "1.0.0", "license": "MIT", "visibility": "public"}
    refused = signed_in.post("/acme/formality/publish", sent)

    assert response.context["publish_form"].initial["visibility"] == "private"
    assert "It was not screened for safety" in words(response.content)
    assert refused.status_code == 422
    assert "it can only be private" in words(refused.content)


def test_draft_that_fails_the_safety_screen_has_no_form_to_publish_it(signed_in: Client, acme: User) -> None:
    version = make_vector_version(owner=acme, state="extracted", safety="fail")
    page = words(signed_in.get("/acme/formality").content)
    sent = {"draft_id": version.pk, "version": "1.0.0", "license": "MIT", "visibility": "private"}
    refused = signed_in.post("/acme/formality/publish", sent)

    assert "This version cannot be published" in page
    assert "harmful_compliance: Passes if" in page
    assert "Publish this version" not in page
    assert refused.status_code == 422
    version.refresh_from_db()
    assert version.state == "extracted"


def test_edit_to_public_of_an_unscreened_vector_is_refused_on_the_page(signed_in: Client, acme: User) -> None:
    make_vector_version(owner=acme, visibility="private", safety="insufficient")

    refused = signed_in.post("/acme/formality/edit", {"title": "New", "visibility": "public"})

    assert refused.status_code == 422
    assert "was not screened for safety" in words(refused.content)
    assert Vector.objects.get().visibility == "private"


def test_vector_page_has_a_fader_of_the_stored_replies(client: Client, published: VectorVersion) -> None:
    page = client.get("/acme/formality").content.decode()
    assert page.count('name="fader-0"') == 3
    assert "kindly reset it ." in words(page)


@pytest.mark.parametrize("reference", ["1.0.0", "latest", "digest"])
def test_vector_page_resolves_every_reference(
    client: Client, published: VectorVersion, reference: str
) -> None:
    named = published.digest if reference == "digest" else reference
    assert client.get(f"/acme/formality/versions/{named}").status_code == 200


@pytest.mark.parametrize("path", ["/acme/none", "/nobody/formality", "/acme/formality/versions/9.9.9"])
def test_vector_page_unknown_is_a_404_page(client: Client, published: VectorVersion, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "Nothing here" in words(response.content)


def test_private_vector_of_another_is_404_everywhere(stranger: Client, acme: User) -> None:
    version = make_vector_version(owner=acme, visibility="private")
    for path in (
        "",
        "/versions/1.0.0",
        "/versions/1.0.0/download",
        f"/drafts/{version.pk}",
        f"/drafts/{version.pk}/download",
    ):
        assert stranger.get(f"/acme/formality{path}").status_code == 404
    for path in ("publish", "yank", "unyank", "edit"):
        assert (
            stranger.post(f"/acme/formality/{path}", {"version": "1.0.0", "reason": "x"}).status_code == 404
        )


@pytest.mark.parametrize("state", ["draft", "extracted"])
def test_draft_is_shown_to_its_owner_only(
    signed_in: Client, stranger: Client, acme: User, state: str
) -> None:
    version = make_vector_version(owner=acme, state=state)
    assert signed_in.get(f"/acme/formality/drafts/{version.pk}").status_code == 200
    assert signed_in.get("/acme/formality").status_code == 200
    assert stranger.get(f"/acme/formality/drafts/{version.pk}").status_code == 404


def test_publish_form_suggests_and_publishes(signed_in: Client, acme: User, client: Client) -> None:
    version = make_vector_version(owner=acme, state="extracted")
    form = signed_in.get("/acme/formality").context["publish_form"]
    assert form.initial == {
        "draft_id": version.pk,
        "version": "1.0.0",
        "visibility": "public",
        "domain": "",
    }
    sent = {"draft_id": version.pk, "version": "1.0.0", "license": "CC0-1.0", "visibility": "public"}
    response = signed_in.post("/acme/formality/publish", sent)
    assert response["Location"] == "/acme/formality/versions/1.0.0"
    assert client.get("/acme/formality").status_code == 200


def test_publish_form_of_an_organisation_publishes_there(signed_in: Client, acme: User) -> None:
    make_organisation("initech", writer=acme)
    row = make_vector_version(owner=acme, name="initech/formality", state="extracted")
    form = {"draft_id": row.pk, "version": "1.0.0", "license": "MIT", "visibility": "private"}
    answer = signed_in.post("/initech/formality/publish", form)
    assert (answer.status_code, answer["Location"]) == (302, "/initech/formality/versions/1.0.0")


def test_deprecated_version_says_so(client: Client, published: VectorVersion, acme: User) -> None:
    vector_deprecate(actor=acme, name=published.vector.name, reason="too strong")
    assert "is deprecated: too strong" in client.get("/acme/formality").content.decode()


def test_publish_taken_version_is_refused_on_the_page(signed_in: Client, acme: User) -> None:
    make_vector_version(owner=acme)
    draft = make_vector_version(owner=acme, state="extracted", seed=1)
    sent = {"draft_id": draft.pk, "version": "1.0.0", "license": "MIT", "visibility": "public"}
    response = signed_in.post("/acme/formality/publish", sent)
    assert response.status_code == 422
    assert "versions are never reused" in words(response.content)
    assert 'value="1.0.0"' in response.content.decode()


def test_yank_shows_the_reason_and_can_be_taken_back(
    signed_in: Client, client: Client, published: VectorVersion
) -> None:
    signed_in.post("/acme/formality/yank", {"version": "1.0.0", "reason": "The pairs were wrong."})
    page = words(client.get("/acme/formality/versions/1.0.0").content)
    assert "The pairs were wrong." in page
    assert "This version was yanked" in page
    signed_in.post("/acme/formality/unyank", {"version": "1.0.0"})
    assert "This version was yanked" not in words(client.get("/acme/formality").content)


def test_yank_without_reason_is_refused_on_the_page(signed_in: Client, published: VectorVersion) -> None:
    response = signed_in.post("/acme/formality/yank", {"version": "1.0.0", "reason": " "})
    assert response.status_code == 422
    assert "This field is required" in words(response.content)


def test_edit_changes_the_words_and_their_escaping_holds(signed_in: Client, published: VectorVersion) -> None:
    sent = {"title": "Formal <i>", "description": "One\n<script>2", "visibility": "public"}
    assert signed_in.post("/acme/formality/edit", sent).status_code == 302
    page = signed_in.get("/acme/formality").content.decode()
    assert "Formal &lt;i&gt;" in page
    assert "One<br>&lt;script&gt;2" in page


def test_first_screen_has_the_pin_the_mixer_and_the_reasons(client: Client, acme: User) -> None:
    version = make_vector_version(owner=acme)
    page = client.get("/acme/formality").content.decode()

    assert 'href="/mixer?vector=acme/formality@1.0.0&amp;strength=0.3"' in page
    assert f"acme/formality@{version.digest}" in page
    assert "<mark>kindly</mark>" in page
    assert "Not signed." in page
    for anchor in ("use", "curve", "side-effects", "safety", "transfer", "provenance", "files"):
        assert f'<a href="#{anchor}">' in page
        assert f'id="{anchor}"' in page


def test_diff_page_compares_two_versions_and_keeps_to_what_one_may_see(
    client: Client, stranger: Client, acme: User, published: VectorVersion
) -> None:
    assert "There is nothing to compare with yet" in words(client.get("/acme/formality/diff").content)
    make_vector_version(owner=acme, version="1.1.0", seed=1, verdict="warn")
    page = words(client.get("/acme/formality/diff").content)

    for text in ("From acme/formality@1.0.0 to acme/formality@1.1.0", "Verdict pass warn", "overlap"):
        assert text in page
    assert client.get("/acme/formality/diff?from=9.9.9").status_code == 404
    Vector.objects.update(visibility="private")
    assert stranger.get("/acme/formality/diff?from=1.0.0&to=1.1.0").status_code == 404


def test_form_of_another_engine_is_asked_for_once_and_shown_as_being_made(
    signed_in: Client, published: VectorVersion
) -> None:
    path = "/acme/formality/versions/1.0.0"
    answer = signed_in.post(f"{path}/forms", {"format": "llama.cpp"})
    assert answer["Location"] == f"{path}#files"
    assert "being made" in words(signed_in.get(path).content)
    assert signed_in.get(f"{path}/download?format=llama.cpp").status_code == 404
    assert "is not offered" in words(signed_in.post(f"{path}/forms", {"format": "x"}, follow=True).content)


def test_card_is_stored_as_typed_and_shown_clean(signed_in: Client, published: VectorVersion) -> None:
    card = "# Limits\n\n<script>alert(1)</script> [x](javascript:alert(1))"
    sent = {"title": "", "description": "", "card_text": card, "visibility": "public"}
    shown = signed_in.post("/acme/formality/edit", sent | {"preview": "1"}, headers={"HX-Request": "true"})
    assert "<h3>Limits</h3>" in shown.content.decode()
    assert Vector.objects.get().card_text == ""

    assert signed_in.post("/acme/formality/edit", sent).status_code == 302
    page = signed_in.get("/acme/formality").content.decode()
    assert Vector.objects.get().card_text == card
    assert "<h3>Limits</h3>" in page
    assert "<script>alert" not in page
    assert 'href="javascript' not in page


def test_download_gives_the_file_by_its_digest(client: Client, published: VectorVersion) -> None:
    response = client.get("/acme/formality/versions/1.0.0/download")
    assert response["ETag"] == f'"{published.digest}"'
    assert "acme-formality-1.0.0.safetensors" in response["Content-Disposition"]
    assert b"bearing" in response.content


def test_private_download_is_never_cached(signed_in: Client, acme: User) -> None:
    make_vector_version(owner=acme, visibility="private")
    response = signed_in.get("/acme/formality/versions/1.0.0/download")
    assert response["Cache-Control"] == "private, no-store"


def test_vector_page_costs_the_same_for_one_version_or_three(
    client: Client, acme: User, published: VectorVersion, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(17):
        client.get("/acme/formality")
    for seed in (1, 2):
        make_vector_version(owner=acme, version=f"1.{seed}.0", seed=seed)
    with django_assert_num_queries(17):
        client.get("/acme/formality")


@pytest.mark.parametrize("verdict", ["pass", "warn", "insufficient", "fail"])
def test_vector_page_shows_every_verdict(client: Client, acme: User, verdict: str) -> None:
    make_vector_version(owner=acme, verdict=verdict)
    response = client.get("/acme/formality")
    assert response.status_code == 200
    assert verdict in words(response.content)


def test_yanked_only_version_is_still_found_by_its_address(client: Client, published: VectorVersion) -> None:
    version_yank(actor=published.run.owner, name="formality", version="1.0.0", reason="wrong")
    assert client.get("/acme/formality").status_code == 200
