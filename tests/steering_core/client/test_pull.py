"""Pulling: verified or refused, from the cache when there is no registry, with a word about what changed."""

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steering_core.client import Hub, RegistryWarning, pull
from steering_core.errors import (
    ClientError,
    DigestMismatchError,
    FormatError,
    GatedError,
    NotFoundError,
    UnreachableError,
)
from steering_core.spec import digest


def blobs(home: Path) -> list[Path]:
    return [item for item in (home / "blobs").rglob("*") if item.is_file()]


def flip(data: bytes, place: int = -1) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def downloads(server: Any) -> int:
    return sum("download" in path or "/blobs/" in path for path in server.asked())


def test_pull_exact_version_gives_the_vector(server: Any, publish: Any, make_vector: Any) -> None:
    publish()
    vector = pull("acme/kind@1.0.0", endpoint=server.url)
    assert vector.tensor_digest == make_vector().tensor_digest
    assert vector.multiplier(0.3, "resid_post.2") == pytest.approx(
        0.3 * 7.5 / np.linalg.norm(vector.directions["resid_post.2"])
    )


def test_pull_file_says_what_and_where(hub: Hub, publish: Any) -> None:
    published = publish()
    found = hub.pull_file("acme/kind")
    assert (found.digest, found.version, found.from_cache) == (published.digest, "1.0.0", False)
    assert found.path.read_bytes() == published.data
    assert hub.pull_file("acme/kind").from_cache


@pytest.mark.parametrize(
    ("mode", "reference", "asked"),
    [
        ("auto", "acme/kind", 1),
        ("auto", "acme/kind@stable", 1),
        ("auto", "acme/kind@1.0.0", 0),
        ("auto", "acme/kind@{digest}", 0),
        ("auto", "{digest}", 0),
        ("prefer_offline", "acme/kind", 0),
        ("prefer_offline", "acme/kind@stable", 0),
        ("prefer_offline", "acme/kind@1.0.0", 0),
        ("offline", "acme/kind@stable", 0),
    ],
)
@pytest.mark.filterwarnings("ignore::steering_core.client.RegistryWarning")
def test_pull_again_asks_only_what_may_have_moved(
    server: Any, hub: Hub, publish: Any, make_hub: Any, mode: str, reference: str, asked: int
) -> None:
    published = publish()
    reference = reference.format(digest=published.digest)
    hub.pull(reference)
    before = len(server.seen)

    assert make_hub(mode=mode).pull_file(reference).from_cache
    assert len(server.seen) - before == asked


def test_pull_preferring_offline_asks_for_what_the_cache_lacks(publish: Any, make_hub: Any) -> None:
    published = publish()
    assert make_hub(mode="prefer_offline").pull_file("acme/kind").digest == published.digest


def test_pull_twice_downloads_once(server: Any, hub: Hub, publish: Any) -> None:
    publish()
    hub.pull("acme/kind@1.0.0")
    hub.pull("acme/kind")
    assert downloads(server) == 1


@pytest.mark.parametrize("place", [0, 9, 200, -1])
def test_pull_flipped_byte_is_refused_and_nothing_kept(
    hub: Hub, publish: Any, reply: Any, clean_environment: Path, place: int
) -> None:
    published = publish()
    publish(sent=reply(flip(published.data, place)))
    with pytest.raises(DigestMismatchError) as refused:
        hub.pull("acme/kind@1.0.0")
    assert refused.value.code == "client.digest_mismatch"
    assert published.digest in refused.value.message
    assert blobs(clean_environment) == []


def test_pull_truncated_download_is_repeated(server: Any, hub: Hub, publish: Any, reply: Any) -> None:
    published = publish()
    path = f"GET /vectors/acme/kind/versions/{published.digest}/download"
    server.on(path, reply(published.data, cut=100), reply(published.data))
    assert hub.pull_file("acme/kind@1.0.0").path.read_bytes() == published.data


