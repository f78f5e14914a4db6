"""Who may do what: one line for each method of each path of /api/v1. `test_access_matrix` asks every cell.

A new path needs a line here, under its name in `registry.api.v1.urls`:

    "vector": {"GET": sees(), "PATCH": changes(WRITER, {"title": "x"})},

The body has to be one that passes the parser, since a body is read before access is decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOBODY, READER, WRITER, ADMIN, OWNER = range(5)


@dataclass(frozen=True)
class Rule:
    """What an operation takes.

    Attributes:
        anonymous: whether it works without a token.
        scope: that the token has to have; "" for any.
        on: "vector", "dataset" or "preset" for operations on a row that is seen or not, "run", "token",
            "upload" and "webhook" for what is somebody's own, "organisation" for those within one, "" for all
            others.
        role: the least role, in the organisation that owns the row, to do it.
        hidden: whether who lacks the role is told 404 rather than 403.
        files: whether it gives files, which gated vectors keep back.
        by_name: whether it names a released version, which drafts have none of.
        upload: whether the body is a form.
        staff: whether others than staff are told 404.
        beyond: the code of a 404 that those get who may: the row is there, what was asked of it is not.
    """

    anonymous: bool = False
    scope: str = ""
    on: str = ""
    role: int = NOBODY
    hidden: bool = False
    files: bool = False
    by_name: bool = False
    body: Any = None
    upload: bool = False
    staff: bool = False
    beyond: str = ""


def everybody(body: Any = None) -> Rule:
    """It works without a token."""
    return Rule(anonymous=True, body=body)


def anyone(scope: str = "", body: Any = None, *, upload: bool = False) -> Rule:
    """It takes a token and is about its own user."""
    return Rule(scope=scope, body=body, upload=upload)


def sees(on: str = "vector", **more: Any) -> Rule:
    """It reads a row that the caller may see."""
    return Rule(anonymous=True, on=on, **more)


def changes(role: int, body: Any = None, *, scope: str = "write", on: str = "vector", **more: Any) -> Rule:
    """It changes a vector, or a preset."""
    return Rule(scope=scope, on=on, role=role, body=body, **more)


def within(role: int, **more: Any) -> Rule:
    """It is about an organisation, which everybody may know of."""
    return Rule(on="organisation", role=role, **more)


def own(on: str, *, role: int = OWNER, **more: Any) -> Rule:
    """It is about a run, a token, an upload or a webhook, which others do not know of."""
    return Rule(on=on, role=role, hidden=True, **more)


def for_staff(**more: Any) -> Rule:
    """It is there for staff alone."""
    return Rule(staff=True, **more)


PUBLISH = {"version": "9.0.0", "license": "MIT"}
RUN = {"dataset": "initech/public@1", "base_model": "bearing/demo", "vector": "mine"}
IMPORT = {
    "upload": "00000000-0000-0000-0000-000000000000",
    "base_model": "bearing/demo",
    "dataset": "initech/public",
}
UPLOAD = {"sha256": "ab" * 32, "size_bytes": 9, "purpose": "dataset"}
WEBHOOK = {"url": "http://127.0.0.1:65009/hooks", "actions": ["version.*"]}
MOVE = {"source": "initech/public", "base_model": "bearing/demo", "vector": "mine"}

FLAG = {"reason": "misleading", "text": "It gives none of what it is called after."}
DECISION = {"outcome": "dismissed", "reason": "nothing is wrong"}

MIX = {"members": [{"reference": "initech/public", "strength": 0.1}]}
DERIVE = {
    "parents": [{"reference": "initech/public@1.0.0", "weight": -1}],
    "dataset": "initech/public@1",
}

PLAY = {
    "base_model": "bearing/demo",
    "prompt": "how do i cook ?",
    "mixes": [[{"reference": "initech/public", "strength": 0.1}]],
}

TABLE: Mapping[str, Mapping[str, Rule]] = {
    "me": {"GET": anyone(), "PATCH": anyone("manage", {"title": "x"})},
    "owner": {"GET": everybody()},
    "openapi": {"GET": everybody()},
    # accounts
    "tokens": {"GET": anyone(), "POST": anyone("manage", {"name": "x", "scopes": ["manage"]})},
    "token": {"DELETE": own("token", scope="manage")},
    "credentials-revoke": {"POST": everybody({"tokens": ["brg_x"]})},
    "audit": {"GET": anyone()},
    "organisations": {"GET": anyone(), "POST": anyone("manage", {"slug": "umbrella"})},
    "organisation": {
        "GET": everybody(),
        "PATCH": within(ADMIN, scope="manage", body={"title": "x"}),
    },
    "members": {"GET": within(READER)},
    "member": {
        "PATCH": within(ADMIN, scope="manage", body={"role": "reader"}),
        "DELETE": within(ADMIN, scope="manage"),
    },
    "invitations": {
        "GET": within(ADMIN),
        "POST": within(ADMIN, scope="manage", body={"email": "new@example.org", "role": "reader"}),
    },
    "invitation": {"DELETE": within(ADMIN, scope="manage", beyond="invitation.not_found")},
    "invitation-accept": {
        "POST": Rule(scope="manage", body={"token": "x"}, beyond="invitation.not_found"),
    },
    "teams": {"GET": within(READER), "POST": within(ADMIN, scope="manage", body={"name": "blue"})},
    "team": {
        "GET": within(READER),
        "PATCH": within(ADMIN, scope="manage", body={"name": "green"}),
        "DELETE": within(ADMIN, scope="manage"),
    },
    "team-member": {
        "PUT": within(ADMIN, scope="manage"),
        "DELETE": within(ADMIN, scope="manage"),
    },
    "grant": {
        "PUT": within(ADMIN, scope="manage", body={"role": "reader"}),
        "DELETE": within(ADMIN, scope="manage", beyond="grant.not_found"),
    },
    # base models and data sets
    "base-models": {"GET": everybody()},
    "base-model": {"GET": everybody()},
    "base-model-vectors": {"GET": everybody()},
    "datasets": {"GET": everybody(), "POST": anyone("write", {"name": "mine"}, upload=True)},
    "dataset-check": {"POST": anyone(body={}, upload=True)},
    "dataset": {"GET": sees("dataset")},
    "dataset-version": {"GET": sees("dataset")},
    "dataset-download": {"GET": sees("dataset")},
    "dataset-flags": {"POST": Rule(scope="write", on="dataset", body=FLAG)},
    "dataset-rows": {"GET": sees("dataset")},
    "dataset-diff": {"GET": sees("dataset")},
    "dataset-transfer": {"POST": Rule(scope="manage", on="dataset", role=ADMIN, body={"name": "other"})},
    # uploads
    "uploads": {"GET": anyone(), "POST": anyone("write", UPLOAD)},
    "upload": {"GET": own("upload"), "DELETE": own("upload", scope="write")},
    "upload-part": {"PUT": own("upload", scope="write", body=b"the part")},
    "upload-complete": {"POST": own("upload", scope="write")},
    # notifications
    "notifications": {"GET": anyone()},
    "notifications-read": {"POST": anyone("write")},
    "notifications-settings": {
        "GET": anyone(),
        "PUT": anyone("write", {"shown": ["run.failed"], "mailed": []}),
    },
    "notification-read": {"POST": own("notification", scope="write")},
    # runs
    "runs": {"GET": anyone(), "POST": anyone("write", RUN)},
    "migrations": {"POST": anyone("write", MOVE)},
    "run": {"GET": own("run", role=WRITER)},
    "run-events": {"GET": own("run", role=WRITER)},
    "run-statistics": {"GET": own("run", role=WRITER)},
    "run-cancel": {"POST": own("run", scope="write", role=WRITER)},
    "run-retry": {"POST": own("run", scope="write", role=WRITER)},
    # vectors
    "resolve": {"GET": everybody(), "POST": everybody({"references": ["initech/private@1.0.0"]})},
    "vectors-by-digest": {"POST": everybody({"digests": ["sha256:" + "0" * 64]})},
    "vectors": {"GET": everybody()},
    "vector-facets": {"GET": everybody()},
    "vector-inspect": {"POST": anyone(body={}, upload=True)},
    "vector": {"GET": sees(), "PATCH": changes(WRITER, {"title": "x"})},
    "vector-flags": {"POST": Rule(scope="write", on="vector", body=FLAG)},
    "vector-import": {"POST": Rule(scope="write", role=WRITER, body=IMPORT, beyond="upload.not_found")},
    "publish": {"POST": changes(WRITER, PUBLISH, beyond="version.not_found")},
    "versions": {"GET": sees()},
    "version": {"GET": sees(by_name=True)},
    "version-download": {"GET": sees(files=True, by_name=True)},
    "version-conformance": {"GET": sees(files=True, by_name=True)},
    "version-similar": {"GET": sees(by_name=True)},
    "version-formats": {"GET": sees(by_name=True)},
    "version-blind-test": {"GET": sees(by_name=True, beyond="blind.no_material")},
    "version-diff": {"GET": sees(by_name=True)},
    "version-referrers": {"GET": sees(by_name=True)},
    "version-lineage": {"GET": sees(by_name=True)},
    "vector-derive": {"POST": Rule(scope="write", role=WRITER, body=DERIVE)},
    "version-report": {"GET": sees(by_name=True)},
    "vector-downloads": {"GET": sees()},
    "yank": {"POST": changes(WRITER, {"reason": "wrong sign"}, by_name=True)},
    "unyank": {"POST": changes(WRITER, by_name=True)},
    "version-deprecate": {"POST": changes(WRITER, {"reason": "old"}, by_name=True)},
    "version-undeprecate": {"POST": changes(WRITER, by_name=True)},
    "vector-deprecate": {"POST": changes(WRITER, {"reason": "old"})},
    "vector-undeprecate": {"POST": changes(WRITER)},
    "vector-transfer": {"POST": changes(ADMIN, {"name": "other"}, scope="manage")},
    "drafts": {"GET": Rule(on="vector", role=WRITER)},
    "aliases": {"GET": sees()},
    "alias": {
        "GET": sees(beyond="alias.not_found"),
        "PUT": changes(WRITER, {"version": "1.0.0"}, beyond="version.not_found"),
        "DELETE": changes(WRITER, beyond="alias.not_found"),
    },
    "alias-history": {"GET": sees()},
    "access": {"GET": sees(), "PUT": changes(ADMIN, {"access": "gated"}, scope="manage")},
    "access-request": {
        "GET": Rule(on="vector", beyond="access.request_not_found"),
        "POST": Rule(scope="write", on="vector", body={}),
        "DELETE": Rule(scope="write", on="vector", beyond="access.request_not_found"),
    },
    "access-requests": {"GET": Rule(on="vector", role=ADMIN)},
    "access-decision": {
        "PATCH": changes(ADMIN, {"state": "granted"}, scope="manage", beyond="access.request_not_found"),
    },
    # reports to the operators, and what they decide
    "flags": {"GET": for_staff()},
    "flag": {"GET": for_staff()},
    "flag-decide": {"POST": for_staff(scope="manage", body=DECISION)},
    # the playground
    "playground-requests": {"POST": everybody(PLAY)},
    "playground-request": {
        "GET": Rule(anonymous=True, beyond="playground.not_found"),
        "DELETE": Rule(anonymous=True, beyond="playground.not_found"),
    },
    "playground-stream": {"GET": Rule(anonymous=True, beyond="playground.not_found")},
    # dumps
    "dumps": {"GET": everybody()},
    "dump": {"GET": Rule(anonymous=True, beyond="dump.not_found")},
    # webhooks
    "webhooks": {"GET": anyone(), "POST": anyone("manage", WEBHOOK)},
    "webhook": {
        "GET": own("webhook", role=ADMIN),
        "PATCH": own("webhook", role=ADMIN, scope="manage", body={"description": "x"}),
        "DELETE": own("webhook", role=ADMIN, scope="manage"),
    },
    "webhook-rotate": {"POST": own("webhook", role=ADMIN, scope="manage")},
    "webhook-test": {"POST": own("webhook", role=ADMIN, scope="manage")},
    "webhook-replay": {
        "POST": own("webhook", role=ADMIN, scope="manage", body={"since": "2026-01-01T00:00:00Z"}),
    },
    "webhook-deliveries": {"GET": own("webhook", role=ADMIN)},
    "webhook-delivery-replay": {
        "POST": own("webhook", role=ADMIN, scope="manage", beyond="webhook.delivery_not_found"),
    },
    "version-by-id": {"GET": sees(), "DELETE": changes(WRITER)},
    "draft-download": {"GET": sees(files=True)},
    "draft-conformance": {"GET": sees(files=True)},
    "draft-blind-test": {"GET": sees(beyond="blind.no_material")},
    "blob": {"GET": sees(files=True)},
    # presets
    "presets": {"GET": everybody(), "POST": anyone("write", {"name": "mine", **MIX})},
    "preset": {"GET": sees("preset"), "PATCH": changes(WRITER, {"title": "x"}, on="preset")},
    "preset-flags": {"POST": Rule(scope="write", on="preset", body=FLAG)},
    "preset-publish": {
        "POST": changes(WRITER, {"version": "9.0.0"}, on="preset", beyond="preset.version_not_found"),
    },
    "preset-versions": {"GET": sees("preset"), "POST": changes(WRITER, MIX, on="preset")},
    "preset-version": {
        "GET": sees("preset", by_name=True),
        "DELETE": changes(WRITER, on="preset", by_name=True),
    },
    "preset-download": {"GET": sees("preset", by_name=True)},
    "preset-measure": {"POST": changes(WRITER, {}, on="preset", by_name=True)},
    "preset-uses": {"GET": sees("preset", by_name=True)},
    "preset-yank": {"POST": changes(WRITER, {"reason": "too warm"}, on="preset", by_name=True)},
    "preset-unyank": {"POST": changes(WRITER, on="preset", by_name=True)},
}
