"""Every method of every path, asked by everybody, about rows of every kind: no 2xx that `access_table` does
not grant, and nothing refused that it does.

Each request is undone, so that the cells do not depend on one another.
"""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, reverse

from registry.accounts.access import FILE_GATES, Visibility
from registry.accounts.models import Team
from registry.accounts.services import token_create
from registry.api.v1.urls import urlpatterns
from registry.catalog.lifecycle import version_yank
from registry.catalog.models import Vector
from registry.catalog.states import VersionState
from registry.notifications.models import Notification
from registry.presets.drafts import MemberWish, PresetWish, preset_create
from registry.presets.publishing import preset_publish
from registry.runs.models import Run
from registry.trust.flags import flag_open
from registry.uploads.services import Announcement, upload_open
from registry.webhooks.services import NewWebhook, webhook_create
from tests.api.access_table import ADMIN, NOBODY, OWNER, READER, TABLE, WRITER, Rule
from tests.factories import (
    make_base_model,
    make_dataset_version,
    make_organisation,
    make_pairs_file,
    make_token,
    make_user,
    make_vector_version,
)

pytestmark = pytest.mark.django_db
# Kind of row -> the least role that sees it.
VECTORS = {
    "public": NOBODY,
    "unlisted": NOBODY,
    "yanked": NOBODY,
    "gated": NOBODY,
    "shared": READER,
    "private": WRITER,
    "draft": WRITER,
}
DATASETS = {"public": NOBODY, "unlisted": NOBODY, "shared": READER, "private": WRITER}
PRESETS = {"public": NOBODY, "unlisted": NOBODY, "shared": READER, "private": WRITER, "draft": WRITER}
SEEN = {"vector": VECTORS, "dataset": DATASETS, "preset": PRESETS}
VISIBILITY = {"shared": "organisation", "yanked": "public", "gated": "public", "draft": "private"}
OPERATIONS = [
    (pattern.name, method.upper())
    for pattern in urlpatterns
    if isinstance(pattern, URLPattern) and pattern.name
    for method in pattern.callback.cls().allowed_methods  # type: ignore[attr-defined]
    if method not in ("HEAD", "OPTIONS")
]


@dataclass(frozen=True)
class Caller:
    """Who asks: what they are in the organisation, and what their token may do."""

    name: str
    role: int
    scopes: tuple[str, ...]
    client: Client
    is_known: bool = True
    is_staff: bool = False
    # Asked about fewer kinds of rows: a role or its lack is tried with another caller.
    is_like_another: bool = False


@dataclass(frozen=True)
class World:
    """The rows, as the parameters of paths: for all, and for each kind of what `SEEN` names."""

    callers: list[Caller]
    common: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Mapping[str, Any]]]


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_world()
        transaction.set_rollback(True)


def make_world() -> World:
    people = {name: make_user(name) for name in ("reader", "writer", "admin", "boss", "mallory")}
    staff = make_user("staff", is_staff=True, is_superuser=True)
    roles = {"reader": people["reader"], "writer": people["writer"], "admin": people["admin"]}
    organisation = make_organisation("initech", **roles, owner=people["boss"])
    member = make_user("member")
    organisation.memberships.create(user=member, role="reader")
    team = Team.objects.create(namespace=organisation, name="red")
    team.members.add(member)
    token, _ = token_create(user=people["boss"], name="x", scopes=["read"])
    all_scopes = ("read", "write", "manage")
    callers = [Caller("anonymous", NOBODY, (), Client(), is_known=False)]
    for name, role in (("mallory", NOBODY), ("reader", READER), ("writer", WRITER), ("admin", ADMIN)):
        callers.append(caller(name, role, people[name], all_scopes))
    callers.append(caller("owner", OWNER, people["boss"], all_scopes))
    others = [caller(f"owner, {scope}", OWNER, people["boss"], (scope,)) for scope in all_scopes]
    others.append(replace(caller("staff", NOBODY, staff, all_scopes), is_staff=True))
    callers += [replace(who, is_like_another=True) for who in others]

    datasets = {}
    for kind in DATASETS:
        visibility = VISIBILITY.get(kind, kind)
        make_dataset_version(people["boss"], f"initech/{kind}", visibility)
        datasets[kind] = {"owner": "initech", "name": kind, "number": 1, "other": 1}
    vectors = {kind: make_vector(people["boss"], kind, seed) for seed, kind in enumerate(VECTORS)}
    presets = {kind: make_preset(people["boss"], kind) for kind in PRESETS}
    run = Run.objects.get(vector_version=vectors["private"]["version_id"])
    wanted = NewWebhook(namespace="initech", url="http://127.0.0.1:65009/hooks", actions=["*"])
    webhook, _ = webhook_create(actor=people["boss"], wanted=wanted)
    said = {"reason": "misleading", "text": "It gives none of what it is called after."}
    flag, _ = flag_open(actor=people["mallory"], kind="vector", owner="initech", name="gated", **said)
    common = {
        "slug": "initech",
        "username": "member",
        "alias": "stable",
        "team": "red",
        "owner": "initech",
        "name": "public",
        "token_id": token.pk,
        "invitation_id": "00000000-0000-0000-0000-000000000000",
        "run_id": run.pk,
        "upload_id": upload_open(actor=people["boss"], file=Announcement("ab" * 32, 9, "dataset")).pk,
        "number": 1,
        "day": "latest",
        "request_id": "0" * 32,
        "webhook_id": webhook.pk,
        # The end of a run told her.
        "notification_id": Notification.objects.filter(recipient=people["boss"])[0].pk,
        "flag_id": flag.pk,
        "delivery_id": "00000000-0000-0000-0000-000000000000",
        "model_hash": make_base_model().model_hash,
    }
    return World(callers, common, {"vector": vectors, "dataset": datasets, "preset": presets})


