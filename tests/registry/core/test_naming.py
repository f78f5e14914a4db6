"""Names that people type: one rule each."""

import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.errors import InvalidError
from registry.core.naming import (
    Reference,
    check_slug,
    check_version,
    parse_dataset_reference,
    parse_reference,
    row_id,
    version_key,
)
from steering_core.client import references
from steering_core.client.references import ReferenceSyntaxError

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize("name", ["a", "tone-pairs", "0", "a" * 64])
def test_check_slug_returns_a_slug(name: str) -> None:
    assert check_slug(name, what="name") == name


@pytest.mark.parametrize("name", ["", "-", "a-", "A", "a_b", "a.b", "ä", "a" * 65, "a\n"])
def test_check_slug_refuses_and_points(name: str) -> None:
    with pytest.raises(InvalidError) as error:
        check_slug(name, what="name")
    assert set(error.value.fields) == {"name"}


@pytest.mark.parametrize("version", ["0.0.0", "1.2.3", "10.20.30", "999999999.0.0"])
def test_check_version_returns_a_version(version: str) -> None:
    assert check_version(version) == version


@pytest.mark.parametrize(
    "version", ["", "1", "1.0", "01.0.0", "1.0.0-rc1", "v1.0.0", "1.0.0\n", "1.0.0.0", "٣.0.0"]
)
def test_check_version_refuses(version: str) -> None:
    with pytest.raises(InvalidError):
        check_version(version)


def test_version_key_sorts_by_number() -> None:
    assert sorted(["1.10.0", "1.9.0", "0.99.9"], key=version_key) == ["0.99.9", "1.9.0", "1.10.0"]


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("latest", Reference()),
        ("1.2.3", Reference(version="1.2.3")),
        (DIGEST, Reference(digest=DIGEST)),
        ("stable", Reference(alias="stable")),
        ("v1", Reference(alias="v1")),
        ("beta-2", Reference(alias="beta-2")),
        ("latest-1", Reference(alias="latest-1")),
        ("cafe-1", Reference(alias="cafe-1")),
    ],
)
def test_parse_reference_reads_the_four_forms(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize("text", ["", "Latest", "sha256:", DIGEST.upper(), DIGEST + "0", "1.0", "sha512:00"])
def test_parse_reference_refuses(text: str) -> None:
    with pytest.raises(InvalidError) as error:
        parse_reference(text)
    assert error.value.code == "reference.invalid"


@pytest.mark.parametrize(
    ("text", "parts"), [("a/b", ("a", "b", None)), ("acme/tone@12", ("acme", "tone", 12))]
)
def test_parse_dataset_reference_reads_both_forms(text: str, parts: tuple[str, str, int | None]) -> None:
    assert parse_dataset_reference(text) == parts


@pytest.mark.parametrize(
    "text", ["", "a", "a/b@", "a/b@0", "a/b@01", "a/b@1.0", "A/b", "a/b/c", "a/b@9999999999", "a/b\n"]
)
def test_parse_dataset_reference_refuses(text: str) -> None:
    with pytest.raises(InvalidError):
        parse_dataset_reference(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_reference, parse_dataset_reference, check_version):
        try:
            parse(text)
        except InvalidError:
            continue


@given(st.text())
def test_row_id_of_any_text_is_an_id(text: str) -> None:
    assert isinstance(row_id(text), uuid.UUID)


def test_row_id_of_an_id_is_that_id() -> None:
    known = uuid.uuid4()
    assert row_id(str(known)) == known
    assert row_id("x") == uuid.UUID(int=0)


@given(
    st.one_of(
        st.text(max_size=12),
        st.from_regex(r"[a-f0-9lmtins.-]{1,10}", fullmatch=True),
        st.sampled_from(["latest", "main", "cafe", "1.0.0", "v1", "latest1", "a", "g", DIGEST, "sha256:ab"]),
    )
)
def test_the_client_reads_the_same_references(text: str) -> None:
    def is_read(parse: Callable[[str], object], of: str, error: type[Exception]) -> bool:
        try:
            parse(of)
        except error:
            return False
        return True

    here = is_read(parse_reference, text, InvalidError)
    assert here == is_read(references.parse_reference, f"acme/tone@{text}", ReferenceSyntaxError)
