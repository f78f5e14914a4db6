"""How long the catalog's pages take: in a browser on a slow machine, and on the server.

    make bench-pages [ARGS="--vectors 10000 --data FOLDER"]

Fills a registry of its own (as `benchmarks.search` does), serves it with gunicorn and the static files of
production, and opens each page in Chromium with its CPU slowed down four times: first contentful paint, total
blocking time, layout shift, bytes over the wire. Then asks for the same pages again and again, one after the
other, for the server's share. Prints a table and writes benchmarks/results/pages.json.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
from rich.table import Table

from benchmarks.filled import filled_registry, run
from benchmarks.peers.versions import versions
from benchmarks.record import RESULTS, console, machine, write_results
from registry.embedded.process import end, spawn, wait_until
from registry.embedded.valkey import free_port
from tests.chromium import ARGUMENTS, find_chromium

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "home": "/",
    "words": "/?q=ba",
    "facets": "/?verdict=pass&domain=tone",
    "verdict first": "/?sort=verdict",
    "nothing found": "/?q=qqqqqq",
    "collections": "/collections/",
    "one collection": "/collections/tone",
    "presets": "/presets/",
    "works with": "/works-with?model=lab/model-0",
}
# What a page may cost; the first is the browser's, slowed down.
BUDGET = {"fcp_ms": 1000, "tbt_ms": 100, "cls": 0.02, "kib": 150, "p95_ms": 100}
REST_MS = 2000
# Set before the page's own scripts run. Blocking time counts what is over 50 ms of each long task.
WATCH = """
window.seen = {blocked: 0, moved: 0};
new PerformanceObserver(l => l.getEntries().forEach(e => { seen.blocked += Math.max(0, e.duration - 50); }))
  .observe({type: 'longtask', buffered: true});
new PerformanceObserver(l => l.getEntries().forEach(e => { if (!e.hadRecentInput) seen.moved += e.value; }))
  .observe({type: 'layout-shift', buffered: true});
"""
READ = (
    """() => ({fcp: performance.getEntriesByName('first-contentful-paint')[0].startTime, ...window.seen})"""
)


def main() -> None:
    asked = _arguments()
    where, shown = machine(None), console()
    with filled_registry(asked.data, asked.vectors) as (data, environment):
        environment["DJANGO_SETTINGS_MODULE"] = "benchmarks.pages_settings"
        run(environment, "manage.py", "collectstatic", "--noinput", "--verbosity", "0")
        with _served(environment, data) as url:
            measured = {name: _page(url, path, asked) for name, path in PAGES.items()}
    shown.print(_table(measured, asked.vectors))
    body = {"vectors": asked.vectors, "slowed": asked.slowed, "budget": BUDGET, "measured": measured}
    write_results(asked, where, versions(), body)
    over = [name for name, row in measured.items() for key, most in BUDGET.items() if row[key] > most]
    shown.print(f"over the budget: {', '.join(dict.fromkeys(over)) or 'nothing'}")


@contextmanager
def _served(environment: dict[str, str], data: Path) -> Iterator[str]:
    port = free_port()
    command = ["-m", "gunicorn", "registry.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    process = spawn([sys.executable, *command, "--threads", "4"], log=data / "gunicorn.log", env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        if not wait_until(lambda: _answers(url), timeout_seconds=120, pause_seconds=0.2):
            raise RuntimeError(f"gunicorn did not start; see {data / 'gunicorn.log'}")
        yield url
    finally:
        end(process, grace_seconds=2)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url + "/healthz", timeout=2).status_code < 500
    except httpx.TransportError:
        return False


def _page(url: str, path: str, asked: argparse.Namespace) -> dict[str, Any]:
    """The server's times, and then, with warm processes, the medians of some visits with empty caches."""
    with httpx.Client(base_url=url, headers={"Accept-Encoding": "gzip"}) as client:
        times = [_asked(client, path) for _ in range(asked.rounds + 5)][5:]
    # The first one brings the browser's files into memory.
    visits = [_visit(url + path, asked.slowed) for _ in range(asked.visits + 1)][1:]
    browser = {key: round(median(visit[key] for visit in visits), 3) for key in visits[0]}
    return browser | {
        "p50_ms": round(float(np.percentile(times, 50)), 1),
        "p95_ms": round(float(np.percentile(times, 95)), 1),
    }


def _asked(client: httpx.Client, path: str) -> float:
    started = time.perf_counter()
    client.get(path).raise_for_status()
    return 1000 * (time.perf_counter() - started)


def _visit(address: str, slowed: float) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_chromium()), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        control = page.context.new_cdp_session(page)
        control.send("Network.enable")
        control.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
        received: list[float] = []
        control.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        # Started, Chromium keeps both cores busy for a while; whoever opens a page has it open already.
        page.wait_for_timeout(REST_MS)
        page.add_init_script(WATCH)
        page.goto(address, wait_until="networkidle")
        page.wait_for_timeout(500)
        seen = page.evaluate(READ)
        browser.close()
    return {
        "fcp_ms": seen["fcp"],
        "tbt_ms": seen["blocked"],
        "cls": seen["moved"],
        "kib": sum(received) / 1024,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--vectors", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=100, help="requests to the server for each page")
    parser.add_argument("--visits", type=int, default=5, help="visits by the browser to each page")
    parser.add_argument("--slowed", type=float, default=4, help="how many times slower its CPU is")
    parser.add_argument("--data", type=Path, help="keep the filled registry in this folder")
    parser.add_argument("--out", type=Path, default=RESULTS / "pages.json")
    return parser.parse_args()


def _table(measured: dict[str, Any], n: int) -> Table:
    table = Table(title=f"{n:,} vectors")
    table.add_column("page")
    for name in (*BUDGET, "p50_ms"):
        table.add_column(name, justify="right")
    for name, row in measured.items():
        table.add_row(name, *(f"{row[key]:.3g}" for key in (*BUDGET, "p50_ms")))
    return table


if __name__ == "__main__":
    main()
