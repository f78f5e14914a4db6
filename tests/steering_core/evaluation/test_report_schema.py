"""docs/report.schema.json describes every report of version 2, and no other."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from steering_core.evaluation.evidence import Source, Verdict
from steering_core.evaluation.gates import GATES
from steering_core.evaluation.pipeline import evaluate_vector, extract_and_evaluate
from steering_core.evaluation.report import REPORT_VERSION
from steering_core.pairs.splits import split_pairs
from steering_core.spec import TIERS, ExtractionSpec, digest
from tests.reports import make_report, older_report, report_v1

DIGEST = digest(b"pairs")
SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs" / "report.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


@pytest.fixture(scope="module")
def measured(demo_lm: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The report of a run, and that of the same vector measured again as if it came from elsewhere."""
    from steering_core.demo import demo_pairs, demo_scorer
    from steering_core.demo.suite import demo_suite

    pairs, folder = demo_pairs("formality", 30, seed=4), tmp_path_factory.mktemp("report")
    spec = ExtractionSpec(DIGEST, demo_lm.identity.model_hash, tier="smoke", pooling="response_mean")
    common = {"scorer": demo_scorer("formality"), "suite": demo_suite(), "progress": lambda *told: None}
    splits = split_pairs(pairs, DIGEST)
    made = extract_and_evaluate(demo_lm, pairs, splits, spec, folder, **common)
    again = evaluate_vector(
        demo_lm, made.vector, pairs, splits, tmp_path_factory.mktemp("again"),
        tier="smoke", dataset_digest=DIGEST, **common,
    )  # fmt: skip
    return made.report, again[1]


def complaints(report: Any) -> list[str]:
    return [f"{list(error.path)}: {error.message}" for error in VALIDATOR.iter_errors(report)]


def test_schema_takes_the_reports_of_the_pipeline(measured: Any) -> None:
    for report in measured:
        assert complaints(json.loads(json.dumps(report, allow_nan=False))) == []


@pytest.mark.parametrize("verdict", ["pass", "warn", "insufficient", "fail"])
def test_schema_takes_the_reports_of_the_tests(verdict: str) -> None:
    assert complaints(make_report(verdict)) == complaints(make_report("pass", verdict)) == []


@pytest.mark.parametrize("older", [report_v1, older_report])
def test_schema_tells_version_1_apart(older: Any) -> None:
    assert any(line.startswith("['report_version']") for line in complaints(older()))


@pytest.mark.parametrize("path", [[], ["metrics", 0], ["gates", 0], ["cost"], ["vector"], ["suite"]])
def test_schema_takes_no_part_more_and_none_less(path: list[Any]) -> None:
    for change in ("more", "less"):
        report = part = copy.deepcopy(make_report())
        for step in path:
            part = part[step]
        if change == "more":
            part["surprise"] = 1
        else:
            part.popitem()
        assert complaints(report), change


def test_schema_knows_the_words_of_the_code() -> None:
    metric, parts = SCHEMA["$defs"]["metric"]["properties"], SCHEMA["properties"]

    assert VALIDATOR.check_schema(SCHEMA) is None
    assert parts["report_version"]["const"] == REPORT_VERSION
    assert parts["tier"]["enum"] == list(TIERS)
    assert SCHEMA["$defs"]["gate"]["properties"]["name"]["enum"] == list(GATES)
    assert metric["gate"]["enum"] == [*GATES, None]
    assert sorted(SCHEMA["$defs"]["verdict"]["enum"]) == sorted(Verdict.__args__)
    assert sorted(metric["source"]["enum"]) == sorted(Source.__args__)
