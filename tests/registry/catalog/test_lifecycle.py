"""Deprecation, drafts that are discarded, and the notices that users get."""

from typing import Any

import pytest

from registry.audit.models import AuditEvent
from registry.catalog.drafts import draft_discard, draft_list
from registry.catalog.lifecycle import (
    vector_deprecate,
    vector_undeprecate,
    version_deprecate,
    version_undeprecate,
    version_yank,
)
from registry.catalog.models import VectorVersion
from registry.catalog.notices import version_notices
from registry.catalog.releasing import version_publish
from registry.catalog.selectors import version_by_digest, version_get, version_get_by_id, version_list
from registry.core.errors import (
    ConflictError,
    IllegalTransitionError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
)
from tests.factories import make_vector_version

pytestmark = pytest.mark.django_db
NAME = {"owner": "acme", "name": "formality"}


def messages(reference: str = "1.0.0") -> dict[str, str]:
    row = version_get(viewer=None, reference=reference, **NAME)
    return {notice.code: notice.message for notice in version_notices(row)}


def test_deprecation_is_told_and_taken_back(owner: Any) -> None:
    make_vector_version(owner=owner)
    make_vector_version(owner=owner, name="better", seed=1)
    assert messages() == {}
    vector_deprecate(
        actor=owner, name="formality", reason="There is a\nbetter one.", replacement="acme/better"
    )
    version_deprecate(actor=owner, name="formality", version="1.0.0", reason="too strong")
    assert messages("latest") == {
        "vector.deprecated": "acme/formality is deprecated: There is a better one; use acme/better instead",
        "version.deprecated": "acme/formality@1.0.0 is deprecated: too strong",
    }
    version_yank(actor=owner, name="formality", version="1.0.0", reason="wrong poles")
    assert messages()["version.yanked"] == "acme/formality@1.0.0 is yanked: wrong poles"
    vector_undeprecate(actor=owner, name="formality")
    version_undeprecate(actor=owner, name="formality", version="1.0.0")
    version_undeprecate(actor=owner, name="formality", version="1.0.0")
    assert list(messages()) == ["version.yanked"]
    actions = AuditEvent.objects.filter(action__contains="deprecated").order_by("id")
    assert [row.action for row in actions] == [
        "vector.deprecated",
        "version.deprecated",
        "vector.undeprecated",
        "version.undeprecated",
    ]


@pytest.mark.parametrize(
    ("said", "error", "code"),
    [
        ({"reason": " \n"}, InvalidError, "deprecation.no_reason"),
        ({"reason": "x", "replacement": "formality"}, InvalidError, "reference.invalid"),
        ({"reason": "x", "replacement": "acme/nothing"}, NotFoundError, "vector.not_found"),
        ({"reason": "x", "replacement": "acme/formality@9.0.0"}, NotFoundError, "version.not_found"),
        ({"reason": "x", "replacement": "acme/formality"}, ConflictError, "deprecation.of_itself"),
    ],
)
def test_deprecation_that_cannot_be(
    owner: Any, said: dict[str, str], error: type[Exception], code: str
) -> None:
    make_vector_version(owner=owner)
    with pytest.raises(error) as caught:
        vector_deprecate(actor=owner, name="formality", **said)
    assert caught.value.code == code  # type: ignore[attr-defined]


def test_a_version_may_be_replaced_by_a_later_one(owner: Any, other: Any) -> None:
    make_vector_version(owner=owner)
    make_vector_version(owner=owner, version="1.0.1", seed=1)
    said = {"version": "1.0.0", "reason": "weak", "replacement": "acme/formality@1.0.1", **NAME}
    with pytest.raises(NotAllowedError):
        version_deprecate(actor=other, **said)
    assert version_deprecate(actor=owner, **said).replacement == "acme/formality@1.0.1"
    with pytest.raises(ConflictError):
        version_deprecate(actor=owner, **{**said, "replacement": "acme/formality@1.0.0"})


@pytest.mark.parametrize("state", ["extracted", "failed"])
def test_discarded_draft_is_out_of_sight_for_good(owner: Any, state: str) -> None:
    row = make_vector_version(owner=owner, state="extracted" if state == "extracted" else "draft")
    if state == "failed":
        VectorVersion.objects.update(state="failed")
    assert [draft.pk for draft in draft_list(actor=owner, **NAME)] == [row.pk]
    draft_discard(actor=owner, version_id=str(row.pk))
    assert list(draft_list(actor=owner, **NAME)) == version_list(viewer=owner, vector=row.vector) == []
    with pytest.raises(NotFoundError):
        version_get_by_id(viewer=owner, version_id=str(row.pk))
    if row.artifact_id:
        with pytest.raises(NotFoundError):
            version_by_digest(viewer=owner, sha256=row.artifact_id)
    with pytest.raises(NotFoundError):
        version_publish(actor=owner, name="formality", version="1.0.0", license="MIT")
    event = AuditEvent.objects.get(action="draft.discarded")
    assert (event.data, event.is_public) == ({"id": str(row.pk)}, False)


def test_what_runs_or_is_released_is_not_discarded(owner: Any, other: Any) -> None:
    draft = make_vector_version(owner=owner, state="draft")
    with pytest.raises(ConflictError) as caught:
        draft_discard(actor=owner, version_id=str(draft.pk))
    assert caught.value.code == "draft.in_use"
    released = make_vector_version(owner=owner, seed=1)
    with pytest.raises(IllegalTransitionError):
        draft_discard(actor=owner, version_id=str(released.pk))
    with pytest.raises(NotAllowedError):
        draft_discard(actor=other, version_id=str(released.pk))
    with pytest.raises(NotFoundError):
        draft_discard(actor=other, version_id=str(draft.pk))
    with pytest.raises(NotAllowedError):
        draft_list(actor=other, **NAME)
