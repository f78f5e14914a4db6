"""What can be imported of a file, and what is refused: strictly, and before anything is measured."""

import numpy as np
import pytest

from steering_core.errors import FormatError, ModelMismatchError, SteeringError
from steering_core.formats.bearing import write_vector
from steering_core.formats.engines import ENGINES
from steering_core.formats.importing import read_importable
from steering_core.formats.loose import LooseVector
from steering_core.spec import ModelIdentity
from tests.hostile_files import vectors as hostile

VECTOR = hostile.good_vector()
MODEL = VECTOR.model
FORMS = (
    "llama.cpp",
    "glp",
    "easysteer",
    "easysteer-wire",
    "easysteer-request",
    "svec",
    "vllm-lens",
    "neuronpedia",
)


def loose(*blocks: int, scale: float = 1.0) -> LooseVector:
    rows = {f"resid_post.{block}": scale * np.arange(1, 9, dtype=np.float32) for block in blocks or (1,)}
    return LooseVector(source="test", directions=rows, n_layers=4, model="tiny")


@pytest.mark.parametrize("form", FORMS)
def test_direction_of_every_form_that_is_read_is_taken_as_it_is(form: str) -> None:
    file = ENGINES[form].export(loose())

    found = read_importable(file.data, MODEL, name=f"file{ENGINES[form].suffix}")

    assert found.key == "resid_post.1"
    assert np.array_equal(found.direction, loose().directions["resid_post.1"])


def test_native_file_gives_the_direction_that_is_named() -> None:
    data = write_vector(VECTOR)

    found = read_importable(data, MODEL, key="resid_post.2")

    assert (found.form, found.key) == ("bearing", "resid_post.2")
    assert np.array_equal(found.direction, VECTOR.directions["resid_post.2"])
    with pytest.raises(FormatError) as caught:
        read_importable(data, MODEL)
    assert caught.value.code == "import.several_directions"
    other = ModelIdentity("other", "sha256:" + "cd" * 32, MODEL.architecture, MODEL.n_layers, MODEL.d_model)
    with pytest.raises(ModelMismatchError, match="is for tiny"):
        read_importable(data, other, key="resid_post.2")


@pytest.mark.parametrize("case", hostile.CASES, ids=lambda case: case.name)
def test_hostile_native_file_is_refused(case: hostile.VectorCase) -> None:
    with pytest.raises(SteeringError):
        read_importable(case.build(), MODEL, name="x.safetensors", key="resid_post.1")


@pytest.mark.parametrize(
    ("scale", "code"), [(0.0, "format.zero"), (1e-9, "format.norm_range"), (1e30, "format.norm_range")]
)
def test_direction_that_cannot_be_meant_is_refused(scale: float, code: str) -> None:
    file = ENGINES["svec"].export(loose(scale=scale))

    with pytest.raises(FormatError) as caught:
        read_importable(file.data, MODEL, name="x.svec")

    assert caught.value.code == code
