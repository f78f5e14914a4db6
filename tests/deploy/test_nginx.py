"""deploy/nginx.conf in a real nginx, with only its addresses, folders and TLS changed, before a small app.

The app decides as `registry.api` does: where a file lies, in a folder or in S3, and what may be kept.
"""

import http.client
import json
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from registry.embedded.process import end, spawn, wait_until
from registry.embedded.valkey import free_port
from registry.settings.env import S3Config
from registry.storage.blobs import Shown, blob_key
from registry.storage.local import LocalBlobStore
from registry.storage.s3 import S3BlobStore
from tests.deploy.compose_reader import ROOT

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx on this machine")

DOWNLOAD = "/api/v1/vectors/a/b/versions/1.0.0/download"
# nginx does not ask where such a file lies: it is told by X-Accel-Redirect.
OTHER = "/a/b/resolve/main/vector.safetensors"
DATA = bytes(range(256)) * 8
HEX = "ab" * 32
ETAG = f'"{HEX}"'
SHOWN = Shown("application/vnd.test", 'attachment; filename="a.safetensors"')


@dataclass
class App:
    """What the small app answers with, and what it was asked."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    status: int = 200
    # In answer to nginx, which asks where a file lies; empty for what only the app can answer.
    file: str = ""
    expires: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Front:
    """nginx, and what stands behind it."""

    app: App
    client: httpx.Client
    blobs: Path
    s3: S3BlobStore

    def get(self, path: str = DOWNLOAD, **headers: str) -> httpx.Response:
        return self.client.get(path, headers={name.replace("_", "-"): v for name, v in headers.items()})


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[App, int]]:
    app = App()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            app.asked.append({name.lower(): value for name, value in self.headers.items()})
            status, headers, body = app.status, app.headers, app.body
            if self.headers.get("X-Bearing-Ask"):
                status, body = (204 if app.file else 403), b""
                headers = {**headers, "X-Bearing-File": app.file}
                headers.pop("X-Accel-Redirect", None)
                if app.expires:
                    headers["X-Accel-Expires"] = app.expires
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return None

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield app, listening.server_port
    listening.shutdown()
    listening.server_close()


@pytest.fixture(scope="module")
def nginx(server: tuple[App, int], s3_server: str, tmp_path_factory: Any) -> Iterator[Front]:
    app, app_port = server
    folder = tmp_path_factory.mktemp("nginx")
    port, health, other = free_port(), free_port(), free_port()
    s3_host = s3_server.removeprefix("http://")
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    changes = {
        "/tmp/": f"{folder}/",
        "server web:8000": f"server 127.0.0.1:{app_port}",
        "s3:7070": s3_host,
        "alias /blobs/": f"alias {folder}/blobs/",
        "listen 127.0.0.1:8081": f"listen 127.0.0.1:{health}",
        "listen 8080": f"listen 127.0.0.1:{other}",
        "listen 8443 ssl": f"listen 127.0.0.1:{port}",
        "access_log /dev/stdout combined": "access_log off",
        "error_log /dev/stderr": f"error_log {folder}/error.log",
    }
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    # nginx 1.22 does not know `http2 on`, and there is no certificate here. Its workers read our folders.
    text = re.sub(r"^ *(ssl_|http2 ).*;\n", "", text, flags=re.MULTILINE)
    (folder / "nginx.conf").write_text(f"user root; daemon off;\n{text}")
    process = spawn(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], log=folder / "log")
    config = S3Config("files", s3_server, "us-east-1", "any", "any")
    s3 = S3BlobStore(config)
    boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="any",
                 aws_secret_access_key="any").create_bucket(Bucket="files")  # fmt: skip
    s3.put(HEX, DATA, "application/octet-stream")
    LocalBlobStore(folder / "blobs").put(HEX, DATA, "application/octet-stream")
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text() + (folder / "error.log").read_text()
            try:
                return httpx.get(f"http://127.0.0.1:{health}/nginx-health", trust_env=False).is_success
            except httpx.TransportError:
                return False

        assert wait_until(answers, timeout_seconds=20, pause_seconds=0.05)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield Front(app, client, folder / "blobs", s3)
    finally:
        end(process, grace_seconds=2)


@pytest.fixture(params=["folder", "s3"])
def front(request: pytest.FixtureRequest, nginx: Front) -> Front:
    """The app lets everybody have every file, from a folder or from S3."""
    store = LocalBlobStore(nginx.blobs) if request.param == "folder" else nginx.s3
    lies_at(nginx.app, store.inner_path(HEX, SHOWN, seconds=60))
    return nginx


def lies_at(app: App, path: str, expires: str = "") -> None:
    """What the app says of a file in the store."""
    app.asked.clear()
    app.status, app.body, app.file, app.expires = 200, b"", path, expires
    app.headers = {
        "X-Accel-Redirect": path,
        "Content-Type": "application/vnd.test",
        "Content-Disposition": SHOWN.disposition,
        "Cache-Control": "private, no-store",
        "ETag": ETAG,
        "Repr-Digest": "sha-256=:abc=:",
        "X-Bearing-Digest": f"sha256:{HEX}",
        "X-Request-Id": "0123",
        "Warning": '299 - "yanked: wrong sign"',
        "RateLimit": '"files";r=1;t=2',
    }


@pytest.mark.parametrize("path", [DOWNLOAD, OTHER])
def test_bytes_come_under_the_headers_of_the_app(front: Front, path: str) -> None:
    answer = front.get(path, Authorization="Bearer brg_x")
    assert (answer.status_code, answer.content) == (200, DATA)
    # Of one request, and wrong for the next, which the app may not be asked about.
    passing = {"X-Request-Id", "RateLimit"} if path == DOWNLOAD else set()
    for name, value in front.app.headers.items():
        if name != "X-Accel-Redirect":
            assert answer.headers.get_list(name) == ([] if name in passing else [value]), name
    assert not {"X-Accel-Redirect", "X-Bearing-File"} & {*answer.headers}
    assert answer.headers.get_list("Accept-Ranges") == ["bytes"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("x-amz-id")]


@pytest.mark.parametrize("path", [DOWNLOAD, OTHER])
def test_parts_are_resumed_by_the_etag_of_the_app(front: Front, path: str) -> None:
    part = front.get(path, Range="bytes=5-9", If_Range=ETAG)
    assert (part.status_code, part.content) == (206, DATA[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(DATA)}"
    assert part.headers["ETag"] == ETAG
    assert (len(front.app.asked), front.app.asked[0]["if-range"]) == (1, ETAG)


@pytest.mark.parametrize("path", [DOWNLOAD, OTHER])
def test_no_condition_by_a_date_is_answered(front: Front, path: str) -> None:
    answer = front.get(path, If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT", If_None_Match='"other"')
    assert (answer.status_code, answer.content) == (200, DATA)
    assert front.app.asked[0]["if-none-match"] == '"other"'
    answer = front.get(path, If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT")
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("path", [DOWNLOAD, OTHER])
def test_lost_file_is_a_problem(front: Front, path: str) -> None:
    store = LocalBlobStore(front.blobs) if "_blobs" in front.app.file else front.s3
    lies_at(front.app, store.inner_path("cd" * 32, SHOWN, seconds=60))
    answer = front.get(path)
    # S3 does not tell a key that is missing from one that is refused, and moto gives 403 too.
    found = (answer.status_code, answer.json()["code"])
    assert found == ((500, "blob.missing") if isinstance(store, LocalBlobStore) else (503, "unavailable"))
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Error-Code"] == found[1]


def test_inner_paths_are_nobodys_to_name(nginx: Front) -> None:
    for path in (f"/_blobs/{blob_key(HEX)}", nginx.s3.inner_path(HEX, SHOWN, seconds=60), "/_s3/files"):
        assert nginx.get(path).status_code == 404


def test_the_app_is_asked_once_for_as_long_as_it_says(front: Front) -> None:
    path = f"/api/v1/blobs/sha256:{secrets.token_hex(32)}"
    for address, tokens in (
        (path, ("", "", "Bearer x", "Bearer x", "Bearer y")),
        (DOWNLOAD, (f"Bearer {secrets.token_hex(4)}",) * 2),
    ):
        lies_at(front.app, front.app.file, "5")
        for token in tokens:
            answer = front.get(address, **({"Authorization": token} if token else {}))
            assert (answer.content, answer.headers["ETag"]) == (DATA, ETAG)
        asked = [(asked.get("authorization", ""), asked["x-bearing-ask"]) for asked in front.app.asked]
        assert asked == [(token, "1") for token in dict.fromkeys(tokens)]


def test_what_may_not_be_had_is_told_by_the_app(nginx: Front) -> None:
    lies_at(nginx.app, "")
    nginx.app.status, nginx.app.body = 404, b"{}"
    nginx.app.headers = {"Content-Type": "application/problem+json", "X-Error-Code": "vector.not_found"}
    for _ in range(2):
        answer = nginx.get(Authorization="Bearer brg_nobody")
        assert (answer.status_code, answer.content) == (404, b"{}")
        assert answer.headers["X-Error-Code"] == "vector.not_found"
    assert [asked.get("x-bearing-ask", "") for asked in nginx.app.asked] == ["1", "", "1", ""]


def test_downloads_that_are_counted_reach_the_app_each_time(front: Front) -> None:
    for _ in range(2):
        assert front.get().content == DATA
    assert len(front.app.asked) == 2


def test_file_is_asked_about_again_once_its_time_is_over(front: Front) -> None:
    path = f"/api/v1/blobs/sha256:{secrets.token_hex(32)}"
    lies_at(front.app, front.app.file, "1")
    assert front.get(path).status_code == 200
    # It was made private meanwhile.
    lies_at(front.app, "")
    front.app.status, front.app.headers = 404, {}

    assert wait_until(lambda: front.get(path).status_code == 404, timeout_seconds=5, pause_seconds=0.2)


def test_nobody_asks_in_the_name_of_nginx(nginx: Front) -> None:
    lies_at(nginx.app, "")
    nginx.get("/api/v1/vectors", X_Bearing_Ask="1", X_Bearing_Keep="1")
    assert not {"x-bearing-ask", "x-bearing-keep"} & {*nginx.app.asked[0]}


@pytest.mark.parametrize("path", ["/api/v1/resolve?reference=", "/api/v1/vectors/a/b/versions/"])
def test_what_a_public_name_stands_for_is_kept_by_what_was_asked(nginx: Front, path: str) -> None:
    keep(nginx.app, "10")
    assert {nginx.get(f"{path}1.0.0").status_code for _ in range(2)} == {200}
    assert nginx.get(f"{path}1.0.0", If_None_Match=ETAG).status_code == 304
    assert len(nginx.app.asked) == 1
    nginx.get(f"{path}2.0.0")
    nginx.get(f"{path}1.0.0", Authorization="Bearer brg_x")
    assert len(nginx.app.asked) == 3


@pytest.mark.parametrize(("status", "expires"), [(200, ""), (404, ""), (200, "0")])
def test_nothing_is_kept_unless_the_app_says_so(nginx: Front, status: int, expires: str) -> None:
    keep(nginx.app, expires)
    nginx.app.status = status
    path = f"/api/v1/vectors/a/{secrets.token_hex(4)}/versions/1.0.0"
    assert {nginx.get(path).status_code for _ in range(2)} == {status}
    assert len(nginx.app.asked) == 2


def test_upload_that_is_too_large_is_a_problem(nginx: Front) -> None:
    address = nginx.client.base_url
    connection = http.client.HTTPConnection(address.host, address.port or 80, timeout=10)
    connection.putrequest("POST", "/api/v1/datasets")
    connection.putheader("Content-Length", str(40 * 2**20))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.load(answer)["code"]) == (413, "request.too_large")
    connection.close()


def keep(app: App, expires: str) -> None:
    """What the app answers where nginx asks for something to keep."""
    app.asked.clear()
    app.status, app.body = 200, DATA
    app.headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": ETAG,
        "Accept-Ranges": "bytes",
        "Vary": "Authorization",
        "X-Request-Id": "0123",
        **({"X-Accel-Expires": expires} if expires else {}),
    }
