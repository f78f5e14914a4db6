"""The pages of presets: the list, putting one together, measuring it, publishing and yanking it."""

from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.catalog.models import Vector
from registry.presets.models import PresetVersion
from registry.runs.leases import run_claim, run_complete
from registry.runs.models import Run
from tests.factories import make_vector_version
from tests.registry.runs.test_composing import result
from tests.web.pages import words

pytestmark = pytest.mark.django_db
ROWS = {"member-TOTAL_FORMS": "3", "member-INITIAL_FORMS": "0"}
MIX = {
    **ROWS,
    "name": "warm-and-brief",
    "title": "Warm and brief",
    "mode": "sum",
    "member-0-reference": "acme/warm",
    "member-0-strength": "0.2",
    "member-0-label": "warm",
    "member-0-low_label": "cold",
    "member-1-reference": "acme/brief",
    "member-1-strength": "-0.1",
    "member-1-label": "brief",
}


@pytest.fixture
def vectors(acme: User) -> None:
    for seed, name in enumerate(("warm", "brief")):
        make_vector_version(acme, name, seed=seed)


def draft_of(client: Client, **fields: Any) -> PresetVersion:
    answer = client.post("/presets/new", {**MIX, **fields})
    row = PresetVersion.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/presets/acme/warm-and-brief/drafts/{row.pk}")
    return row


def test_preset_is_put_together_measured_published_and_yanked(
    client: Client, signed_in: Client, vectors: None
) -> None:
    assert 'value="acme/warm"' in str(signed_in.get("/presets/new?vector=acme/warm").content)
    row = draft_of(signed_in)
    page = words(signed_in.get(f"/presets/acme/warm-and-brief/drafts/{row.pk}").content)
    assert "Measure the mix" in page
    assert "Publish unmeasured" in page
    assert client.get("/presets/acme/warm-and-brief").status_code == 404

    answer = signed_in.post("/presets/acme/warm-and-brief/measure", {"draft_id": str(row.pk)})
    run = Run.objects.get(kind="compose")
    assert answer["Location"] == f"/runs/{run.pk}"
    assert "Measuring acme/warm-and-brief" in words(signed_in.get(f"/runs/{run.pk}").content)
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    assert run_complete(run_id=claim.run_id, lease_token=claim.lease_token, result=result())
    assert f"/presets/acme/warm-and-brief/drafts/{row.pk}" in str(signed_in.get(f"/runs/{run.pk}").content)
    assert "acme/warm-and-brief" in words(signed_in.get("/runs/").content)

    said = {"draft_id": str(row.pk), "version": "1.0.0", "visibility": "public"}
    signed_in.post("/presets/acme/warm-and-brief/publish", said)
    page = words(client.get("/presets/acme/warm-and-brief").content)
    for text in (
        "Warm and brief",
        "@1.0.0",
        "pass",
        "cold",
        "+0.2",
        "This mix",
        "0.95 is needed",
        "acme/warm@1.0.0",
    ):
        assert text in page
    assert "pull(&quot;acme/warm@1.0.0&quot;), 0.2" in page
    assert "acme-warm.gguf --to llama.cpp --strength 1 bearing convert acme/brief@1.0.0" in page
    assert "Warm and brief" in words(client.get("/presets/?q=warm").content)
    assert "No preset matches" in words(client.get("/presets/?q=zebra").content)

    signed_in.post("/presets/acme/warm-and-brief/yank", {"version": "1.0.0", "reason": "too warm"})
    assert "too warm" in words(client.get("/presets/acme/warm-and-brief/versions/1.0.0").content)
    signed_in.post("/presets/acme/warm-and-brief/yank", {"version": "1.0.0", "back": "1"})
    assert client.get("/presets/acme/warm-and-brief").status_code == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"member-0-strength": "0.9"}, "−0.3 to 0.45"),
        ({"member-0-strength": ""}, "Give a strength"),
        ({"member-0-reference": "", "member-1-reference": ""}, "Name the vector"),
        ({"member-0-reference": "acme/nothing"}, "there is no vector acme/nothing"),
        ({"name": "Not A Name"}, "not a valid name"),
    ],
)
def test_refusal_is_shown_and_what_was_typed_stays(
    signed_in: Client, vectors: None, fields: dict[str, str], said: str
) -> None:
    answer = signed_in.post("/presets/new", {**MIX, **fields})

    assert answer.status_code == 422
    page = words(answer.content).replace("-0.3", "−0.3")
    assert said.lower() in page.lower()
    assert 'value="acme/brief"' in answer.content.decode() or "member-1-reference" in fields


def test_publishing_what_is_taken_is_refused_at_the_form(signed_in: Client, vectors: None) -> None:
    row = draft_of(signed_in)
    Vector.objects.filter(name="warm").update(visibility="private")
    said = {"draft_id": str(row.pk), "version": "1.0.0", "visibility": "public"}
    answer = signed_in.post("/presets/acme/warm-and-brief/publish", said)

    assert answer.status_code == 422
    assert "acme/warm@1.0.0 is private" in words(answer.content)


def test_list_is_empty_at_first_and_what_strangers_may_not_do_is_refused(
    client: Client, signed_in: Client, stranger: Client, vectors: None
) -> None:
    assert "No preset is published yet" in words(client.get("/presets/").content)
    assert client.get("/presets/new").status_code == 302
    row = draft_of(signed_in)
    assert stranger.get(f"/presets/acme/warm-and-brief/drafts/{row.pk}").status_code == 404
    assert stranger.post("/presets/acme/warm-and-brief/publish", {"version": "1.0.0"}).status_code == 404
    assert "draft" in words(signed_in.get("/presets/?mine=1").content)
