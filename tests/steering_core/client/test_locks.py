"""Locks: one form, strictly read; a lock is believed and a registry is not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering_core.client import DigestMismatchError, Hub, LockError, NotFoundError
from steering_core.client.config import store_token
from steering_core.client.lockfile import Lock, LockEntry, read_lock, write_lock
from steering_core.client.references import ReferenceSyntaxError
from steering_core.client.resolved import ResolvedFile
from steering_core.spec import digest

digests = st.binary(max_size=4).map(digest)
slugs = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
versions = st.tuples(*[st.integers(0, 99)] * 3).map(lambda parts: ".".join(map(str, parts)))
names = st.tuples(slugs, slugs).map("/".join)


@st.composite
def entries(draw: st.DrawFn) -> LockEntry:
    kind, name, version, main = (
        draw(st.sampled_from(["vector", "preset"])),
        draw(names),
        draw(versions),
        draw(digests),
    )
    prefix = "preset:" if kind == "preset" else ""
    files = (ResolvedFile("main", main, draw(st.integers(0, 2**40))), ResolvedFile("more", draw(digests), 1))
    return LockEntry(f"{prefix}{name}@{version}", kind, name, version, main, draw(digests), files)


def locked(hub: Hub) -> Lock:
    return read_lock(write_lock(hub.lock(["acme/kind@stable"])))


@settings(max_examples=25, deadline=None)
@given(st.lists(entries(), max_size=3).map(lambda found: Lock("https://r.example", tuple(found))))
def test_lock_that_is_written_reads_back(lock: Lock) -> None:
    data = write_lock(lock)
    assert read_lock(data) == lock
    assert write_lock(read_lock(data)) == data


def damaged(**changes: Any) -> bytes:
    files = [{"name": "vector.safetensors", "digest": digest(b""), "size_bytes": 0}]
    entry = {
        "reference": "acme/kind",
        "kind": "vector",
        "name": "acme/kind",
        "version": "1.0.0",
        "files": files,
    }
    entry |= {"digest": digest(b""), "model_hash": digest(b"")}
    lock = {"lock_version": 1, "endpoint": "https://r.example", "entries": [entry | changes]}
    return json.dumps(lock).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"lock_version": 1}',
        b'{"lock_version": 1, "lock_version": 1}',
        damaged(kind="person"),
        damaged(kind="preset"),
        damaged(name="../../etc/passwd"),
        damaged(reference="acme/kind@../x"),
        damaged(digest="sha256:x"),
        damaged(digest=digest(b"other")),
        damaged(files=[{"name": "a", "digest": digest(b""), "size_bytes": -1}]),
        damaged(files=7),
        damaged(more=1),
    ],
)
def test_lock_that_is_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(LockError) as refused:
        read_lock(data)
    assert refused.value.code == "lock.invalid"
    assert read_lock(damaged()).entries[0].exact.selector == "1.0.0"


def test_lock_of_a_later_version_is_refused() -> None:
    with pytest.raises(LockError, match="update this program") as refused:
        read_lock(b'{"lock_version": 2}')
    assert refused.value.code == "lock.version"


def test_pull_lock_believes_the_lock_and_not_the_server(
    hub: Hub, publish: Any, make_vector: Any, make_hub: Any, server: Any, tmp_path: Path
) -> None:
    was = publish()
    lock = locked(hub)
    other = publish(vector=make_vector(seed=1))
    server.resolve(f"acme/kind@{was.digest}", server.resolved["acme/kind"])
    elsewhere = make_hub(home=tmp_path / "elsewhere")

    with pytest.raises(DigestMismatchError, match="asked about"):
        elsewhere.pull_lock(lock)
    server.resolve(f"acme/kind@{was.digest}", server.resolved["acme/kind"] | {"digest": was.digest})
    server.on(f"GET /vectors/acme/kind/versions/{was.digest}/download", other.reply)
    with pytest.raises(DigestMismatchError, match="nothing was kept"):
        elsewhere.pull_lock(lock)
    assert elsewhere.cache.files() == []


def test_pull_lock_offline_says_what_to_do(hub: Hub, publish: Any, make_hub: Any, tmp_path: Path) -> None:
    publish()
    lock = locked(hub)
    with pytest.raises(NotFoundError, match="offline"):
        make_hub(home=tmp_path / "elsewhere", offline=True).pull_lock(lock)


def test_lock_of_a_bare_digest_or_of_nothing_is_refused(hub: Hub, publish: Any) -> None:
    publish()
    with pytest.raises(ReferenceSyntaxError, match="never moves"):
        hub.lock(["sha256:" + "a" * 64])
    with pytest.raises(NotFoundError, match="there is no acme/other"):
        hub.lock(["acme/kind", "acme/other"])


def test_pull_lock_from_a_strange_registry_gets_no_token_of_the_environment(
    server: Any, publish: Any, bearing: Any, hub: Hub, tmp_path: Path, monkeypatch: Any, token: str
) -> None:
    publish()
    file = tmp_path / "bearing.lock"
    file.write_bytes(write_lock(locked(hub)))
    asked = len(server.seen)
    monkeypatch.setenv("BEARING_TOKEN", "brg_of_somewhere_else")

    monkeypatch.setenv("BEARING_HOME", str(tmp_path / "elsewhere"))
    assert bearing("pull", "--lock", file, "--json").exit_code == 0
    assert {seen.headers.get("Authorization") for seen in server.seen[asked:]} == {None}
    store_token(tmp_path / "logged-in", server.url, token)
    monkeypatch.setenv("BEARING_HOME", str(tmp_path / "logged-in"))
    assert bearing("pull", "--lock", file, "--json").exit_code == 0
    assert server.seen[-1].headers["Authorization"] == f"Bearer {token}"
