"""`bearing dataset …`: check a file here, push it, list and show what is there."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from steering_core.client import tables
from steering_core.client.progress import byte_bar
from steering_core.client.references import parse_dataset
from steering_core.client.ui import Ui, command, read_file
from steering_core.pairs.checks import check_pairs
from steering_core.pairs.jsonl import write_jsonl
from steering_core.pairs.limits import DEFAULT_LIMITS
from steering_core.pairs.readers import FORMAT_LABELS, read_pairs, read_two_files
from steering_core.spec import digest

PREVIEW_ROWS = 5

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="Pairs, or the positive texts of the two-file form.")
]
NegativeFile = Annotated[
    Path | None,
    typer.Argument(metavar="NEGATIVE", help="The negative texts: line n belongs to line n of FILE."),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    group = typer.Typer(
        help="Check, push, list and show datasets of contrastive pairs.",
        rich_markup_mode=None,
        no_args_is_help=True,
    )
    check_examples = ["bearing dataset check pairs.jsonl", "bearing dataset check verbose.txt succinct.txt"]
    command(group, "check", examples=check_examples)(check)
    push_examples = [
        "bearing dataset push pairs.jsonl --name politeness --public",
        "bearing dataset push verbose.txt succinct.txt --name verbosity --description 'long against short'",
    ]
    command(group, "push", examples=push_examples)(push)
    command(group, "list", examples=["bearing dataset list", "bearing dataset list --owner acme"])(
        list_datasets
    )
    show_examples = ["bearing dataset show acme/politeness", "bearing dataset show acme/politeness@1 --json"]
    command(group, "show", examples=show_examples)(show)
    app.add_typer(group, name="dataset")


@dataclass(frozen=True, slots=True)
class LocalDataset:
    """A dataset file as it was read here; `data` and `negative` are its bytes as they are."""

    data: bytes
    negative: bytes | None
    form: str
    digest: str
    report: dict[str, Any]
    preview: list[dict[str, str]]


def check(ui: Ui, file: File, negative: NegativeFile = None) -> None:
    """Say what a file of pairs holds, without sending it anywhere.

    Known forms: JSONL and CSV (prompt, positive, negative, group, domain), CAA and model-written questions,
    preference pairs, chats, repeng, steering-vectors and CAST files, two text files zipped by line, and more
    (docs/datasets.md). The form is recognised from the content.
    """
    local = read_dataset(file, negative)
    label, count = FORMAT_LABELS[local.form], local.report["n_pairs"]
    data = {
        "format": local.form,
        "format_label": label,
        "digest": local.digest,
        "n_pairs": count,
        "report": local.report,
        "preview": local.preview,
    }
    ui.result(data, tables.dataset_report(local.report, n_pairs=count, form=label))


def push(
    ui: Ui,
    file: File,
    name: Annotated[str, typer.Option(metavar="NAME", help="Lower-case letters, digits and hyphens.")],
    negative: NegativeFile = None,
    public: Annotated[
        bool, typer.Option("--public", help="Show a new dataset to everybody; else it is yours alone.")
    ] = False,
    description: Annotated[str, typer.Option(metavar="TEXT", help="What the pairs are about.")] = "",
) -> None:
    """Check a file of pairs here, show the report, and push it as the next version of a dataset.

    Pushing the newest version's pairs again changes nothing. Files of more than 8 MiB go in parts: run the
    command again after a broken connection, and what arrived is not sent again.
    """
    local = read_dataset(file, negative)
    label = FORMAT_LABELS[local.form]
    ui.err.print(tables.dataset_report(local.report, n_pairs=local.report["n_pairs"], form=label))
    with byte_bar(ui, file.name) as tell:
        version = ui.hub.dataset_push(
            local.data,
            name=name,
            filename=file.name,
            negative=local.negative,
            visibility="public" if public else "",
            description=description,
            progress=tell,
        )
    if version["digest"] != local.digest:
        ui.say(f"warning: the registry read other pairs ({version['digest']}) than were read here", "yellow")
    done = "pushed as" if version["created"] else "the same pairs are there already:"
    ui.say(f"{done} {version['reference']}")
    ui.result(version, *([f"{version['reference']}  {version['url']}"]))


def list_datasets(
    ui: Ui,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words in the name or description.")] = "",
    owner: Annotated[str, typer.Option(metavar="OWNER", help="Only this owner's.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
) -> None:
    """List the datasets that you may see."""
    items = ui.hub.dataset_list(query=query, owner=owner, limit=limit)
    ui.result({"items": items}, tables.datasets_table(items))


def show(
    ui: Ui,
    reference: Annotated[
        str, typer.Argument(metavar="OWNER/NAME[@N]", help="A dataset, or one of its versions.")
    ],
) -> None:
    """Show a dataset and its versions, or one version and its quality report."""
    found = ui.hub.dataset_show(reference)
    versioned = parse_dataset(reference)[2] is not None
    ui.result(found, tables.dataset_version_card(found) if versioned else tables.dataset_card(found))


def read_dataset(file: Path, negative: Path | None) -> LocalDataset:
    """A dataset file, or two, as the registry will read it.

    Raises:
        ClientError: a file cannot be read.
        PairsError: what is in it cannot be used.
    """
    data = read_file(file, most_bytes=DEFAULT_LIMITS.max_bytes)
    other = None if negative is None else read_file(negative, most_bytes=DEFAULT_LIMITS.max_bytes)
    found = read_pairs(data, filename=file.name) if other is None else read_two_files(data, other)
    return LocalDataset(
        data=data,
        negative=other,
        form=found.format,
        digest=digest(write_jsonl(found.pairs)),
        report=check_pairs(found.pairs, notes=found.notes),
        preview=[asdict(pair) for pair in found.pairs[:PREVIEW_ROWS]],
    )