def caller(name: str, role: int, user: Any, scopes: tuple[str, ...]) -> Caller:
    client = Client(headers={"Authorization": f"Bearer {make_token(user, scopes)}"})
    return Caller(name, role, scopes, client)


def make_vector(boss: Any, kind: str, seed: int) -> dict[str, Any]:
    """A vector of this kind, and the parameters of the paths that lead to it."""
    state = VersionState.EXTRACTED if kind == "draft" else VersionState.PUBLISHED
    visibility = VISIBILITY.get(kind, kind)
    # The pairs are of one data set, which make_run would publish again each time.
    row = make_vector_version(boss, f"initech/{kind}", state, visibility=visibility, seed=seed)
    if kind == "yanked":
        version_yank(actor=boss, owner="initech", name=kind, version="1.0.0", reason="wrong sign")
    if kind == "gated":
        Vector.objects.filter(pk=row.vector_id).update(access="gated")
    return {
        "owner": "initech",
        "name": kind,
        "ref": "1.0.0",
        "other": "1.0.0",
        "version": "1.0.0",
        "version_id": row.pk,
        "sha256": row.artifact_id,
    }


def make_preset(boss: Any, kind: str) -> dict[str, Any]:
    """A preset of this kind, of the public vector."""
    mix = [MemberWish("initech/public", 0.1)]
    visibility = VISIBILITY.get(kind, kind)
    preset_create(actor=boss, wish=PresetWish(f"initech/{kind}", mix, visibility=visibility))
    if kind != "draft":
        preset_publish(actor=boss, owner="initech", name=kind, version="1.0.0")
    return {"owner": "initech", "name": kind, "preset_ref": "1.0.0", "version": "1.0.0"}


def test_every_operation_has_a_line() -> None:
    listed = {(name, method) for name, methods in TABLE.items() for method in methods}
    assert set(OPERATIONS) == listed, "write a line for it in tests/api/access_table.py"


@pytest.mark.parametrize(("name", "method"), OPERATIONS)
def test_operation_is_for_those_that_the_table_names(name: str, method: str, world: World) -> None:
    rule = TABLE[name][method]
    kinds: Mapping[str, Mapping[str, Any]] = {"": {}}
    kinds = world.rows.get(rule.on, kinds)
    wrong = [
        f"{who.name} on {kind or name}: {found}, not {wanted}"
        for kind, parameters in kinds.items()
        for who in world.callers
        if not (who.is_like_another and kind not in ("", "public", "private"))
        and (found := outcome(who, name, method, rule, {**world.common, **parameters}))
        != (wanted := expected(rule, who, kind))
    ]
    assert not wrong, "\n".join(wrong)


def expected(rule: Rule, who: Caller, kind: str) -> str:
    """ "yes", or the status that refuses."""
    if not (who.is_known or rule.anonymous):
        return "401"
    if rule.scope and rule.scope not in who.scopes:
        return "403"
    if rule.staff and not who.is_staff:
        return "404"
    if rule.on in SEEN:
        if who.role < SEEN[rule.on][kind] or (rule.by_name and kind == "draft"):
            return "404"
        if rule.files and kind == "gated" and FILE_GATES and who.role < READER:
            return "403"
    if who.role < rule.role:
        return "404" if rule.hidden else "403"
    return "yes"


def outcome(who: Caller, name: str, method: str, rule: Rule, parameters: Mapping[str, Any]) -> str:
    """What the service says: "yes" also where it then finds fault with the request, for that comes later."""
    wanted = pattern_parameters(name)
    path = reverse(f"v1:{name}", kwargs={key: parameters[key] for key in wanted})
    with transaction.atomic():
        if rule.upload:
            form = {**(rule.body or {}), "file": io.BytesIO(make_pairs_file())}
            answer = who.client.post(path, form)
        else:
            raw = isinstance(rule.body, bytes)
            data = rule.body if raw else b"" if rule.body is None else json.dumps(rule.body).encode()
            kind = "application/octet-stream" if raw else "application/json"
            answer = who.client.generic(method, path, data, kind)
        transaction.set_rollback(True)
    code = answer.headers.get("X-Error-Code", "")
    assert answer.status_code < 500, (who.name, path, code)
    if answer.status_code == 404 and code == rule.beyond:
        return "yes"
    return str(answer.status_code) if answer.status_code in (401, 403, 404) else "yes"


def pattern_parameters(name: str) -> list[str]:
    """The names of the parameters in a path."""
    pattern = next(p for p in urlpatterns if isinstance(p, URLPattern) and p.name == name)
    return list(pattern.pattern.converters)


def test_kinds_are_all_visibilities() -> None:
    assert {VISIBILITY.get(kind, kind) for kind in VECTORS} == set(Visibility.values)
