"""`bearing derive`: other vectors from what one pass kept, without a model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steering_core.formats.bearing import read_vector
from tests.steering_core.client.small_pairs import write_pairs


@pytest.fixture
def kept(made: Any, tmp_path: Path) -> Any:
    """Statistics of 40 pairs on the tiny llama, and what extract-local made of them at every block."""
    file = tmp_path / "kept.st"
    _, vector = made(write_pairs(tmp_path), "--blocks", "all", "--statistics", file)
    return file, vector


@pytest.mark.parametrize("method", ["mean_difference", "whitened"])
def test_derive_equals_the_run_bit_for_bit(bearing: Any, made: Any, tmp_path: Path, method: str) -> None:
    file, output = tmp_path / "kept.st", tmp_path / "derived"
    found, vector = made(write_pairs(tmp_path), "--statistics", file, "--method", method)
    place = next(row for row in found["places"] if row["chosen"])
    at = ("--block", place["block"], "--pooling", place["pooling"])
    done = bearing("derive", file, "-o", output, "--method", method, *at, "--json")
    assert done.exit_code == 0, done.output
    derived = read_vector(output.read_bytes(), json.loads(done.stdout)["digest"])
    assert derived.tensor_digest == vector.tensor_digest
    assert derived.residual_norms == vector.residual_norms
    assert derived.set_points == vector.set_points
    assert derived.sign == vector.sign == "positive"
    assert derived.provenance.dataset_digest == vector.provenance.dataset_digest
    assert derived.provenance.dtype == vector.provenance.dtype == "float32"
    assert derived.doses == ()


def test_derive_without_a_block_takes_the_first_in_rank_and_says_so(
    bearing: Any, kept: Any, tmp_path: Path
) -> None:
    done = bearing("derive", kept[0], "-o", tmp_path / "v", "--orthogonal")
    assert done.exit_code == 0, done.output
    assert "ranked first on held-out pairs; steering was not tried" in done.stdout
    assert done.stdout.count("response_mean") == 3 + 1
    provenance = read_vector((tmp_path / "v").read_bytes()).provenance
    assert provenance.method == "mean_difference_orthogonal"


def test_derive_dropped_rows_and_merged_files(bearing: Any, made: Any, kept: Any, tmp_path: Path) -> None:
    file, vector = kept
    other = tmp_path / "other.st"
    made(write_pairs(tmp_path, seed=1), "--blocks", "all", "--statistics", other)

    def direction(*options: object) -> np.ndarray:
        output = tmp_path / "derived"
        done = bearing("derive", file, "-o", output, "--block", 1, "--force", *options)
        assert done.exit_code == 0, done.output
        return read_vector(output.read_bytes()).directions["resid_post.1"]

    whole = vector.directions["resid_post.1"]
    assert np.array_equal(direction(), whole)
    assert not np.array_equal(direction("--drop", "1,3-5"), whole)
    assert not np.array_equal(direction("--merge", other), whole)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--block", "7"], "extraction.not_read"),
        (["--pooling", "next_turn"], "extraction.not_read"),
        (["--site", "mlp_out"], "extraction.not_read"),
        (["--drop", "41"], "rows 1 to 40"),
        (["--drop", "no"], "--drop is rows"),
        (["--drop", "1-24"], "no train pairs are left"),
        (["--method", "mean_centred"], "extraction.no_background"),
    ],
)
def test_derive_faults_are_plain(
    bearing: Any, kept: Any, tmp_path: Path, options: list[str], told: str
) -> None:
    done = bearing("derive", kept[0], "-o", tmp_path / "v", *options)
    assert done.exit_code in (1, 2)
    assert told in done.stderr
    assert not (tmp_path / "v").exists()


def test_derive_of_another_file_is_refused(bearing: Any, tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"no statistics")
    for name in ("junk", "none"):
        done = bearing("derive", tmp_path / name, "-o", tmp_path / "v")
        assert done.exit_code == 1
        assert "extraction.statistics_invalid" in done.stderr


def test_derive_needs_no_torch(kept: Any, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from steering_core.client.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    words = ("derive", str(kept[0]), "-o", str(tmp_path / "v"), "--method", "logistic_probe")
    subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True)
    assert (tmp_path / "v").is_file()
