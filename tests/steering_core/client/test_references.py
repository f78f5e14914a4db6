"""Names: what is accepted comes back unchanged and stays inside its folder; everything else is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.client.cache import Cache
from steering_core.client.references import (
    Reference,
    ReferenceSyntaxError,
    parse_dataset,
    parse_name,
    parse_reference,
    parse_version,
)

SLUGS = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
VERSIONS = st.tuples(*[st.integers(0, 999_999_999)] * 3).map(lambda parts: ".".join(map(str, parts)))
DIGESTS = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)


@given(SLUGS, SLUGS, st.one_of(VERSIONS, DIGESTS))
def test_parse_reference_with_selector_round_trips(owner: str, name: str, selector: str) -> None:
    parsed = parse_reference(f"{owner}/{name}@{selector}")
    assert (parsed.owner, parsed.name, parsed.selector) == (owner, name, selector)
    assert str(parsed) == f"{owner}/{name}@{selector}"
    assert (parsed.digest is not None) == selector.startswith("sha256:")


@given(SLUGS, SLUGS)
def test_parse_reference_without_selector_means_latest(owner: str, name: str) -> None:
    parsed = parse_reference(f"{owner}/{name}")
    assert parsed.is_latest
    assert str(parsed) == f"{owner}/{name}"
    assert parse_reference(f"{owner}/{name}@latest") == parsed


@given(DIGESTS)
def test_parse_reference_bare_digest_has_no_owner(named: str) -> None:
    parsed = parse_reference(named)
    assert parsed == Reference("", "", named)
    assert parsed.digest == named


@given(st.one_of(st.text(), st.from_regex(r"[a-z./@:%\\-]{0,40}", fullmatch=True)))
def test_parse_reference_of_any_text_never_leaves_the_cache(text: str) -> None:
    home = Path("/home/of/cache")
    try:
        parsed = parse_reference(text)
    except ReferenceSyntaxError:
        return
    if parsed.owner:
        path = Cache(home, "http://localhost:8000").ref_path(parsed)
        assert path.resolve().is_relative_to(home)
        assert ".." not in path.parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kind",
        "acme/",
        "/kind",
        "acme/kind@",
        "acme/kind@v1.0.0",
        "acme/kind@1.0",
        "acme/kind@01.0.0",
        "acme/kind@1.0.0\n",
        "acme/kind@sha256:abc",
        "acme/kind@SHA256:" + "a" * 64,
        "sha256:" + "A" * 64,
        "../../etc",
        "acme/..",
        "acme/-kind",
        "ACME/kind",
        "acme/kínd",
        "acme/kind/more",
        "acme/" + "a" * 65,
        "acme/kind@١.0.0",
    ],
)
def test_parse_reference_malformed_is_refused(text: str) -> None:
    with pytest.raises(ReferenceSyntaxError):
        parse_reference(text)


def test_ref_path_of_a_forged_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReferenceSyntaxError):
        Cache(tmp_path, "http://localhost:8000").ref_path(Reference("..", "..", "latest"))


def test_parse_dataset_with_and_without_number() -> None:
    assert parse_dataset("acme/pairs") == ("acme", "pairs", None)
    assert parse_dataset("acme/pairs@12") == ("acme", "pairs", 12)


@pytest.mark.parametrize(
    "text", ["acme/pairs@0", "acme/pairs@1.0.0", "pairs", "acme/pairs@-1", "acme/pairs@²"]
)
def test_parse_dataset_malformed_is_refused(text: str) -> None:
    with pytest.raises(ReferenceSyntaxError):
        parse_dataset(text)


def test_parse_name_and_version_accept_only_their_forms() -> None:
    assert parse_name("acme/kind") == ("acme", "kind")
    assert parse_version("1.20.3") == "1.20.3"
    with pytest.raises(ReferenceSyntaxError):
        parse_name("acme/kind@1.0.0")
    with pytest.raises(ReferenceSyntaxError):
        parse_version("1.2")
