"""The main job as a user does it: sign up, push pairs, extract, publish, pull, verify, steer.

Everything goes through the web pages and the `bearing` command, and is shown as that command shows it.
"""

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from registry.embedded.errors import EmbeddedError
from registry.embedded.settings import ROOT
from registry.embedded.stack import Stack, running_stack, stoppable

RESULT = "demo-result.json"
DATASET = "formality-pairs"
VECTOR = "formality"
VERSION = "1.0.0"
MODEL = "bearing/demo"
PAIRS = ROOT / "examples" / "formality.jsonl"
MODEL_FOLDER = ROOT / "steering_core" / "demo" / "weights"
STRENGTH = "0.3"
STEP_SECONDS = 600.0

Json = dict[str, Any]


class DemoError(Exception):
    """A step of the demo did not do what it should."""


@dataclass(slots=True)
class Demo:
    """One walk: where the service is, who walks, and what was seen; `result` becomes demo-result.json."""

    url: str
    cache: Path
    console: Console
    started: float
    result: Json = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    owner: str = ""
    token: str = field(default="", repr=False)

    @contextmanager
    def step(self, key: str, title: str) -> Iterator[None]:
        """A heading, and how long what stands below it took."""
        self.console.rule(f"[bold]{title}", align="left")
        began = time.monotonic()
        yield
        self.timings[key] = round(time.monotonic() - began, 2)

    def bearing(self, *arguments: str) -> Json:
        """Runs one `bearing` command; its progress is shown, its JSON comes back.

        Raises:
            DemoError: it failed, or did not print JSON.
        """
        self.announce(arguments)
        printed = self.run(*arguments, "--json", capture=True)
        try:
            answer = json.loads(printed)
        except ValueError as error:
            raise DemoError(f"bearing {arguments[0]} printed no JSON:\n{printed}") from error
        return dict(answer)

    def announce(self, arguments: Sequence[str]) -> None:
        self.console.print(Text(f"$ bearing {shlex.join(arguments)}", style="dim"), soft_wrap=True)

    def run(self, *arguments: str, capture: bool) -> str:
        """Runs one `bearing` command and returns what it prints, or lets it print.

        Raises:
            DemoError: it failed.
        """
        done = subprocess.run(
            [sys.executable, "-m", "steering_core.client", *arguments],
            stdout=subprocess.PIPE if capture else None,
            text=True,
            check=False,
            timeout=STEP_SECONDS,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("BEARING_")},
                "BEARING_ENDPOINT": self.url,
                "BEARING_TOKEN": self.token,
                "BEARING_HOME": str(self.cache),
            },
        )
        if done.returncode != 0:
            raise DemoError(
                f"bearing {arguments[0]} ended with status {done.returncode}\n{done.stdout or ''}"
            )
        return done.stdout or ""


def run_demo(data: Path, *, port: int | None, once: bool) -> int:
    """Starts the service, walks through the main job, then serves on until Ctrl-C unless `once`."""
    console = Console(highlight=False)
    started = psutil.Process().create_time()
    with stoppable():
        try:
            return walk_and_serve(data, port=port, once=once, console=console, started=started)
        except KeyboardInterrupt:
            console.print("stopped")
            return 130 if once else 0


def walk_and_serve(data: Path, *, port: int | None, once: bool, console: Console, started: float) -> int:
    console.rule("[bold]Bearing: PostgreSQL, Valkey, web, worker and sweeper start", align="left")
    with (
        tempfile.TemporaryDirectory(prefix="bearing-demo-") as cache,
        running_stack(data, port=port, say=console.print) as stack,
    ):
        demo = Demo(stack.url, Path(cache), console, started)
        demo.timings["start_stack"] = round(time.time() - started, 2)
        console.print(f"{stack.url} answers after {demo.timings['start_stack']:.1f} s")
        failure = walk(demo)
        keep(demo, failure)
        if failure is not None:
            console.print(Text(f"the demo failed: {failure or type(failure).__name__}", style="bold red"))
            console.print(f"logs: {stack.data / 'logs'}")
            return 1
        if not once:
            serve_on(demo, stack)
    return 0


