"""The statistics file: what stands in it, what it refuses, and directions from it without a model."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from steering_core.errors import ExtractionError
from steering_core.extraction.derive import Recipe, derive
from steering_core.extraction.existence import consistency, sign_flip_p
from steering_core.extraction.merging import copy_statistics
from steering_core.extraction.reading import unlabelled
from steering_core.extraction.statistics import (
    Labels,
    Reading,
    Rows,
    Statistics,
    write_statistics,
)
from steering_core.spec import ModelIdentity

MODEL = ModelIdentity("tests", "sha256:" + "0" * 64, "LlamaForCausalLM", 4, 8)
READING = Reading(("resid_post",), (1, 3), ("response_mean",))


def written(file, n=20, seed=0, model=MODEL, labels=None, reading=READING, origin=()):
    """A file of random rows whose poles differ along the first axis."""
    rng = np.random.default_rng(seed)
    with write_statistics(file, model, reading, labels or unlabelled(n), *origin) as writer:
        for pooling in reading.poolings:
            for site, block in reading.places:
                noise = rng.standard_normal((2, n, 8))
                for pole, sign in (("positive", 1), ("negative", -1)):
                    rows = noise[int(sign > 0)] + 2 * sign * np.eye(8)[0]
                    writer.put(f"{pooling}/{site}.{block}/{pole}", 0, rows)
        writer.put("norms", 0, np.full((n, len(reading.blocks)), 10.0))
    return Statistics(file)


def test_statistics_file_is_safetensors_that_anybody_can_read(tmp_path):
    found = written(tmp_path / "s.safetensors")
    with safetensors.safe_open(tmp_path / "s.safetensors", "np") as file:
        positive = file.get_tensor("response_mean/resid_post.3/positive")
        assert json.loads(file.metadata()["model"]) == asdict(MODEL)

    np.testing.assert_array_equal(found.rows("response_mean", "resid_post", 3).pole("positive"), positive)
    assert (found.n_pairs, found.reading, found.model) == (20, READING, MODEL)
    assert found.residual_norm(3) == 10.0


@settings(max_examples=40, deadline=None)
@given(pairs=st.sets(st.integers(0, 599)), n=st.just(600))
def test_rows_taken_are_the_rows_in_every_way_of_reading(pairs, n):
    rng = np.random.default_rng(0)
    positive, negative = rng.standard_normal((2, n, 3)).astype(np.float32)
    wanted = np.array(sorted(pairs), np.int64)
    rows = Rows.of(positive, negative).taken(wanted)

    np.testing.assert_array_equal(rows.pole("negative"), negative[wanted])
    parts = list(rows.chunks())
    if parts:
        np.testing.assert_array_equal(np.concatenate([p for p, _ in parts]), positive[wanted])


def test_statistics_flow_through_little_memory():
    """5000 pairs may take at most 1.2 times the memory of 200; measured in a process of its own."""
    script = (
        "import resource, tempfile, sys, numpy as np; from pathlib import Path;"
        "from tests.steering_core.extraction.test_statistics import MODEL, READING;"
        "from dataclasses import replace;"
        "from steering_core.extraction.statistics import *;"
        "from steering_core.extraction.reading import unlabelled;"
        "from steering_core.extraction.methods import mean_difference;"
        "model = replace(MODEL, d_model=1024); n = int(sys.argv[1]); folder = tempfile.TemporaryDirectory();"
        "file = Path(folder.name) / 's';\n"
        "with write_statistics(file, model, READING, unlabelled(n)) as w:\n"
        "    for i in range(n):\n"
        "        w.put('response_mean/resid_post.1/positive', i, np.ones((1, 1024), np.float32))\n"
        "mean_difference.axis(Statistics(file).rows('response_mean', 'resid_post', 1))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    few, many = (
        int(subprocess.run([sys.executable, "-c", script, str(n)], capture_output=True, check=True).stdout)
        for n in (200, 5000)
    )

    assert many <= 1.2 * few


def test_write_statistics_that_fails_leaves_nothing(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        write_statistics(tmp_path / "s", MODEL, READING, unlabelled(3)) as _,
    ):
        raise ZeroDivisionError

    assert not list(tmp_path.iterdir())


def test_rows_of_a_place_that_was_not_read_is_a_plain_error(tmp_path):
    with pytest.raises(ExtractionError, match="response_mean at resid_post, blocks 1, 3") as caught:
        written(tmp_path / "s").rows("response_mean", "resid_post", 2)
    assert caught.value.code == "extraction.not_read"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:4],
        lambda data: b"",
        lambda data: data.replace(b"bearing-statistics", b"something-else-abc"),
        lambda data: data.replace(b'"format_version":"1"', b'"format_version":"2"'),
        lambda data: data.replace(b'"I64"', b'"F99"'),
        lambda data: data.replace(b'"norms"', b'"other"'),
        lambda data: (2**62).to_bytes(8, "little") + data[8:],
        lambda data: data[:8] + b"\xff" + data[9:],
    ],
)
def test_statistics_spoiled_file_is_refused(tmp_path, spoil):
    written(tmp_path / "s")
    (tmp_path / "t").write_bytes(spoil((tmp_path / "s").read_bytes()))

    with pytest.raises(ExtractionError) as caught:
        Statistics(tmp_path / "t")
    assert caught.value.code == "extraction.statistics_invalid"


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 600), byte=st.integers(0, 255))
def test_statistics_any_flipped_header_byte_reads_or_is_refused(tmp_path_factory, at, byte):
    folder = tmp_path_factory.mktemp("flip")
    written(folder / "s", n=3)
    data = bytearray((folder / "s").read_bytes())
    data[at] = byte
    (folder / "t").write_bytes(data)

    try:
        derive(Statistics(folder / "t"), Recipe(), "response_mean", "resid_post", 1)
    except ExtractionError:
        pass


def test_derive_is_the_same_bit_for_bit_without_torch_and_gives_other_methods(tmp_path):
    found = written(tmp_path / "s")
    here = derive(found, Recipe(), "response_mean", "resid_post", 1).vector
    script = (
        "import sys; from pathlib import Path; from steering_core.extraction.derive import *;"
        "from steering_core.extraction.statistics import Statistics;"
        "d = derive(Statistics(Path(sys.argv[1])), Recipe(), 'response_mean', 'resid_post', 1);"
        "assert 'torch' not in sys.modules; sys.stdout.buffer.write(d.vector.tobytes())"
    )
    there = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "s")], capture_output=True, check=True
    ).stdout

    assert there == here.tobytes()
    assert not np.array_equal(derive(found, Recipe("pca"), "response_mean", "resid_post", 1).vector, here)


def test_copy_statistics_dropped_rows_give_the_direction_of_the_rest(tmp_path):
    found, kept = written(tmp_path / "s"), np.array([0, 3, 4, 11])
    copied = copy_statistics([(found, kept)], tmp_path / "t")

    np.testing.assert_array_equal(
        derive(copied, Recipe(), "response_mean", "resid_post", 3).vector,
        derive(found, Recipe(), "response_mean", "resid_post", 3, pairs=kept).vector,
    )


def test_copy_statistics_merged_files_hold_every_pair_once_and_their_groups_apart(tmp_path):
    one, two = written(tmp_path / "a", 5, seed=0), written(tmp_path / "b", 7, seed=1)
    every = [(f, np.arange(f.n_pairs)) for f in (one, two)]
    merged = copy_statistics(
        every, tmp_path / "c", reading=Reading(("resid_post",), (3,), ("response_mean",))
    )

    assert merged.n_pairs == 7  # `unlabelled` gives pair i the same key in both
    assert merged.reading.blocks == (3,)
    assert len(np.unique(merged.labels.groups)) == 7
    np.testing.assert_array_equal(
        merged.rows("response_mean", "resid_post", 3).pole("positive")[5:],
        two.rows("response_mean", "resid_post", 3).pole("positive")[5:],
    )


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (("sha256:1", "float32"), ("sha256:1", "float32")),
        (("sha256:2", "bfloat16"), ("", "")),
        (("sha256:2", "float32"), ("", "float32")),
    ],
)
def test_copy_statistics_keeps_of_their_origin_what_the_files_share(tmp_path, other, expected):
    one = written(tmp_path / "a", 5, origin=("sha256:1", "float32"))
    two = written(tmp_path / "b", 7, seed=1, origin=other)
    merged = copy_statistics([(f, np.arange(f.n_pairs)) for f in (one, two)], tmp_path / "c")

    assert (merged.dataset_digest, merged.dtype) == expected


def test_copy_statistics_of_two_models_is_refused(tmp_path):
    other = ModelIdentity("tests", "sha256:" + "1" * 64, "LlamaForCausalLM", 4, 8)
    files = written(tmp_path / "a"), written(tmp_path / "b", model=other)

    with pytest.raises(ExtractionError, match="different base model revisions"):
        copy_statistics([(f, np.arange(20)) for f in files], tmp_path / "c")


def test_derive_orthogonal_direction_shares_nothing_with_the_negative_mean(tmp_path):
    found = written(tmp_path / "s")
    direction = derive(found, Recipe(orthogonal=True), "response_mean", "resid_post", 1)
    negative = found.rows("response_mean", "resid_post", 1).pole("negative").mean(0)

    assert abs(direction.vector @ negative) < 1e-6
    assert direction.negative_mean == pytest.approx(0, abs=1e-6)


def test_derive_natural_length_is_the_shift_of_the_means_for_every_method(tmp_path):
    found = written(tmp_path / "s")
    for method in ("mean_difference", "pca", "logistic_probe", "whitened"):
        direction = derive(found, Recipe(method), "response_mean", "resid_post", 1)
        assert direction.positive_mean - direction.negative_mean == pytest.approx(direction.norm)


def test_derive_reliability_rises_with_the_pairs_and_is_small_for_noise(tmp_path):
    clear, labels = written(tmp_path / "s", 40), unlabelled(40)
    noise = np.random.default_rng(3).standard_normal((2, 40, 8))
    with write_statistics(tmp_path / "n", MODEL, READING, labels) as writer:
        for pole, rows in zip(("positive", "negative"), noise, strict=True):
            writer.put(f"response_mean/resid_post.1/{pole}", 0, rows)
        writer.put("norms", 0, np.ones((40, 2)))
    few = derive(clear, Recipe(), "response_mean", "resid_post", 1, pairs=np.arange(6)).reliability
    many = derive(clear, Recipe(), "response_mean", "resid_post", 1).reliability
    none = derive(Statistics(tmp_path / "n"), Recipe(), "response_mean", "resid_post", 1).reliability

    assert 0.97 < many <= 1
    assert none < 0.6 < few < many


def test_derive_one_group_has_no_halves(tmp_path):
    labels = unlabelled(20)
    one = Labels(np.zeros(20, np.int64), labels.splits, labels.keys)
    found = written(tmp_path / "s", labels=one)

    assert np.isnan(derive(found, Recipe(), "response_mean", "resid_post", 1).reliability)


def test_recipe_unknown_method_names_the_known_ones():
    with pytest.raises(ExtractionError, match="mean_difference, pca"):
        Recipe("magic")


def test_consistency_is_the_mean_cosine_of_two_pairs_and_near_zero_for_noise():
    differences = np.random.default_rng(0).standard_normal((30, 400))
    units = differences / np.linalg.norm(differences, axis=1, keepdims=True)
    cosines = units @ units.T
    expected = (cosines.sum() - 30) / (30 * 29)

    assert consistency(differences) == pytest.approx(expected)
    assert abs(expected) < 0.01
    assert consistency(np.ones((5, 3))) == pytest.approx(1)
    assert np.isnan(consistency(np.ones((1, 3))))


def test_sign_flip_p_is_uniform_on_noise_and_small_on_a_shift():
    rng = np.random.default_rng(0)
    on_noise = [sign_flip_p(rng.standard_normal((20, 5)), np.arange(20), 199) for _ in range(200)]
    on_shift = sign_flip_p(rng.standard_normal((20, 5)) + 1, np.arange(20))

    assert 0.02 < np.mean(np.array(on_noise) <= 0.05) < 0.09
    assert on_shift == 0.001


def test_sign_flip_p_counts_groups_and_not_pairs():
    one_pair = np.ones((30, 3)) + 0.01 * np.random.default_rng(0).standard_normal((30, 3))

    assert sign_flip_p(one_pair, np.arange(30)) == 0.001
    assert sign_flip_p(one_pair, np.repeat(np.arange(3), 10)) > 0.1
