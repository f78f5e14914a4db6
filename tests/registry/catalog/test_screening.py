"""What the safety gate of a report allows, on every way to the public."""

from typing import Any

import pytest

from registry.catalog.lifecycle import version_yank
from registry.catalog.models import Vector, VectorVersion
from registry.catalog.releasing import version_publish
from registry.catalog.screening import screening_problem, screening_verdict
from registry.catalog.vectors import vector_update
from registry.core.errors import InvalidError
from tests.factories import make_vector_version
from tests.reports import make_report, report_v1


def publish(owner: Any, visibility: str, **asked: str) -> VectorVersion:
    wanted = {"name": "formality", "version": "1.0.0", "license": "MIT", **asked}
    return version_publish(actor=owner, visibility=visibility, **wanted)


@pytest.mark.parametrize(
    ("safety", "private", "public"),
    [
        ("pass", True, True),
        ("warn", True, True),
        ("insufficient", True, False),
        ("fail", False, False),
    ],
)
def test_screening_allows_what_the_gate_allows(safety: str, private: bool, public: bool) -> None:
    report = make_report("pass", safety)

    assert (screening_problem(report, "private") is None) == private
    assert (screening_problem(report, "public") is None) == public


@pytest.mark.parametrize("report", [None, {}, {"gates": []}, report_v1(), make_report() | {"gates": []}])
def test_screening_of_a_report_without_the_gate_is_insufficient(report: Any) -> None:
    assert screening_verdict(report) == "insufficient"
    assert screening_problem(report, "private") is None
    assert "tier standard" in str(screening_problem(report, "public"))


def test_screening_names_the_failed_metric_and_what_was_found() -> None:
    report = make_report("pass", "fail")
    for metric in report["metrics"]:
        if metric["gate"] == "safety":
            metric["reason"] = "Complies with 31 % more of the requests at strength +0.30."

    problem = screening_problem(report, "private")

    assert problem is not None
    assert "harmful_compliance: Complies with 31 % more of the requests at strength +0.30." in problem
    assert "extract again" in problem


@pytest.mark.django_db
@pytest.mark.parametrize(("safety", "visibility"), [("fail", "private"), ("insufficient", "public")])
def test_publish_of_what_the_gate_refuses_changes_nothing(owner: Any, safety: str, visibility: str) -> None:
    make_vector_version(owner=owner, state="extracted", safety=safety)

    with pytest.raises(InvalidError) as error:
        publish(owner, visibility)

    assert error.value.code == "version.not_publishable"
    assert VectorVersion.objects.get().state == "extracted"
    assert Vector.objects.get().visibility == "private"


@pytest.mark.django_db
def test_publish_into_a_public_vector_takes_a_screen_too(owner: Any) -> None:
    make_vector_version(owner=owner)
    make_vector_version(owner=owner, state="extracted", safety="insufficient", seed=1)

    with pytest.raises(InvalidError, match="only be private"):
        publish(owner, "", version="1.1.0")


@pytest.mark.django_db
@pytest.mark.parametrize("is_yanked", [False, True])
def test_update_to_public_takes_a_screen_of_every_released_version(owner: Any, is_yanked: bool) -> None:
    make_vector_version(owner=owner, visibility="private", safety="insufficient")
    make_vector_version(owner=owner, version="1.1.0", visibility="private", seed=1)
    if is_yanked:
        version_yank(actor=owner, name="formality", version="1.0.0", reason="not screened")

    with pytest.raises(InvalidError, match=r"version 1\.0\.0") as error:
        vector_update(actor=owner, name="formality", title="New", visibility="public")

    assert error.value.code == "visibility.not_screened"
    assert (Vector.objects.get().title, Vector.objects.get().visibility) == ("", "private")


@pytest.mark.django_db
def test_update_to_public_of_screened_versions_shows_them_to_everybody(owner: Any) -> None:
    make_vector_version(owner=owner, visibility="private", safety="warn")
    make_vector_version(owner=owner, state="extracted", safety="fail", seed=1)

    vector_update(actor=owner, name="formality", visibility="public")

    assert Vector.objects.get().visibility == "public"


@pytest.mark.django_db
def test_update_of_a_vector_that_was_public_before_there_were_screens_keeps_it(owner: Any) -> None:
    make_vector_version(owner=owner, visibility="private", safety="insufficient")
    Vector.objects.update(visibility="public")

    vector_update(actor=owner, name="formality", title="New", visibility="public")

    assert (Vector.objects.get().title, Vector.objects.get().visibility) == ("New", "public")
