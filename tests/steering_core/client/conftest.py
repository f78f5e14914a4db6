"""A small HTTP server that answers, and fails, as a test tells it to; and vectors to serve."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from steering_core.client import Hub
from steering_core.client.cli import app
from steering_core.client.http import Retries
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.spec import ModelIdentity, Provenance, digest
from steering_core.vector import SteeringVector

QUICK = Retries(attempts=3, first_pause=0.01, longest_pause=0.02)
TOKEN = "brg_0123456789abcdefghijklmnopqrstuv000000"


@dataclass
class Reply:
    """What the server sends; `cut` closes the connection after so many bytes of the body.

    With an `ETag` it answers a Range whose If-Range fits with the rest, as S3 and nginx do. `hold_seconds` is
    how long it waits before it closes.
    """

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    hold_seconds: float = 0.0

    def to(self, asked: dict[str, str]) -> "Reply":
        """The reply to a request with these headers."""
        etag, wanted = self.headers.get("ETag"), asked.get("Range", "")
        if etag is None or asked.get("If-Range") != etag or not wanted:
            return self
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.body):
            return Reply(b"", 416)
        place = {"Content-Range": f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"}
        return Reply(self.body[start:], 206, self.headers | place, self.cut, self.hold_seconds)


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class FaultServer:
    """`on` says what a path answers: one reply after the other, the last one for ever."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.resolved: dict[str, dict[str, Any]] = {}
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, path: str, *replies: Reply | dict[str, Any]) -> None:
        """`GET /vectors` below /api/v1, without the query."""
        method, _, rest = path.partition(" ")
        made = [r if isinstance(r, Reply) else Reply(json.dumps(r).encode()) for r in replies]
        self.replies[f"{method} /api/v1{rest}"] = made

    def resolve(self, reference: str, found: dict[str, Any]) -> None:
        """What `/resolve` says about a reference, asked alone or with others."""
        self.resolved[reference] = found

    def reply_to(self, seen: Seen) -> Reply:
        """The next reply that the test has for a request."""
        address = urlsplit(seen.path)
        key = f"{seen.method} {address.path}"
        if key in self.replies:
            waiting = self.replies[key]
            return (waiting.pop(0) if len(waiting) > 1 else waiting[0]).to(seen.headers)
        if key == "POST /api/v1/resolve":
            asked = json.loads(seen.body)["references"]
            items = [self.resolved.get(reference) for reference in asked]
            return Reply(json.dumps({"items": items}).encode())
        if key == "GET /api/v1/resolve":
            (asked,) = parse_qs(address.query)["reference"]
            if asked in self.resolved:
                return Reply(json.dumps(self.resolved[asked]).encode())
            return self.problem(404, "vector.not_found", f"there is no {asked}")
        return Reply(status=404)

    def problem(self, status: int, code: str, detail: str, **headers: str) -> Reply:
        """A refusal as RFC 9457 has it."""
        body = json.dumps({"type": "about:blank", "status": status, "code": code, "detail": detail}).encode()
        return Reply(body, status, {"Content-Type": "application/problem+json", **headers})

    def asked(self, method: str = "GET") -> list[str]:
        """The paths asked for so far, below /api/v1."""
        return [seen.path.removeprefix("/api/v1") for seen in self.seen if seen.method == method]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(server: FaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            seen = Seen(self.command, self.path, dict(self.headers), body)
            server.seen.append(seen)
            reply = server.reply_to(seen)
            self.send_response(reply.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body))}
            for name, value in (headers | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            if reply.hold_seconds:
                self.wfile.flush()
                time.sleep(reply.hold_seconds)
            self.close_connection = True

        do_GET = do_POST = answer

        def log_message(self, *arguments: object) -> None:
            """Silence."""

    return Handler


@pytest.fixture
def server() -> Iterator[FaultServer]:
    fault_server = FaultServer()
    yield fault_server
    fault_server.stop()


@pytest.fixture
def other_server() -> Iterator[FaultServer]:
    fault_server = FaultServer()
    yield fault_server
    fault_server.stop()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No BEARING_* of the machine reaches a test; the cache folder of the test comes back."""
    names = "ENDPOINT", "TOKEN", "OFFLINE", "DOWNLOAD_MODE"
    for name in (*(f"BEARING_{name}" for name in names), "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BEARING_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def hub(server: FaultServer, clean_environment: Path) -> Iterator[Hub]:
    with Hub(server.url, TOKEN, retries=QUICK) as made:
        yield made


@pytest.fixture
def make_hub(server: FaultServer) -> Iterator[Callable[..., Hub]]:
    """More hubs on the same server and cache, closed in the end."""
    made: list[Hub] = []

    def make(**options: Any) -> Hub:
        made.append(Hub(**({"endpoint": server.url, "retries": QUICK} | options)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def build_vector(*, seed: int = 0, model_hash: str = "sha256:" + "a" * 64, **model: Any) -> SteeringVector:
    identity = {"name": "acme/tiny", "architecture": "LlamaForCausalLM", "n_layers": 4, "d_model": 8} | model
    direction = np.random.default_rng(seed).normal(size=identity["d_model"]).astype(np.float32)
    return SteeringVector(
        model=ModelIdentity(model_hash=model_hash, **identity),
        directions={"resid_post.2": direction},
        residual_norms={"resid_post.2": 7.5},
        window=(-0.5, 0.5),
        provenance=Provenance("mean_difference", "response_mean", "", "", "test"),
    )


def resolved_json(data: bytes, version: dict[str, Any]) -> dict[str, Any]:
    """What `/resolve` says about a version."""
    files = [{"name": "vector.safetensors", "digest": version["digest"], "size_bytes": len(data)}]
    if version.get("conformance"):
        files.append({"name": "conformance.json", **version["conformance"]})
    return {
        "kind": "vector",
        "owner": "acme",
        "name": "kind",
        "version": version["version"],
        "digest": version["digest"],
        "state": version["state"],
        "base_model": {"name": "acme/tiny", "model_hash": "sha256:" + "a" * 64},
        "access": "open",
        "files": files,
        "warnings": version["warnings"],
    }


@dataclass
class Published:
    """A vector as a registry has it."""

    data: bytes
    digest: str
    version: dict[str, Any]
    reply: Reply


@pytest.fixture
def publish(server: FaultServer) -> Callable[..., Published]:
    """Serve a vector as acme/kind@1.0.0 and as the latest; `sent` replaces the bytes of the download."""

    def serve(*, sent: Reply | None = None, vector: SteeringVector | None = None, **fields: Any) -> Published:
        data = write_vector(vector or build_vector())
        named = digest(data)
        version = {
            "id": "0198a4c0-0000-7000-8000-000000000001",
            "vector": "acme/kind",
            "version": "1.0.0",
            "state": "published",
            "digest": named,
            "warnings": [],
            "verdict": "pass",
        } | fields
        for selector in ("latest", version["version"], named):
            server.on(f"GET /vectors/acme/kind/versions/{selector}", version)
        found = resolved_json(data, version)
        for selector in ("", "@latest", "@stable", f"@{version['version']}", f"@{named}"):
            server.resolve(f"acme/kind{selector}", found | {"reference": f"acme/kind{selector}"})
        reply = sent or Reply(data)
        server.on(f"GET /vectors/acme/kind/versions/{named}/download", reply)
        server.on(f"GET /blobs/{named}", reply)
        return Published(data, named, version, reply)

    return serve


@pytest.fixture
def reply() -> type[Reply]:
    return Reply


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def make_vector() -> Callable[..., SteeringVector]:
    return build_vector


@pytest.fixture
def bearing() -> Any:
    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def made(bearing: Any, model_folder: Any, tmp_path: Path) -> Any:
    """extract-local on the tiny llama: (pairs, options) -> (JSON, vector)."""

    def make(pairs: Path, *options: object, model: Path | None = None) -> Any:
        output = tmp_path / f"vector-{len(list(tmp_path.iterdir()))}.safetensors"
        folder = model or model_folder()
        done = bearing("extract-local", folder, pairs, "-o", output, "--json", *options)
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        return found, read_vector(output.read_bytes(), found["digest"])

    return make
