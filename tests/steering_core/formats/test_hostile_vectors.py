import time

import pytest

from steering_core.errors import FormatError
from steering_core.formats.bearing import inspect_vector, read_vector
from steering_core.formats.codes import FORMAT_ERROR_CODES
from steering_core.formats.header import MAX_FILE_BYTES
from tests.hostile_files.vectors import CASES, VectorCase


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_read_vector_hostile_file_is_refused_with_its_code(case: VectorCase) -> None:
    data = case.build()
    started = time.perf_counter()

    with pytest.raises(FormatError) as caught:
        read_vector(data)

    assert time.perf_counter() - started < 2
    assert caught.value.code == case.code
    assert caught.value.code in FORMAT_ERROR_CODES
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_inspect_vector_hostile_file_is_refused_as_read_vector_refuses_it(case: VectorCase) -> None:
    with pytest.raises(FormatError) as caught:
        inspect_vector(case.build())

    assert caught.value.code == case.code


def test_hostile_files_cover_the_whole_list() -> None:
    numbers = {int(case.name[:3]) for case in CASES if case.name[:3].isdigit()}

    assert numbers == set(range(83, 132))


def test_hostile_files_reach_every_refusal_of_a_reader() -> None:
    """But those about a digest that was promised, about 64 MiB, and about vectors that were not read."""
    elsewhere = {"digest", "digest_mismatch", "too_large", "residual_norm", "set_points"}
    reached = {case.code for case in CASES}

    assert set(FORMAT_ERROR_CODES) - reached == {f"format.{code}" for code in elsewhere}


def test_read_vector_file_of_more_than_64_mib_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        read_vector(bytes(MAX_FILE_BYTES + 1))

    assert caught.value.code == "format.too_large"
