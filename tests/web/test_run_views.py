"""What pages show of runs: the steps, the blocks, durations, remedies, lists and starting again."""

import re
from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.runs.leases import run_claim, run_fail, run_found, run_progress
from registry.runs.models import Run
from registry.runs.services import event_add, run_cancel
from registry.runs.states import ErrorClass
from registry.web import run_pages
from registry.web.durations import about, duration
from registry.web.remedies import BY_CODE
from registry.web.run_stages import LABELS, stages_of
from tests.factories import make_base_model, make_dataset_version, make_run, make_vector_version
from tests.web.pages import words

HTMX = {"HX-Request": "true"}
PLACES = [
    {"site": "resid_post", "pooling": way, "block": block, "auroc": 0.5 + 0.1 * block, "d_prime": 1.0}
    for way in ("response_mean", "next_turn")
    for block in range(4)
]


@pytest.fixture
def run(acme: User) -> Run:
    return make_run(owner=acme)


def test_durations_read_like_a_clock() -> None:
    assert [duration(s) for s in (0.4, 42, 190, 4000, None)] == [
        "under 1 s",
        "42 s",
        "3 min 10 s",
        "1 h 7 min",
        "",
    ]
    assert [about(s) for s in (3, 44, 190)] == ["a few seconds", "about 45 s", "about 3 min"]


def test_steps_are_those_that_the_library_goes_through() -> None:
    from steering_core.evaluation.families import families_of

    for tier in ("smoke", "standard", "gold"):
        named = [family.name for family in families_of(tier)]
        assert [name for name in stages_of("extract", tier) if name in named] == named
        assert all(name in LABELS for kind in Run.Kind.values for name in stages_of(kind, tier))


@pytest.mark.django_db
def test_page_shows_blocks_as_they_come_and_only_what_is_new(signed_in: Client, run: Run) -> None:
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    mine = {"run_id": claim.run_id, "lease_token": claim.lease_token}
    run_progress(**mine, stage="select", progress=0.2, message="choosing")
    page = signed_in.get(f"/runs/{run.pk}")
    assert "Block by block" not in words(page.content)
    assert 'aria-current="step"' in page.content.decode()
    run_found(**mine, message="separated", facts={"kind": "places", "places": PLACES})
    asked = {
        "seen": page.context["mark"],
        "stage_seen": page.context["status_line"],
        "after": page.context["newest"],
    }
    part = signed_in.get(f"/runs/{run.pk}/progress", asked, headers=HTMX)
    shown = part.content.decode()
    assert "Block 3, whole answer, tells the poles apart best" in shown
    assert "separated" in shown
    assert "choosing" not in shown
    assert f"<title>Working: {LABELS['select']}, 20 %" in shown
    effects = [{"pooling": "next_turn", "block": 2, "dose": 0.2, "effect": 1.5}]
    run_found(**mine, message="steered", facts={"kind": "effects", "effects": effects})
    metric = {"id": "effect", "label": "effect", "value": 1.5, "verdict": "pass"}
    run_found(**mine, message="m", facts={"kind": "family", "name": "response", "metrics": [metric]})
    page_words = words(signed_in.get(f"/runs/{run.pk}").content)
    assert "block 2: effect +1.50" in page_words
    assert "Measured so far" in page_words


@pytest.mark.django_db
def test_log_shows_the_newest_lines_and_says_that_others_are_left_out(
    signed_in: Client, run: Run, monkeypatch: Any
) -> None:
    monkeypatch.setattr(run_pages, "EVENTS_SHOWN", 3)
    for number in range(2):
        event_add(run, "load", f"line {number}")
    assert "left out" not in words(signed_in.get(f"/runs/{run.pk}").content)
    event_add(run, "load", "line 2")
    page = signed_in.get(f"/runs/{run.pk}")
    assert re.findall(r"line \d", words(page.content)) == ["line 0", "line 1", "line 2"]
    assert "The newest 3 lines; earlier ones are left out." in words(page.content)

    event_add(run, "load", "line 3")
    asked = {"seen": page.context["mark"], "after": page.context["newest"]}
    part = signed_in.get(f"/runs/{run.pk}/progress", asked, headers=HTMX)
    assert re.findall(r"line \d", words(part.content)) == ["line 3"]


@pytest.mark.django_db
def test_failed_run_names_the_cause_the_remedy_and_starts_again(signed_in: Client, run: Run) -> None:
    claim = run_claim(run_id=str(run.pk))
    assert claim is not None
    run_fail(
        run_id=claim.run_id,
        lease_token=claim.lease_token,
        error_class=ErrorClass.USER,
        code="extraction.no_difference",
        message="the two sides are the same",
    )
    page = words(signed_in.get(f"/runs/{run.pk}").content)
    assert BY_CODE["extraction.no_difference"].happened in page
    assert "The two sides are the same" in page
    assert "Start with other settings" in page
    where = signed_in.post(f"/runs/{run.pk}/retry")["Location"]
    assert where != f"/runs/{run.pk}"
    assert signed_in.post(f"/runs/{run.pk}/retry")["Location"] == where


@pytest.mark.django_db
def test_list_is_narrowed_by_its_address_and_costs_the_same(
    signed_in: Client, stranger: Client, acme: User, django_assert_num_queries: Any
) -> None:
    make_vector_version(owner=acme)
    run_cancel(actor=acme, run_id=str(make_run(owner=acme, vector="stopped").pk))
    # Session and user, the runs, the owners, the bell.
    with django_assert_num_queries(5):
        page = signed_in.get("/runs/").content.decode()
    assert "hx-trigger" not in page
    make_run(owner=acme, vector="waiting")
    with django_assert_num_queries(5):
        page = signed_in.get("/runs/").content.decode()
    assert 'hx-trigger="every 3s"' in page
    for query, expected in (
        ("state=active", ["acme/waiting"]),
        ("state=cancelled&kind=extract", ["acme/stopped"]),
        ("kind=import", []),
        ("owner=initech", []),
        ("state=nonsense", ["acme/waiting", "acme/stopped", "acme/formality"]),
    ):
        answer = signed_in.get(f"/runs/?{query}")
        assert [str(row.run.subject) for row in answer.context["rows"]] == expected, query
    assert "No such runs" in words(signed_in.get("/runs/?kind=import").content)
    assert stranger.post(f"/runs/{Run.objects.first().pk}/retry").status_code == 404  # type: ignore[union-attr]


@pytest.mark.django_db
def test_extract_page_says_what_it_takes_and_starts_the_run(signed_in: Client, acme: User) -> None:
    make_vector_version(owner=acme)
    other = make_base_model(name="bearing/other", model_hash="sha256:" + "cd" * 32)
    path = "/datasets/acme/tone-pairs/versions/1/extract"
    page = words(signed_in.get(path).content)
    assert "as one run here with 20 pairs" in page
    assert "0 of 20 places taken" in page
    part = signed_in.get(f"{path}/estimate", {"base_model": other.model_hash}, headers=HTMX)
    assert "no run yet to judge by" in words(part.content)
    assert signed_in.get(f"{path}/estimate")["Location"].startswith(path)
    sent = {"base_model": other.model_hash, "owner": "acme", "vector": "tone", "tier": "smoke"}
    assert signed_in.post(path, {**sent, "publish_version": "one", "idempotency_key": "a"}).status_code == 422
    run = signed_in.post(path, {**sent, "idempotency_key": "b"})["Location"]
    assert "1 at work" not in words(signed_in.get(run).content)
    assert "Next in the queue" in words(signed_in.get(run).content)
    assert make_dataset_version(owner=acme).number == 1
