"""Profiles of people and organisations, organisations and their teams, as a browser sees them."""

import re
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from registry.accounts.models import Invitation, Membership, Namespace, Team, User
from registry.audit.models import AuditEvent
from registry.webhooks.models import Webhook
from tests.factories import make_dataset_version, make_organisation, make_user, make_vector_version
from tests.web.conftest import client_of
from tests.web.pages import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(acme: User) -> dict[str, Client]:
    """The organisation initech: acme owns it, ann is its admin, rea reads; lex is a stranger."""
    make_organisation(owner=acme, admin=make_user("ann"), reader=make_user("rea"))
    named = {name: client_of(User.objects.get(username=name)) for name in ("acme", "ann", "rea")}
    return named | {"lex": client_of(make_user("lex")), "nobody": Client()}


def statuses(people: dict[str, Client], address: str) -> dict[str, int]:
    return {name: client.get(address).status_code for name, client in people.items()}


def test_profile_shows_each_viewer_their_part(
    people: dict[str, Client], acme: User, django_assert_max_num_queries: Any
) -> None:
    make_vector_version(owner=acme, name="initech/formality")
    make_vector_version(owner=acme, name="initech/secret", visibility="private", seed=1)
    make_dataset_version(owner=acme, name="initech/closed")

    shown = {name: words(client.get("/initech").content) for name, client in people.items()}

    assert all("Formality" in text and "Organisation" in text for text in shown.values())
    assert ["Secret" in shown[name] for name in ("acme", "rea", "nobody")] == [True, False, False]
    assert ["Members" in shown[name] for name in ("rea", "lex", "nobody")] == [True, False, False]
    assert "closed" in words(people["ann"].get("/initech?tab=datasets").content)
    assert "closed" not in words(people["lex"].get("/initech?tab=datasets").content)
    assert "rea" in words(people["rea"].get("/initech?tab=members").content)
    # Who is no member gets the first tab, whatever they ask for.
    assert "Formality" in words(people["lex"].get("/initech?tab=members").content)
    with django_assert_max_num_queries(16) as once:
        people["acme"].get("/initech")
    # However many vectors are shown.
    make_vector_version(owner=acme, name="initech/third", seed=3)
    with django_assert_max_num_queries(len(once)):
        people["acme"].get("/initech")
    assert people["nobody"].get("/no-such-owner").status_code == 404


def test_own_profile_is_edited_and_keeps_what_was_refused(signed_in: Client, acme: User) -> None:
    sent = {"title": "Acme", "description": "We make tone.", "website": "javascript:alert(1)"}
    refused = signed_in.post("/settings/", sent)
    assert refused.status_code == 422
    assert "is no web address" in words(refused.content)
    assert "We make tone." in refused.content.decode()
    assert Namespace.objects.get(slug="acme").title == ""

    assert signed_in.post("/settings/", sent | {"website": "https://acme.example"}).status_code == 302
    page = Client().get("/acme").content.decode()
    assert 'href="https://acme.example" rel="nofollow ugc noopener"' in page
    assert "We make tone." in page
    event = AuditEvent.objects.get(action="profile.updated")
    assert event.data["fields"] == ["description", "title", "website"]


def test_mark_is_the_same_every_time_and_differs_between_names() -> None:
    from registry.web.avatars import avatar

    assert avatar("acme") == avatar("acme") != avatar("initech")
    assert "style" not in avatar("acme")


def test_organisation_is_founded_and_a_taken_name_refused(signed_in: Client, acme: User) -> None:
    assert (
        signed_in.post("/organisations/new", {"slug": "initech"})["Location"]
        == "/organisations/initech/members"
    )
    assert Membership.objects.get(namespace__slug="initech").role == "owner"
    refused = signed_in.post("/organisations/new", {"slug": "lnitech", "title": "Kept"})
    assert refused.status_code == 422
    assert "could be mistaken" in words(refused.content)
    assert 'value="Kept"' in refused.content.decode()
    assert "initech" in words(signed_in.get("/organisations/").content)


def test_members_pages_open_to_those_who_belong(people: dict[str, Client]) -> None:
    expected = {"acme": 200, "ann": 200, "rea": 200, "lex": 403, "nobody": 302}
    for page in ("members", "teams"):
        assert statuses(people, f"/organisations/initech/{page}") == expected
    assert statuses(people, "/organisations/initech/settings") == expected | {"rea": 403}
    assert "Invite somebody" not in words(people["rea"].get("/organisations/initech/members").content)
    assert people["acme"].get("/organisations/nowhere/members").status_code == 404


