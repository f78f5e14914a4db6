"""Presets from draft to yank: what may be mixed, what freezes, who may see what."""

from typing import Any

import pytest
from django.db import Error as DatabaseError
from django.db import transaction

from registry.accounts.models import User
from registry.audit.models import AuditEvent
from registry.catalog.lifecycle import version_yank
from registry.catalog.models import VectorVersion
from registry.catalog.states import VersionState
from registry.catalog.vectors import vector_update
from registry.core.errors import (
    ConflictError,
    IllegalTransitionError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
)
from registry.presets.drafts import MemberWish, PresetWish, preset_create, preset_draft, preset_draft_discard
from registry.presets.dumping import PRESETS
from registry.presets.models import PresetMember, PresetVersion
from registry.presets.notices import preset_notices
from registry.presets.publishing import preset_publish, preset_unyank, preset_update, preset_yank
from registry.presets.selectors import (
    preset_get,
    preset_search,
    preset_version_by_digest,
    preset_version_get,
    preset_version_list,
)
from registry.serving.dumps import SECTIONS
from registry.storage.services import blob_read
from steering_core.formats.preset import read_preset
from tests.factories import make_organisation, make_vector_version


@pytest.fixture
def warm(owner: User) -> VectorVersion:
    return make_vector_version(owner, "warmth", seed=1)


@pytest.fixture
def brief(owner: User, warm: VectorVersion) -> VectorVersion:
    return make_vector_version(owner, "brevity", seed=2)


@pytest.fixture
def draft(owner: User, warm: VectorVersion, brief: VectorVersion) -> PresetVersion:
    members = [
        MemberWish("acme/warmth", 0.2, "Warmth", "cold", "warm"),
        MemberWish("acme/brevity@1.0.0", -0.1),
    ]
    return preset_create(actor=owner, wish=PresetWish("warm-and-brief", members, title="Warm and brief"))


def publish(owner: User, **fields: Any) -> PresetVersion:
    return preset_publish(
        **{"actor": owner, "owner": "acme", "name": "warm-and-brief", "version": "1.0.0", **fields}
    )


def get(viewer: Any, reference: str = "latest") -> PresetVersion:
    return preset_version_get(viewer=viewer, owner="acme", name="warm-and-brief", reference=reference)


def test_preset_is_put_together_published_and_read_by_everybody(owner: User, draft: PresetVersion) -> None:
    row = publish(owner, visibility="public")

    file = read_preset(blob_read(sha256=str(row.manifest_id)))
    assert (file.name, file.version, file.title) == ("acme/warm-and-brief", "1.0.0", "Warm and brief")
    assert [(m.reference, m.strength, m.label, m.range) for m in file.members] == [
        ("acme/warmth@1.0.0", 0.2, "Warmth", (-0.3, 0.45)),
        ("acme/brevity@1.0.0", -0.1, "brevity", (-0.3, 0.45)),
    ]
    assert file.composition is None
    for reference in ("latest", "1.0.0", row.digest):
        assert get(None, reference).pk == row.pk
    assert preset_version_by_digest(viewer=None, sha256=str(row.manifest_id)) == row
    assert [p.name for p in preset_search(viewer=None, query="brief", model_hash=file.model_hash)] == [
        "warm-and-brief"
    ]
    assert [notice.code for notice in preset_notices(get(None))] == ["preset.unmeasured"]
    event = AuditEvent.objects.get(action="preset.published")
    assert (event.subject, event.is_public) == ("acme/warm-and-brief@1.0.0", True)


@pytest.mark.parametrize(
    ("wish", "code", "said"),
    [
        (MemberWish("acme/warmth", 0.6), "preset.beyond_window", "-0.3 to 0.45"),
        (MemberWish("acme/warmth", 0.1, range=(-0.3, 0.9)), "preset.beyond_window", "-0.3 to 0.45"),
        (MemberWish("acme/warmth", float("nan")), "preset.beyond_window", "nan"),
        (MemberWish("acme/warmth", 0.1, label="hid\u200bden"), "preset.members", "hidden"),
        (MemberWish("acme/brevity", 0.1), "preset.members", "same file"),
        (MemberWish("acme/nothing", 0.1), "vector.not_found", "acme/nothing"),
    ],
)
def test_member_that_cannot_be_used_is_refused(
    owner: User, draft: PresetVersion, wish: MemberWish, code: str, said: str
) -> None:
    members = [MemberWish("acme/brevity", 0.1, "Other"), wish]
    with pytest.raises((InvalidError, NotFoundError), match=said) as caught:
        preset_draft(actor=owner, owner="acme", name="warm-and-brief", members=members)

    assert caught.value.code == code


def test_draft_is_its_owners_alone_and_may_be_discarded(
    owner: User, other: User, draft: PresetVersion
) -> None:
    assert get(owner, str(draft.pk)) == draft
    with pytest.raises(NotFoundError):
        get(other, str(draft.pk))
    preset_update(actor=owner, owner="acme", name="warm-and-brief", visibility="unlisted")
    with pytest.raises(NotFoundError):
        preset_get(viewer=other, owner="acme", name="warm-and-brief")
    with pytest.raises(NotAllowedError):
        preset_update(actor=other, owner="acme", name="warm-and-brief", title="Mine")
    preset_draft_discard(actor=owner, owner="acme", name="warm-and-brief", reference=str(draft.pk))
    assert preset_version_list(viewer=owner, preset=draft.preset) == []


