"""What steering costs: Bearing's hooks, folding and per-row batches beside repeng and steering-vectors.

    make bench-injection [ARGS="--model tiny --rounds 30"]
    python -m benchmarks.injection [--model base] [--device cpu] [--rounds 8] [--help]

Steps of generation by hand: prompts are read at once (prefill), then one token for every row with a cache
(decode); choosing tokens is left out. One process per environment, one thread; all cases take turns, in
another order each round. Each is put over the unsteered passes of its own environment in the same round.
`unsteered again` is the same passes once more: it shows how far a ratio moves by itself, and no overhead is
told that is smaller than that. CPU seconds on a CPU, wall seconds on a GPU. The models have random weights.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file

from benchmarks.injection_plan import (
    BATCHES,
    STEERERS,
    Say,
    StepCase,
    cost_cases,
    groups,
    run_rounds,
    spread,
    step_cases,
)
from benchmarks.materials import SHAPES, model_folder
from benchmarks.peers.environments import ENVIRONMENTS, OWN, environment_of
from benchmarks.peers.process import Worker, WorkerError, started
from benchmarks.peers.steered import Steered
from benchmarks.record import RESULTS, console, machine, write_results

MODELS = ("tiny", "base", "1b")


def main() -> None:
    asked = _arguments()
    where = machine(None)
    wanted = [e for e in ENVIRONMENTS if e.name == OWN or set(e.peers) & set(asked.peers)]
    for environment in wanted:
        environment.install()
    shown = console()
    with shown.status("starting") as status, ExitStack() as stack:
        workers = {e.name: stack.enter_context(started(e, f"{e.name}-injection")) for e in wanted}
        versions = {name: worker.versions() for name, worker in workers.items()}
        folder = model_folder(asked.model, SHAPES[asked.model])
        for worker in workers.values():
            worker.load(folder, asked.device, asked.dtype)
        facts = workers[OWN].facts
        agreement = _agreement(workers, asked, facts["n_layers"])
        costs = _costs(workers, asked, facts["n_layers"], status.update)
        cases = step_cases(facts["n_layers"], asked.peers, asked.tokens, asked.repeats)
        metric = "cpu_seconds" if asked.device == "cpu" else "wall_seconds"
        run_rounds(cases, workers, asked.rounds, metric, status.update)
    model = (
        f"{asked.model}: {facts['n_layers']} blocks x {facts['d_model']}, {facts['parameters']:,} parameters"
    )
    shown.print(f"{model}, {asked.dtype} on {facts['gpu'] or 'one CPU thread'}")
    _print_steps(shown, cases)
    _print_costs(shown, costs)
    for label, differs in agreement.items():
        shown.print(
            f"{label}: logits differ from Bearing's hooks by {differs:.1e} of what steering moves them"
        )
    measured = {
        "model": model,
        "steps": [case.to_json() for case in cases],
        "cost_per_block": costs,
        "agreement": agreement,
    }
    write_results(asked, {**where, "gpu": facts["gpu"]}, versions, measured)
    shown.print(f"written: {asked.out}")


def _arguments() -> argparse.Namespace:
    first, *rest = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.injection",
        description=first,
        epilog="\n".join(rest),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", choices=MODELS, default="base", help="default base")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="default cpu")
    parser.add_argument(
        "--dtype",
        choices=["float32", "bfloat16", "float16"],
        help="default float32 on a CPU, bfloat16 on a GPU",
    )
    parser.add_argument("--rounds", type=int, default=8, help="after the one that warms up; default 8")
    parser.add_argument("--tokens", type=int, default=32, help="of each prompt; default 32")
    parser.add_argument("--repeats", type=int, default=8, help="passes per measurement; default 8")
    parser.add_argument(
        "--peers",
        nargs="+",
        choices=[*STEERERS, "none"],
        default=list(STEERERS),
        metavar="PEER",
        help=f"of {', '.join(STEERERS)}, or none; default all",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RESULTS / "injection.json",
        help="results file; default benchmarks/results/injection.json",
    )
    asked = parser.parse_args()
    asked.peers = [peer for peer in STEERERS if peer in asked.peers]
    asked.dtype = asked.dtype or ("float32" if asked.device == "cpu" else "bfloat16")
    if asked.rounds < 2 or asked.tokens < 1 or asked.repeats < 1:
        parser.error("--tokens and --repeats are at least 1, --rounds at least 2")
    return asked


def _agreement(workers: Mapping[str, Worker], asked: argparse.Namespace, n_layers: int) -> dict[str, float]:
    """How far the logits of the others are from those of Bearing's hooks: that all do the same work."""
    hooked = Steered("bearing", "hooked", tuple(range(n_layers)), batch=max(BATCHES), tokens=asked.tokens)
    sides = {
        "hooked": (OWN, hooked),
        "unsteered": (OWN, replace(hooked, how="unsteered")),
        "Bearing, folded": (OWN, replace(hooked, how="folded")),
        "Bearing, per row": (OWN, replace(hooked, how="rows")),
        **{peer: (environment_of(peer).name, replace(hooked, side=peer)) for peer in asked.peers},
    }
    logits = {}
    with tempfile.TemporaryDirectory() as folder:
        for label, (environment, steered) in sides.items():
            file = Path(folder) / "logits.safetensors"
            workers[environment].step_logits(steered, file)
            logits[label] = load_file(file)["logits"]
    ours, plain = logits.pop("hooked"), logits.pop("unsteered")
    return {label: float((found - ours).norm() / (ours - plain).norm()) for label, found in logits.items()}


def _costs(
    workers: Mapping[str, Worker], asked: argparse.Namespace, n_layers: int, say: Say
) -> list[dict[str, Any]]:
    rows = []
    for label, environment, steered in cost_cases(n_layers, asked.peers, asked.tokens):
        say(f"cost of one block, batch {steered.batch}: {label}")
        try:
            found: Mapping[str, Any] = workers[environment].step_cost(steered)
        except WorkerError as error:
            found = {"error": str(error)}
        rows.append({"label": label, "environment": environment, "batch": steered.batch, **found})
    return rows


def _print_steps(shown: Console, cases: Sequence[StepCase]) -> None:
    """A table per phase and batch."""
    for group in groups(cases):
        about = group[0].steered
        title = f"{about.phase}, batch {about.batch}; the controls move by {group[0].noise:.1%}"
        table = Table(title=title, title_justify="left")
        table.add_column("")
        for column in ("tokens/s", "over unsteered", "quartiles", "overhead"):
            table.add_column(column, justify="right")
        for case in group:
            table.add_row(case.label, *_numbers(case))
        shown.print(table)


def _numbers(case: StepCase) -> list[str]:
    if case.error:
        return [case.error]
    ratio = spread(case.ratios)
    quartiles = f"{ratio['lower_quartile']:.3f} to {ratio['upper_quartile']:.3f}"
    return [f"{case.tokens_per_second:,.1f}", f"{ratio['median']:.3f}", quartiles, case.overhead]


def _print_costs(shown: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Microseconds and operations, a line per side."""
    table = Table(title="one steered block in one step of decoding, by itself", title_justify="left")
    table.add_column("")
    for column in ("batch", "µs", "control, µs", "operations added"):
        table.add_column(column, justify="right")
    for row in rows:
        if "error" in row:
            table.add_row(row["label"], str(row["batch"]), row["error"])
        else:
            numbers = (f"{row['us_per_block']:.1f}", f"{row['control_us_per_block']:.1f}")
            table.add_row(row["label"], str(row["batch"]), *numbers, f"{row['operations_per_block']:g}")
    shown.print(table)


if __name__ == "__main__":
    main()
