"""`bearing cache …`: what is kept on this machine, whether it is whole, and what can go."""

from typing import Annotated, Any

import typer

from steering_core.client.tables import listing
from steering_core.client.text import short_digest
from steering_core.client.ui import NOT_VERIFIED, Ui, command


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    group = typer.Typer(
        help="List, check and tidy the files in BEARING_HOME.", rich_markup_mode=None, no_args_is_help=True
    )
    command(group, "list", examples=["bearing cache list"])(list_files)
    command(group, "verify", examples=["bearing cache verify"])(verify)
    command(group, "prune", examples=["bearing cache prune", "bearing cache prune --all"])(prune)
    app.add_typer(group, name="cache")


def list_files(ui: Ui) -> None:
    """List the files and the references that lead to them, of all registries."""
    names = ui.hub.cache.names()
    items: list[dict[str, Any]] = [
        {"digest": file.digest, "size_bytes": file.size_bytes, "names": names.get(file.digest, [])}
        for file in ui.hub.cache.files()
    ]
    rows = [
        [short_digest(item["digest"]), f"{item['size_bytes']:,}", ", ".join(item["names"])] for item in items
    ]
    total = sum(item["size_bytes"] for item in items)
    ui.say(f"{len(items)} files, {total:,} bytes, in {ui.hub.config.home}")
    ui.result({"items": items}, listing(["digest", "bytes", "names"], rows, empty="nothing is kept"))


def verify(ui: Ui) -> None:
    """Compare every file with its digest. Damaged ones are removed; the next pull brings them anew."""
    damaged = []
    files = ui.hub.cache.files()
    for file in files:
        if ui.hub.cache.read(file.digest) is None:
            ui.hub.cache.remove(file.digest)
            damaged.append(file.digest)
    ui.say(f"{len(files)} files read, {len(damaged)} damaged and removed")
    ui.result({"files": len(files), "damaged": damaged}, *damaged)
    if damaged:
        raise typer.Exit(NOT_VERIFIED)


def prune(
    ui: Ui,
    everything: Annotated[
        bool, typer.Option("--all", help="All files and references, not only what nothing leads to.")
    ] = False,
) -> None:
    """Remove what killed downloads left and files that no reference leads to; tokens stay."""
    removed = ui.hub.cache.prune(everything=everything)
    ui.say(f"{len(removed)} files removed, {sum(file.size_bytes for file in removed):,} bytes")
    ui.result({"removed": [file.digest or file.path.name for file in removed]})
