"""What a page says of a vector's file."""

from dataclasses import replace
from typing import Any

import pytest

from registry.web.manifests import measured_doses, place_words, sign_words, view_manifest
from steering_core.formats.bearing import inspect_vector, write_vector
from tests.factories import make_vector


def manifest(**changes: Any) -> dict[str, Any]:
    return inspect_vector(write_vector(replace(make_vector(), **changes)))


def test_manifest_says_where_and_which_way() -> None:
    view = view_manifest(manifest(sign="positive"), ("casual", "formal"))

    assert view is not None
    assert (view.place, view.keys) == ("the output of block 2", "resid_post.2")
    assert view.sign == "a positive strength moves replies towards formal, a negative one towards casual"
    assert view.set_points == ""


def test_manifest_shows_set_points() -> None:
    view = view_manifest(manifest(set_points={"resid_post.2": (-0.7, 1.4)}))

    assert view is not None
    assert view.set_points == "−0.70 and 1.40"


def test_manifest_that_is_not_there_is_none() -> None:
    assert view_manifest(None) is None
    assert measured_doses(None) == {}


def test_manifest_from_before_there_were_signs_and_doses_says_neither() -> None:
    older = manifest()
    for field in ("sign", "doses"):
        del older[field]

    view = view_manifest(older)

    assert view is not None
    assert (view.sign, measured_doses(older)) == ("", {})


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ([("mlp_out", 0)], "what the feed-forward part of block 0 adds"),
        ([("attn_out", 3), ("attn_out", 1)], "what the attention of block 1, 3 adds"),
        ([("resid_post@2", 5)], "the output of block 5, residual stream 2"),
        (
            [("resid_post", 1), ("mlp_out", 2)],
            "the output of block 1; what the feed-forward part of block 2 adds",
        ),
    ],
)
def test_places_are_told_apart(places: list[tuple[str, int]], words: str) -> None:
    assert place_words(places) == words


@pytest.mark.parametrize(
    ("operation", "sign", "words"),
    [
        (
            "add",
            "negative",
            "moves replies towards the negative texts, a negative one towards the positive texts",
        ),
        ("project", "positive", "takes away what points to the positive texts"),
        ("clamp", "positive", "holds replies at the positive texts, a negative one at the negative texts"),
    ],
)
def test_sign_is_said_for_each_operation(operation: str, sign: str, words: str) -> None:
    assert sign_words(operation, sign, None) == f"a positive strength {words}"


def test_unknown_sign_is_not_made_up() -> None:
    assert sign_words("add", "unknown", ("casual", "formal")) == ""
