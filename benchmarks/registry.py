"""How many requests a second the registry answers, beside MLflow's registry and nginx with a plain file.

    make bench-registry [ARGS="--seconds 5 --rounds 3"]

All sides run at once on one machine and are asked in turn, each operation for some seconds in each round;
idle sides cost nothing. The load comes from `wrk` with 16 connections. A figure is the median of the rounds.
Needs nginx and wrk on PATH (Debian: apt-get install nginx-light wrk). Prints a table and writes
benchmarks/results/registry.json.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from rich.table import Table

from benchmarks.peers.environments import MLFLOW
from benchmarks.peers.versions import versions
from benchmarks.record import RESULTS, console, machine, write_results
from benchmarks.registry_sides import Target, bearing, mlflow, static
from registry.embedded.servers import embedded_servers

CONNECTIONS = 16
# Ours, the peer's operation beside it, and the ratio that is asked of us.
ASKED = (
    ("resolve", "MLflow", "version show", 10.0),
    ("version show", "MLflow", "version show", 10.0),
    ("200 KB, authorised", "MLflow", "200 KB", 5.0),
    ("200 KB, public digest", "nginx", "200 KB", 0.9),
)
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

Sides = Mapping[str, Mapping[str, Target]]


def main() -> None:
    asked = _arguments()
    if missing := [program for program in ("nginx", "wrk") if shutil.which(program) is None]:
        raise SystemExit(f"{' and '.join(missing)} not found; Debian: apt-get install nginx-light wrk")
    MLFLOW.install()
    where, shown = machine(None), console()
    payload = bytes(range(256)) * 800
    with ExitStack() as undo:
        data = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="bench-registry-")))
        servers = undo.enter_context(embedded_servers(data, persistent=True))
        shown.print("starting Bearing, MLflow and nginx")
        sides: Sides = {
            "Bearing": undo.enter_context(bearing(data, servers)),
            "MLflow": undo.enter_context(mlflow(data, servers, payload)),
            "nginx": undo.enter_context(static(data, payload)),
        }
        measured = _measure(sides, asked.rounds, asked.seconds)
    shown.print(_table(measured))
    ratios = _ratios(measured)
    shown.print(_asked_table(ratios))
    write_results(asked, where, versions(), {"measured": measured, "ratios": ratios})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.registry",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=int, default=5, help="of load for each figure of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "registry.json")
    return parser.parse_args()


def _measure(sides: Sides, rounds: int, seconds: int) -> dict[str, dict[str, dict[str, float]]]:
    """{side: {operation: {rps, p50_ms, p99_ms}}}, medians over the rounds, which take the sides in turn."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for round_number in range(rounds + 1):
        for side, targets in sides.items():
            for name, target in targets.items():
                _check(side, name, target)
                # Round 0 warms up.
                figures = _load(target, seconds if round_number else 1)
                if round_number:
                    found.setdefault((side, name), []).append(figures)
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for (side, name), rows in found.items():
        measured.setdefault(side, {})[name] = {key: round(median(r[key] for r in rows), 3) for key in rows[0]}
    return measured


def _check(side: str, name: str, target: Target) -> None:
    """A fast error is no answer."""
    answer = httpx.get(target.url, headers=dict(target.headers), trust_env=False, timeout=30)
    if answer.status_code != target.status:
        raise SystemExit(f"{side}, {name}: {answer.status_code} where {target.status} was expected")


def _load(target: Target, seconds: int) -> dict[str, float]:
    headers = [part for pair in target.headers.items() for part in ("-H", ": ".join(pair))]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *headers, target.url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if target.status < 400 and "Non-2xx" in told and target.status != 304:
        raise SystemExit(f"{target.url} failed under load: {told}")
    return {
        "rps": float(_found(r"Requests/sec:\s+([\d.]+)", told)[0]),
        "p50_ms": _milliseconds(_found(r"50%\s+([\d.]+)(us|ms|s)", told)),
        "p99_ms": _milliseconds(_found(r"99%\s+([\d.]+)(us|ms|s)", told)),
    }


def _found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk told something else: {text}")
    return match.groups()


def _milliseconds(found: tuple[str, ...]) -> float:
    return float(found[0]) * _UNITS[found[1]]


def _ratios(measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "ours": ours,
            "peer": f"{peer}: {theirs}",
            "ratio": round(measured["Bearing"][ours]["rps"] / measured[peer][theirs]["rps"], 2),
            "asked": least,
        }
        for ours, peer, theirs, least in ASKED
    ]


def _table(measured: Mapping[str, Any]) -> Table:
    table = Table(title=f"{CONNECTIONS} connections, medians")
    for name in ("side", "operation", "requests/s", "p50 ms", "p99 ms"):
        table.add_column(name)
    for side, operations in measured.items():
        for name, row in operations.items():
            table.add_row(side, name, f"{row['rps']:,.0f}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}")
    return table


def _asked_table(ratios: list[dict[str, Any]]) -> Table:
    table = Table(title="What is asked")
    for name in ("ours", "beside", "ratio", "asked", "met"):
        table.add_column(name)
    for row in ratios:
        met = "yes" if row["ratio"] >= row["asked"] else "no"
        table.add_row(row["ours"], row["peer"], f"{row['ratio']:.1f}", f"≥ {row['asked']:g}", met)
    return table


if __name__ == "__main__":
    main()
