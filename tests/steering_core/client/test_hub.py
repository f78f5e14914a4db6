"""The other methods of the hub: what they send, how they page, and how they wait for a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steering_core.client import Extraction, Hub
from steering_core.client.event_stream import ServerSent, read_events
from steering_core.client.references import ReferenceSyntaxError
from steering_core.errors import ClientError, DigestMismatchError, NotFoundError
from steering_core.spec import digest
from tests.steering_core.client.conftest import Reply

RUN = "0198a4c0-1111-7000-8000-000000000001"


def run(state: str, progress: float = 0.0, **fields: Any) -> dict[str, Any]:
    return {"id": RUN, "state": state, "stage": state, "progress": progress, "attempt": 1} | fields


def event(number: int) -> dict[str, Any]:
    return {"id": number, "stage": "extract", "progress": 0.1, "message": f"step {number}"}


def serve_statistics(server: Any, replies: Callable[[bytes], list[Any]] | None = None) -> bytes:
    """A run with a file of activations; `replies` says how it is sent."""
    file = b"activations" * 20_000
    statistics = {"digest": digest(file), "size_bytes": len(file)}
    server.on(f"GET /runs/{RUN}", run("succeeded", 1.0, statistics=statistics))
    sent = replies(file) if replies else [Reply(file)]
    server.on(f"GET /runs/{RUN}/statistics", *sent)
    return file


def test_search_follows_pages_up_to_the_limit(server: Any, hub: Hub) -> None:
    pages = [{"items": [{"name": str(i)}], "next_cursor": f"c{i}"} for i in range(3)]
    server.on("GET /vectors", *pages, {"items": [{"name": "3"}], "next_cursor": None})
    assert [item["name"] for item in hub.search("kind", verdict="pass", limit=3)] == ["0", "1", "2"]
    assert server.asked()[1] == "/vectors?q=kind&verdict=pass&limit=3&cursor=c0"


def test_show_reference_asks_for_that_version(server: Any, hub: Hub, publish: Any) -> None:
    publish()
    assert hub.show("acme/kind@1.0.0")["version"] == "1.0.0"
    with pytest.raises(ReferenceSyntaxError):
        hub.show("sha256:" + "a" * 64)


def test_show_name_without_release_gives_the_owner_the_newest_extracted_draft(server: Any, hub: Hub) -> None:
    server.on("GET /vectors/acme/kind/versions/latest", server.problem(404, "version.not_found", "none"))
    rows = [{"id": "1", "state": "failed"}, {"id": "2", "state": "extracted"}]
    server.on("GET /vectors/acme/kind/versions", {"items": rows, "next_cursor": None})
    server.on("GET /versions/2", {"id": "2", "state": "extracted"})
    assert hub.show("acme/kind")["id"] == "2"


def test_show_name_of_nothing_keeps_the_registrys_message(server: Any, hub: Hub) -> None:
    missing = server.problem(404, "vector.not_found", "there is no vector acme/kind")
    server.on("GET /vectors/acme/kind/versions/latest", missing)
    server.on("GET /vectors/acme/kind/versions", missing)
    with pytest.raises(NotFoundError, match="there is no vector"):
        hub.show("acme/kind")


def test_dataset_push_sends_a_form_and_says_whether_it_is_new(server: Any, hub: Hub, reply: Any) -> None:
    version = json.dumps({"reference": "acme/pairs@1"}).encode()
    server.on("POST /datasets", reply(version, 201), reply(version, 200))
    pushed = hub.dataset_push(b"yes\n", name="pairs", filename="p.txt", negative=b"no\n", visibility="public")
    assert pushed == {"reference": "acme/pairs@1", "created": True}
    assert not hub.dataset_push(b"yes\n", name="pairs")["created"]
    body = server.seen[0].body
    for part in (
        b'name="file"; filename="p.txt"',
        b'name="negative_file"',
        b'name="visibility"',
        b"public",
        b"no\n",
    ):
        assert part in body


def test_extraction_start_sends_what_is_given_with_a_key(server: Any, hub: Hub) -> None:
    server.on("POST /runs", run("queued"))
    hub.extraction_start(Extraction("acme/pairs", "bearing/demo", "kind"), idempotency_key="once")
    assert json.loads(server.seen[0].body) == {
        "dataset": "acme/pairs",
        "base_model": "bearing/demo",
        "vector": "kind",
        "method": "mean_difference",
        "site": "resid_post",
        "pooling": "auto",
        "tier": "standard",
    }
    assert server.seen[0].headers["Idempotency-Key"] == "once"


def test_extraction_start_draws_a_key_of_its_own(server: Any, hub: Hub) -> None:
    server.on("POST /runs", run("queued"))
    for _ in range(2):
        hub.extraction_start(Extraction("acme/pairs@2", "bearing/demo", "kind"))
    first, second = (seen.headers["Idempotency-Key"] for seen in server.seen)
    assert first != second


def test_run_wait_yields_until_the_run_has_ended(server: Any, hub: Hub) -> None:
    server.on(f"GET /runs/{RUN}", run("queued"), run("running", 0.5), run("succeeded", 1.0))
    server.on(
        f"GET /runs/{RUN}/events", {"items": [event(1)]}, {"items": []}, {"items": [event(2), event(3)]}
    )
    updates = list(hub.run_wait(RUN, poll_seconds=0))
    assert [update.run["state"] for update in updates] == ["queued", "running", "succeeded"]
    assert [[e["id"] for e in update.events] for update in updates] == [[1], [], [2, 3]]
    assert [p for p in server.asked() if "events" in p][-1] == f"/runs/{RUN}/events?after=1"


def test_run_wait_outlives_an_outage(server: Any, hub: Hub, reply: Any) -> None:
    outage = [reply(status=503)] * 4
    server.on(f"GET /runs/{RUN}", run("running"), *outage, reply(b"", 500), run("succeeded", 1.0))
    server.on(f"GET /runs/{RUN}/events", {"items": []})
    assert [u.run["state"] for u in hub.run_wait(RUN, poll_seconds=0)] == ["running", "succeeded"]


def test_run_wait_longer_outage_is_raised(server: Any, hub: Hub, reply: Any) -> None:
    server.on(f"GET /runs/{RUN}", reply(b"", 500))
    with pytest.raises(ClientError):
        list(hub.run_wait(RUN, poll_seconds=0, patience_seconds=-1))


def test_run_wait_unknown_run_is_raised_at_once(server: Any, hub: Hub) -> None:
    server.on(f"GET /runs/{RUN}", server.problem(404, "run.not_found", "you have no such run"))
    with pytest.raises(NotFoundError):
        list(hub.run_wait(RUN))


@pytest.mark.parametrize("text", ["", "../me", "a b", "x" * 65, "é"])
def test_run_of_something_that_is_no_id_is_refused(hub: Hub, server: Any, text: str) -> None:
    with pytest.raises(ReferenceSyntaxError):
        hub.run(text)
    assert server.seen == []


def test_run_statistics_are_written_once_they_are_verified(server: Any, hub: Hub, tmp_path: Path) -> None:
    file = serve_statistics(server)
    kept = hub.run_statistics(RUN, tmp_path / "s.safetensors")
    assert kept == {"digest": digest(file), "size_bytes": len(file)}
    assert (tmp_path / "s.safetensors").read_bytes() == file
    assert server.seen[-1].headers["Accept-Encoding"] == "identity"


def test_run_statistics_that_break_off_are_fetched_again(
    server: Any, hub: Hub, reply: Any, tmp_path: Path
) -> None:
    file = serve_statistics(server, lambda file: [reply(file, cut=9), reply(file)])
    hub.run_statistics(RUN, tmp_path / "s.safetensors")
    assert (tmp_path / "s.safetensors").read_bytes() == file


@pytest.mark.parametrize("change", [lambda file: file[:-1] + b"x", lambda file: file + b"x"])
def test_run_statistics_that_are_not_the_promised_bytes_are_not_kept(
    server: Any, hub: Hub, reply: Any, tmp_path: Path, change: Any
) -> None:
    serve_statistics(server, lambda file: [reply(change(file))])
    (tmp_path / "s.safetensors").write_bytes(b"older")
    with pytest.raises(DigestMismatchError):
        hub.run_statistics(RUN, tmp_path / "s.safetensors")
    assert [path.read_bytes() for path in tmp_path.glob("*")] == [b"older"]


def test_run_statistics_of_a_run_without_them_are_not_found(server: Any, hub: Hub, tmp_path: Path) -> None:
    server.on(f"GET /runs/{RUN}", run("succeeded", 1.0, statistics=None))
    with pytest.raises(NotFoundError) as refused:
        hub.run_statistics(RUN, tmp_path / "s.safetensors")
    assert refused.value.code == "run.no_statistics"


def test_run_statistics_into_no_folder_say_so(server: Any, hub: Hub, tmp_path: Path) -> None:
    serve_statistics(server)
    with pytest.raises(ClientError) as refused:
        hub.run_statistics(RUN, tmp_path / "none" / "s.safetensors")
    assert refused.value.code == "client.file"


def test_publish_yank_and_unyank_go_to_their_paths(server: Any, hub: Hub) -> None:
    for path in ("publish", "versions/1.0.0/yank", "versions/1.0.0/unyank"):
        server.on(f"POST /vectors/acme/kind/{path}", {"version": "1.0.0"})
    hub.publish("acme/kind", version="1.0.0", license="MIT", visibility="public")
    hub.yank("acme/kind", version="1.0.0", reason="wrong sign")
    hub.unyank("acme/kind", version="1.0.0")
    assert json.loads(server.seen[0].body) == {"version": "1.0.0", "license": "MIT", "visibility": "public"}
    assert json.loads(server.seen[1].body) == {"reason": "wrong sign"}


def test_base_models_of_a_list_or_a_page_are_the_same(server: Any, hub: Hub, reply: Any) -> None:
    server.on("GET /base-models", reply(b'[{"name": "a"}]'), {"items": [{"name": "a"}], "next_cursor": None})
    assert hub.base_models() == hub.base_models() == [{"name": "a"}]


def test_offline_hub_asks_nothing(server: Any, make_hub: Any) -> None:
    offline = make_hub(offline=True)
    for ask in (offline.whoami, offline.search, lambda: offline.run(RUN)):
        with pytest.raises(ClientError) as refused:
            ask()
        assert refused.value.code == "client.offline"
    assert server.seen == []


def test_run_wait_follows_a_stream_and_comes_back_with_what_it_has(server: Any, hub: Hub, reply: Any) -> None:
    kind = {"Content-Type": "text/event-stream"}
    begun = f"{sse('log', event(1))}: quiet\n\n{sse('run', run('running', 0.5))}"
    first = f"retry: 1000\n\n{begun}{sse('log', event(2))}"
    second = f"{sse('log', event(2))}{sse('log', event(3))}{sse('run', run('succeeded', 1.0))}"
    server.on(f"GET /runs/{RUN}", run("queued"), run("running", 0.5))
    # The first breaks off in the middle of an event.
    server.on(
        f"GET /runs/{RUN}/events",
        reply(first.encode(), headers=kind, cut=len(first) - 20),
        reply(second.encode(), headers=kind),
    )

    updates = list(hub.run_wait(RUN, poll_seconds=0))

    assert [(u.run["state"], [e["id"] for e in u.events]) for u in updates] == [
        ("running", [1]),
        ("succeeded", [2, 3]),
    ]
    asked = [seen for seen in server.seen if "events" in seen.path]
    assert [seen.path.partition("?")[2] for seen in asked] == ["", "after=1"]
    assert asked[0].headers["Accept"].startswith("text/event-stream")


def sse(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def test_read_events_joins_lines_and_leaves_out_what_is_cut_off() -> None:
    lines = [
        ": hello",
        "",
        "data: a",
        "data:b",
        "",
        "event: x",
        "",
        "id: 7",
        "event: y",
        "data: c",
        "",
        "data: cut",
    ]
    assert list(read_events(lines)) == [ServerSent("message", "a\nb"), ServerSent("y", "c")]
