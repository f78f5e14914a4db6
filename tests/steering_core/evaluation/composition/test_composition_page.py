"""docs/composition.md is a contract: the fields, limits and refusals on it are those of the code."""

import re
from dataclasses import fields
from pathlib import Path

import steering_core
from steering_core.evaluation.composition import record, retention, solver
from steering_core.evaluation.response import COHERENCE_KEPT, COHERENCE_KEPT_DEFAULT

PAGE = (Path(steering_core.__file__).parents[1] / "docs" / "composition.md").read_text("utf-8")


def test_composition_page_names_every_field() -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$", PAGE, re.MULTILINE)
    described = " ".join(text for _, text in rows)
    parts = (record.MemberRecord, record.Curve, record.Point, record.Budget, record.Solution)

    assert set(re.findall(r"`(\w+)`", " ".join(names for names, _ in rows))) == {
        field.name for field in fields(record.Composition)
    }
    assert {field.name for part in parts for field in fields(part)} - {"order"} <= set(
        re.findall(r"`(\w+)`", described)
    )


def test_composition_page_has_the_limits_of_the_code() -> None:
    text = " ".join(PAGE.split())

    assert f"R_j ≥ {retention.RETAINED} for all j, coherence ≥ {COHERENCE_KEPT_DEFAULT}" in text
    assert f"({COHERENCE_KEPT['log_prob']} for `log_prob`)" in text
    assert f"{solver.DOSE_WEIGHT} · dose / budget" in text
    assert f"`format` is `{record.FORMAT_NAME}`, `format_version` {record.FORMAT_VERSION}" in text
