"""What the commands show for people: datasets, versions, reports, runs. `plot` draws the curve."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from steering_core.client.plot import dose_response_notes, dose_response_table, number
from steering_core.client.text import cell, day, short_digest

Json = dict[str, Any]
VERDICT_STYLES = {"pass": "green", "warn": "yellow", "insufficient": "yellow", "fail": "red"}
RUN_STYLES = {"succeeded": "green", "failed": "red", "timed_out": "red", "cancelled": "yellow"}


def facts(rows: Iterable[tuple[str, Any]]) -> Table:
    """Names and values, one per line; rows without a value are left out."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        if value not in (None, "", []):
            table.add_row(name, value if isinstance(value, Text) else cell(value, most=2000))
    return table


def listing(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> RenderableType:
    """A table, or a line that says why there is none."""
    table = Table(*headings, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        table.add_row(*(value if isinstance(value, Text) else cell(value) for value in row))
    return table if table.row_count else Text(empty, style="dim")


def verdict_text(verdict: Any) -> Text:
    """The verdict in its colour."""
    return Text(cell(verdict) or "–", style=VERDICT_STYLES.get(str(verdict), ""))


# --- datasets ---


def dataset_report(report: Json, *, n_pairs: int, form: str) -> RenderableType:
    """The quality report of a dataset, with its warnings."""
    groups, splits, length = report["groups"], report["splits"], report["length"]
    left_out = report["n_pairs"] - report["n_usable"]
    table = facts(
        [
            ("format", form),
            ("pairs", f"{n_pairs:,}, of which {report['n_usable']:,} usable ({left_out:,} left out)"),
            ("groups", f"{groups['count']:,}, from {groups['smallest']} to {groups['largest']} pairs each"),
            ("length", _length(length)),
            ("letters", _letters(report.get("letters"))),
            (
                "domains",
                ", ".join(f"{name} {count}" for name, count in sorted(report.get("domains", {}).items())),
            ),
            ("split", f"train {splits['train']}, select {splits['select']}, test {splits['test']}, by group"),
        ]
    )
    warnings = [Text(f"warning: {cell(w['message'], most=500)}", style="yellow") for w in report["warnings"]]
    return Group(table, *warnings)


def datasets_table(items: Sequence[Json]) -> RenderableType:
    """One line per dataset."""
    rows = (
        (f"{d['owner']}/{d['name']}", _newest(d), d.get("visibility"), d.get("description")) for d in items
    )
    return listing(("dataset", "newest", "visibility", "description"), rows, empty="no datasets")


def dataset_card(dataset: Json) -> RenderableType:
    """A dataset with its versions."""
    versions = listing(
        ("version", "pairs", "format", "digest", "created"),
        (
            (
                f"@{v['number']}",
                v["n_pairs"],
                v["source_format"],
                short_digest(v["digest"]),
                day(v["created_at"]),
            )
            for v in dataset.get("versions", [])
        ),
        empty="no versions",
    )
    named = f"{dataset['owner']}/{dataset['name']}"
    head = [("dataset", named), ("visibility", dataset["visibility"]), ("about", dataset.get("description"))]
    return Group(facts([*head, ("page", dataset.get("url"))]), versions)


def dataset_version_card(version: Json) -> RenderableType:
    """One version of a dataset and its report."""
    head = facts(
        [
            ("dataset", version["reference"]),
            ("digest", version["digest"]),
            ("file", version.get("source_filename")),
            ("page", version.get("url")),
        ]
    )
    return Group(
        head, dataset_report(version["report"], n_pairs=version["n_pairs"], form=version["source_format"])
    )


# --- vectors ---


def vectors_table(items: Sequence[Json]) -> RenderableType:
    """One line per vector."""
    headings = ("vector", "version", "verdict", "grade", "base model", "summary")
    return listing(headings, (_vector_row(item) for item in items), empty="nothing found")


def version_card(version: Json) -> RenderableType:
    """What a version is, then its report."""
    released = version.get("version")
    model, manifest = version.get("base_model") or {}, version.get("manifest") or {}
    points = [(d["key"], _set_points(d)) for d in manifest.get("directions", []) if d.get("set_points")]
    head = facts(
        [
            ("vector", f"{version['vector']}@{released}" if released else f"{version['vector']} (draft)"),
            ("state", version["state"]),
            ("yanked", version.get("yank_reason") if version.get("yanked_at") else None),
            ("digest", version.get("digest")),
            ("base model", f"{model.get('name', '')} ({short_digest(model.get('model_hash'))})"),
            ("dataset", version.get("dataset")),
            ("sign", _sign(manifest.get("sign", ""))),
            ("set points", "; ".join(f"{key} {pair}" for key, pair in points)),
            ("doses", _doses(manifest.get("doses", []))),
            ("license", version.get("license")),
            ("published", day(version.get("published_at"))),
            ("page", version.get("url")),
        ]
    )
    report = version.get("report")
    return Group(head, Text(), report_card(report)) if report else head


def report_card(report: Json) -> RenderableType:
    """The verdict, what comes first, the gates and their metrics, where to start and how steady, and the
    dose–response with its control. A report of version 1 has metrics alone.
    """
    grade = f"  grade {cell(report['grade'])} at tier {cell(report['tier'])}" if "grade" in report else ""
    parts: list[RenderableType] = [
        Text.assemble(
            ("verdict ", "dim"),
            verdict_text(report["verdict"]),
            grade,
            "  ",
            cell(report["summary"], most=500),
        ),
        *(Text(f"- {cell(line, most=500)}") for line in report.get("headlines", [])),
        *_gates(report),
        Text(),
        metrics_table(report["metrics"]),
        *_steadiness(report),
    ]
    curve = report.get("dose_response")
    if curve:
        parts += [Text(), dose_response_table(curve, report.get("trait"))]
        parts += [Text(note) for note in dose_response_notes(curve)]
    return Group(*parts)


def _gates(report: Json) -> list[RenderableType]:
    """One line per gate; nothing for a report from before there were any."""
    rows = [(_words(gate["name"]), verdict_text(gate["verdict"])) for gate in report.get("gates", [])]
    return [Text(), facts(rows)] if rows else []


def _steadiness(report: Json) -> list[RenderableType]:
    """Where to start and how far the direction can be trusted; nothing for reports that do not say so."""
    counts, start = report.get("counts") or {}, (report.get("selection") or {}).get("strength")
    reliability = (report.get("stability") or {}).get("reliability")
    needed = counts.get("train_needed")
    pairs = f"{needed:,} train {'pair gives' if needed == 1 else 'pairs give'}" if needed else ""
    rows = [
        ("start at", None if start is None else f"strength {start:+g}"),
        (
            "steadiness",
            None if reliability is None else f"cosine {reliability:.3f} expected with endless pairs",
        ),
        ("pairs", f"about {pairs} 0.95; {counts['train']:,} were used" if needed else None),
    ]
    return [Text(), facts(rows)] if any(value for _, value in rows) else []


def metrics_table(metrics: Sequence[Json]) -> RenderableType:
    """One line per metric, with what stands beside it; gate by gate where there are gates."""
    gates = list(dict.fromkeys(metric.get("gate") for metric in metrics))
    ordered = sorted(metrics, key=lambda metric: gates.index(metric.get("gate")))
    headings = ["question", "measure", "value", "95 % interval", "beside it", "verdict"]
    if gates == [None] or not gates:
        return listing(headings, map(_metric_row, ordered), empty="no metrics")
    rows = ((_words(metric.get("gate")) or "informs", *_metric_row(metric)) for metric in ordered)
    return listing(["gate", *headings], rows, empty="no metrics")


def inspection_card(found: Json) -> RenderableType:
    """The manifest of a vector file and the scale of its directions."""
    model, window = found["model"], found["window"]
    head = facts(
        [
            ("digest", found["digest"]),
            ("size", f"{found['size_bytes']:,} bytes, format version {found['format_version']}"),
            (
                "base model",
                f"{model['name']} ({model['architecture']}, {model['n_layers']} x {model['d_model']})",
            ),
            ("model hash", model["model_hash"]),
            ("operation", found["operation"]),
            ("sign", _sign(found["sign"])),
            ("window", f"{window[0]:+g} to {window[1]:+g}" if window else "not measured"),
            ("doses", _doses(found["doses"]) or "not measured"),
            *((name.replace("_", " "), value) for name, value in found["provenance"].items()),
        ]
    )
    directions = listing(
        ("direction", "norm", "residual norm", "ratio", "set points"),
        (
            (
                d["key"],
                f"{d['norm']:.4g}",
                f"{d['residual_norm']:.4g}",
                f"{d['ratio']:.3f}",
                _set_points(d) if d["set_points"] else "–",
            )
            for d in found["directions"]
        ),
        empty="no directions",
    )
    return Group(head, Text(), directions)


# --- runs and models ---


def runs_table(items: Sequence[Json]) -> RenderableType:
    """One line per run."""
    headings = ("run", "state", "progress", "vector", "verdict", "created")
    return listing(headings, (_run_row(run) for run in items), empty="no runs")


def run_card(run: Json) -> RenderableType:
    """A run as it is now."""
    error, kept = run.get("error"), run.get("statistics")
    return facts(
        [
            ("run", run["id"]),
            ("state", Text(cell(run["state"]), style=RUN_STYLES.get(run["state"], ""))),
            ("stage", f"{cell(run['stage'])} ({run['progress']:.0%})" if run.get("stage") else None),
            ("vector", run.get("vector")),
            ("dataset", run.get("dataset")),
            ("base model", run.get("base_model")),
            ("verdict", run.get("verdict")),
            ("grade", run.get("grade")),
            ("error", f"{error['message']} ({error['code']})" if error else None),
            (
                "statistics",
                f"{kept['size_bytes']:,} bytes ({short_digest(kept['digest'])})" if kept else None,
            ),
            ("page", run.get("url")),
        ]
    )


def models_table(items: Sequence[Json]) -> RenderableType:
    """One line per base model revision."""
    rows = (
        (
            m["name"],
            m["architecture"],
            m["n_layers"],
            m["d_model"],
            m.get("scorer"),
            short_digest(m["model_hash"]),
        )
        for m in items
    )
    headings = ("base model", "architecture", "blocks", "width", "scorer", "model hash")
    return listing(headings, rows, empty="no base models are registered")


def _sign(pole: str) -> str:
    return f"points to the {pole} pole" if pole in ("positive", "negative") else pole


def _set_points(direction: Json) -> str:
    return "{:.4g}, {:.4g}".format(*direction["set_points"])


def _doses(curve: Sequence[Sequence[float]]) -> str:
    """The strengths with what they do, but 0, which does nothing."""
    steered = [f"{strength:+g}: {nats:.3g}" for strength, nats in curve if strength]
    return ", ".join(steered) + " nats" if steered else ""


def _length(length: Json) -> str:
    positive, negative = length["positive_mean_chars"], length["negative_mean_chars"]
    return (
        f"{positive:g} characters positive, {negative:g} negative (AUROC of length alone {length['auroc']:g})"
    )


def _letters(letters: Json | None) -> str:
    if not letters:
        return ""
    counted = ", ".join(f"{letter} {count}" for letter, count in letters["positive"].items())
    return f"positive answers {counted} (imbalance {letters['imbalance']:g})"


def _newest(dataset: Json) -> str:
    number = dataset.get("newest_number")
    return f"@{number}" if number else ""


def _vector_row(item: Json) -> Sequence[Any]:
    latest = item.get("latest") or {}
    return (
        f"{item['owner']}/{item['name']}",
        latest.get("version") or "draft",
        verdict_text(latest.get("verdict")),
        latest.get("grade"),
        _model_name(latest.get("base_model")),
        latest.get("summary") or item.get("title"),
    )


def _metric_row(metric: Json) -> Sequence[Any]:
    low, high, beside = metric.get("low"), metric.get("high"), metric.get("beside")
    return (
        metric["question"],
        metric["label"],
        number(metric.get("value")),
        f"{number(low)} to {number(high)}" if low is not None or high is not None else "",
        f"{beside['label']} {number(beside.get('value'))}" if beside else "",
        verdict_text(metric["verdict"]),
    )


def _run_row(run: Json) -> Sequence[Any]:
    state = Text(cell(run["state"]), style=RUN_STYLES.get(run["state"], ""))
    created = day(run.get("created_at"))
    return (
        run["id"],
        state,
        f"{run['progress']:.0%}",
        run.get("vector"),
        verdict_text(run.get("verdict")),
        created,
    )


def _words(name: Any) -> str:
    return str(name or "").replace("_", " ")


def _model_name(model: Any) -> str:
    return str(model.get("name", "")) if isinstance(model, dict) else str(model or "")
