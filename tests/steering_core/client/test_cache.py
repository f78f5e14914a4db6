"""The cache holds what its digests promise, whoever writes at the same time and whatever the disk does."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steering_core.client.cache import Cache, CachedRef
from steering_core.client.references import Reference, parse_reference
from steering_core.errors import ClientError, DigestMismatchError, FormatError
from steering_core.spec import digest

DATA = b"steering" * 1000
NAMED = digest(DATA)
ENDPOINT = "http://localhost:8000"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path, ENDPOINT)


def files_in(folder: Path) -> list[Path]:
    return [item for item in folder.rglob("*") if item.is_file()]


def test_write_then_read_gives_the_bytes(cache: Cache) -> None:
    path = cache.write(NAMED, [DATA[:10], DATA[10:]], most_bytes=len(DATA))
    assert path.name == NAMED.removeprefix("sha256:")
    assert cache.read(NAMED) == DATA


def test_read_of_an_unknown_digest_is_none(cache: Cache) -> None:
    assert cache.read(NAMED) is None


def test_write_flipped_byte_is_refused_and_nothing_kept(cache: Cache, tmp_path: Path) -> None:
    flipped = bytes([DATA[0] ^ 1]) + DATA[1:]
    with pytest.raises(DigestMismatchError, match="nothing was kept"):
        cache.write(NAMED, [flipped], most_bytes=len(DATA))
    assert files_in(tmp_path) == []


def test_write_more_bytes_than_allowed_stops_early(cache: Cache, tmp_path: Path) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield DATA

    with pytest.raises(DigestMismatchError, match="more than"):
        cache.write(NAMED, endless(), most_bytes=3 * len(DATA))
    assert files_in(tmp_path) == []


def test_write_source_that_breaks_off_leaves_nothing(cache: Cache, tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield DATA[:10]
        raise ConnectionResetError("gone")

    with pytest.raises(ClientError):
        cache.write(NAMED, breaking(), most_bytes=len(DATA))
    assert files_in(tmp_path) == []


def test_read_damaged_file_counts_as_missing_and_is_replaced(cache: Cache) -> None:
    path = cache.write(NAMED, [DATA], most_bytes=len(DATA))
    path.write_bytes(DATA[:-1])
    assert cache.read(NAMED) is None
    cache.write(NAMED, [DATA], most_bytes=len(DATA))
    assert cache.read(NAMED) == DATA


@pytest.mark.parametrize(
    "named", ["sha256:../../etc/passwd", "../x", "md5:" + "0" * 64, "sha256:" + "G" * 64]
)
def test_path_of_no_digest_is_refused(cache: Cache, named: str) -> None:
    with pytest.raises(FormatError):
        cache.path(named)


def test_write_from_many_threads_keeps_one_whole_file(cache: Cache, tmp_path: Path) -> None:
    start, failures = threading.Barrier(8), []

    def write(number: int) -> None:
        start.wait()
        for _ in range(20):
            good = number % 2 == 0
            try:
                cache.write(NAMED, [DATA if good else DATA[1:]], most_bytes=len(DATA))
            except DigestMismatchError:
                if good:
                    failures.append("a good write failed")
            if (read := cache.read(NAMED)) not in (None, DATA):
                failures.append(f"read {len(read or b'')} other bytes")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert cache.read(NAMED) == DATA
    assert len(files_in(tmp_path)) == 1


def test_write_removes_what_a_killed_writer_left_a_day_ago(cache: Cache) -> None:
    path = cache.write(NAMED, [DATA], most_bytes=len(DATA))
    old, fresh = path.parent / ".a.part", path.parent / ".b.part"
    for leftover in (old, fresh):
        leftover.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    cache.write(NAMED, [DATA], most_bytes=len(DATA))
    assert not old.exists()
    assert fresh.exists()


def test_write_into_a_home_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ClientError) as refused:
        Cache(tmp_path / "home", ENDPOINT).write(NAMED, [DATA], most_bytes=len(DATA))
    assert refused.value.code == "client.cache"
    assert "BEARING_HOME" in refused.value.message


@pytest.mark.parametrize("text", ["acme/kind", "acme/kind@1.0.0", f"acme/kind@{NAMED}"])
def test_write_ref_then_read_ref_gives_it_back(cache: Cache, text: str) -> None:
    reference = parse_reference(text)
    assert cache.read_ref(reference) is None
    cache.write_ref(reference, CachedRef(NAMED, "1.0.0", warnings=("yanked: wrong sign",)))
    found = cache.read_ref(reference)
    assert found is not None
    assert (found.digest, found.version, found.warnings) == (NAMED, "1.0.0", ("yanked: wrong sign",))
    assert found.fetched_at.endswith("+00:00")


def test_refs_of_two_registries_are_kept_apart(tmp_path: Path) -> None:
    reference = Reference("acme", "kind", "1.0.0")
    Cache(tmp_path, "https://one.example").write_ref(reference, CachedRef(NAMED, "1.0.0"))
    assert Cache(tmp_path, "https://two.example").read_ref(reference) is None


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"digest": "x", "version": ""}', b'{"a": 1}', b"\xff", b"null"]
)
def test_read_ref_damaged_note_counts_as_missing(cache: Cache, content: bytes) -> None:
    reference = Reference("acme", "kind", "1.0.0")
    cache.write_ref(reference, CachedRef(NAMED, "1.0.0"))
    cache.ref_path(reference).write_bytes(content)
    assert cache.read_ref(reference) is None
