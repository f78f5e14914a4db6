"""The service on embedded servers: prepare the database, start web, worker and sweeper, look after them.

`with running_stack(data, port=8000) as stack` for programs (the demo, the tests), `serve_until_stopped` for
people.
"""

import fcntl
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import httpx

from registry.embedded import parts
from registry.embedded.errors import EmbeddedError, tail
from registry.embedded.parts import Part, Supervised, manage
from registry.embedded.process import end, spawn, wait_until
from registry.embedded.servers import embedded_servers
from registry.embedded.settings import ROOT, service_environment
from registry.embedded.valkey import free_port, is_free

DEFAULT_PORT = 8000
HEALTHY_SECONDS = 60.0
WATCH_SECONDS = 0.25
DEMO_MODEL = ("steering_core/demo/weights", "--name", "bearing/demo", "--scorer", "demo")

Say = Callable[[str], None]


@dataclass(slots=True)
class Stack:
    """A running service: where it listens, its environment, its parts."""

    data: Path
    port: int
    environment: dict[str, str] = field(repr=False)
    say: Say = field(repr=False)
    supervised: list[Supervised] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    # Commands that go on beside the service and end with it at the latest.
    beside: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self, name: str) -> Path:
        return self.data / "logs" / f"{name}.log"

    def start(self, part: Part) -> None:
        supervised = Supervised(part, self.log(part.name), self.environment)
        self.supervised.append(supervised)
        supervised.start()

    def stop(self) -> None:
        """Asks all parts to end at once, then waits for each, the last started first."""
        self.stopping.set()
        while self.beside:
            end(self.beside.pop(), grace_seconds=2)
        for supervised in reversed(self.supervised):
            supervised.ask_to_stop()
        while self.supervised:
            self.supervised.pop().stop()

    def manage(self, *arguments: str) -> None:
        """Runs a management command to its end.

        Raises:
            EmbeddedError: it failed; the end of its log is in the message.
        """
        log = self.log("setup")
        process = spawn(manage(*arguments), log=log, env=self.environment, cwd=ROOT)
        try:
            code = process.wait()
        finally:
            end(process)
        if code != 0:
            raise EmbeddedError(f"manage.py {' '.join(arguments)} ended with status {code}\n{tail(log)}")

    def start_starters(self, owner: str = "") -> None:
        """Lets the presets of the demo model be made while the service serves; see their log.

        Args:
            owner: whose they are; empty for the first user who walked through the demo.
        """
        options = ("--owner", owner) if owner else ()
        command = manage("starter_presets", *options)
        self.beside.append(spawn(command, log=self.log("starters"), env=self.environment, cwd=ROOT))

    def wait_until_healthy(self) -> None:
        """Returns when the web process answers.

        Raises:
            EmbeddedError: it ended, or did not answer within a minute.
        """
        web = self.supervised[0]
        ended: list[int] = []

        def settled() -> bool:
            if web.process is not None and web.process.poll() is not None:
                ended.append(web.process.returncode)
            return bool(ended) or is_healthy(self.url)

        if not wait_until(settled, timeout_seconds=HEALTHY_SECONDS, pause_seconds=0.1) or ended:
            raise EmbeddedError(f"the web process does not answer on {self.url}\n{tail(web.log)}")

    def watch(self) -> None:
        """Starts parts again that end by themselves, until the stack stops."""
        while not self.stopping.wait(WATCH_SECONDS):
            for supervised in list(self.supervised):
                notice = supervised.look_after()
                if notice is not None and not self.stopping.is_set():
                    self.say(notice)


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def running_stack(
    data: Path,
    *,
    port: int | None = None,
    persistent: bool = True,
    say: Say = print,
    settings: dict[str, str] | None = None,
) -> Iterator[Stack]:
    """Runs the service for as long as the block lasts, and ends everything it started however the block ends.

    `settings` are added to the service's environment.

    Raises:
        EmbeddedError: a part did not start, the port is taken, or the service runs on this data already.
    """
    with ExitStack() as undo:
        undo.enter_context(only_one(data))
        servers = undo.enter_context(embedded_servers(data, persistent=persistent))
        chosen = choose_port(port)
        environment = {
            **parts.inherited_environment(),
            **service_environment(data, servers, port=chosen),
            "PYTHONUNBUFFERED": "1",
            **(settings or {}),
        }
        stack = Stack(data, chosen, environment, say)
        undo.callback(stack.stop)
        stack.manage("migrate", "--noinput")
        stack.start(parts.web(chosen))
        stack.start(parts.worker())
        stack.start(parts.playground())
        stack.start(parts.sweeper())
        stack.manage("register_base_model", *DEMO_MODEL)
        stack.wait_until_healthy()
        watcher = threading.Thread(target=stack.watch, name="watch", daemon=True)
        watcher.start()
        undo.callback(watcher.join)
        undo.callback(stack.stopping.set)
        yield stack


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Keeps a second stack off the same data.

    Raises:
        EmbeddedError: one runs already.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / "stack.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmbeddedError(
                f"the service already runs on {data}; stop it first, or set BEARING_DATA to another folder"
            ) from error
        yield


def choose_port(asked: int | None) -> int:
    """The port asked for; else 8000, or a free one when 8000 is taken.

    Raises:
        EmbeddedError: the port asked for is taken.
    """
    if asked is not None and not is_free(asked):
        raise EmbeddedError(f"port {asked} on 127.0.0.1 is taken; name another: make serve PORT={asked + 1}")
    if asked is not None:
        return asked
    return DEFAULT_PORT if is_free(DEFAULT_PORT) else free_port()


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block like Ctrl-C, once; a second one cannot cut the clean-up short."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for signal_number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(signal_number, signal.SIG_IGN)
        raise KeyboardInterrupt

    previous = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def serve_until_stopped(data: Path, *, port: int | None) -> int:
    """What `make serve` runs: the service until Ctrl-C or SIGTERM."""
    with stoppable():
        try:
            started = time.monotonic()
            with running_stack(data, port=port) as stack:
                print(f"Bearing serves on {stack.url} after {time.monotonic() - started:.1f} s", flush=True)
                print(f"logs in {data / 'logs'}; Ctrl-C stops", flush=True)
                stack.start_starters()
                stack.stopping.wait()
        except KeyboardInterrupt:
            print("stopped", flush=True)
    return 0
