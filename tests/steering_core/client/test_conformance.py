"""The certificate of a version through the hub: verified, kept, and never another one."""

import json
from pathlib import Path
from typing import Any

import pytest

from steering_core.client import Hub
from steering_core.client.pulling import MAX_CERTIFICATE_BYTES
from steering_core.client.references import ReferenceSyntaxError
from steering_core.errors import ClientError, DigestMismatchError, NotFoundError
from steering_core.spec import digest
from tests.steering_core.client.conftest import Reply

CERTIFICATE = b'{"format":"bearing-conformance"}'
PATH = "GET /vectors/acme/kind/versions/1.0.0/conformance"


def certified(data: bytes = CERTIFICATE) -> dict[str, Any]:
    """The field of a version object."""
    return {"digest": digest(data), "size_bytes": len(data), "url": "http://elsewhere/"}


@pytest.fixture
def served(server: Any, publish: Any) -> Any:
    server.on(PATH, Reply(CERTIFICATE))
    return publish(conformance=certified())


@pytest.mark.parametrize("reference", ["acme/kind", "acme/kind@1.0.0", "digest"])
def test_conformance_of_every_reference_is_the_certificate(hub: Hub, served: Any, reference: str) -> None:
    named = f"acme/kind@{served.digest}" if reference == "digest" else reference

    assert hub.conformance(named) == CERTIFICATE


def test_conformance_is_downloaded_once_and_uncompressed(hub: Hub, served: Any, server: Any) -> None:
    hub.conformance("acme/kind@1.0.0")
    hub.conformance("acme/kind@1.0.0")

    sent = [seen for seen in server.seen if seen.path.endswith("/conformance")]
    assert [seen.headers["Accept-Encoding"] for seen in sent] == ["identity"]


def test_conformance_comes_from_the_cache_when_offline(hub: Hub, served: Any, make_hub: Any) -> None:
    hub.conformance("acme/kind@1.0.0")

    assert make_hub(offline=True).conformance("acme/kind@1.0.0") == CERTIFICATE


@pytest.mark.parametrize("asked", ["pull", "nothing"])
def test_conformance_that_was_never_fetched_is_not_there_offline(
    hub: Hub, served: Any, make_hub: Any, asked: str
) -> None:
    if asked == "pull":
        hub.pull("acme/kind@1.0.0")

    with pytest.raises(NotFoundError) as refused:
        make_hub(offline=True).conformance("acme/kind@1.0.0")

    assert refused.value.code == "client.offline"


@pytest.mark.parametrize("sent", [CERTIFICATE[:-1] + b"]", CERTIFICATE[:-1], CERTIFICATE + b" "])
def test_conformance_with_other_bytes_is_refused_and_not_kept(
    hub: Hub, served: Any, server: Any, sent: bytes, clean_environment: Path
) -> None:
    server.on(PATH, Reply(sent))

    with pytest.raises(DigestMismatchError):
        hub.conformance("acme/kind@1.0.0")

    assert not any(item.is_file() for item in (clean_environment / "blobs").rglob("*"))


def test_conformance_larger_than_any_certificate_is_refused(hub: Hub, server: Any, publish: Any) -> None:
    data = b" " * (MAX_CERTIFICATE_BYTES + 1)
    server.on(PATH, Reply(data))
    publish(conformance=certified(data))

    with pytest.raises(DigestMismatchError, match="more than"):
        hub.conformance("acme/kind@1.0.0")


def test_conformance_damaged_in_the_cache_is_fetched_anew(
    hub: Hub, served: Any, clean_environment: Path
) -> None:
    hub.conformance("acme/kind@1.0.0")
    (file,) = (item for item in (clean_environment / "blobs").rglob("*") if item.is_file())
    file.write_bytes(b"damaged")

    assert hub.conformance("acme/kind@1.0.0") == CERTIFICATE


@pytest.mark.parametrize("now", [certified(b"{}"), None])
def test_conformance_that_changes_under_a_version_is_refused(
    hub: Hub, served: Any, publish: Any, now: dict[str, Any] | None
) -> None:
    hub.pull("acme/kind@1.0.0")
    publish(conformance=now)

    with pytest.raises(DigestMismatchError) as refused:
        hub.conformance("acme/kind@1.0.0")

    assert refused.value.code == "client.version_changed"


def test_conformance_of_a_version_noted_by_an_older_client_is_taken(
    hub: Hub, served: Any, clean_environment: Path
) -> None:
    hub.pull("acme/kind@1.0.0")
    for note in (clean_environment / "refs").rglob("*.json"):
        older = json.loads(note.read_bytes())
        del older["conformance"]
        note.write_text(json.dumps(older))

    assert hub.conformance("acme/kind@1.0.0") == CERTIFICATE


def test_conformance_of_a_version_without_one_repeats_why(hub: Hub, server: Any, publish: Any) -> None:
    why = "this version has no certificate: the effect is too small"
    server.on(PATH, server.problem(404, "conformance.not_found", why))
    publish(conformance=None)

    with pytest.raises(NotFoundError) as refused:
        hub.conformance("acme/kind@1.0.0")

    assert (refused.value.code, refused.value.message) == ("conformance.not_found", why)


def test_conformance_of_a_bare_digest_asks_for_a_name(hub: Hub, server: Any) -> None:
    with pytest.raises(ReferenceSyntaxError, match="owner/name@sha256:"):
        hub.conformance("sha256:" + "a" * 64)
    assert server.seen == []


@pytest.mark.parametrize("field", [{"digest": "md5:0"}, {"digest": 7}, {"size_bytes": 7}])
def test_conformance_field_that_is_none_is_no_good_answer(hub: Hub, publish: Any, field: Any) -> None:
    publish(conformance=field)

    with pytest.raises(ClientError) as refused:
        hub.conformance("acme/kind@1.0.0")

    assert refused.value.code == "client.bad_answer"
