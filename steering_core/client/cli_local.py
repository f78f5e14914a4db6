"""`bearing extract-local` and `bearing derive`: a vector made here, without a registry.

`local_files` reads and writes, `local_run` runs the model, `local_tables` shows.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from steering_core.client import local_files, tables
from steering_core.client.local_files import Dataset
from steering_core.client.local_tables import place_doubts, place_rows, places_table, usage_lines
from steering_core.client.progress import stage_bar
from steering_core.client.ui import Ui, command, needs
from steering_core.errors import ExtractionError, FormatError, PairsError
from steering_core.formats.bearing import write_vector
from steering_core.pairs.jsonl import write_jsonl
from steering_core.pairs.persona import PersonaTrait
from steering_core.spec import METHODS, Pooling, Tier, digest, parse_site
from steering_core.vector import SteeringVector

if TYPE_CHECKING:  # what needs torch or scikit-learn is imported inside the commands
    from steering_core.client import local_run
    from steering_core.models.load import LanguageModel

Json = dict[str, Any]
# `extraction.derive.METHODS`, which takes a second to import.
LocalMethod = Literal[
    "mean_difference", "pca", "logistic_probe", "whitened", "geometric_median", "mean_centred"
]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]

Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the vector goes.")]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there already.")]
MethodOption = Annotated[
    LocalMethod, typer.Option(help="How the direction is made; mean_centred also needs --background.")
]
Orthogonal = Annotated[
    bool,
    typer.Option("--orthogonal", help="Take out what the direction shares with the mean of the negatives."),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    local_examples = [
        "bearing extract-local ./model refusal.json -o refusal.safetensors",
        "bearing extract-local ./model verbose.txt succinct.txt -o short.safetensors --statistics kept.st",
        "bearing extract-local ./model pairs.jsonl -o all.safetensors --blocks all --site mlp_out",
        "bearing extract-local ./model evil.json -o evil.safetensors --pairs-out evil.jsonl",
        "bearing extract-local ./model poems.txt -o poems.safetensors \\",
        "    --method mean_centred --background neutral.txt",
        "bearing extract-local ./model pairs.jsonl -o kind.safetensors --evaluate --tier smoke",
    ]
    command(app, "extract-local", examples=local_examples)(extract_local)
    derive_examples = [
        "bearing derive kept.st -o probe.safetensors --method logistic_probe",
        "bearing derive kept.st -o fewer.safetensors --drop 3,17-20 --block 12",
        "bearing derive one.st --merge other.st -o both.safetensors",
    ]
    command(app, "derive", examples=derive_examples)(derive)


def extract_local(
    ui: Ui,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A folder in the Hugging Face layout.")],
    pairs: Annotated[
        Path,
        typer.Argument(metavar="PAIRS", help="Pairs in any known form, or a Persona Vectors trait."),
    ],
    output: Output,
    negative: Annotated[
        Path | None,
        typer.Argument(metavar="NEGATIVE", help="The negative texts of the two-file form of PAIRS."),
    ] = None,
    method: MethodOption = "mean_difference",
    orthogonal: Orthogonal = False,
    site: Annotated[
        str, typer.Option(metavar="SITE", help="resid_post, mlp_out or attn_out; resid_post@k for a stream.")
    ] = "resid_post",
    blocks: Annotated[
        str,
        typer.Option(metavar="BLOCKS", help="3, 2-5, 1,4-6 or all: put exactly these in; choose nothing."),
    ] = "",
    pooling: Annotated[Pooling, typer.Option(help="Which positions of a pair are read.")] = "auto",
    background: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Neutral texts for mean_centred, one per line.")
    ] = None,
    statistics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep what was read; see bearing derive --help.")
    ] = None,
    pairs_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the pairs, generated ones too, as JSONL.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Leave out pairs longer than N tokens.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu, cuda, cuda:1, mps.")] = "cpu",
    dtype: Annotated[Dtype, typer.Option(help="Of the weights; auto takes what is fast.")] = "auto",
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What the file calls the model. [default: its folder's name]")
    ] = "",
    evaluate: Annotated[
        bool,
        typer.Option("--evaluate/--no-evaluate", help="Measure it on the test split too; show a report."),
    ] = False,
    tier: Annotated[Tier, typer.Option(help="With --evaluate: how much is measured.")] = "standard",
    rollouts: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Trait: answers to each question and side.")
    ] = 1,
    max_new_tokens: Annotated[
        int, typer.Option(min=1, max=4096, metavar="N", help="Trait: the longest answer.")
    ] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Trait: the same seed gives the same answers.")] = 0,
    force: Force = False,
) -> None:
    """Extract a vector from pairs on a model on this machine, without a registry.

    Every block and pooling is read in one pass. One place is chosen: by the effect of steering at equal dose
    on pairs that are held out for it, or, where pairs have no prompts, by how well it tells held-out pairs
    apart. --blocks takes the blocks as they are instead.

    With mean_centred, PAIRS may be a .txt file of positive texts alone, one per line. A Persona Vectors trait
    has instructions and questions in place of pairs; the model answers them first.
    """
    _check_usage(method, orthogonal, site, blocks, background, evaluate)
    local_files.check_outputs([output, statistics, pairs_out], force=force)
    local_files.check_model(model)
    source = local_files.read_source(pairs, negative, texts=method == "mean_centred")
    neutral = local_files.read_background(background) if background else ()
    if isinstance(source, Dataset):
        _show_dataset(ui, source)
        _check_dataset(source, has_background=bool(neutral), evaluate=evaluate)
    run = _with_torch()
    wanted = run.Wanted(method, orthogonal, site, blocks, pooling, neutral)
    with ui.err.status(f"hashing and loading {model.name}"):
        lm = run.open_model(model, device=device, dtype=dtype, name=name, max_tokens=max_tokens)
    _show_model(ui, lm)
    if isinstance(source, PersonaTrait):
        source = _answers(ui, lm, source, n_per_side=rollouts, seed=seed, max_new_tokens=max_new_tokens)
        _check_dataset(source, has_background=bool(neutral), evaluate=evaluate)
    if pairs_out is not None:
        local_files.write_file(pairs_out, write_jsonl(source.pairs))
    with TemporaryDirectory(prefix=".bearing-", dir=(statistics or output).parent) as folder:
        file = statistics or Path(folder) / "statistics.safetensors"
        made = (
            _evaluated(ui, lm, source, wanted, Path(folder), file, tier)
            if evaluate
            else _chosen(ui, lm, source, wanted, Path(folder), file)
        )
    kept = {"statistics": statistics, "pairs": pairs_out}
    _finish(ui, made | _described(source), output, model=model, beside=kept)


def derive(
    ui: Ui,
    statistics: Annotated[
        Path, typer.Argument(metavar="STATISTICS", help="What an extraction kept with --statistics.")
    ],
    output: Output,
    method: MethodOption = "mean_difference",
    orthogonal: Orthogonal = False,
    pooling: Annotated[
        str, typer.Option(metavar="POOLING", help="One that was read. [default: the best placed]")
    ] = "",
    block: Annotated[
        int | None, typer.Option(min=0, metavar="BLOCK", help="One that was read. [default: the best placed]")
    ] = None,
    site: Annotated[
        str, typer.Option(metavar="SITE", help="One that was read. [default: the file's first]")
    ] = "",
    drop: Annotated[
        str, typer.Option(metavar="ROWS", help="Rows of STATISTICS to leave out, from 1: 3,17-20.")
    ] = "",
    merge: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Add the pairs of another file; may be given several times."),
    ] = None,
    force: Force = False,
) -> None:
    """Make another vector of stored statistics: another method, place, or choice of pairs, without the model.

    The same statistics and method give the same direction, bit for bit. Rows stand in the order train,
    select, test. Steering is not tried, so without --block the place is the one that held-out pairs rank
    first; `bearing extract-local` also tries what steering does.
    """
    local_files.check_outputs([output], force=force)
    dropped = _rows(drop)
    with needs("scikit-learn"):
        from steering_core.client import local_derive
    asked = local_derive.Asked(method, orthogonal, site, pooling, block)
    with TemporaryDirectory(prefix=".bearing-", dir=output.parent) as folder:
        found = local_derive.gathered(statistics, dropped, merge or [], Path(folder) / "merged.safetensors")
        places, place = local_derive.placed(found, asked)
        vector = local_derive.vector_of(found, asked, place)
    ui.say(f"{found.n_pairs:,} pairs of {found.model.name}, {len(found.split('train')):,} for training")
    made = {"vector": vector, "places": place_rows(places, [place]), "report": None}
    made["why"] = f"{local_derive.reason(found, asked)}; steering was not tried"
    _finish(ui, made, output, model=None, beside={})


def _chosen(
    ui: Ui, lm: "LanguageModel", dataset: Dataset, wanted: "local_run.Wanted", folder: Path, file: Path
) -> Json:
    run = _with_torch()
    with stage_bar(ui) as tell:
        read = run.read_here(
            lm,
            dataset,
            wanted,
            file,
            folder,
            say=ui.say,
            tell=lambda fraction: tell("extract", fraction, "Reading activations"),
        )
        found = run.choose_here(
            lm, dataset, wanted, read, lambda fraction: tell("select", fraction, "Choosing the place")
        )
    return {
        "vector": run.vector_here(lm, dataset, wanted, read, found),
        "places": place_rows(found.places, found.chosen),
        "why": found.why,
        "report": None,
        "train_needed": read.train_needed,
        "left_out": read.data.left_out,
    }


def _evaluated(
    ui: Ui,
    lm: "LanguageModel",
    dataset: Dataset,
    wanted: "local_run.Wanted",
    folder: Path,
    file: Path,
    tier: str,
) -> Json:
    run = _with_torch()
    with stage_bar(ui) as tell:
        found = run.evaluate_here(lm, dataset, wanted, folder, tier=tier, progress=tell)
    counts, why = found.report["counts"], run.place_reason(found.place, found.statistics)
    ui.say(run.counts_message(counts, lm.max_positions))
    (folder / "statistics.safetensors").replace(file)
    return {
        "vector": found.vector,
        "places": place_rows(found.places, [found.place]),
        "why": why,
        "report": found.report,
        "train_needed": counts["train_needed"],
        "left_out": counts["left_out"],
    }


def _answers(ui: Ui, lm: "LanguageModel", trait: PersonaTrait, **how: int) -> Dataset:
    ui.say(f"a trait: {len(trait.questions)} questions under {len(trait.instructions)} pairs of instructions")
    with stage_bar(ui) as tell:
        dataset: Dataset
        dataset, found = _with_torch().answer_trait(
            lm, trait, tell=lambda fraction: tell("answer", fraction, "Answering the questions"), **how
        )
    ui.say(f"{len(found.pairs):,} couples of answers kept, {found.left_out:,} left out")
    _show_dataset(ui, dataset)
    return dataset


def _finish(ui: Ui, made: Json, output: Path, *, model: Path | None, beside: dict[str, Path | None]) -> None:
    """Write the vector, and show it."""
    vector: SteeringVector = made.pop("vector")
    rows, report = made["places"], made["report"]
    for doubt in place_doubts(rows):
        ui.say(f"warning: {doubt}", "yellow")
    data = write_vector(vector)
    local_files.write_file(output, data)
    named = digest(data)
    files = {name: None if file is None else str(file) for name, file in beside.items()}
    shown = [
        ("chosen", f"{', '.join(vector.directions)}: {made['why']}"),
        ("method", f"{vector.provenance.method}, pooling {vector.provenance.pooling}"),
        ("written", str(output)),
        ("digest", named),
        *files.items(),
    ]
    python = usage_lines(output, named, rows, model=model)
    result = {"file": str(output), "digest": named, "chosen": list(vector.directions), **files, **made}
    cards = [tables.report_card(report), "\n"] if report else []
    ui.result(result, *cards, places_table(rows), "", tables.facts(shown), "", python)


def _described(dataset: Dataset) -> Json:
    splits = dataset.splits
    counts = {"train": len(splits.train), "select": len(splits.select), "test": len(splits.test)}
    named = {"dataset_digest": dataset.digest, "n_pairs": len(dataset.pairs), "splits": counts}
    return named | {"warnings": list(dataset.warnings)}


def _show_dataset(ui: Ui, dataset: Dataset) -> None:
    for name, value in local_files.dataset_facts(dataset):
        ui.say(f"{name}: {value}")
    for warning in dataset.warnings:
        ui.say(f"warning: {' '.join(warning.split())}", "yellow")


def _show_model(ui: Ui, lm: "LanguageModel") -> None:
    one = lm.identity
    ui.say(f"model: {one.name}, {one.architecture}, {one.n_layers} blocks x {one.d_model}, {one.model_hash}")


def _check_usage(
    method: str, orthogonal: bool, site: str, blocks: str, background: Path | None, evaluate: bool
) -> None:
    """Raises typer.BadParameter for options that do not go together."""
    if (method == "mean_centred") != (background is not None):
        raise typer.BadParameter("--method mean_centred and --background come together")
    if evaluate and (method not in METHODS or orthogonal or blocks):
        raise typer.BadParameter(
            f"--evaluate measures what a registry would: one place that is chosen, by {', '.join(METHODS)}, "
            "without --orthogonal and --blocks"
        )
    try:
        parse_site(site)
    except FormatError as error:
        raise typer.BadParameter(error.message) from error
    if blocks and blocks != "all":
        _rows(blocks, "--blocks is 3, 2-5, 1,4-6 or all")


def _check_dataset(dataset: Dataset, *, has_background: bool, evaluate: bool) -> None:
    if has_background and any(pair.prompt for pair in dataset.pairs):
        raise ExtractionError(
            "neutral texts have no prompts, so they are no background for pairs with prompts; give texts or "
            "pairs without prompts, or another method",
            code="extraction.mixed_prompts",
        )
    if evaluate and not dataset.holds_out:
        raise PairsError("--evaluate needs pairs that are held out", code="dataset.too_few_pairs")


def _rows(text: str, expected: str = "--drop is rows such as 3,17-20") -> list[int]:
    try:
        return local_files.numbers_of(text) if text else []
    except ValueError as error:
        raise typer.BadParameter(expected) from error


def _with_torch() -> Any:
    with needs("torch transformers"):
        from steering_core.client import local_run
    return local_run
