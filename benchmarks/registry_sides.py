"""The servers of `benchmarks.registry`: Bearing behind nginx, MLflow, and nginx with a plain file.

Rows are in one embedded PostgreSQL, files on one disk. Each block starts a side, yields where its operations
are, and ends what it started.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from benchmarks.peers.environments import MLFLOW, ROOT
from registry.embedded.parts import manage, web
from registry.embedded.process import end, spawn, wait_until
from registry.embedded.servers import Servers
from registry.embedded.settings import service_environment
from registry.embedded.valkey import free_port

START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Target:
    """One GET that is measured.

    Attributes:
        status: what it must answer; anything else is no measurement.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@contextmanager
def bearing(data: Path, servers: Servers) -> Iterator[dict[str, Target]]:
    """The web process as `make serve` runs it, behind nginx with deploy/nginx.conf."""
    app, front = free_port(), free_port()
    environment = {
        **os.environ,
        **service_environment(data, servers, port=front),
        # Rates are for visitors; here one address asks for everything.
        "DJANGO_SETTINGS_MODULE": "registry.settings.test",
        "SERVE_FILES": "accel",
        "LOG_LEVEL": "WARNING",
        "OMP_NUM_THREADS": "1",
    }
    with ExitStack() as undo:
        for step in (manage("migrate", "--noinput"),):
            subprocess.run(step, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        filled = subprocess.run(
            (sys.executable, "-m", "benchmarks.registry_fill"),
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
        )
        made: dict[str, Any] = json.loads(filled.stdout)
        _started(undo, web(app).command, environment, data / "web.log", f"http://127.0.0.1:{app}/healthz")
        configuration = _deployed(data, app, front)
        _nginx(undo, data / "nginx", front, configuration)
        yield _operations(f"http://127.0.0.1:{front}", made)


def _operations(host: str, made: Mapping[str, Any]) -> dict[str, Target]:
    owner_name, version = made["reference"].split("@")
    shown = f"{host}/api/v1/vectors/{owner_name}/versions/{version}"
    token = {"Authorization": f"Bearer {made['token']}"}
    etag = httpx.get(shown, headers=token, trust_env=False).headers["ETag"]
    resolve = f"{host}/api/v1/resolve?reference={made['reference']}"
    return {
        "resolve": Target(resolve),
        "version show": Target(shown),
        # What nginx may not answer itself.
        "resolve, with a token": Target(resolve, token),
        "version show, with a token": Target(shown, token),
        "304, with a token": Target(shown, {"If-None-Match": etag, **token}, 304),
        "search": Target(f"{host}/api/v1/vectors?q=tone&limit=20"),
        "200 KB, authorised": Target(f"{shown}/download", token),
        "200 KB, public digest": Target(f"{host}/api/v1/blobs/{made['digest']}"),
    }


@contextmanager
def mlflow(data: Path, servers: Servers, payload: bytes) -> Iterator[dict[str, Target]]:
    """MLflow's server as it starts by default, with one registered model whose artifact is `payload`."""
    port = free_port()
    host = f"http://127.0.0.1:{port}"
    binaries = MLFLOW.python.parent
    # SQLAlchemy takes a socket's folder as a parameter only.
    address = urlsplit(servers.database_url)
    database = f"postgresql+psycopg2://{address.username}@/mlflow?host={unquote(address.hostname or '')}"
    command = (
        str(binaries / "mlflow"),
        "server",
        "--host=127.0.0.1",
        f"--port={port}",
        f"--backend-store-uri={database}",
        f"--artifacts-destination={data / 'mlflow'}",
        "--serve-artifacts",
    )
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "DO_NOT_TRACK": "1"}
    with ExitStack() as undo:
        _make_database(servers.database_url, "mlflow")
        _started(undo, command, environment, data / "mlflow.log", f"{host}/health")
        with httpx.Client(base_url=host, trust_env=False, timeout=60) as client:
            api = "/api/2.0/mlflow"
            run = client.post(f"{api}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
            inside = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
            path = f"/api/2.0/mlflow-artifacts/artifacts/{inside}/tone.safetensors"
            client.put(path, content=payload).raise_for_status()
            client.post(f"{api}/registered-models/create", json={"name": "tone"}).raise_for_status()
            made = {"name": "tone", "source": run["artifact_uri"], "run_id": run["run_id"]}
            client.post(f"{api}/model-versions/create", json=made).raise_for_status()
        yield {
            "version show": Target(f"{host}{api}/model-versions/get?name=tone&version=1"),
            "200 KB": Target(f"{host}{path}"),
        }


@contextmanager
def static(data: Path, payload: bytes) -> Iterator[dict[str, Target]]:
    """nginx with the same bytes as a plain file."""
    files, port = data / "static", free_port()
    files.mkdir()
    (files / "tone.safetensors").write_bytes(payload)
    with ExitStack() as undo:
        folder = data / "nginx-static"
        _nginx(undo, folder, port, _plain(folder, files, port))
        yield {"200 KB": Target(f"http://127.0.0.1:{port}/tone.safetensors")}


def _deployed(data: Path, app: int, port: int) -> str:
    """deploy/nginx.conf with other addresses and folders, and without TLS, which no side has here."""
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    changes = {
        "/tmp/": f"{data}/nginx/",
        "server web:8000": f"server 127.0.0.1:{app}",
        "s3:7070": "127.0.0.1:9",
        "alias /blobs/": f"alias {data}/blobs/",
        "listen 127.0.0.1:8081": f"listen 127.0.0.1:{free_port()}",
        "listen 8080": f"listen 127.0.0.1:{free_port()}",
        "listen 8443 ssl": f"listen 127.0.0.1:{port}",
        "access_log /dev/stdout combined": "access_log off",
        "error_log /dev/stderr": f"error_log {data}/nginx/error.log",
        "X-Forwarded-Proto https": "X-Forwarded-Proto http",
        "proxy_set_header Host $host;": f"proxy_set_header Host 127.0.0.1:{port};",
        "location / {": "location = /ready { return 200 ok; }\n        location / {",
    }
    for old, new in changes.items():
        if old not in text:
            raise RuntimeError(f"deploy/nginx.conf has no {old!r} any more")
        text = text.replace(old, new)
    return re.sub(r"^ *(ssl_|http2 ).*;\n", "", text, flags=re.MULTILINE)


def _plain(folder: Path, files: Path, port: int) -> str:
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""worker_processes auto; pid {folder}/pid; error_log {folder}/error.log warn;
        events {{ worker_connections 1024; }}
        http {{ access_log off; sendfile on; tcp_nopush on; {temporary}
        server {{ listen 127.0.0.1:{port}; location / {{ root {files}; }}
            location = /ready {{ return 200 ok; }} }} }}"""


def _nginx(undo: ExitStack, folder: Path, port: int, configuration: str) -> None:
    folder.mkdir()
    # nginx drops to this user for its workers; the files are ours.
    user = "user root; " if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"{user}daemon off;\n{configuration}")
    command = ("nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log"))
    _started(undo, command, dict(os.environ), folder / "log", f"http://127.0.0.1:{port}/ready")


def _started(
    undo: ExitStack, command: tuple[str, ...], environment: Mapping[str, str], log: Path, url: str
) -> None:
    process = spawn(command, log=log, env=dict(environment), cwd=ROOT)
    undo.callback(end, process)

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended: {log.read_text()[-2000:]}")
        try:
            return httpx.get(url, timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    if not wait_until(answers, timeout_seconds=START_SECONDS, pause_seconds=0.2):
        raise RuntimeError(f"nothing answers at {url}: {log.read_text()[-2000:]}")


def _make_database(url: str, name: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
