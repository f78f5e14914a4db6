"""Differences between versions and what refers to one, over HTTP."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from registry.catalog.models import Vector
from registry.serving.conversions import (
    ConversionResult,
    conversion_claim,
    conversion_complete,
    conversion_request,
)
from tests.api.conftest import Api
from tests.factories import make_vector, make_vector_version

PATH = "/vectors/acme/formality/versions"


@pytest.fixture
def version(owner: Api) -> Any:
    return make_vector_version(owner=owner.user)


def changed(body: dict[str, Any], part: str) -> dict[str, tuple[Any, Any]]:
    return {change["field"]: (change["before"], change["after"]) for change in body[part]}


def test_diff_compares_directions_and_what_was_measured(owner: Api, nobody: Api, version: Any) -> None:
    make_vector_version(owner.user, version="1.1.0", seed=1, verdict="warn")
    body = nobody.get(f"{PATH}/1.0.0/diff/1.1.0").json()
    one, two = (make_vector(seed).directions["resid_post.2"].astype(np.float64) for seed in (0, 1))
    (place,) = body["directions"]
    assert place["cosine"] == pytest.approx(one @ two / np.linalg.norm(one) / np.linalg.norm(two), abs=1e-12)
    assert place["norm_after"] == pytest.approx(np.linalg.norm(two))
    assert body["places"] == {"shared": ["resid_post.2"], "before": [], "after": []}
    assert changed(body, "facts")["version"] == ("1.0.0", "1.1.0")
    assert changed(body, "facts")["verdict"] == ("pass", "warn")
    assert changed(body, "facts").keys() <= {"version", "digest", "verdict", "grade"}
    assert body["spec"] == [] or {change["field"] for change in body["spec"]} == {"dataset_digest"}
    auroc = next(metric for metric in body["metrics"] if metric["id"] == "auroc")
    assert (auroc["differs"], auroc["before"]["value"]) == (False, auroc["after"]["value"])

    same = nobody.get(f"{PATH}/1.0.0/diff/{version.digest}").json()
    assert (same["facts"], same["spec"], same["directions"][0]["cosine"]) == ([], [], pytest.approx(1.0))


def test_metrics_differ_when_their_intervals_are_apart() -> None:
    from registry.catalog.comparing import _metrics

    def report(**metrics: tuple[float | None, float | None]) -> dict[str, Any]:
        return {"metrics": [{"id": name, "low": low, "high": high} for name, (low, high) in metrics.items()]}

    before = report(a=(0.1, 0.2), b=(0.1, 0.3), c=(None, None), gone=(0.0, 1.0))
    after = report(a=(0.3, 0.4), b=(0.3, 0.4), c=(0.1, 0.2), new=(0.0, 1.0))
    assert {found.id: found.differs for found in _metrics(before, after)} == {
        "a": True,
        "b": False,
        "c": None,
        "gone": None,
        "new": None,
    }
    assert _metrics({}, {"metrics": "of version 1"}) == ()


def test_cosines_take_the_right_to_both_files(owner: Api, nobody: Api, other: Api, version: Any) -> None:
    make_vector_version(other.user, "probe", seed=1)
    path = f"{PATH}/1.0.0/diff/mallory~probe@1.0.0"
    assert len(nobody.get(path).json()["directions"]) == 1
    Vector.objects.filter(name="formality").update(access="gated")
    for api in (nobody, other):
        body = api.get(path).json()
        assert body["directions"] == []
        assert "gated" in body["directions_missing"]
    assert len(owner.get(path).json()["directions"]) == 1
    Vector.objects.filter(name="probe").update(visibility="private")
    assert owner.get(path).status_code == 404


def test_draft_is_compared_by_its_id(owner: Api, nobody: Api, version: Any) -> None:
    draft = make_vector_version(owner.user, state="extracted", seed=1)
    body = owner.get(f"{PATH}/1.0.0/diff/{draft.pk}").json()
    assert (body["after"]["version"], len(body["directions"])) == (None, 1)
    assert nobody.get(f"{PATH}/1.0.0/diff/{draft.pk}").status_code == 404
    waits = make_vector_version(owner.user, state="draft")
    assert "no file yet" in owner.get(f"{PATH}/1.0.0/diff/{waits.pk}").json()["directions_missing"]


def test_referrers_name_what_their_addresses_give(
    owner: Api, nobody: Api, version: Any, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    row = conversion_request(artifact=version.artifact, format="gguf")
    claim = conversion_claim(conversion_id=str(row.pk))
    assert claim
    conversion_complete(claim=claim, result=ConversionResult({".gguf": b"GGUF"}))

    with django_assert_max_num_queries(5):
        body = nobody.get(f"{PATH}/1.0.0/referrers").json()
    assert body["subject"] == version.digest
    assert [item["type"] for item in body["items"]] == ["report", "conformance", "conversion"]
    mine = owner.get(f"{PATH}/1.0.0/referrers").json()["items"]
    assert [item["type"] for item in mine] == ["report", "conformance", "statistics", "conversion"]
    for item in mine:
        answer = owner.get(item["url"].partition("/api/v1")[2])
        assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == item["digest"], item
        assert len(answer.content) == item["size_bytes"]
    only = nobody.get(f"{PATH}/1.0.0/referrers", {"type": "conformance"}).json()["items"]
    assert [item["digest"] for item in only] == [f"sha256:{version.conformance_id}"]
    assert nobody.get(f"{PATH}/1.0.0/referrers", {"type": "nonsense"}).status_code == 422
