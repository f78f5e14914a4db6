"""The promise of format version 1, on files that never change; golden/README.md."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from steering_core.formats.bearing import read_vector, write_vector
from steering_core.spec import ModelIdentity, Provenance, digest
from steering_core.vector import SteeringVector

FOLDER = Path(__file__).parent / "golden"
SUMS = {name: summed for summed, name in map(str.split, (FOLDER / "SHA256SUMS").read_text().splitlines())}
VALUES: dict[str, dict[str, Any]] = json.loads((FOLDER / "values.json").read_text("utf-8"))

# Nothing can be imported but numpy, the standard library and the package itself.
READ_WITH_NUMPY_ALONE = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "numpy", "steering_core"}:
            raise ModuleNotFoundError(f"{name} is not to be imported", name=name)

sys.meta_path.insert(0, Refuse())
from steering_core.formats.bearing import read_vector

for path in sys.argv[1:]:
    with open(path, "rb") as file:
        vector = read_vector(file.read())
    print(json.dumps({key: row.tolist() for key, row in vector.directions.items()}))
"""


def test_golden_files_are_those_of_the_sums() -> None:
    found = {file.name: sha256(file.read_bytes()).hexdigest() for file in FOLDER.glob("*.[sj]*")}

    assert found == SUMS
    assert {f"{name}.safetensors" for name in VALUES} == set(SUMS) - {"values.json"}


@pytest.mark.parametrize("name", VALUES)
def test_golden_file_is_read_to_its_values(name: str) -> None:
    data, said = _file(name).read_bytes(), VALUES[name]
    vector = read_vector(data, digest(data))

    assert vector.model == ModelIdentity(**said["model"])
    assert vector.provenance == Provenance(**said["provenance"])
    assert dict(vector.residual_norms) == said["residual_norms"]
    assert {key: list(points) for key, points in vector.set_points.items()} == said["set_points"]
    assert (vector.operation, vector.sign) == (said["operation"], said["sign"])
    assert (vector.window and list(vector.window)) == said["window"]
    assert [list(point) for point in vector.doses] == said["doses"]
    assert set(vector.directions) == set(said["directions"])
    for key, row in vector.directions.items():
        assert row.tobytes() == np.array(said["directions"][key], np.float32).tobytes()


@pytest.mark.parametrize("name", VALUES)
def test_golden_file_is_written_byte_for_byte(name: str) -> None:
    said = VALUES[name]
    vector = SteeringVector(
        **{
            **said,
            "model": ModelIdentity(**said["model"]),
            "provenance": Provenance(**said["provenance"]),
            "directions": {key: np.array(row, np.float32) for key, row in said["directions"].items()},
        }
    )

    assert write_vector(vector) == _file(name).read_bytes()
    assert write_vector(read_vector(_file(name).read_bytes())) == _file(name).read_bytes()


@pytest.mark.parametrize("name", VALUES)
def test_golden_file_has_the_same_tensors_for_safetensors(name: str) -> None:
    vector, tensors = read_vector(_file(name).read_bytes()), load_file(_file(name))

    assert set(tensors) == set(vector.directions)
    for key, row in tensors.items():
        assert row.dtype == np.float32
        assert row.tobytes() == vector.directions[key].tobytes()


def test_golden_files_are_read_where_numpy_alone_is_importable() -> None:
    files = [str(_file(name)) for name in VALUES]
    done = subprocess.run(
        [sys.executable, "-c", READ_WITH_NUMPY_ALONE, *files], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows == [said["directions"] for said in VALUES.values()]


def test_golden_files_have_each_field_empty_and_filled() -> None:
    vectors = [read_vector(_file(name).read_bytes()) for name in VALUES]

    assert {key.partition(".")[0] for v in vectors for key in v.directions} >= {
        *("resid_post", "mlp_out", "attn_out", "resid_post@2")
    }
    assert {v.operation for v in vectors} == {"add", "project", "clamp"}
    assert {v.sign for v in vectors} == {"positive", "negative", "unknown"}
    assert {bool(v.window) for v in vectors} == {bool(v.doses) for v in vectors} == {True, False}
    assert {len(v.set_points) / len(v.directions) for v in vectors} >= {0.0, 0.25, 1.0}
    for field in ("dataset_digest", "spec_digest", "software", "dtype"):
        assert {bool(getattr(v.provenance, field)) for v in vectors} == {True, False}


def _file(name: str) -> Path:
    return FOLDER / f"{name}.safetensors"
