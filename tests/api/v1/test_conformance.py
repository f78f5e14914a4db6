"""Certificates over HTTP: as the file of the version, for the same people, with a digest of their own."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.factories import make_certificate, make_vector_version

VERSIONS = "/vectors/acme/formality/versions"
PATH = f"{VERSIONS}/1.0.0/conformance"
DATA = make_certificate()
HEX = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def version(owner: Api) -> Any:
    return make_vector_version(owner=owner.user)


def test_version_names_its_certificate(nobody: Api, version: Any) -> None:
    assert nobody.get(f"{VERSIONS}/1.0.0").json()["conformance"] == {
        "digest": f"sha256:{HEX}",
        "size_bytes": len(DATA),
        "url": f"http://localhost:8000/api/v1{PATH}",
    }


def test_every_reference_gives_the_certificate(nobody: Api, version: Any) -> None:
    paths = [f"{VERSIONS}/{ref}/conformance" for ref in ("latest", "1.0.0", version.digest)]
    for path in [*paths, f"/versions/{version.pk}/conformance"]:
        assert nobody.get(path).content == DATA


@pytest.mark.usefixtures("version")
def test_certificate_comes_with_its_own_digest_and_name(nobody: Api) -> None:
    answer = nobody.get(PATH)
    assert answer["ETag"] == f'"{HEX}"'
    assert answer["X-Bearing-Digest"] == f"sha256:{HEX}"
    assert answer["Content-Type"] == "application/vnd.bearing.conformance+json"
    assert answer["Content-Disposition"] == 'attachment; filename="acme-formality-1.0.0-conformance.json"'


@pytest.mark.usefixtures("version")
def test_certificate_that_the_caller_has_is_304(nobody: Api) -> None:
    answer = nobody.get(PATH, **{"If-None-Match": f'"{HEX}"'})
    assert (answer.status_code, answer.content) == (304, b"")


def test_certificate_is_cached_like_the_file(nobody: Api, owner: Api, version: Any) -> None:
    for ref in ("1.0.0", "latest", version.digest):
        certificate, file = (nobody.get(f"{VERSIONS}/{ref}/{end}") for end in ("conformance", "download"))
        assert certificate["Cache-Control"] == file["Cache-Control"]
    owner.patch("/vectors/acme/formality", {"visibility": "private"})
    assert owner.get(PATH)["Cache-Control"] == "private, no-store"


@pytest.mark.usefixtures("version")
def test_certificate_head_and_range_are_those_of_a_file(nobody: Api) -> None:
    assert nobody.head(PATH)["Content-Length"] == str(len(DATA))
    part = nobody.get(PATH, Range="bytes=0-9")
    assert (part.status_code, part.content) == (206, DATA[:10])


def test_private_certificate_is_its_owners_alone(owner: Api, other: Api, nobody: Api) -> None:
    version = make_vector_version(owner=owner.user, visibility="private")
    for path in (PATH, f"{VERSIONS}/{version.digest}/conformance", f"/versions/{version.pk}/conformance"):
        assert owner.get(path).status_code == 200
        assert [who.get(path).status_code for who in (other, nobody)] == [404, 404]


def test_draft_has_a_certificate_for_its_owner(owner: Api, other: Api) -> None:
    draft = make_vector_version(owner=owner.user, state="extracted")
    named = owner.get(f"/versions/{draft.pk}").json()["conformance"]
    assert named["url"] == f"http://localhost:8000/api/v1/versions/{draft.pk}/conformance"
    answer = owner.get(f"/versions/{draft.pk}/conformance")
    assert (answer.content, answer["Cache-Control"]) == (DATA, "private, no-store")
    assert other.get(f"/versions/{draft.pk}/conformance").status_code == 404


def test_version_without_a_certificate_is_null_and_404_with_the_reason(
    owner: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.factories.certified", lambda seed: {"conformance_missing": "it is too small"})
    make_vector_version(owner=owner.user)
    answer = owner.get(PATH)
    assert owner.get(f"{VERSIONS}/1.0.0").json()["conformance"] is None
    assert (answer.status_code, answer.json()["code"]) == (404, "conformance.not_found")
    assert answer.json()["detail"] == "this version has no certificate: it is too small"


def test_waiting_draft_has_no_certificate(owner: Api) -> None:
    draft = make_vector_version(owner=owner.user, state="draft")
    assert owner.get(f"/versions/{draft.pk}").json()["conformance"] is None
    assert owner.get(f"/versions/{draft.pk}/conformance").json()["code"] == "conformance.not_found"


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize("ref", ["2.0.0", "sha256:" + "0" * 64, f"sha256:{HEX}", "newest", "%00", "1.0.0%2F"])
def test_reference_that_names_nothing_is_refused(nobody: Api, ref: str) -> None:
    assert nobody.get(f"{VERSIONS}/{ref}/conformance").status_code in (404, 422)


@pytest.mark.usefixtures("version")
def test_certificate_damaged_in_the_store_is_not_sent(nobody: Api, blob_path: Callable[[str], Path]) -> None:
    path = blob_path(HEX)
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + b"]")
    try:
        answer = nobody.get(PATH)
    finally:
        path.write_bytes(kept)
    assert (answer.status_code, answer.json()["code"]) == (500, "blob.corrupt")


@pytest.mark.usefixtures("version")
def test_certificate_of_a_yanked_version_comes_with_a_warning(owner: Api, nobody: Api) -> None:
    owner.post(f"{VERSIONS}/1.0.0/yank", {"reason": "wrong poles"})
    answer = nobody.get(PATH)
    assert answer.content == DATA
    assert "wrong poles" in answer["Warning"]
