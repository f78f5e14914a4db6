"""Base models and the suites that operators bring for them."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from registry.catalog.base_models import base_model_register
from registry.catalog.models import BaseModelRevision
from registry.core.errors import InvalidError
from registry.storage.services import blob_read
from steering_core.demo.paths import weights_path
from steering_core.errors import EvaluationError
from steering_core.evaluation.suite import MAX_BYTES, read_suite

pytestmark = pytest.mark.django_db

SUITE = {"format": "bearing-suite", "format_version": 1, "name": "house", "prompts": ["how do i reset it ?"]}


def suite_file(folder: Path, **changes: object) -> Path:
    """A small suite, written by a person: spaces and all."""
    path = folder / "suite.json"
    path.write_text(json.dumps({**SUITE, **changes}, indent=4))
    return path


def register(*options: str) -> str:
    """What the command prints."""
    out = StringIO()
    call_command("register_base_model", str(weights_path()), "--name", "bearing/demo", *options, stdout=out)
    return out.getvalue()


def test_register_base_model_with_a_suite_stores_it_under_the_digest_that_reports_name(
    tmp_path: Path,
) -> None:
    path = suite_file(tmp_path)

    said = register("--suite", str(path))

    row = BaseModelRevision.objects.get()
    kept = read_suite(blob_read(sha256=str(row.suite_id)))
    assert kept.prompts == ("how do i reset it ?",)
    assert row.suite_digest == kept.digest == read_suite(path.read_bytes()).digest
    assert row.suite_digest in said


def test_register_base_model_with_another_suite_changes_it_and_without_one_keeps_it(tmp_path: Path) -> None:
    register("--suite", str(suite_file(tmp_path)))
    first = BaseModelRevision.objects.get().suite_digest

    register("--suite", str(suite_file(tmp_path, prompts=["what is a queue ?"])))
    second = BaseModelRevision.objects.get().suite_digest
    register()

    assert first != second
    assert BaseModelRevision.objects.get().suite_digest == second


def test_register_base_model_with_a_scorer_takes_the_suite_away() -> None:
    base_model_register(path=weights_path(), name="bearing/demo", suite=json.dumps(SUITE).encode())

    base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")

    assert BaseModelRevision.objects.get().suite is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"{}", "evaluation.suite_format"),
        (json.dumps({**SUITE, "prompt": []}).encode(), "evaluation.suite_key"),
        (b" " * (MAX_BYTES + 1), "evaluation.suite_size"),
    ],
)
def test_register_base_model_with_a_bad_suite_says_why_and_registers_nothing(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "suite.json"
    path.write_bytes(content)

    with pytest.raises(CommandError, match=told):
        register("--suite", str(path))

    assert not BaseModelRevision.objects.exists()


def test_register_base_model_with_a_suite_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        register("--suite", str(tmp_path / "none.json"))


def test_base_model_register_with_a_suite_and_a_scorer_is_refused() -> None:
    with pytest.raises(InvalidError) as caught:
        base_model_register(path=weights_path(), name="bearing/demo", scorer="demo", suite=b"{}")

    assert caught.value.code == "base_model.suite_unused"


def test_base_model_register_with_a_bad_suite_keeps_the_old_one() -> None:
    base_model_register(path=weights_path(), name="bearing/demo", suite=json.dumps(SUITE).encode())

    with pytest.raises(EvaluationError):
        base_model_register(path=weights_path(), name="bearing/demo", suite=b"[]")

    assert BaseModelRevision.objects.get().suite_digest is not None