def serve_on(demo: Demo, stack: Stack) -> None:
    """Keeps the service up for the user to look around; ends by Ctrl-C."""
    demo.console.rule("[bold]The service stays up; Ctrl-C stops it", align="left")
    demo.console.print(f"the vector: {demo.result['page']}")
    demo.console.print(f"sign in as {demo.owner} with the password {demo.result['password']}")
    stack.start_starters(demo.owner)
    demo.console.print(f"presets of the demo model are made and measured meanwhile: {stack.url}/presets/")
    stack.stopping.wait()


def walk(demo: Demo) -> Exception | None:
    """All steps in order; what stopped them comes back."""
    steps: tuple[Callable[[Demo], None], ...] = (
        make_account,
        push_pairs,
        extract_vector,
        publish_vector,
        pull_and_verify,
        steer_model,
        check_effect,
    )
    try:
        for step in steps:
            step(demo)
    except (DemoError, EmbeddedError, httpx.HTTPError, subprocess.TimeoutExpired, KeyError) as error:
        return error
    return None


def keep(demo: Demo, failure: Exception | None) -> None:
    """Writes demo-result.json, of a failed walk as well."""
    public = {name: value for name, value in demo.result.items() if name != "password"}
    public |= {
        "ok": failure is None,
        "error": None if failure is None else str(failure),
        "timings_seconds": demo.timings,
    }
    Path(RESULT).write_text(json.dumps(public, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def make_account(demo: Demo) -> None:
    """Signs up on the web and makes a token there, as a new user does."""
    demo.owner = f"demo-{secrets.token_hex(3)}"
    password = secrets.token_urlsafe(12)
    demo.result |= {"owner": demo.owner, "password": password}
    with (
        demo.step("account", "1. An account and a token, made on the web pages"),
        httpx.Client(base_url=demo.url, follow_redirects=True, timeout=30, trust_env=False) as browser,
    ):
        fields = {"username": demo.owner, "email": f"{demo.owner}@example.org", "password1": password}
        submit(browser, "/accounts/signup/", {**fields, "password2": password})
        page = submit(browser, "/settings/tokens/", {"name": "demo", "scope": "write"})
        demo.token = element_text(page, "new-token")
        demo.console.print(f"signed up as {demo.owner}; token {demo.token[:8]}…")


def submit(browser: httpx.Client, path: str, fields: dict[str, str]) -> str:
    """Opens a page with a form, fills the form in and sends it; the page that follows comes back.

    Raises:
        DemoError: the page or its answer is not there, or the form was refused.
    """
    form = browser.get(path)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
    if form.status_code != 200 or token is None:
        raise DemoError(f"no form on {path} (status {form.status_code})")
    origin = str(browser.base_url).rstrip("/")
    answer = browser.post(
        path,
        data={**fields, "csrfmiddlewaretoken": token.group(1)},
        headers={"Referer": origin + path, "Origin": origin},
    )
    if answer.status_code != 200 or "errorlist" in answer.text:
        raise DemoError(f"the form on {path} was refused (status {answer.status_code})")
    return answer.text


def element_text(page: str, identity: str) -> str:
    """The text of the element with this id."""
    found = re.search(rf'id="{identity}"[^>]*>\s*([^<]+?)\s*<', page)
    if found is None:
        raise DemoError(f"the page shows no element with id {identity!r}")
    return unescape(found.group(1))


def push_pairs(demo: Demo) -> None:
    with demo.step("push", "2. Contrastive pairs go in"):
        pushed = demo.bearing("dataset", "push", str(PAIRS), "--name", DATASET, "--public")
        demo.result["dataset"] = {key: pushed[key] for key in ("reference", "digest", "n_pairs")}


def extract_vector(demo: Demo) -> None:
    with demo.step("extract", "3. A worker extracts the direction and measures it on held-out pairs"):
        dataset = f"{demo.owner}/{DATASET}@1"
        extracted = demo.bearing("extract", dataset, "--model", MODEL, "--vector", VECTOR)
        demo.result["run"] = extracted["run"]["id"]
    with demo.step("report", "4. The report"):
        shown = ("show", f"{demo.owner}/{VECTOR}")
        demo.result |= measured(demo.bearing(*shown))
        demo.run(*shown, capture=False)


def measured(shown: Json) -> Json:
    """The numbers of `bearing show` that demo-result.json keeps.

    Raises:
        KeyError: the answer lacks the report or a part of it.
    """
    report = shown["report"]
    curve = report["dose_response"]
    return {
        "model_hash": shown["base_model"]["model_hash"],
        **{name: report[name] for name in ("verdict", "grade", "gates", "headlines", "summary")},
        **{name: report[name] for name in ("selection", "counts", "cost", "metrics")},
        "dose_response": curve["points"],
        "window": curve["window"],
        "random_control": curve["control"],
        "effect": curve["effect"],
    }


def publish_vector(demo: Demo) -> None:
    with demo.step("publish", "5. Published: frozen, named for good"):
        name = f"{demo.owner}/{VECTOR}"
        options = ("--version", VERSION, "--license", "CC-BY-4.0", "--public")
        published = demo.bearing("publish", name, *options)
        demo.result |= {"vector": f"{name}@{VERSION}", "page": published["url"]}
        demo.console.print(f"{demo.result['vector']}  {published['url']}", soft_wrap=True)


def pull_and_verify(demo: Demo) -> None:
    with demo.step("pull", "6. Pulled into an empty cache and verified"):
        pulled = demo.bearing("pull", demo.result["vector"])
        verified = demo.bearing("verify", demo.result["vector"])
        demo.result |= {"digest": pulled["digest"], "verified": verified["verified"]}
        demo.console.print(f"digest {pulled['digest']}")


def steer_model(demo: Demo) -> None:
    with demo.step("try", "7. At work: the same prompts without and with the vector"):
        options = ["--model", str(MODEL_FOLDER), "--strength", STRENGTH]
        tried = demo.bearing("try", demo.result["vector"], *options, "--prompt", example_prompt())
        demo.result["texts"] = tried["samples"]
        demo.result["seconds_to_first_steered_text"] = round(time.time() - demo.started, 1)
        for sample in demo.result["texts"]:
            show_texts(demo.console, sample)
        demo.console.print(
            f"{demo.result['seconds_to_first_steered_text']:.1f} s from the start to this text"
        )


def show_texts(console: Console, sample: Json) -> None:
    """The replies to one prompt, without and with the vector."""
    table = Table(box=None, show_header=False)
    for label, text in (
        ("prompt", sample["prompt"]),
        ("without", sample["before"]),
        (f"at {sample['strength']:+g}", sample["after"]),
    ):
        table.add_row(Text(label, style="dim"), Text(text))
    console.print(table)


def example_prompt() -> str:
    """A prompt in the demo model's language."""
    with PAIRS.open(encoding="utf-8") as lines:
        return str(json.loads(lines.readline())["prompt"])


def check_effect(demo: Demo) -> None:
    """The demo shows nothing if a random direction does as much."""
    effect, control = demo.result["effect"], demo.result["random_control"]
    largest = max(map(abs, control["effects"]))
    demo.result["largest_random_effect"] = largest
    if not abs(effect["value"]) > largest:
        raise DemoError(
            f"the steered effect {effect['value']:.3f} does not exceed the largest random one, {largest:.3f}"
        )
    beside = f"{largest:.2f} of the strongest of {len(control['effects'])} random vectors"
    demo.console.print(f"effect {effect['value']:+.2f}, beside {beside}")