def test_pull_other_file_of_the_promised_digest_is_still_read_strictly(
    hub: Hub, publish: Any, reply: Any, server: Any, clean_environment: Path
) -> None:
    junk = b"no vector file at all"
    published = publish(digest=digest(junk))
    server.on(f"GET /vectors/acme/kind/versions/{published.version['digest']}/download", reply(junk))
    with pytest.raises(FormatError):
        hub.pull("acme/kind@1.0.0")
    assert blobs(clean_environment) == []


def test_pull_by_bare_digest_asks_for_the_file_only(server: Any, hub: Hub, publish: Any) -> None:
    published = publish()
    hub.pull(published.digest)
    assert server.asked() == [f"/blobs/{published.digest}"]
    hub.pull(published.digest)
    assert len(server.seen) == 1


def test_pull_offline_by_version_and_digest_comes_from_the_cache(
    server: Any, hub: Hub, publish: Any, make_hub: Any
) -> None:
    published = publish()
    hub.pull("acme/kind@1.0.0")
    asked = len(server.seen)
    offline = make_hub(offline=True)
    for reference in ("acme/kind@1.0.0", f"acme/kind@{published.digest}", published.digest):
        assert offline.pull_file(reference).digest == published.digest
    assert len(server.seen) == asked


def test_pull_offline_latest_warns_how_old_it_is(hub: Hub, publish: Any, make_hub: Any) -> None:
    publish()
    hub.pull("acme/kind")
    with pytest.warns(RegistryWarning, match=r"it is version 1\.0\.0"):
        make_hub(offline=True).pull("acme/kind")


@pytest.mark.parametrize("reference", ["acme/kind", "acme/kind@1.0.0", "sha256:" + "0" * 64])
def test_pull_offline_of_what_was_never_pulled_is_not_found(make_hub: Any, reference: str) -> None:
    with pytest.raises(NotFoundError, match="not in the cache"):
        make_hub(offline=True).pull(reference)


def test_pull_unreachable_registry_falls_back_to_the_cache(
    hub: Hub, server: Any, publish: Any, reply: Any
) -> None:
    publish()
    hub.pull("acme/kind")
    server.on("GET /resolve", reply(b"{}", cut=0))
    assert hub.pull_file("acme/kind@1.0.0").from_cache
    with pytest.warns(RegistryWarning, match="taken from the cache"):
        hub.pull("acme/kind")


def test_pull_unreachable_registry_and_empty_cache_says_unreachable(
    hub: Hub, server: Any, reply: Any
) -> None:
    server.on("GET /resolve", reply(b"{}", cut=0))
    with pytest.raises(UnreachableError):
        hub.pull("acme/kind@1.0.0")


def test_pull_yanked_version_warns_with_the_reason(hub: Hub, publish: Any, make_hub: Any) -> None:
    warning = {"code": "version.yanked", "message": "acme/kind@1.0.0 is yanked: wrong sign"}
    publish(state="yanked", warnings=[warning])
    with pytest.warns(RegistryWarning, match="yanked: wrong sign"):
        found = hub.pull_file("acme/kind@1.0.0")
    assert found.warnings == (warning["message"],)
    with pytest.warns(RegistryWarning, match="wrong sign"):
        make_hub(offline=True).pull("acme/kind@1.0.0")


def test_pull_damaged_cache_is_fetched_again_once(server: Any, hub: Hub, publish: Any) -> None:
    published = publish()
    path = hub.pull_file("acme/kind@1.0.0").path
    path.write_bytes(flip(published.data))
    assert hub.pull_file("acme/kind@1.0.0").path.read_bytes() == published.data
    assert downloads(server) == 2


def test_pull_damaged_cache_offline_is_not_used(hub: Hub, publish: Any, make_hub: Any) -> None:
    published = publish()
    path = hub.pull_file("acme/kind@1.0.0").path
    path.write_bytes(flip(published.data))
    with pytest.raises(NotFoundError):
        make_hub(offline=True).pull(published.digest)


