"""Downloads on bad days: cut, corrupted, refused for a moment, sent elsewhere, killed; fifty at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steering_core.client import DigestMismatchError, Hub
from steering_core.client.http import Retries
from tests.steering_core.client.conftest import TOKEN, Reply

ETAG = {"ETag": '"of-the-file"'}
DOWNLOAD = "GET /vectors/acme/kind/versions/{}/download"


def kept(home: Path) -> list[Path]:
    return [item for item in (home / "blobs").rglob("*") if item.is_file()]


def ranges(server: Any) -> list[str]:
    return [seen.headers.get("Range", "") for seen in server.seen if "download" in seen.path]


def test_download_that_breaks_off_goes_on_where_it_was(server: Any, hub: Hub, publish: Any) -> None:
    published = publish()
    cut, whole = Reply(published.data, headers=ETAG, cut=100), Reply(published.data, headers=ETAG)
    server.on(DOWNLOAD.format(published.digest), cut, Reply(status=503), whole)

    assert hub.pull_file("acme/kind@1.0.0").data == published.data
    assert ranges(server) == ["", "bytes=100-", "bytes=100-"]


def test_download_of_a_file_that_changed_meanwhile_begins_again(server: Any, hub: Hub, publish: Any) -> None:
    published = publish()
    other = Reply(b"x" * 300, headers={"ETag": '"another"'}, cut=100)
    server.on(DOWNLOAD.format(published.digest), other, Reply(published.data, headers=ETAG))

    assert hub.pull_file("acme/kind@1.0.0").data == published.data


def test_download_whose_end_alone_got_lost_is_taken_from_the_start(
    server: Any, hub: Hub, publish: Any
) -> None:
    published = publish()
    longer = {"Content-Length": str(len(published.data) + 1)} | ETAG
    server.on(
        DOWNLOAD.format(published.digest),
        Reply(published.data, headers=longer),
        Reply(b"", 416),
        published.reply,
    )

    assert hub.pull_file("acme/kind@1.0.0").data == published.data


def test_download_resumed_on_another_host_takes_no_token_there(
    server: Any, other_server: Any, hub: Hub, publish: Any
) -> None:
    published = publish()
    server.on(
        DOWNLOAD.format(published.digest),
        Reply(status=302, headers={"Location": f"{other_server.url}/api/v1/signed?x=1"}),
    )
    cut, whole = Reply(published.data, headers=ETAG, cut=100), Reply(published.data, headers=ETAG)
    other_server.on("GET /signed", cut, whole)

    assert hub.pull_file("acme/kind@1.0.0").data == published.data
    assert [seen.headers.get("Range") for seen in other_server.seen] == [None, "bytes=100-"]
    assert not any("Authorization" in seen.headers for seen in other_server.seen)


def test_download_whose_rest_is_of_another_file_is_refused(
    server: Any, hub: Hub, publish: Any, clean_environment: Path
) -> None:
    published = publish()
    cut = Reply(published.data, headers=ETAG, cut=100)
    flipped = Reply(published.data[:-1] + bytes([published.data[-1] ^ 1]), headers=ETAG)
    server.on(DOWNLOAD.format(published.digest), cut, flipped)

    with pytest.raises(DigestMismatchError):
        hub.pull("acme/kind@1.0.0")
    assert kept(clean_environment) == []


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 900), max_size=2), etag=st.booleans(), flip=st.booleans())
def test_download_however_it_is_cut_is_the_file_or_an_error(
    server: Any, publish: Any, tmp_path: Path, cuts: list[int], etag: bool, flip: bool
) -> None:
    """Whatever the faults, what is returned and what is kept is the promised file, or nothing."""
    published = publish()
    sent = bytearray(published.data)
    sent[50] ^= flip
    headers = ETAG if etag else {}
    replies = [Reply(bytes(sent), headers=headers, cut=cut) for cut in cuts]
    server.on(DOWNLOAD.format(published.digest), *replies, Reply(bytes(sent), headers=headers))
    home = tmp_path / os.urandom(4).hex()

    with Hub(server.url, home=home, retries=Retries(first_pause=0.001, longest_pause=0.001)) as hub:
        if flip:
            with pytest.raises(DigestMismatchError):
                hub.pull("acme/kind@1.0.0")
        else:
            assert hub.pull_file("acme/kind@1.0.0").data == published.data

    assert [file.read_bytes() for file in kept(home)] == ([] if flip else [published.data])


PULL = """
import sys, threading
from steering_core.client import Hub
endpoint, home, threads = sys.argv[1:]
start, failed = threading.Barrier(int(threads)), []
def work():
    try:
        with Hub(endpoint, home=home) as hub:
            start.wait()
            hub.pull("acme/kind@1.0.0")
    except BaseException as error:
        failed.append(error)
all_threads = [threading.Thread(target=work) for _ in range(int(threads))]
[thread.start() for thread in all_threads]
[thread.join() for thread in all_threads]
sys.exit(f"{len(failed)} failed: {failed[:1]}" if failed else 0)
"""


def run_pull(server: Any, home: Path, threads: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", PULL, server.url, str(home), str(threads)]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def test_fifty_first_pulls_at_once_from_two_processes_leave_one_file(
    server: Any, publish: Any, clean_environment: Path
) -> None:
    published = publish()

    processes = [run_pull(server, clean_environment, 25) for _ in range(2)]

    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0)] * 2
    assert [file.read_bytes() for file in kept(clean_environment)] == [published.data]
    notes = [item for item in (clean_environment / "refs").rglob("*") if item.is_file()]
    assert [json.loads(note.read_bytes())["digest"] for note in notes] == [published.digest]


def test_killed_pull_leaves_a_part_that_later_ones_neither_use_nor_keep(
    server: Any, hub: Hub, publish: Any, clean_environment: Path
) -> None:
    published = publish()
    half = Reply(published.data, cut=len(published.data) // 2, hold_seconds=30)
    server.on(DOWNLOAD.format(published.digest), half, published.reply)
    process = run_pull(server, clean_environment, 1)
    deadline = time.monotonic() + 20
    while not kept(clean_environment) and time.monotonic() < deadline:
        time.sleep(0.02)

    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (part,) = kept(clean_environment)
    assert part.name.endswith(".part")
    assert hub.pull_file("acme/kind@1.0.0").data == published.data
    os.utime(part, (time.time() - 90_000,) * 2)
    hub.cache.write(published.digest, [published.data], most_bytes=len(published.data))

    assert [file.name for file in kept(clean_environment)] == [published.digest.removeprefix("sha256:")]


def test_download_tells_how_far_it_is(server: Any, publish: Any, clean_environment: Path) -> None:
    published, told = publish(), []

    with Hub(server.url, TOKEN, progress=lambda done, total: told.append((done, total))) as hub:
        hub.pull("acme/kind@1.0.0")

    assert told[-1] == (len(published.data),) * 2
