"""Gated files, reports to staff and the review queue, webhooks and the log, as a browser sees them."""

import json
from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.audit.models import AuditEvent
from registry.catalog.gating import access_set
from registry.catalog.models import Vector
from registry.datasets.models import Dataset
from registry.discovery.models import NearCopy
from registry.trust.flags import flags_find
from registry.trust.models import Flag
from registry.webhooks.models import Delivery, Webhook
from tests.factories import make_dataset_version, make_user, make_vector_version
from tests.web.conftest import client_of
from tests.web.pages import words

pytestmark = pytest.mark.django_db
LIE = {"reason": "misleading", "text": "It says formality and gives none of it."}


@pytest.fixture
def staff(db: None) -> Client:
    return client_of(make_user("boss", is_staff=True))


def test_gated_files_are_asked_for_and_given(signed_in: Client, stranger: Client, acme: User) -> None:
    make_vector_version(owner=acme)
    rule = {"access": "gated", "mode": "manual", "terms": "Be kind."}
    assert stranger.post("/acme/formality/access/rule", rule).status_code == 403
    assert signed_in.post("/acme/formality/access/rule", rule).status_code == 302

    refused = stranger.post("/acme/formality/access", {"message": "for a thesis"})
    assert refused.status_code == 422
    assert "for a thesis" in refused.content.decode()
    stranger.post("/acme/formality/access", {"message": "for a thesis", "accepts_terms": "on"})
    assert "lex asks for acme/formality" in words(signed_in.get("/settings/access").content)
    assert "lex asks" not in words(stranger.get("/settings/access").content)

    decision = "/acme/formality/access/requests/lex"
    assert stranger.post(decision, {"state": "granted"}).status_code == 403
    signed_in.post(decision, {"state": "granted", "reason": "welcome"})
    assert "You were let in" in words(stranger.get("/acme/formality/access").content)
    assert "welcome" in words(stranger.get("/settings/access").content)
    stranger.post("/acme/formality/access/withdraw")
    assert "Ask for the files" in words(stranger.get("/acme/formality/access").content)


def test_what_is_reported_is_decided_by_staff_alone(
    signed_in: Client, stranger: Client, staff: Client, acme: User
) -> None:
    make_vector_version(owner=acme)
    make_dataset_version(owner=acme, name="pairs", visibility="public")
    for address in ("vectors/acme/formality", "datasets/acme/pairs"):
        assert Client().get(f"/report/{address}").status_code == 302
        assert stranger.post(f"/report/{address}", LIE).status_code == 302
        # Again changes nothing.
        stranger.post(f"/report/{address}", LIE)
    assert stranger.post("/report/vectors/acme/formality", LIE | {"text": "bad"}).status_code == 422
    assert Flag.objects.count() == 2
    # Its owner does not learn who spoke.
    assert not AuditEvent.objects.filter(namespace="acme", action="flag.opened").exists()

    for client in (Client(), stranger, signed_in):
        assert client.get("/staff/review").status_code == 404
    queue = words(staff.get("/staff/review").content)
    assert "acme/formality" in queue
    assert "by lex" in queue
    flag, hidden = Flag.objects.get(vector__isnull=False), Flag.objects.get(dataset__isnull=False)
    decide = f"/staff/review/{flag.pk}/decide"
    assert stranger.post(decide, {"outcome": "removed", "reason": "x"}).status_code == 404
    assert "Say why" in words(staff.post(decide, {"outcome": "removed"}, follow=True).content)
    staff.post(decide, {"outcome": "deprecated", "reason": "Its name misleads."})
    staff.post(f"/staff/review/{hidden.pk}/decide", {"outcome": "hidden", "reason": "Names a person."})

    assert Vector.objects.get(name="formality").deprecation_reason == "Its name misleads."
    assert Dataset.objects.get(name="pairs").visibility == "private"
    page = words(signed_in.get("/datasets/acme/pairs").content)
    assert "Made private by operators Names a person." in page
    assert "Make it public" not in page
    log = words(signed_in.get("/settings/log").content)
    assert "decided a report on acme/formality : deprecated" in log
    decided = words(staff.get("/staff/review?state=decided").content)
    assert "Its name misleads." in decided
    assert decided.count("Let its owner show it again") == 1
    again = staff.post(decide, {"outcome": "dismissed", "reason": "no"}, follow=True)
    assert "decided this before" in words(again.content)


def test_service_flags_copies_of_others_and_staff_takes_one_down(
    staff: Client, acme: User, django_assert_max_num_queries: Any
) -> None:
    first = make_vector_version(owner=acme)
    copy = make_vector_version(owner=make_user("lex"), name="copied", seed=1)
    NearCopy.objects.create(version=copy, source=first, cosine=-0.99)

    assert [flags_find(), flags_find()] == [1, 0]

    flag = Flag.objects.get()
    with django_assert_max_num_queries(12):
        assert "sign flipped: acme/formality@1.0.0" in words(staff.get("/staff/review").content)
    staff.post(
        f"/staff/review/{flag.pk}/decide", {"outcome": "removed", "reason": "Copied.", "removal": "legal"}
    )
    assert Client().get("/lex/copied/versions/1.0.0").status_code == 451


def test_webhook_is_made_tried_and_ended(signed_in: Client, stranger: Client, settings: Any) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    sent = {"url": "http://127.0.0.1:8099/hook", "actions": "version.*\nalias.set", "description": "builds"}
    refused = signed_in.post("/settings/webhooks/", sent | {"actions": "Not An Action"})
    assert refused.status_code == 422
    assert "names no actions" in words(refused.content)
    made = signed_in.post("/settings/webhooks/", sent)
    assert "whsec_" in made.content.decode()
    row = Webhook.objects.get()
    at = f"/settings/webhooks/{row.pk}"
    assert row.actions == ["alias.set", "version.*"]
    assert "whsec_" not in signed_in.get(at).content.decode()
    assert stranger.get(at).status_code == 404

    signed_in.post(f"{at}/test")
    delivery = Delivery.objects.get()
    assert 'hx-trigger="every 3s"' in signed_in.get(at).content.decode()
    delivery.state, delivery.due_at = Delivery.State.FAILED, None
    delivery.save()
    signed_in.post(f"{at}/deliveries/{delivery.pk}/replay")
    assert Delivery.objects.get().state == Delivery.State.WAITING
    assert "whsec_" in signed_in.post(f"{at}/rotate").content.decode()
    signed_in.post(f"{at}/switch", {"is_active": "0"})
    assert "Switch it on" in words(signed_in.get(at).content)
    assert signed_in.post(f"{at}/delete")["Location"] == "/settings/webhooks/"
    assert not Webhook.objects.exists()


def test_log_is_told_in_sentences_filtered_and_kept_as_a_file(
    signed_in: Client, stranger: Client, acme: User, django_assert_max_num_queries: Any
) -> None:
    make_vector_version(owner=acme)
    access_set(actor=acme, owner="acme", name="formality", access="gated")

    with django_assert_max_num_queries(8):
        shown = words(signed_in.get("/settings/log").content)
    assert "acme published acme/formality@1.0.0" in shown
    assert "acme made the files of acme/formality gated" in shown
    assert "published" not in words(signed_in.get("/settings/log?about=token").content).split("everything")[1]
    assert "formality" not in words(stranger.get("/settings/log").content)
    assert signed_in.get("/settings/log?cursor=x").status_code == 422
    lines = b"".join(signed_in.get("/settings/log.jsonl").streaming_content).splitlines()
    assert "version.published" in {json.loads(line)["action"] for line in lines}
