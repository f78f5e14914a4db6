"""How fast the mixer answers: the first steered word after a slider stops, and twenty people at once.

    make bench-mixer [ARGS="--people 20 --moves 20"]

Starts the whole service as `make serve` does, with its default threads and one playground worker, and asks it
over HTTP as a browser would: a POST, then the stream. In the crowd all people ask at the same moment, and
pages are asked for meanwhile. Prints a table and writes benchmarks/results/mixer.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from rich.table import Table

from benchmarks.peers.versions import versions
from benchmarks.record import RESULTS, console, machine, write_results
from registry.embedded.settings import ROOT
from registry.embedded.stack import Stack, running_stack
from registry.embedded.valkey import free_port

PROMPT = "how do i cook the urgent soup ?"
PAGE_PAUSE_SECONDS = 0.1
LIMITS_OFF = {name: "off" for name in ("THROTTLE_PAGES_ANON", "THROTTLE_PLAYGROUND_USER", "THROTTLE_USER")}
LIMITS_OFF |= {"PLAYGROUND_TOKENS_USER": "off"}


def main() -> None:
    asked = _arguments()
    where, shown = machine(None), console()
    with (
        tempfile.TemporaryDirectory(prefix="bench-mixer-") as folder,
        running_stack(Path(folder), port=free_port(), persistent=False, settings=LIMITS_OFF) as stack,
    ):
        world = _fill(stack, asked.people)
        _play(stack.url, world, 0, 0.1, 0)  # loads the model
        moves = [_play(stack.url, world, 0, 0.01 * i, 1) for i in range(1, asked.moves + 1)]
        crowd, pages = _crowd(stack.url, world, asked.people)
    measured = {
        "alone": _summary([move["first"] for move in moves]),
        "crowd": {
            "people": asked.people,
            "served": sum(one["last"] == "done" for one in crowd),
            "first": _summary([one["first"] for one in crowd]),
            "all": _summary([one["all"] for one in crowd]),
            "pages_meanwhile": _summary(pages),
        },
    }
    shown.print(_table(measured))
    write_results(asked, where, versions(), {"measured": measured})


def _fill(stack: Stack, people: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.mixer_fill", str(people)]
    done = subprocess.run(
        command, env=stack.environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    world: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return world


def _play(url: str, world: dict[str, Any], person: int, strength: float, seed: int) -> dict[str, Any]:
    """One request to its end: seconds to the first steered word and to the last event, and which that was."""
    body = {
        "base_model": "bearing/demo",
        "prompt": PROMPT,
        "mixes": [[{"reference": world["vector"], "strength": round(strength, 3)}]],
        "seed": seed,
    }
    headers = {"Authorization": f"Bearer {world['tokens'][person]}"}
    first, last = float("nan"), ""
    with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=120, trust_env=False) as client:
        began = time.monotonic()
        started = client.post("/playground/requests", json=body)
        started.raise_for_status()
        with client.stream("GET", f"/playground/requests/{started.json()['id']}/stream") as stream:
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    last = line.removeprefix("event: ")
                    if last == "steered" and first != first:
                        first = time.monotonic() - began
                if not line and last in ("done", "error"):
                    break
        return {"first": first, "all": time.monotonic() - began, "last": last}


def _crowd(url: str, world: dict[str, Any], people: int) -> tuple[list[dict[str, Any]], list[float]]:
    """All people at the same moment, and how long the catalog's page took meanwhile."""
    pages: list[float] = []
    over = threading.Event()

    def ask_pages() -> None:
        while not over.is_set():
            began = time.monotonic()
            httpx.get(url, timeout=60, trust_env=False).raise_for_status()
            pages.append(time.monotonic() - began)
            over.wait(PAGE_PAUSE_SECONDS)

    together = threading.Barrier(people)

    def one(person: int) -> dict[str, Any]:
        together.wait()
        return _play(url, world, person, 0.1 + 0.005 * person, 2)

    reader = threading.Thread(target=ask_pages)
    reader.start()
    try:
        with ThreadPoolExecutor(people) as pool:
            return list(pool.map(one, range(people))), pages
    finally:
        over.set()
        reader.join()


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "n": len(ordered),
        "median": round(median(ordered), 3),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 3),
        "most": round(ordered[-1], 3),
    }


def _table(measured: dict[str, Any]) -> Table:
    table = Table("seconds", "n", "median", "95 %", "most")
    crowd = measured["crowd"]
    for title, row in (
        ("first steered word, alone", measured["alone"]),
        (f"first steered word, {crowd['people']} at once ({crowd['served']} served)", crowd["first"]),
        ("whole text, the same", crowd["all"]),
        ("a page meanwhile", crowd["pages_meanwhile"]),
    ):
        table.add_row(title, *(str(row[name]) for name in ("n", "median", "p95", "most")))
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mixer", description=__doc__)
    parser.add_argument("--people", type=int, default=20, help="how many ask at once (default: %(default)s)")
    parser.add_argument("--moves", type=int, default=20, help="slider moves of one (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=RESULTS / "mixer.json", help="results (default: %(default)s)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
