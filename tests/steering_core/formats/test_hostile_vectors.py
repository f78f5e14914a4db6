import time

import pytest

from steering_core.errors import FormatError
from steering_core.formats.bearing import inspect_vector, read_vector
from steering_core.formats.codes import FORMAT_ERROR_CODES
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


def test_inspect_vector_hostile_file_is_refused_as_read_vector_refuses_it() -> None:
    case = next(case for case in CASES if case.name == "093-hdr-trailing-pad")

    with pytest.raises(FormatError) as caught:
        inspect_vector(case.build())

    assert caught.value.code == case.code
