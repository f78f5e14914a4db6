import time
import tracemalloc

import pytest

from steering_core.errors import PairsError
from steering_core.pairs.checks import check_pairs
from steering_core.pairs.codes import DATASET_ERROR_CODES
from steering_core.pairs.readers import read_pairs
from tests.hostile_files.datasets import CASES, FAULTY_ROW, DatasetCase

REFUSED = [case for case in CASES if case.code is not None]
ACCEPTED = [case for case in CASES if case.code is None]


def _refusal(data: bytes, filename: str) -> PairsError:
    with pytest.raises(PairsError) as caught:
        check_pairs(read_pairs(data, filename=filename).pairs)
    return caught.value


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_read_pairs_hostile_file_is_refused_with_its_code(case: DatasetCase) -> None:
    refusal = _refusal(case.build(), case.filename)

    assert refusal.code == case.code
    assert refusal.code in DATASET_ERROR_CODES
    assert len(refusal.message) < 400


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_read_pairs_hostile_file_is_refused_within_time_and_memory(case: DatasetCase) -> None:
    data = case.build()
    tracemalloc.start()
    started = time.perf_counter()
    try:
        _refusal(data, case.filename)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    # Less than a second alone; a reader that is quadratic takes minutes.
    assert time.perf_counter() - started < 10
    assert peak + len(data) < 200 * 1024 * 1024


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_read_pairs_odd_but_sound_file_is_accepted(case: DatasetCase) -> None:
    assert check_pairs(read_pairs(case.build(), filename=case.filename).pairs)["n_usable"] >= 20


@pytest.mark.parametrize(
    "name", ["025-missing-negative-key", "034-NaN-Infinity-literals", "046-bidi-override"]
)
def test_read_pairs_faulty_row_names_the_row(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    refusal = _refusal(case.build(), case.filename)

    assert refusal.row == FAULTY_ROW
    assert str(refusal).startswith(f"row {FAULTY_ROW}: ")
