"""Copies are found whatever their sign and scale, with and without pgvector; who may see them is told."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from registry.accounts.models import User
from registry.catalog.gating import access_set
from registry.catalog.models import VectorVersion
from registry.catalog.vectors import vector_update
from registry.discovery import sketches
from registry.discovery.models import NearCopy, Sketch
from registry.discovery.projection import SIZE, cosine, sketch_of
from registry.discovery.similar import near_copy_notices, similar_list, sketches_mend
from registry.discovery.sketches import has_neighbours, main_blocks
from registry.storage.blobs import blob_key
from steering_core.formats.bearing import write_vector
from tests.factories import make_user, make_vector, make_vector_version

KEY = "resid_post.2"


def planted(change: Callable[[Any], Any]) -> bytes:
    """The file of `make_vector`, with its direction changed."""
    vector = make_vector()
    direction = change(vector.directions[KEY].astype(np.float64)).astype(np.float32)
    return write_vector(replace(vector, directions={KEY: direction}))


def noisy(direction: Any) -> Any:
    """At a cosine of about 0.995."""
    noise = across(direction)
    return direction + 0.1 * noise * np.linalg.norm(direction) / np.linalg.norm(noise)


def across(direction: Any) -> Any:
    """At right angles."""
    other = np.random.default_rng(7).normal(size=len(direction))
    return other - direction * (other @ direction) / (direction @ direction)


PLANTED = {
    "copy": planted(lambda row: row),
    "flipped": planted(lambda row: -row),
    "scaled": planted(lambda row: 1000 * row),
    "noisy": planted(noisy),
    "unlike": planted(across),
}


@pytest.fixture(params=[True, False], ids=["pgvector", "one by one"])
def engine(request: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_neighbours(), "the embedded PostgreSQL has pgvector"
    monkeypatch.setattr(sketches, "has_neighbours", lambda: request.param)


def plant(thief: User, *names: str, **more: Any) -> dict[str, VectorVersion]:
    return {name: make_vector_version(thief, name, artifact=PLANTED[name], **more) for name in names}


def said(viewer: Any, version: VectorVersion) -> list[str]:
    return [notice.message for notice in near_copy_notices(viewer=viewer, version=version)]


def test_copies_are_noted_at_release_with_cosine_and_source(engine: None, owner: User, other: User) -> None:
    make_vector_version(owner)
    made = plant(other, "flipped", "scaled", "unlike")
    assert said(None, made["flipped"]) == [
        "mallory/flipped@1.0.0 is acme/formality@1.0.0 with its sign flipped (cosine −1.0000), which was "
        "published before"
    ]
    # The flipped one was there before, too.
    assert [text.split(" (")[0] for text in said(other, made["scaled"])] == [
        "mallory/scaled@1.0.0 points the same way as acme/formality@1.0.0",
        "mallory/scaled@1.0.0 is mallory/flipped@1.0.0 with its sign flipped",
    ]
    assert said(None, made["unlike"]) == []
    assert said(None, VectorVersion.objects.get(vector__name="formality")) == []


def test_similar_ranks_by_angle_and_names_the_relation(engine: None, owner: User, other: User) -> None:
    original = make_vector_version(owner)
    plant(other, "unlike", "noisy", "flipped", "copy")
    found = similar_list(viewer=None, version=original)
    assert {item.version.vector.name: (item.cosine, item.relation) for item in found} == {
        "copy": (1.0, "near_duplicate"),
        "flipped": (-1.0, "sign_flipped"),
        "noisy": (pytest.approx(0.995, abs=0.001), "near_duplicate"),
        "unlike": (pytest.approx(0, abs=0.001), "similar"),
    }
    assert [item.version.vector.name for item in found][2:] == ["noisy", "unlike"]
    assert len(similar_list(viewer=None, version=original, limit=1)) == 1


def test_nobody_hears_of_what_they_may_not_see(engine: None, owner: User, other: User) -> None:
    hidden = make_vector_version(owner, visibility="private")
    copy = plant(other, "copy")["copy"]
    for viewer in (None, other, make_user("lex")):
        assert said(viewer, copy) == []
        assert similar_list(viewer=viewer, version=copy) == []
    assert len(said(owner, copy)) == len(similar_list(viewer=owner, version=copy)) == 1
    vector_update(actor=owner, name="formality", visibility="unlisted")
    assert said(None, copy) == similar_list(viewer=None, version=copy) == []
    vector_update(actor=owner, name="formality", visibility="public")
    assert len(said(None, copy)) == len(similar_list(viewer=None, version=copy)) == 1
    # What came later is no source of what was there before.
    assert said(owner, hidden) == []


def test_angles_to_gated_vectors_are_told_of_copies_alone(owner: User, other: User) -> None:
    make_vector_version(owner)
    access_set(actor=owner, owner="acme", name="formality", access="gated")
    made = plant(other, "copy", "unlike")
    assert len(similar_list(viewer=other, version=made["copy"])) == 2
    assert [item.version.vector.name for item in similar_list(viewer=other, version=made["unlike"])] == [
        "copy"
    ]


def test_draft_is_compared_once_its_file_is_there(
    owner: User, other: User, django_capture_on_commit_callbacks: Any
) -> None:
    make_vector_version(owner)
    with django_capture_on_commit_callbacks(execute=True):
        draft = plant(other, "flipped", state="extracted")["flipped"]
    assert [text.split(" (")[0] for text in said(other, draft)] == [
        "mallory/flipped@draft is acme/formality@1.0.0 with its sign flipped"
    ]


def test_versions_without_sketches_are_mended_and_damage_is_marked(owner: User, other: User) -> None:
    make_vector_version(owner)
    copy = plant(other, "copy")["copy"]
    lost = make_vector_version(other, "lost", artifact=planted(lambda row: row + 3))
    Sketch.objects.all().delete()
    NearCopy.objects.all().delete()
    (Path(settings.BLOB_STORE_PATH) / blob_key(str(lost.artifact_id))).unlink()
    assert sketches_mend() == 3
    assert sketches_mend() == 0
    assert len(said(None, copy)) == 1
    assert similar_list(viewer=None, version=lost) == []


@hypothesis.settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 300, 4096]), st.floats(-1, 1), st.floats(1e-3, 1e4))
def test_sketches_keep_angles_and_forget_scale(seed: int, width: int, mix: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    one, noise = rng.normal(size=(2, width)).astype(np.float32)
    other = (scale * (mix * one + (1 - abs(mix)) * noise)).astype(np.float32)
    exact, rough = cosine(one, other), float(sketch_of(one) @ sketch_of(other))
    assert len(sketch_of(one)) == SIZE
    assert abs(rough - exact) <= 6 * (1 - exact**2) / np.sqrt(SIZE) + 1e-4
    assert float(sketch_of(one) @ sketch_of(-one)) == pytest.approx(-1, abs=1e-5)


def test_signs_of_the_projection_never_change() -> None:
    first = sketch_of(np.eye(3, dtype=np.float32)[0])
    assert "".join("+" if value > 0 else "-" for value in first[:24]) == "+++-+--++++--+-+++---+-+"


def test_main_block_is_where_the_share_is_largest() -> None:
    vector = make_vector()
    row = vector.directions[KEY]
    more = replace(
        vector,
        directions={KEY: row, "resid_post.1": 2 * row, "mlp_out.0": row},
        residual_norms={KEY: 1.0, "resid_post.1": 4.0, "mlp_out.0": 1.0},
    )
    assert main_blocks(more) == {"resid_post": 2, "mlp_out": 0}
