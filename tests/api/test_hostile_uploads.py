"""Every hostile file of the lists through HTTP: refused with its code, never with a 500."""

from io import BytesIO
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.hostile_files import datasets, vectors


def named(data: bytes, filename: str) -> BytesIO:
    file = BytesIO(data)
    file.name = filename
    return file


@pytest.mark.parametrize("case", datasets.CASES, ids=lambda case: case.name)
def test_hostile_dataset_is_refused_by_code(owner: Api, case: Any) -> None:
    answer = owner.upload("/datasets/check", file=named(case.build(), case.filename))
    if case.code is None:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["code"]) in {
            (422, case.code),
            (413, "dataset.file_too_large"),
        }


@pytest.mark.parametrize("case", vectors.CASES, ids=lambda case: case.name)
def test_hostile_vector_is_refused_by_code(owner: Api, case: Any) -> None:
    answer = owner.upload("/vectors/inspect", file=named(case.build(), "v.safetensors"))
    assert (answer.status_code, answer.json()["code"]) in {(422, case.code), (413, "format.too_large")}
