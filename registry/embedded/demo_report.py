"""What the demo prints and keeps of what the service measured: tables for people, the numbers as JSON."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]
BAR_CELLS = 20


def measured(shown: Json) -> Json:
    """The numbers of `bearing show` that demo-result.json keeps.

    Raises:
        KeyError: the answer lacks the report or a part of it.
    """
    report = shown["report"]
    curve = report["dose_response"]
    return {
        "model_hash": shown["base_model"]["model_hash"],
        "verdict": report["verdict"],
        "summary": report["summary"],
        "selection": report["selection"],
        "metrics": report["metrics"],
        "dose_response": curve["points"],
        "window": curve["window"],
        "random_control": curve["control"],
        "effect": curve["effect"],
    }


def show_report(console: Console, report: Json) -> None:
    """The verdict, one row per metric, and the dose-response with its bars."""
    console.print(Text.assemble("verdict ", (report["verdict"], "bold"), f": {report['summary']}"))
    metrics = Table("question", "value", "95 % interval", "beside", "verdict", box=None)
    for metric in report["metrics"]:
        beside = metric.get("beside")
        metrics.add_row(
            metric["question"],
            number(metric["value"]),
            f"{number(metric['low'])} to {number(metric['high'])}",
            f"{beside['label']} {number(beside['value'])}" if beside else "",
            metric["verdict"],
        )
    console.print(metrics)
    if report["dose_response"]:
        console.print(dose_response_table(report["dose_response"]))


def dose_response_table(curve: Json) -> Table:
    table = Table("strength", curve["score"], "95 % interval", "", "coherence", box=None)
    for point in curve["points"]:
        table.add_row(
            f"{point['strength']:+.2f}",
            number(point["mean"]),
            f"{number(point['low'])} to {number(point['high'])}",
            bar(point["mean"]),
            number(point["coherence"]),
        )
    return table


def bar(score: float) -> str:
    """A score in [-1, 1] as a mark on a line."""
    place = round((min(max(score, -1.0), 1.0) + 1) / 2 * BAR_CELLS)
    return "·" * place + "●" + "·" * (BAR_CELLS - place)


def show_texts(console: Console, samples: list[Json]) -> None:
    """The replies without and with the vector, below each prompt."""
    for sample in samples:
        table = Table(box=None, show_header=False)
        for label, text in (
            ("prompt", sample["prompt"]),
            ("without", sample["before"]),
            (f"at {sample['strength']:+g}", sample["after"]),
        ):
            table.add_row(Text(label, style="dim"), Text(text))
        console.print(table)


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
