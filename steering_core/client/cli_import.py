"""`bearing import`: another engine's vector file as a version in the registry, measured there."""

from pathlib import Path
from typing import Annotated

import typer

from steering_core.client.cli_runs import started
from steering_core.client.progress import byte_bar
from steering_core.client.ui import Ui, command, read_file
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.spec import Tier


def add_to(app: typer.Typer) -> None:
    """Add this command to the tree."""
    examples = [
        "bearing import happy.gguf --model bearing/demo --dataset acme/happiness --vector acme/happy \\",
        "    --direction resid_post.3",
        "bearing import terse.safetensors --model bearing/demo --dataset acme/terseness@1 --vector terse",
    ]
    command(app, "import", examples=examples)(import_file)


def import_file(
    ui: Ui,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A vector file of any form that is read.")],
    model: Annotated[str, typer.Option(metavar="MODEL", help="The base model that it is for.")],
    dataset: Annotated[
        str, typer.Option(metavar="OWNER/NAME[@N]", help="Pairs about its trait, to measure it with.")
    ],
    vector: Annotated[str, typer.Option(metavar="NAME", help="Its name there; made when it is new.")],
    direction: Annotated[
        str, typer.Option(metavar="KEY", help="Which of the file's directions, such as resid_post.3.")
    ] = "",
    tier: Annotated[Tier, typer.Option(help="How much is generated for the report.")] = "standard",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only start it; watch it later.")] = False,
) -> None:
    """Import a vector file as a version, wait for it, and show its report.

    One direction is taken over; its scale, its sign, its window and all else are measured by the registry.
    The version says for good that it was imported. `bearing inspect FILE` shows what the file holds.
    """
    data = read_file(file, most_bytes=MAX_FILE_BYTES)
    _check(data, file.name, direction)
    with byte_bar(ui, file.name) as tell:
        run = ui.hub.import_start(
            data,
            filename=file.name,
            base_model=model,
            dataset=dataset,
            vector=vector,
            direction=direction,
            tier=tier,
            progress=tell,
        )
    started(ui, run, no_wait)


def _check(data: bytes, name: str, direction: str) -> None:
    """Refuse here what the registry would, before anything is sent.

    Raises:
        FormatError: the file is of no form that is read, or breaks its own.
        typer.BadParameter: it has several directions and none of them is named.
    """
    # Loads every format, which takes a quarter of a second.
    from steering_core.formats.engines import read_any

    _, loose = read_any(data, name)
    there = ", ".join(loose.directions)
    if direction and direction not in loose.directions:
        raise typer.BadParameter(f"the file has no direction {direction[:40]!a}; it has {there}")
    if not direction and len(loose.directions) > 1:
        raise typer.BadParameter(
            f"the file has {len(loose.directions)} directions, and one is imported; choose with --direction: "
            f"{there}"
        )
