"""Certificates of real small models, and what the model itself answers to them."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from steering_core.errors import EvaluationError, FormatError, InjectionError, ModelMismatchError
from steering_core.evaluation.conformance import ALIKE, certify
from steering_core.formats.conformance import Certificate, read_certificate, write_certificate
from steering_core.formats.conformance_finding import Observed, centred, chord, compare, cosine
from steering_core.injection.hooks import steer
from steering_core.injection.mix import Steering

NORM = 4.0


def vector_at(lm: Any, make_vector: Any, *keys: str, seed: int = 0, **more: Any) -> Any:
    random = np.random.default_rng(seed)
    directions = {key: random.normal(size=lm.identity.d_model).astype(np.float32) for key in keys}
    return make_vector(lm.identity, directions, NORM, **more)


def answers(lm: Any, certificate: Certificate, steerings: list[Steering]) -> Observed:
    """As an engine would: each probe by itself."""

    def logits() -> list[Any]:
        rows = []
        for probe in certificate.probes:
            with torch.inference_mode():
                found = lm.model(input_ids=torch.tensor([probe.ids]), use_cache=False).logits[0]
            rows += found[list(probe.positions)][:, list(certificate.watched)].tolist()
        return rows

    steered = []
    for steering in steerings:
        with steer(lm, [steering]):
            steered.append(logits())
    return Observed(np.array(logits(), np.float32), np.array(steered, np.float32))


def at_strengths(vector: Any, certificate: Certificate, sign: float = 1.0, **more: Any) -> list[Steering]:
    return [Steering(vector, sign * strength, **more) for strength in certificate.strengths]


def names(certificate: Certificate) -> set[str]:
    return {decoy.name for decoy in certificate.decoys} | set(certificate.same)


@pytest.mark.parametrize(
    ("kind", "key"), [("llama", "resid_post.1"), ("gpt2", "mlp_out.1"), ("deepseek_v4", "resid_post@2.1")]
)
def test_certify_says_what_the_model_answers(tiny_lm: Any, make_vector: Any, kind: str, key: str) -> None:
    lm = tiny_lm(kind)
    vector = vector_at(lm, make_vector, key)

    certificate = certify(lm, vector)

    found = compare(certificate, answers(lm, certificate, at_strengths(vector, certificate)))
    assert found.conforms
    assert found.likenesses[0].cosine > 0.999999
    assert found.unsteered_error < 1e-5
    assert (certificate.tensor_digest, certificate.model_hash) == (
        vector.tensor_digest,
        lm.identity.model_hash,
    )
    assert (certificate.dtype, certificate.strengths) == ("float32", (-0.3, 0.3))


def test_certify_names_the_faults_that_the_model_makes(tiny_lm: Any, make_vector: Any) -> None:
    lm = tiny_lm("llama")
    vector = vector_at(lm, make_vector, "resid_post.1")
    (row,) = vector.directions.values()
    certificate = certify(lm, vector)

    def moved(key: str) -> Any:
        return make_vector(lm.identity, {key: row}, NORM)

    for name, steerings in {
        "wrong sign": at_strengths(vector, certificate, -1.0),
        "block 0 instead of 1": at_strengths(moved("resid_post.0"), certificate),
        "block 2 instead of 1": at_strengths(moved("resid_post.2"), certificate),
        "attn_out at the same block": at_strengths(moved("attn_out.1"), certificate),
        "project instead of add": at_strengths(vector, certificate, operation="project"),
        "last position only": at_strengths(vector, certificate, positions="last"),
    }.items():
        found = compare(certificate, answers(lm, certificate, steerings))
        assert (found.verdict, found.matched) == ("fault", name)
    doubled = [Steering(vector, 1.5 * strength) for strength in certificate.strengths]
    assert compare(certificate, answers(lm, certificate, doubled)).verdict == "other_strength"
    unsteered = at_strengths(vector, certificate, 0.0)
    assert compare(certificate, answers(lm, certificate, unsteered)).matched == "no effect"


def test_certify_twice_gives_the_same_bytes_and_another_seed_others(tiny_lm: Any, make_vector: Any) -> None:
    lm = tiny_lm("qwen3")
    vector = vector_at(lm, make_vector, "resid_post.1")

    data = write_certificate(certify(lm, vector))

    assert write_certificate(certify(lm, vector)) == data
    assert write_certificate(certify(lm, vector, seed=7)) != data
    assert write_certificate(read_certificate(data)) == data


def test_certify_lists_what_does_the_same_as_no_fault(tiny_lm: Any, make_vector: Any) -> None:
    """A llama block adds what its mlp returns to the state and returns that."""
    lm = tiny_lm("llama")

    residual = certify(lm, vector_at(lm, make_vector, "resid_post.1"))
    mlp = certify(lm, vector_at(lm, make_vector, "mlp_out.1"))

    assert residual.same == ("mlp_out at the same block",)
    assert mlp.same == ("resid_post at the same block",)


def test_certify_of_one_of_several_streams_has_a_decoy_on_all(tiny_lm: Any, make_vector: Any) -> None:
    lm = tiny_lm("deepseek_v4")
    vector = vector_at(lm, make_vector, "resid_post@2.1")
    certificate = certify(lm, vector)
    (row,) = vector.directions.values()

    everywhere = make_vector(lm.identity, {f"resid_post@{k}.1": row for k in range(4)}, NORM)
    found = compare(certificate, answers(lm, certificate, at_strengths(everywhere, certificate)))

    assert found.matched == "all streams at the same block"
    assert {"mlp_out at the same block", "attn_out at the same block"} <= names(certificate)


@pytest.mark.parametrize(
    ("keys", "there", "missing"),
    [
        (("resid_post.0",), "block 1 instead of 0", "block -1 instead of 0"),
        (("resid_post.2",), "block 1 instead of 2", "block 3 instead of 2"),
        (("resid_post.0", "resid_post.1"), "every block after its own", "block 1 instead of 0"),
    ],
)
def test_certify_at_either_end_moves_only_where_blocks_are(
    tiny_lm: Any, make_vector: Any, keys: tuple[str, ...], there: str, missing: str
) -> None:
    lm = tiny_lm("llama")

    found = names(certify(lm, vector_at(lm, make_vector, *keys)))

    assert there in found
    assert missing not in found


@pytest.mark.parametrize("operation", ["project", "clamp"])
def test_certify_of_another_operation_takes_it_whole(tiny_lm: Any, make_vector: Any, operation: str) -> None:
    lm = tiny_lm("llama")
    points = {"resid_post.1": (-3.0, 3.0)}
    vector = vector_at(lm, make_vector, "resid_post.1", operation=operation, set_points=points)

    certificate = certify(lm, vector)

    assert (certificate.operation, certificate.strengths) == (operation, (-1.0, 1.0))
    assert f"add instead of {operation}" in names(certificate)
    assert compare(certificate, answers(lm, certificate, at_strengths(vector, certificate))).conforms
    added = at_strengths(vector, certificate, operation="add")
    assert not compare(certificate, answers(lm, certificate, added)).conforms


def test_certify_keeps_only_decoys_that_can_be_told_apart(tiny_lm: Any, make_vector: Any) -> None:
    lm = tiny_lm("gpt2")

    certificate = certify(lm, vector_at(lm, make_vector, "attn_out.1"))

    right = centred(certificate.changes)
    assert certificate.decoys
    assert all(chord(cosine(right, centred(decoy.changes))) >= ALIKE for decoy in certificate.decoys)


def test_certify_of_a_measured_window_warns_of_nothing(tiny_lm: Any, make_vector: Any) -> None:
    """Warnings are errors here."""
    lm = tiny_lm("llama")

    certificate = certify(lm, vector_at(lm, make_vector, "resid_post.1", window=(-0.1, 0.1)))

    assert certificate.strengths == (-0.3, 0.3)


def test_certify_watches_no_ids_that_the_tokenizer_does_not_have(tiny_lm: Any, make_vector: Any) -> None:
    lm = tiny_lm("llama")
    n_words = len(lm.tokenizer)
    padded = replace(lm, model=deepcopy(lm.model))
    padded.model.resize_token_embeddings(n_words + 35, mean_resizing=False)
    vector = vector_at(lm, make_vector, "resid_post.1")

    certificate = certify(padded, vector)

    assert certificate.watched == tuple(range(n_words))
    ordinary = set(range(n_words)) - set(lm.tokenizer.all_special_ids)
    assert all(probe.ids[0] == lm.tokenizer.bos_token_id for probe in certificate.probes)
    assert {token for probe in certificate.probes for token in probe.ids[1:]} <= ordinary


def test_certify_of_a_strength_next_to_nothing_is_refused(tiny_lm: Any, make_vector: Any) -> None:
    lm = tiny_lm("llama")

    with pytest.raises(EvaluationError, match="larger strengths") as refused:
        certify(lm, vector_at(lm, make_vector, "resid_post.1"), strengths=(1e-6,))

    assert refused.value.code == "conformance.too_small"


def test_certify_where_a_neighbour_does_the_same_is_refused(tiny_lm: Any, make_vector: Any) -> None:
    """A block whose modules return nothing passes the state on as it is."""
    lm = tiny_lm("mistral")
    block = lm.model.model.layers[1]
    kept = [weight.detach().clone() for weight in (block.mlp.down_proj.weight, block.self_attn.o_proj.weight)]
    try:
        with torch.no_grad():
            block.mlp.down_proj.weight.zero_()
            block.self_attn.o_proj.weight.zero_()
        with pytest.raises(EvaluationError, match="'block 1 instead of 0'") as refused:
            certify(lm, vector_at(lm, make_vector, "resid_post.0"))
    finally:
        with torch.no_grad():
            block.mlp.down_proj.weight.copy_(kept[0])
            block.self_attn.o_proj.weight.copy_(kept[1])

    assert refused.value.code == "conformance.alike"


def test_certify_of_a_vector_for_another_model_is_refused(tiny_lm: Any, make_vector: Any) -> None:
    lm = tiny_lm("llama")
    other = replace(lm.identity, model_hash="sha256:" + "0" * 64)

    with pytest.raises(ModelMismatchError):
        certify(lm, make_vector(other, {"resid_post.1": np.ones(lm.identity.d_model, np.float32)}))


@pytest.mark.parametrize(
    ("strengths", "error"),
    [((0.0, 0.3), FormatError), ((3.0,), InjectionError), ((0.1, 0.2, 0.3, 0.4, 0.5), FormatError)],
)
def test_certify_of_strengths_that_cannot_be_meant_is_refused(
    tiny_lm: Any, make_vector: Any, strengths: tuple[float, ...], error: type[Exception]
) -> None:
    lm = tiny_lm("llama")

    with pytest.raises(error):
        certify(lm, vector_at(lm, make_vector, "resid_post.1"), strengths=strengths)