def test_member_is_invited_changed_and_removed(
    people: dict[str, Client], django_capture_on_commit_callbacks: Any
) -> None:
    at = "/organisations/initech"
    with django_capture_on_commit_callbacks(execute=True):
        answer = people["ann"].post(f"{at}/invitations", {"email": "lex@example.org", "role": "writer"})
    link = re.search(r"/invitations/([\w-]+)<", answer.content.decode())
    assert link
    assert link[1] in mail.outbox[-1].body
    assert link[1] not in people["ann"].get(f"{at}/members").content.decode()
    assert (
        people["ann"].post(f"{at}/invitations", {"email": "x@example.org", "role": "owner"}).status_code
        == 403
    )
    assert (
        people["rea"].post(f"{at}/invitations", {"email": "x@example.org", "role": "reader"}).status_code
        == 403
    )
    kept = people["ann"].post(f"{at}/invitations", {"email": "no address", "role": "reader"})
    assert kept.status_code == 422
    assert "no address" in kept.content.decode()

    assert people["lex"].post(f"{at}/invitations/{Invitation.objects.get().pk}/revoke").status_code == 403
    people["ann"].post(f"{at}/invitations/{Invitation.objects.get().pk}/revoke")
    assert Invitation.objects.get().revoked_at

    assert people["ann"].post(f"{at}/members/acme/role", {"role": "reader"}).status_code == 403
    last = people["acme"].post(f"{at}/members/acme/remove", follow=True)
    assert "last owner" in words(last.content)
    people["acme"].post(f"{at}/members/rea/role", {"role": "owner"})
    assert people["acme"].post(f"{at}/members/acme/remove")["Location"] == "/organisations/"
    people["rea"].post(f"{at}/members/ann/remove")
    assert list(
        Membership.objects.filter(namespace__slug="initech").values_list("user__username", "role")
    ) == [("rea", "owner")]


def test_team_is_made_filled_renamed_and_ended(people: dict[str, Client]) -> None:
    at = "/organisations/initech/teams"
    assert people["rea"].post(at, {"name": "tone"}).status_code == 403
    assert people["ann"].post(at, {"name": "tone"})["Location"] == f"{at}/tone"
    assert people["ann"].post(at, {"name": "Not A Name"}).status_code == 422
    assert people["ann"].post(f"{at}/tone/members", {"username": "rea"}).status_code == 302
    assert people["ann"].post(f"{at}/tone/members", {"username": "lex"}).status_code == 422
    assert people["ann"].post(f"{at}/tone/grants", {"name": "formality", "role": "writer"}).status_code == 302
    assert people["ann"].post(f"{at}/tone/grants", {"name": "formality", "role": "admin"}).status_code == 403
    shown = words(people["rea"].get(f"{at}/tone").content)
    assert "initech/formality writer" in shown
    assert "Leave" in shown

    assert people["ann"].post(f"{at}/tone/name", {"name": "voice"})["Location"] == f"{at}/voice"
    people["rea"].post(f"{at}/voice/members/rea/remove")
    people["ann"].post(f"{at}/voice/grants/formality/remove")
    team = Team.objects.get()
    assert (team.members.count(), team.grants.count()) == (0, 0)
    people["ann"].post(f"{at}/voice/delete")
    assert not Team.objects.exists()


def test_what_cannot_be_undone_is_asked_first(people: dict[str, Client], settings: Any) -> None:
    boss, at = people["acme"], "/organisations/initech"
    boss.post(f"{at}/invitations", {"email": "lex@example.org", "role": "writer"})
    boss.post(f"{at}/teams", {"name": "tone"})
    boss.post(f"{at}/teams/tone/members", {"username": "acme"})
    boss.post("/settings/tokens/", {"name": "laptop", "scope": "read"})
    settings.WEBHOOK_ALLOW_PRIVATE = True
    boss.post("/settings/webhooks/", {"url": "http://127.0.0.1:8099/hook", "actions": "version.*"})
    forms = {
        f"{at}/members": 4,
        f"{at}/settings": 1,
        f"{at}/teams/tone": 2,
        "/settings/close": 1,
        "/settings/tokens/": 1,
        f"/settings/webhooks/{Webhook.objects.get().pk}": 1,
    }
    for address, n_forms in forms.items():
        html = boss.get(address).content.decode()
        dialogs = "".join(re.findall(r"<dialog.*?</dialog>", html, re.DOTALL))
        form = r'action="[^"]+/(?:remove|revoke|delete)"'
        counts = [len(re.findall(form, text)) for text in (html, dialogs)]
        assert counts == [n_forms, n_forms], address


@pytest.mark.parametrize(
    ("username", "email", "said"),
    [
        ("acrne", "op@example.org", "mistaken for acme"),
        ("operator", "ACME@example.org", "another account's"),
        ("settings", "op@example.org", "reserved"),
    ],
)
def test_createsuperuser_says_what_is_wrong(
    acme: User, username: str, email: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-good-password")
    with pytest.raises(CommandError, match=said):
        call_command("createsuperuser", username=username, email=email, interactive=False, verbosity=0)
