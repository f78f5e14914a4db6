import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.errors import ExtractionError, FormatError
from steering_core.spec import (
    SITES,
    ExtractionSpec,
    canonical_json,
    digest,
    digest_hex,
    parse_json,
    parse_site,
    parse_site_key,
    seed_from,
    site_key,
)

HASH = "sha256:" + "a" * 64
TEXT = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(VALUES)
def test_parse_json_of_canonical_json_gives_the_value_back(value: object) -> None:
    data = canonical_json(value)

    assert parse_json(data.decode()) == value
    assert canonical_json(parse_json(data.decode())) == data


@given(st.text())
def test_parse_json_any_text_raises_only_format_error_and_agrees_with_json(text: str) -> None:
    try:
        value = parse_json(text)
    except FormatError:
        return
    assert json.loads(text) == value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a":1,"b":{"c":1,"c":2}}', "format.duplicate_key"),
        ("[" * 100_000, "format.too_deep"),
        ("NaN", "format.not_json"),
        ("-Infinity", "format.not_json"),
        ("1e999", "format.not_json"),
        ("9" * 5000, "format.not_json"),
        ("{} {}", "format.not_json"),
        ("", "format.not_json"),
    ],
)
def test_parse_json_loose_json_is_refused(text: str, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_json(text)

    assert caught.value.code == code


def test_parse_json_depth_is_counted_outside_of_strings() -> None:
    assert parse_json("[" * 64 + "]" * 64)
    assert parse_json(json.dumps({"text": "[{" * 100 + '\\"'})) == {"text": "[{" * 100 + '\\"'}
    for text in ("[" * 65 + "]" * 65, '{"a":' * 65 + "1" + "}" * 65):
        with pytest.raises(FormatError, match="more than 64 deep"):
            parse_json(text)


def test_parse_json_string_that_never_ends_takes_no_longer_than_it_is_long() -> None:
    with pytest.raises(FormatError, match="not valid JSON"):
        parse_json("[]" * 40 + '"' + '\\"' * 200_000)


@pytest.mark.parametrize(
    ("value", "spelled"),
    [(4.0, b"4.0"), (1e-4, b"0.0001"), (1e-5, b"1e-05"), (1.5e16, b"1.5e+16"), (-0.0, b"-0.0"), (4, b"4")],
)
def test_canonical_json_spells_numbers_as_the_format_page_says(value: float, spelled: bytes) -> None:
    assert canonical_json(value) == spelled


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, "\ud800", b"bytes"])
def test_canonical_json_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(FormatError) as caught:
        canonical_json({"value": value})

    assert caught.value.code == "format.not_json"


@given(st.sampled_from(SITES), st.integers(0, 999_999))
def test_parse_site_key_of_site_key_gives_both_back(site: str, block: int) -> None:
    assert parse_site_key(site_key(site, block)) == (site, block)


@given(st.integers(0, 99), st.integers(0, 999_999))
def test_parse_site_key_residual_stream_is_part_of_the_site(stream: int, block: int) -> None:
    site, parsed = parse_site_key(site_key(f"resid_post@{stream}", block))

    assert (site, parsed) == (f"resid_post@{stream}", block)
    assert parse_site(site) == ("resid_post", stream)


@pytest.mark.parametrize("site", SITES)
def test_parse_site_without_a_stream_is_the_site(site: str) -> None:
    assert parse_site(site) == (site, None)


@pytest.mark.parametrize(
    "site", ["", "resid_post@", "mlp_out@1", "resid_post@01", "resid_post@1.2", "resid_mid"]
)
def test_parse_site_other_names_are_refused(site: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_site(site)

    assert caught.value.code == "format.site_key"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "resid_post@.1",
        "resid_post@-1.1",
        "resid_post@01.1",
        "resid_post@100.1",
        "resid_post@1",
        "resid_post@1@2.1",
        "resid_post@١.1",
        "mlp_out@1.1",
        "attn_out@0.1",
        "@1.1",
        "resid_post.1\n",
        "resid_post",
        "resid_post.",
        "resid_post.01",
        "resid_post.-1",
        "resid_post.1.2",
        "resid_pre.1",
        "resid_post.١",
        "resid_post.1e3",
        " resid_post.1",
        "resid_post." + "9" * 5000,
    ],
)
def test_parse_site_key_other_names_are_refused(key: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_site_key(key)

    assert caught.value.code == "format.site_key"


@pytest.mark.parametrize("named", ["", "sha256:", "md5:" + "a" * 64, HASH.upper(), HASH + "0", "a" * 64])
def test_digest_hex_other_forms_are_refused(named: str) -> None:
    with pytest.raises(FormatError) as caught:
        digest_hex(named)

    assert caught.value.code == "format.digest"


def test_digest_of_bytes_is_named_sha256() -> None:
    assert digest(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert len(digest_hex(digest(b"x"))) == 64


def test_extraction_spec_digest_depends_on_every_field_and_survives_json() -> None:
    spec = ExtractionSpec(HASH, HASH)
    others = [
        ExtractionSpec(HASH, HASH, site="mlp_out"),
        ExtractionSpec(HASH, HASH, pooling="prompt_last"),
        ExtractionSpec(HASH, HASH, tier="smoke"),
    ]

    assert len({spec.digest, *(other.digest for other in others)}) == 4
    assert ExtractionSpec(**json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize("field", ["method", "site", "pooling", "tier"])
def test_extraction_spec_unknown_choice_is_refused(field: str) -> None:
    with pytest.raises(ExtractionError, match="choose one of") as caught:
        ExtractionSpec(HASH, HASH, **{field: "magic"})

    assert caught.value.code == f"extraction.unknown_{field}"


def test_seed_from_differs_by_purpose_and_stays_in_63_bits() -> None:
    seeds = {seed_from(HASH, purpose) for purpose in ("bootstrap", "controls", "sampling")}

    assert len(seeds) == 3
    assert all(0 <= seed <= sys.maxsize for seed in seeds)
    assert seed_from(HASH, "bootstrap") == seed_from(HASH, "bootstrap")
