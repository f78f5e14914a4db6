"""Which prompts and questions a worker measures with."""

import json

import pytest

from registry.storage.services import blob_put
from steering_core.errors import ModelError
from steering_core.evaluation.suite import EMPTY_SUITE
from workers.base_models import suite_for

pytestmark = pytest.mark.django_db

SUITE = {"format": "bearing-suite", "format_version": 1, "name": "house", "prompts": ["what is a queue ?"]}


def stored(value: object) -> str:
    """The sha256 of a JSON value in the store."""
    return blob_put(data=json.dumps(value).encode(), media_type="application/json").sha256


def test_suite_for_a_model_without_one_is_empty() -> None:
    assert suite_for("", "") is EMPTY_SUITE


def test_suite_for_the_demo_scorer_is_its_own_whatever_is_stored() -> None:
    assert suite_for("demo", stored(SUITE)).name == suite_for("demo", "").name != "house"


def test_suite_for_a_stored_suite_reads_it() -> None:
    suite = suite_for("", stored(SUITE))

    assert (suite.name, suite.prompts) == ("house", ("what is a queue ?",))


def test_suite_for_a_stored_suite_that_cannot_be_read_is_no_fault_of_the_runs_owner() -> None:
    sha256 = stored({**SUITE, "format_version": 2})

    with pytest.raises(ModelError) as caught:
        suite_for("", sha256)

    assert caught.value.code == "evaluation.suite_version"
