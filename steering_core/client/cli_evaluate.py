"""`bearing evaluate`: the whole report of any vector, on a model on this machine.

It is what a registry measures (`evaluation.pipeline.evaluate_vector`). It needs torch, so that is imported
inside the command.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from steering_core.client import tables
from steering_core.client.local_files import (
    check_model,
    check_outputs,
    dataset_facts,
    dataset_of,
    write_file,
)
from steering_core.client.progress import stage_bar
from steering_core.client.references import reference_of
from steering_core.client.ui import Ui, command, needs, read_file
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.pairs.limits import DEFAULT_LIMITS
from steering_core.pairs.readers import read_pairs
from steering_core.spec import Tier
from steering_core.vector import SteeringVector

if TYPE_CHECKING:
    from steering_core.evaluation.scorer import TraitScorer
    from steering_core.evaluation.suite import Suite

MAX_SUITE_BYTES = 32 * 1024 * 1024


def add_to(app: typer.Typer) -> None:
    """Add this command to the tree."""
    examples = [
        "bearing evaluate formality.safetensors pairs.jsonl --model ./model",
        "bearing evaluate acme/formality@1.0.0 pairs.jsonl --model ./model --suite suite.json \\",
        "    --scorer words.json --tier standard --report report.json",
    ]
    command(app, "evaluate", examples=examples)(evaluate)


def evaluate(
    ui: Ui,
    vector: Annotated[str, typer.Argument(metavar="FILE|REF", help="A vector file, or a reference to pull.")],
    pairs: Annotated[
        Path, typer.Argument(metavar="PAIRS", help="Contrastive pairs that show the trait, with prompts.")
    ],
    model: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The vector's base model, in the Hugging Face layout.")
    ],
    suite: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The model's own prompts and questions; docs/suites.md."),
    ] = None,
    scorer: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Words of both poles, to score replies; docs/evaluation.md."),
    ] = None,
    tier: Annotated[Tier, typer.Option(help="How much is measured.")] = "standard",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the whole report here, as JSON.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the vector with the window found."),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu, cuda, cuda:1, mps.")] = "cpu",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
) -> None:
    """Measure a vector as a registry does: against controls, a prompt, harmful requests and held-out pairs.

    PAIRS are split by group as always, and what counts is measured on the test part; the vector should not
    have been made of that. A window that the vector brings is taken as a claim and tried. The exit code is 0
    whatever the verdict: read it from the report.
    """
    check_outputs([report, output], force=force)
    check_model(model)
    data = read_file(pairs, most_bytes=DEFAULT_LIMITS.max_bytes)
    dataset = dataset_of(read_pairs(data, filename=pairs.name))
    found = _vector(ui, vector)
    with needs("torch transformers"):
        from steering_core.client.local_run import open_model
        from steering_core.evaluation.pipeline import evaluate_vector
    judge, texts = _scorer(scorer), _suite(suite)
    for name, value in dataset_facts(dataset):
        ui.say(f"{name}: {value}")
    with ui.err.status(f"hashing and loading {model.name}"):
        lm = open_model(model, device=device, dtype="auto", name=found.model.name, max_tokens=None)
    with TemporaryDirectory(prefix="bearing-evaluate-") as folder, stage_bar(ui) as tell:
        measured, made = evaluate_vector(
            lm,
            found,
            dataset.pairs,
            dataset.splits,
            Path(folder),
            tier=tier,
            dataset_digest=dataset.digest,
            scorer=judge,
            suite=texts,
            progress=tell,
        )
    written = [("report", report), ("vector", output)]
    if report is not None:
        write_file(report, (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode())
    if output is not None:
        write_file(output, write_vector(measured))
    kept = [(name, str(file)) for name, file in written if file is not None]
    ui.result({"report": made, "files": dict(kept)}, tables.report_card(made), "", tables.facts(kept))


def _vector(ui: Ui, named: str) -> SteeringVector:
    if Path(named).is_file():
        return read_vector(read_file(Path(named), most_bytes=MAX_FILE_BYTES))
    return ui.hub.pull_file(reference_of(named)).vector


def _scorer(file: Path | None) -> "TraitScorer | None":
    from steering_core.evaluation.lexical_scorer import MAX_BYTES, lexical_scorer, read_lexical_spec

    return lexical_scorer(read_lexical_spec(read_file(file, most_bytes=MAX_BYTES))) if file else None


def _suite(file: Path | None) -> "Suite":
    from steering_core.evaluation.suite import EMPTY_SUITE, read_suite

    return read_suite(read_file(file, most_bytes=MAX_SUITE_BYTES)) if file else EMPTY_SUITE
