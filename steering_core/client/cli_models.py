"""`bearing compatibility` and `bearing migrate`: vectors when their base model changes.

`evaluation.compatibility` and `evaluation.migration` measure; docs/model-updates.md says how to read it. They
need torch, so they are imported inside the commands.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steering_core.client import tables
from steering_core.client.local_files import Dataset, check_model, check_outputs, dataset_of, write_file
from steering_core.client.references import reference_of
from steering_core.client.ui import NOT_VERIFIED, Ui, command, needs, read_file
from steering_core.errors import PairsError
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.pairs.limits import DEFAULT_LIMITS
from steering_core.pairs.pair import PairFile
from steering_core.pairs.readers import read_pairs, read_two_files
from steering_core.spec import Tier, canonical_json, digest
from steering_core.vector import SteeringVector

if TYPE_CHECKING:
    from steering_core.evaluation.compatibility import Compatibility
    from steering_core.evaluation.migration import Migration, StreamMap
    from steering_core.evaluation.suite import Turn

Json = dict[str, Any]
Source = Annotated[
    str, typer.Argument(metavar="VECTOR", help="A vector file, or a reference to pull; one direction.")
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there already.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    compatibility_examples = [
        "bearing compatibility kind.safetensors --old ./model-1 --new ./model-2 --pairs kind.jsonl",
        "bearing compatibility acme/kind@1.0.0 --old ./model-1 --new ./model-2 --pairs kind.jsonl --json",
    ]
    command(app, "compatibility", examples=compatibility_examples)(compatibility)
    migrate_examples = [
        "bearing migrate kind.safetensors --from ./one --to ./other --texts chats.jsonl -o moved.safetensors",
        "bearing migrate acme/kind@1.0.0 --from ./one --to ./other --texts chats.jsonl \\",
        "    -o moved.safetensors --pairs kind.jsonl --report report.json",
    ]
    command(app, "migrate", examples=migrate_examples)(migrate)


def compatibility(
    ui: Ui,
    vector: Source,
    old: Annotated[Path, typer.Option(metavar="FOLDER", help="The revision that the vector was made for.")],
    new: Annotated[Path, typer.Option(metavar="FOLDER", help="The new revision of that model.")],
    pairs: Annotated[
        Path, typer.Option(metavar="FILE", help="The pairs that it was made of, with some held out.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Keep the result, as JSON.")
    ] = None,
    force: Force = False,
) -> None:
    """Say whether a vector still works on a new revision of its base model.

    The answer is compatible, re_extract, incompatible or insufficient, from held-out pairs with intervals.
    The exit code is 0 for compatible and 5 for all else. Safety is not screened here: the report of the
    registry does that.
    """
    check_outputs([output], force=force)
    steering = _vector(ui, vector)
    dataset = _pairs(ui, pairs, steering)
    for folder in (old, new):
        check_model(folder)
    with needs("torch transformers"):
        from steering_core.evaluation.compatibility import check_compatibility
        from steering_core.models.load import load_model
    with ui.err.status("loading the models") as status, TemporaryDirectory(prefix="bearing-") as scratch:
        found = check_compatibility(
            load_model(old, expected_hash=steering.model.model_hash),
            load_model(new),
            steering,
            dataset.pairs,
            dataset.splits,
            Path(scratch),
            progress=lambda fraction, said: status.update(said),
        )
    result = found.to_json()
    if output is not None:
        write_file(output, canonical_json(result) + b"\n")
    _show_compatibility(ui, found, result)
    if found.verdict != "compatible":
        raise typer.Exit(NOT_VERIFIED)


def migrate(
    ui: Ui,
    vector: Source,
    source: Annotated[Path, typer.Option("--from", metavar="FOLDER", help="The vector's own base model.")],
    target: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="The model that it shall steer.")],
    texts: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="A hundred or more neutral texts: .txt lines, or prompts with replies."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the vector goes.")],
    pairs: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure it at once, on pairs about its trait.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --pairs: where the report goes, as JSON.")
    ] = None,
    tier: Annotated[Tier, typer.Option(help="With --pairs: how much is measured.")] = "standard",
    block: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Of the target. [default: at the same share of its depth]"),
    ] = None,
    force: Force = False,
) -> None:
    """Carry a vector over to another model, through a linear map between the two models' activations.

    The map is fitted on the texts alone. Nothing that was measured of the vector is carried over: without
    --pairs the file has no window and no doses, and nothing says that it works.
    """
    if report is not None and pairs is None:
        raise typer.BadParameter("--report needs --pairs, to measure on")
    check_outputs([output, report], force=force)
    steering = _vector(ui, vector)
    turns = _turns(texts)
    dataset = _pairs(ui, pairs, steering) if pairs is not None else None
    for folder in (source, target):
        check_model(folder)
    with needs("torch transformers"):
        from steering_core.evaluation import migration
        from steering_core.models.dtypes import dtype_name
        from steering_core.models.load import load_model
    with ui.err.status("loading the models") as status, TemporaryDirectory(prefix="bearing-") as scratch:
        models = load_model(source, expected_hash=steering.model.model_hash), load_model(target)
        status.update("fitting a map between the two models")
        if dataset is None:
            maps = migration.fit_map(*models, turns, steering, block)
            moved = migration.migrate(steering, maps, dtype_name(models[1].model.dtype))
            _show_migrated(ui, moved, output, maps)
            return
        found = migration.migrate_and_evaluate(
            *models, steering, turns, dataset.pairs, dataset.splits, Path(scratch),
            tier=tier, dataset_digest=dataset.digest, scorer=None, target_block=block,
            progress=lambda stage, fraction, said: status.update(said),
        )  # fmt: skip
    if report is not None:
        write_file(report, canonical_json({**found.to_json(), "report": found.report}) + b"\n")
    _show_migrated(ui, found.vector, output, found.maps, found)


def _show_compatibility(ui: Ui, found: "Compatibility", result: Json) -> None:
    drift = [
        [str(row["block"]), *(f"{row[name]:.3f}" for name in ("cosine", "norm_ratio", "cka"))]
        for row in result["facts"].get("drift", [])
    ]
    rows = [
        ("verdict", found.verdict.replace("_", " ")),
        ("because", result["reason"]),
        ("so", result["advice"]),
        ("pairs needed", f"about {found.needed:,}" if found.needed else None),
        ("safety", "not screened here; a report on the new revision does it"),
    ]
    parts: list[Any] = [tables.facts(rows)]
    if found.metrics:
        headings = ["block", "cosine", "norm, new over old", "alignment"]
        parts += ["", tables.metrics_table(result["metrics"]), ""]
        parts += [tables.listing(headings, drift, empty="no text was read")]
    ui.result(result, *parts)


def _show_migrated(
    ui: Ui,
    vector: SteeringVector,
    output: Path,
    maps: "tuple[StreamMap, ...]",
    found: "Migration | None" = None,
) -> None:
    """Write the vector, and say what is known of it."""
    data = write_vector(vector)
    write_file(output, data)
    one = maps[0]
    result: Json = {
        "file": str(output),
        "digest": digest(data),
        "measured": found is not None,
        "maps": [each.to_json() for each in maps],
    }
    aligned = "token by token" if one.alignment == "tokens" else "where tokens end at one character"
    rows = [
        ("written", str(output)),
        ("digest", result["digest"]),
        ("model", f"{vector.model.name} ({vector.model.model_hash})"),
        ("direction", ", ".join(vector.directions)),
        ("map", f"R² {one.r2:.3f} on held-out texts; {one.n_texts:,} texts, {aligned}"),
    ]
    if found is None:
        ui.say("nothing is measured yet: no window, no doses, no report; --pairs FILE measures it", "yellow")
        ui.result(result, tables.facts(rows))
        return
    result |= {"report": found.report, "transfer": found.to_json()["transfer"]}
    rows += [
        ("cosine", f"{found.transfer.cosine:.2f} with the model's own vector"),
        ("transfer", result["transfer"]["reason"]),
    ]
    ui.result(result, tables.report_card(found.report), "", tables.facts(rows))


def _vector(ui: Ui, named: str) -> SteeringVector:
    if Path(named).is_file():
        return read_vector(read_file(Path(named), most_bytes=MAX_FILE_BYTES))
    return ui.hub.pull_file(reference_of(named)).vector


def _pairs(ui: Ui, file: Path, vector: SteeringVector) -> Dataset:
    """Raises PairsError if none can be held out."""
    dataset = dataset_of(_read_pairs(file))
    if not dataset.holds_out:
        raise PairsError(f"{file.name} has too few pairs to hold any out", code="dataset.too_few_pairs")
    if vector.provenance.dataset_digest not in ("", dataset.digest):
        ui.say(
            "warning: the vector was made of other pairs than these; if it was made of some of them, the "
            "numbers flatter it",
            "yellow",
        )
    return dataset


def _turns(file: Path) -> "list[Turn]":
    """Lines of a .txt file as plain texts; the two answers of each pair as two conversations."""
    from steering_core.evaluation.suite import Turn

    found = _read_pairs(file).pairs
    turns = [Turn(pair.prompt, reply) for pair in found for reply in (pair.positive, pair.negative)]
    return list(dict.fromkeys(turns))


def _read_pairs(file: Path) -> PairFile:
    data = read_file(file, most_bytes=DEFAULT_LIMITS.max_bytes)
    # A line of plain text stands at both poles, as background texts do.
    return read_two_files(data, data) if file.suffix == ".txt" else read_pairs(data, filename=file.name)