def test_preset_shows_no_vector_to_more_people(owner: User, draft: PresetVersion) -> None:
    vector_update(actor=owner, name="warmth", visibility="private")
    with pytest.raises(InvalidError, match=r"acme/warmth@1.0.0 is private"):
        publish(owner, visibility="public")
    publish(owner)
    with pytest.raises(InvalidError) as caught:
        preset_update(actor=owner, owner="acme", name="warm-and-brief", visibility="unlisted")
    assert caught.value.code == "preset.hidden_member"


@pytest.mark.parametrize("visibility", ["private", "organisation"])
def test_preset_of_an_organisation_shows_it_no_private_vector(
    owner: User, warm: VectorVersion, visibility: str
) -> None:
    make_organisation("initech", writer=owner)
    vector_update(actor=owner, name="warmth", visibility="private")
    preset_create(actor=owner, wish=PresetWish("initech/mix", [MemberWish("acme/warmth", 0.1)]))
    shown = {"owner": "initech", "name": "mix", "version": "1.0.0", "visibility": visibility}
    with pytest.raises(InvalidError, match=r"acme/warmth@1.0.0 is private"):
        preset_publish(actor=owner, **shown)
    vector_update(actor=owner, name="warmth", visibility="unlisted")
    assert preset_publish(actor=owner, **shown).version == "1.0.0"


def test_yank_of_a_member_keeps_it_from_new_presets_and_warns_of_old_ones(
    owner: User, draft: PresetVersion
) -> None:
    publish(owner, visibility="public")
    version_yank(actor=owner, name="warmth", version="1.0.0", reason="wrong sign")

    assert [notice.code for notice in preset_notices(get(None))] == [
        "preset.unmeasured",
        "preset.member_yanked",
    ]
    wish = MemberWish("acme/warmth@1.0.0", 0.1)
    with pytest.raises(InvalidError, match="yanked: wrong sign"):
        preset_draft(actor=owner, owner="acme", name="warm-and-brief", members=[wish])


def test_published_version_is_frozen_and_its_number_never_used_again(
    owner: User, draft: PresetVersion
) -> None:
    row = publish(owner)

    member = row.members.first()
    assert member is not None
    changes = (
        lambda: PresetVersion.objects.filter(pk=row.pk).update(mode="equal_dose"),
        lambda: PresetVersion.objects.filter(pk=row.pk).delete(),
        lambda: PresetMember.objects.filter(pk=member.pk).update(strength=0.0),
        lambda: PresetMember.objects.filter(pk=member.pk).delete(),
        lambda: PresetMember.objects.create(
            version=row,
            vector_version=member.vector_version,
            position=7,
            strength=0,
            low=0,
            high=0,
            label="x",
        ),
    )
    for change in changes:
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    preset_draft(
        actor=owner, owner="acme", name="warm-and-brief", members=[MemberWish("acme/warmth", 0.1, "Warmth")]
    )
    with pytest.raises(ConflictError, match="never reused"):
        publish(owner)


def test_yanked_preset_leaves_latest_and_comes_back(owner: User, draft: PresetVersion) -> None:
    publish(owner, visibility="public")
    named = {"actor": owner, "owner": "acme", "name": "warm-and-brief", "version": "1.0.0"}
    preset_yank(**named, reason="too warm")

    assert preset_notices(get(None, "1.0.0"))[0].code == "preset.yanked"
    with pytest.raises(NotFoundError):
        get(None)
    assert list(preset_search(viewer=None)) == []
    with pytest.raises(IllegalTransitionError):
        preset_yank(**named, reason="again")
    preset_unyank(**named)
    assert get(None).version == "1.0.0"


def test_names_are_their_namespaces_and_taken_for_good(
    owner: User, other: User, draft: PresetVersion
) -> None:
    make_organisation("initech", reader=other)
    wish = [MemberWish("acme/warmth", 0.1)]
    with pytest.raises(ConflictError):
        preset_create(actor=owner, wish=PresetWish("warm-and-brief", wish))
    with pytest.raises(NotAllowedError):
        preset_create(actor=other, wish=PresetWish("initech/mine", wish))


def test_unpublished_vectors_are_not_mixed(owner: User, draft: PresetVersion) -> None:
    extracted = make_vector_version(owner, "joy", VersionState.EXTRACTED, seed=3)
    with pytest.raises(InvalidError, match="published versions only"):
        preset_create(actor=owner, wish=PresetWish("joyful", [MemberWish(str(extracted.pk), 0.1)]))


def test_public_preset_has_a_line_in_the_dump_of_the_catalog(owner: User, draft: PresetVersion) -> None:
    publish(owner, visibility="private")
    assert not PRESETS.public().exists()
    row = get(owner)
    preset_update(actor=owner, owner="acme", name="warm-and-brief", visibility="public")

    line = PRESETS.line(PRESETS.public().get())
    assert (line["reference"], line["digest"]) == ("preset:acme/warm-and-brief@1.0.0", row.digest)
    assert line["url"].endswith("/api/v1/presets/acme/warm-and-brief/versions/1.0.0/download")
    assert "preset" in [section.kind for section in SECTIONS]
