"""Aliases: who moves them, where to, and what is written down."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from registry.audit.models import AuditEvent
from registry.catalog import aliases
from registry.catalog.aliases import alias_delete, alias_set
from registry.catalog.lifecycle import version_unyank, version_yank
from registry.catalog.models import Alias, AliasEvent
from registry.catalog.selectors import alias_history, version_get
from registry.core.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    QuotaExceededError,
)
from tests.factories import make_organisation, make_user, make_vector_version

pytestmark = pytest.mark.django_db
NAME = {"owner": "acme", "name": "formality"}


@pytest.fixture
def two(owner: Any) -> None:
    make_vector_version(owner=owner)
    make_vector_version(owner=owner, version="1.1.0", seed=1)


def resolve(reference: str) -> str | None:
    return version_get(viewer=None, reference=reference, **NAME).version


def test_alias_moves_and_remembers(owner: Any, two: None) -> None:
    row, is_new = alias_set(actor=owner, name="formality", alias="stable", version="1.0.0")
    assert (is_new, row.is_protected, resolve("stable")) == (True, False, "1.0.0")
    alias_set(actor=owner, name="formality", alias="stable", version="1.1.0")
    assert resolve("stable") == "1.1.0"
    alias_delete(actor=owner, name="formality", alias="stable")
    with pytest.raises(NotFoundError):
        resolve("stable")
    history = alias_history(vector=row.vector, name="stable")
    seen = [(e.before and e.before.version, e.after and e.after.version, e.actor) for e in history]
    assert seen == [("1.1.0", None, "acme"), ("1.0.0", "1.1.0", "acme"), (None, "1.0.0", "acme")]
    actions = AuditEvent.objects.filter(action__startswith="alias.").values_list("action", flat=True)
    assert list(actions) == ["alias.deleted", "alias.set", "alias.set"]


def test_setting_what_is_there_writes_nothing_down(owner: Any, two: None) -> None:
    for _ in range(2):
        alias_set(actor=owner, name="formality", alias="stable", version="1.0.0")
    assert AliasEvent.objects.count() == 1


@pytest.mark.parametrize(
    "alias",
    ["latest", "main", "cafe", "1", "1.0.0", "a1b2", "", "-x", "x-", "X", "x" * 65, "a/b", "sha256:x"],
)
def test_alias_that_could_be_taken_for_another_form_is_refused(owner: Any, two: None, alias: str) -> None:
    with pytest.raises(InvalidError) as caught:
        alias_set(actor=owner, name="formality", alias=alias, version="1.0.0")
    assert caught.value.code == "alias.invalid"


@pytest.mark.parametrize(
    ("version", "error", "code"),
    [
        ("9.0.0", NotFoundError, "version.not_found"),
        ("latest", InvalidError, "version.invalid"),
        ("1.0", InvalidError, "version.invalid"),
    ],
)
def test_alias_takes_a_released_version(
    owner: Any, two: None, version: str, error: type[Exception], code: str
) -> None:
    with pytest.raises(error) as caught:
        alias_set(actor=owner, name="formality", alias="stable", version=version)
    assert caught.value.code == code  # type: ignore[attr-defined]


def test_yank_stops_the_alias_and_keeps_it(owner: Any, two: None) -> None:
    alias_set(actor=owner, name="formality", alias="stable", version="1.0.0")
    version_yank(actor=owner, name="formality", version="1.0.0", reason="wrong poles")
    with pytest.raises(NotFoundError, match="wrong poles") as caught:
        resolve("stable")
    assert caught.value.code == "alias.yanked"
    assert resolve("1.0.0") == "1.0.0"
    for alias in ("stable", "other"):
        with pytest.raises(ConflictError) as refused:
            alias_set(actor=owner, name="formality", alias=alias, version="1.0.0")
        assert refused.value.code == "alias.version_yanked"
    version_unyank(actor=owner, name="formality", version="1.0.0")
    assert resolve("stable") == "1.0.0"


def test_protected_alias_is_for_admins_and_good_verdicts() -> None:
    admin, writer = make_user("admin"), make_user("writer")
    make_organisation("initech", admin=admin, writer=writer)
    for number, (version, verdict) in enumerate(
        [("1.0.0", "pass"), ("1.1.0", "warn"), ("1.2.0", "insufficient")]
    ):
        make_vector_version(
            owner=writer, name="initech/formality", version=version, verdict=verdict, seed=number
        )
    it = {"owner": "initech", "name": "formality"}

    alias_set(actor=writer, alias="prod", version="1.0.0", **it)
    with pytest.raises(NotAllowedError):
        alias_set(actor=writer, alias="prod", version="1.0.0", is_protected=True, **it)
    alias_set(actor=admin, alias="prod", version="1.1.0", is_protected=True, **it)
    for refused in (
        lambda: alias_set(actor=writer, alias="prod", version="1.0.0", **it),
        lambda: alias_set(actor=writer, alias="prod", version="1.1.0", is_protected=False, **it),
        lambda: alias_delete(actor=writer, alias="prod", **it),
    ):
        with pytest.raises(NotAllowedError):
            refused()
    with pytest.raises(ConflictError) as caught:
        alias_set(actor=admin, alias="prod", version="1.2.0", **it)
    assert caught.value.code == "alias.not_worthy"
    alias_set(actor=admin, alias="prod", version="1.2.0", is_protected=False, **it)
    alias_delete(actor=writer, alias="prod", **it)
    assert AliasEvent.objects.count() == 4


def test_strangers_move_no_alias(owner: Any, other: Any, two: None) -> None:
    with pytest.raises(NotAllowedError):
        alias_set(actor=other, owner="acme", name="formality", alias="stable", version="1.0.0")


def test_a_vector_has_so_many_aliases(owner: Any, two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aliases, "MAX_ALIASES", 1)
    alias_set(actor=owner, name="formality", alias="stable", version="1.0.0")
    with pytest.raises(QuotaExceededError):
        alias_set(actor=owner, name="formality", alias="next", version="1.0.0")
    alias_set(actor=owner, name="formality", alias="stable", version="1.1.0")


def test_history_is_appended_only(owner: Any, two: None) -> None:
    alias_set(actor=owner, name="formality", alias="stable", version="1.0.0")
    for change in (
        lambda: AliasEvent.objects.update(actor="nobody"),
        lambda: AliasEvent.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="pgtrigger"), transaction.atomic():
            change()
    assert Alias.objects.count() == 1