def test_pull_version_that_changed_its_digest_is_refused(hub: Hub, publish: Any, make_vector: Any) -> None:
    publish()
    hub.pull("acme/kind@1.0.0")
    publish(vector=make_vector(seed=1))
    with pytest.raises(DigestMismatchError, match="never changes") as refused:
        hub.pull("acme/kind")
    assert refused.value.code == "client.version_changed"


def test_pull_answer_about_another_version_is_refused(hub: Hub, server: Any, publish: Any) -> None:
    publish()
    server.resolve("acme/kind@2.0.0", server.resolved["acme/kind"])
    with pytest.raises(DigestMismatchError, match="asked about"):
        hub.pull("acme/kind@2.0.0")


@pytest.mark.parametrize(
    "fields",
    [
        {"digest": None},
        {"digest": "sha256:x"},
        {"version": "../../x"},
        {"owner": "../x"},
        {"files": [{}]},
        {"files": None},
        {"warnings": [7]},
        {"base_model": {}},
    ],
)
def test_pull_answer_without_a_part_is_refused(hub: Hub, server: Any, publish: Any, fields: Any) -> None:
    publish()
    server.resolve("acme/kind", server.resolved["acme/kind"] | fields)
    with pytest.raises(ClientError) as refused:
        hub.pull("acme/kind")
    assert refused.value.code == "client.bad_answer"


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b"{}"])
def test_pull_answer_that_is_no_object_is_refused(hub: Hub, server: Any, reply: Any, body: bytes) -> None:
    server.on("GET /resolve", reply(body))
    with pytest.raises(ClientError) as refused:
        hub.pull("acme/kind")
    assert refused.value.code == "client.bad_answer"


def test_pull_of_a_name_without_a_release_repeats_the_registrys_words(hub: Hub, server: Any) -> None:
    server.on("GET /resolve", server.problem(404, "version.not_found", "no release"))
    with pytest.raises(NotFoundError, match="no release"):
        hub.pull("acme/kind")


def test_first_pull_is_one_question_and_one_file(server: Any, hub: Hub, publish: Any) -> None:
    published = publish()
    hub.pull("acme/kind@stable")
    assert server.asked() == [
        "/resolve?reference=acme%2Fkind%40stable",
        f"/vectors/acme/kind/versions/{published.digest}/download",
    ]


def test_pull_download_from_another_host_gets_no_token(
    hub: Hub, server: Any, other_server: Any, publish: Any, reply: Any
) -> None:
    published = publish(sent=reply(status=302, headers={"Location": f"{other_server.url}/api/v1/signed?x=1"}))
    other_server.on("GET /signed", reply(published.data))
    assert hub.pull_file("acme/kind@1.0.0").digest == published.digest
    assert "Authorization" not in other_server.seen[0].headers


def test_pull_of_a_whole_vector_by_many_threads_agrees(publish: Any, make_hub: Callable[..., Hub]) -> None:
    published = publish()
    start, found, failures = threading.Barrier(6), [], []

    def work() -> None:
        hub = make_hub()
        start.wait()
        try:
            found.append(hub.pull_file("acme/kind").path.read_bytes())
        except ClientError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert found == [published.data] * 6


def test_pull_without_anything_to_say_is_silent(hub: Hub, publish: Any) -> None:
    publish()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hub.pull("acme/kind")


def test_pull_of_a_gated_vector_says_where_to_ask_and_takes_its_certificate_for_unknown(
    hub: Hub, server: Any, publish: Any
) -> None:
    published = publish(conformance={"digest": digest(b"{}"), "size_bytes": 2})
    hub.pull("acme/kind")
    kept_back = {"access": "gated", "files": [], "warnings": [{"code": "access.gated", "message": "gated"}]}
    server.resolve("acme/kind", server.resolved["acme/kind"] | kept_back)
    hub.cache.remove(published.digest)
    problem = server.problem(403, "access.gated", "gated; ask for access")
    server.on(f"GET /vectors/acme/kind/versions/{published.digest}/download", problem)

    with pytest.raises(GatedError, match="ask for access"):
        hub.pull("acme/kind")
