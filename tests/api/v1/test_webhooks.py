"""Webhooks over REST: made, tried, changed and ended by an admin; the secret is shown once."""

from collections.abc import Callable
from typing import Any

import pytest

from registry.audit.services import record
from registry.webhooks.deliveries import deliveries_send
from registry.webhooks.outbox import events_fan_out
from tests.api.conftest import Api
from tests.factories import make_organisation

# Nothing listens there.
BODY = {"url": "http://127.0.0.1:65009/hooks", "actions": ["thing.*"]}


@pytest.fixture
def admin(caller: Callable[..., Api]) -> Api:
    return caller("acme", ("read", "manage"))


def test_life_of_a_webhook(admin: Api) -> None:
    made = admin.post("/webhooks", BODY)
    assert made.status_code == 201
    path = made["Location"].partition("/api/v1")[2]
    secret = made.json().pop("secret")
    assert secret.startswith("whsec_")
    assert admin.get(path).json().items() <= made.json().items()

    changed = admin.patch(path, {"description": "ci", "actions": ["*"]}).json()
    assert (changed["description"], changed["actions"], changed["url"]) == ("ci", ["*"], BODY["url"])
    assert admin.post(f"{path}/rotate").json()["secret"] not in (secret, "")
    assert admin.get("/webhooks").json()["items"][0]["old_secret_until"] is not None

    assert admin.post(f"{path}/test").status_code == 202
    deliveries_send()
    [delivery] = admin.get(f"{path}/deliveries", {"state": "waiting"}).json()["items"]
    assert (delivery["action"], delivery["attempts"][0]["status"]) == ("webhook.test", None)
    again = admin.post(f"{path}/deliveries/{delivery['id']}/replay")
    assert (again.status_code, again.json()["message_id"]) == (202, delivery["message_id"])

    admin.patch(path, {"is_active": False})
    assert admin.post(f"{path}/test").json()["code"] == "webhook.inactive"
    admin.patch(path, {"is_active": True})
    assert admin.post(f"{path}/replay", {"since": "2026-01-01T00:00:00Z"}).json() == {"replayed": 1}
    # In UTC the one is before the year 1, the other after the year 9999.
    for since in ("0001-01-01T00:00:01+10:18", "9999-12-31T23:59:59-10:00"):
        assert admin.post(f"{path}/replay", {"since": since}).json() == {"replayed": 0}
    assert admin.send("DELETE", path).status_code == 204
    assert admin.get(path).json()["code"] == "webhook.not_found"

    # The log names it by its id, since an address may hold a key.
    log = admin.get("/audit", {"action": "webhook"}).json()["items"]
    assert [item["action"] for item in log][::-1] == [
        "webhook.created",
        "webhook.updated",
        "webhook.rotated",
        "webhook.updated",
        "webhook.updated",
        "webhook.deleted",
    ]
    assert not [item for item in log if "127.0.0.1" in str(item)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": "ftp://example.org"}, "webhook.url_refused"),
        ({"actions": []}, "request.invalid"),
        ({"actions": ["Version"]}, "request.invalid"),
        ({"follows": ["no-such"]}, "webhook.follows_invalid"),
        ({"namespace": "no-such"}, "namespace.not_found"),
        ({"secret": "mine"}, "request.invalid"),
    ],
)
def test_what_cannot_be_made_is_refused(admin: Api, change: dict[str, Any], code: str) -> None:
    assert admin.post("/webhooks", BODY | change).json()["code"] == code


def test_lists_take_as_many_queries_for_many(admin: Api, django_assert_max_num_queries: Any) -> None:
    make_organisation(admin=admin.user)
    for _ in range(3):
        path = admin.post("/webhooks", BODY | {"namespace": "initech"})["Location"].partition("/api/v1")[2]
    for number in range(5):
        record("thing.made", subject=str(number), namespace="initech")
    events_fan_out()
    deliveries_send()
    # The token, the namespace, the role, the rows.
    with django_assert_max_num_queries(4):
        assert len(admin.get("/webhooks", {"namespace": "initech"}).json()["items"]) == 3
    # The token, the webhook, the rows, their attempts.
    with django_assert_max_num_queries(4):
        page = admin.get(f"{path}/deliveries", {"limit": 3}).json()
    assert len(page["items"]) == 3
    assert len(admin.get(f"{path}/deliveries", {"cursor": page["next_cursor"]}).json()["items"]) == 2
