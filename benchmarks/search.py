"""How long searches take in a registry of many vectors: the services that the pages and REST call.

    make bench-search [ARGS="--vectors 1000000 --rounds 20"]

Fills a registry of its own on an embedded PostgreSQL (kept with --data FOLDER, so that the next run need not
do it), then asks each search in turn, in several rounds, in one process. A figure is over all rounds. Prints
a table and writes benchmarks/results/search.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.filled import filled_registry, run
from benchmarks.peers.versions import versions
from benchmarks.record import RESULTS, console, machine, write_results


def main() -> None:
    asked = _arguments()
    where, shown = machine(None), console()
    with filled_registry(asked.data, asked.vectors) as (_, environment):
        told = run(environment, "-m", "benchmarks.search_ask", str(asked.rounds))
    measured = json.loads(told)
    shown.print(_table(measured))
    write_results(asked, where, versions(), {"measured": measured})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--data", type=Path, help="keep the filled registry in this folder")
    parser.add_argument("--out", type=Path, default=RESULTS / "search.json")
    return parser.parse_args()


def _table(measured: dict[str, Any]) -> Table:
    table = Table(title=f"{measured['vectors']:,} vectors")
    for name in ("search", "found", "p50 ms", "p99 ms", "most ms"):
        table.add_column(name)
    for name, row in measured["searches"].items():
        table.add_row(
            name, f"{row['found']:,}", *(f"{row[key]:.1f}" for key in ("p50_ms", "p99_ms", "max_ms"))
        )
    return table


if __name__ == "__main__":
    main()
