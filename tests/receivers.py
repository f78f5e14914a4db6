"""A receiver of webhooks: a real HTTP server that answers as it is told."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Answer:
    """What the receiver says; one that hangs says nothing."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thanks"
    hangs: bool = False


@dataclass
class Receiver:
    """What came, as (headers, body), and what is to be answered: each once, the last from then on."""

    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_receiver(*, certificate: Path | None = None) -> Iterator[Receiver]:
    """A receiver on a free port, as long as the block lasts; with TLS where there is a certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            answer = known.answers.pop(0) if len(known.answers) > 1 else known.answers[0]
            if answer.hangs:
                known.released.wait(20)
                return
            self.send_response(answer.status)
            for key, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        # A handshake that fails is the test's, not a fault to print.
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
    known = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hooks?key=1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield known
    known.released.set()
    server.shutdown()
    server.server_close()
    thread.join()
