"""Certificates as files, and what is made of an engine's answers; of numbers made up here."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

import steering_core
from steering_core.errors import FormatError
from steering_core.formats.codes import CONFORMANCE_ERROR_CODES, FORMAT_ERROR_CODES
from steering_core.formats.conformance import (
    MAX_BYTES,
    MAX_LOGIT,
    Certificate,
    Decoy,
    Probe,
    read_certificate,
    write_certificate,
)
from steering_core.formats.conformance_finding import MOST, Observed, centred, chord, compare, cosine

ROOT = Path(steering_core.__file__).parent
DIGEST = "sha256:" + "a" * 64
KNOWN = {*CONFORMANCE_ERROR_CODES, *FORMAT_ERROR_CODES}
N_WATCHED = 24
SHAPE = (2, 3, N_WATCHED)  # strengths, points, watched
NOISE = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)


def certificate(**fields: Any) -> Certificate:
    """Two strengths, three points, 24 tokens, and decoys at known angles to what is right."""
    random = np.random.default_rng(0)
    right, other = random.normal(size=(2, *SHAPE)).astype(np.float32)
    return Certificate(
        **{
            "tensor_digest": DIGEST,
            "model_hash": DIGEST,
            "model": "acme/tiny",
            "operation": "add",
            "dtype": "float32",
            "strengths": (-0.3, 0.3),
            "probes": (Probe((1, 5, 9, 7), (1, 3)), Probe((1, 2), (1,))),
            "watched": tuple(range(3, 3 + N_WATCHED)),
            "unsteered": 5 * random.normal(size=SHAPE[1:]),
            "changes": right,
            "decoys": (
                Decoy("wrong sign", "with the wrong sign", -right),
                Decoy("block 2 instead of 3", "one block too early", right + 0.5 * other),
                Decoy("last position only", "at the last position of the text only", other),
            ),
            "same": ("mlp_out at the same block",),
            **fields,
        }
    )


def answered(made: Certificate, changes: Any) -> Observed:
    return Observed(made.unsteered, made.unsteered + np.asarray(changes, dtype=np.float32))


# --- the file ---


def test_write_certificate_of_what_was_read_is_the_same_bytes() -> None:
    data = write_certificate(certificate())

    assert write_certificate(read_certificate(data)) == data
    assert list(json.loads(data)) == sorted(json.loads(data))


def test_read_certificate_gives_every_field_back() -> None:
    made = certificate()

    found = read_certificate(write_certificate(made))

    for name in ("tensor_digest", "model_hash", "model", "operation", "dtype", "strengths", "same"):
        assert getattr(found, name) == getattr(made, name)
    assert (found.probes, found.watched) == (made.probes, made.watched)
    np.testing.assert_array_equal(found.changes, made.changes)
    assert [(decoy.name, decoy.why) for decoy in found.decoys] == [(d.name, d.why) for d in made.decoys]
    np.testing.assert_array_equal(found.decoys[1].changes, made.decoys[1].changes)


@given(stn.arrays(np.float32, SHAPE, elements=st.floats(-MAX_LOGIT, MAX_LOGIT, width=32)))
def test_read_certificate_of_any_numbers_keeps_six_digits(changes: Any) -> None:
    made = certificate(changes=changes)

    data = write_certificate(made)

    assert write_certificate(read_certificate(data)) == data
    np.testing.assert_allclose(read_certificate(data).changes, changes, rtol=5.1e-6, atol=1e-12)


def changed(path: tuple[Any, ...], value: Any) -> bytes:
    """The file with one value replaced; `...` removes it."""
    fields = json.loads(write_certificate(certificate()))
    inner = fields
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("format",), "bearing", "fields"),
        (("format_version",), 2, "version"),
        (("format_version",), True, "version"),
        (("extra",), 1, "fields"),
        (("same",), ..., "fields"),
        (("operation",), "multiply", "value"),
        (("model",), "", "value"),
        (("model",), "a\u202eb", "value"),
        (("dtype",), 7, "value"),
        (("strengths",), [], "value"),
        (("strengths",), [0.3, -0.3], "value"),
        (("strengths",), [-0.3, 0.0], "value"),
        (("strengths",), [-1, 1], "value"),
        (("strengths",), 0.3, "fields"),
        (("probes",), [], "value"),
        (("probes", 0), 7, "fields"),
        (("probes", 0, "ids"), [1, 5, 9, -1], "value"),
        (("probes", 0, "ids", 0), 1.5, "value"),
        (("probes", 0, "ids"), [1] * 65, "value"),
        (("probes", 0, "positions"), [3, 1], "value"),
        (("probes", 0, "positions"), [1, 4], "value"),
        (("probes", 0, "positions"), [], "value"),
        (("probes", 0, "more"), 1, "not_canonical"),
        (("watched", 0), 2.0, "value"),
        (("watched", 1), 3, "value"),
        (("watched",), list(range(257)), "value"),
        (("unsteered", 0, 0), 1e7, "value"),
        (("unsteered", 0, 0), "1.0", "not_canonical"),
        (("unsteered", 0, 0), True, "not_canonical"),
        (("unsteered", 0, 0), 1.23456789, "not_canonical"),
        (("unsteered", 0, 0), None, "value"),
        (("unsteered", 0), [1.0], "fields"),
        (("changes",), [], "shape"),
        (("decoys", 0, "changes"), [[1.0]], "shape"),
        (("decoys", 0, "name"), "last position only", "value"),
        (("decoys", 0, "why"), "\x1b[31m", "value"),
        (("decoys", 0, "more"), 1, "not_canonical"),
        (("same",), [f"{i}" for i in range(20)], "value"),
        (("same",), [1], "value"),
    ],
)
def test_read_certificate_refuses(path: tuple[Any, ...], value: Any, code: str) -> None:
    with pytest.raises(FormatError) as refused:
        read_certificate(changed(path, value))

    assert refused.value.code == f"conformance.{code}"
    assert len(refused.value.message) < 500


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "format.not_json"),
        (b"\xff", "conformance.fields"),
        (b"[]", "conformance.fields"),
        (b"[" * 1000, "format.too_deep"),
        (b'{"format":NaN}', "format.not_json"),
        (b" " * (MAX_BYTES + 1), "conformance.too_large"),
        (write_certificate(certificate()) + b"\n", "conformance.not_canonical"),
        (changed(("tensor_digest",), "md5:0"), "format.digest"),
    ],
)
def test_read_certificate_refuses_bytes(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as refused:
        read_certificate(data)

    assert refused.value.code == code


@given(st.data())
def test_read_certificate_of_mutated_bytes_is_refused_or_what_would_be_written(draw: st.DataObject) -> None:
    data = bytearray(write_certificate(certificate()))
    for _ in range(draw.draw(st.integers(1, 3))):
        start = draw.draw(st.integers(0, len(data) - 1))
        data[start : start + draw.draw(st.integers(0, 4))] = draw.draw(st.binary(max_size=4))

    try:
        rewritten = write_certificate(read_certificate(bytes(data)))
    except FormatError as refused:
        rewritten, data = refused.code, refused.code if refused.code in KNOWN else "an unknown code"

    assert rewritten == data


def test_write_certificate_too_large_is_refused() -> None:
    shape = (2, 16 * 8, 256)
    wide = certificate(
        probes=tuple(Probe(tuple(range(8)), tuple(range(8))) for _ in range(16)),
        watched=tuple(range(256)),
        unsteered=np.full(shape[1:], 0.123456),
        changes=np.full(shape, 0.123456),
        decoys=(),
    )

    with pytest.raises(FormatError, match="watch fewer") as refused:
        write_certificate(wide)

    assert refused.value.code == "conformance.too_large"


def test_certificate_codes_are_all_used_and_documented() -> None:
    text = "".join(
        (ROOT / f"formats/{name}.py").read_text() for name in ("conformance", "conformance_finding")
    )
    used = {f"conformance.{name}" for name in re.findall(r'_refused\(\s*"(\w+)"', text)}
    used |= set(re.findall(r'code="(conformance\.\w+)"', text))
    page = (ROOT.parent / "docs" / "conformance.md").read_text()

    assert used == set(CONFORMANCE_ERROR_CODES)
    assert used <= set(re.findall(r"^\| `(conformance\.\w+)` \|", page, re.MULTILINE))


# --- what is made of answers ---


def test_compare_of_the_same_numbers_conforms() -> None:
    made = certificate()

    found = compare(made, answered(made, made.changes))

    assert (found.verdict, found.matched, found.conforms) == ("conforms", "", True)
    assert found.reason == "applies it at the right block, site and sign (cosine 1.00000)"
    assert found.likenesses[0].size == pytest.approx(1)
    assert [likeness.name for likeness in found.likenesses[1:]] == [decoy.name for decoy in made.decoys]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_compare_of_a_decoy_names_it(which: int) -> None:
    made = certificate()
    decoy = made.decoys[which]

    found = compare(made, answered(made, decoy.changes))

    assert (found.verdict, found.matched, found.conforms) == ("fault", decoy.name, False)
    assert found.reason == f"applies it {decoy.why}: it matched {decoy.name!r}"


def test_compare_of_a_decoy_does_not_depend_on_its_strength() -> None:
    made = certificate()

    assert compare(made, answered(made, 3 * made.decoys[1].changes)).matched == "block 2 instead of 3"


@pytest.mark.parametrize("rest", [0.0, 0.05])
def test_compare_of_next_to_no_change_is_no_effect(rest: float) -> None:
    made = certificate()

    found = compare(made, answered(made, rest * made.changes))

    assert (found.verdict, found.matched) == ("fault", "no effect")


@pytest.mark.parametrize("factor", [0.5, 1.2, 4.0])
def test_compare_of_another_size_says_how_large(factor: float) -> None:
    made = certificate()

    found = compare(made, answered(made, factor * made.changes))

    assert found.verdict == "other_strength"
    assert f"{factor:.2f} times as strongly" in found.reason


def test_compare_of_logits_up_to_a_constant_conforms() -> None:
    made = certificate()
    steered = made.unsteered + made.changes

    def log_softmax(logits: Any) -> Any:
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))

    found = compare(made, Observed(log_softmax(made.unsteered), log_softmax(steered)))

    assert found.conforms
    assert found.likenesses[0].cosine == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("share", "verdict"), [(0.03, "conforms"), (0.12, "inconclusive")])
def test_compare_of_noise_on_an_exact_engine_is_held_to_its_tolerance(share: float, verdict: str) -> None:
    made = certificate()

    found = compare(made, answered(made, made.changes + share * NOISE))

    assert found.verdict == verdict
    assert found.tolerance == pytest.approx(0.05)


def test_compare_of_a_quantised_engine_is_given_more_room() -> None:
    made = certificate()
    off = 0.05 * 5 * NOISE[0]

    found = compare(made, Observed(made.unsteered + off, made.unsteered + off + made.changes + 0.12 * NOISE))

    assert found.conforms
    assert found.unsteered_error == pytest.approx(0.05, rel=0.3)
    assert 0.12 < found.tolerance < MOST


def test_compare_of_other_unsteered_logits_says_another_model() -> None:
    made = certificate()
    other = made.unsteered + 5 * NOISE[0]

    found = compare(made, Observed(other, other + made.changes))

    assert found.verdict == "other_model"
    assert "another model, quantisation or tokenisation than acme/tiny" in found.reason


def test_compare_of_what_is_between_right_and_a_decoy_is_inconclusive() -> None:
    made = certificate()

    found = compare(made, answered(made, made.changes + made.decoys[1].changes))

    assert (found.verdict, found.matched) == ("inconclusive", "")
    assert "'block 2 instead of 3'" in found.reason


def test_compare_of_something_else_is_inconclusive() -> None:
    made = certificate()

    found = compare(made, answered(made, NOISE))

    assert found.verdict == "inconclusive"
    assert "nothing is close" in found.reason


@given(st.integers(0, 2), st.floats(0, 0.1), st.integers(0, 99))
def test_compare_never_takes_a_noisy_decoy_for_right(which: int, share: float, seed: int) -> None:
    made = certificate()
    noise = np.random.default_rng(seed).normal(size=SHAPE)

    found = compare(made, answered(made, made.decoys[which].changes + share * noise))

    assert not found.conforms
    assert found.matched == made.decoys[which].name


@pytest.mark.parametrize(
    ("unsteered", "steered"),
    [
        (np.zeros((3, N_WATCHED)), np.zeros((3, N_WATCHED))),
        (np.zeros((3, N_WATCHED + 1)), np.zeros(SHAPE)),
        (np.full((3, N_WATCHED), np.nan), np.zeros(SHAPE)),
        (np.zeros((3, N_WATCHED)), np.full(SHAPE, np.inf)),
    ],
)
def test_compare_refuses_what_is_no_answer(unsteered: Any, steered: Any) -> None:
    with pytest.raises(FormatError) as refused:
        compare(certificate(), Observed(unsteered.astype(np.float32), steered.astype(np.float32)))

    assert refused.value.code == "conformance.observed"


def test_chord_is_the_distance_of_unit_vectors() -> None:
    one, other = centred(NOISE[0]), centred(NOISE[1])

    apart = one / np.linalg.norm(one) - other / np.linalg.norm(other)

    assert chord(cosine(one, other)) == pytest.approx(np.linalg.norm(apart))
    assert chord(cosine(one, 0 * other)) == pytest.approx(2**0.5)


def test_certificate_with_numbers_that_do_not_fit_is_refused() -> None:
    with pytest.raises(FormatError) as refused:
        replace(certificate(), watched=(1, 2))

    assert refused.value.code == "conformance.shape"
