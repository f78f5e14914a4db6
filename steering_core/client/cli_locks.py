"""`bearing lock` and `bearing pull --lock`: what references mean, written down, and exactly that pulled."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from steering_core.client.config import stored_tokens
from steering_core.client.hub import Hub
from steering_core.client.local_files import write_file
from steering_core.client.lockfile import LOCK_FILE, MAX_LOCK_BYTES, Lock, read_lock, write_lock
from steering_core.client.tables import facts, listing
from steering_core.client.text import short_digest
from steering_core.client.ui import FAILED, Ui, command, read_file
from steering_core.spec import parse_json

LockFile = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The lock.")]


def add_to(app: typer.Typer) -> None:
    """Add this command to the tree."""
    examples = [
        "bearing lock acme/formality@stable acme/warmth@1.0.0 preset:acme/helpful",
        "bearing lock --check",
        "bearing pull --lock",
    ]
    command(app, "lock", examples=examples)(lock)


def lock(
    ui: Ui,
    references: Annotated[
        list[str] | None,
        typer.Argument(metavar="REF...", help="Vectors, and presets with preset: before them."),
    ] = None,
    output: LockFile = Path(LOCK_FILE),
    check: Annotated[
        bool, typer.Option("--check", help="Say which references of the lock mean something else now.")
    ] = False,
) -> None:
    """Write down what references mean now, by digest, with one request.

    A preset is locked with all its vectors. `bearing pull --lock` brings exactly these files, whatever an
    alias means by then. With --check nothing is written; the exit code is 1 if a reference has moved.
    """
    if check == bool(references):
        raise typer.BadParameter("give references to lock, or --check and none")
    if check:
        _check(ui, output)
        return
    made = ui.hub.lock(references or [])
    write_file(output, write_lock(made))
    ui.say(f"{len(made.entries)} locked in {output}")
    rows = [[entry.reference, entry.version, short_digest(entry.digest)] for entry in made.entries]
    shown = listing(["reference", "version", "digest"], rows, empty="nothing")
    ui.result(_json(made) | {"output": str(output)}, shown)


def pull_locked(ui: Ui, file: Path) -> None:
    """Everything that a lock names, into the cache."""
    wanted = read_lock(read_file(file, most_bytes=MAX_LOCK_BYTES))
    with hub_of(ui, wanted) as hub:
        fetched = hub.pull_lock(wanted)
        paths = {entry.reference: str(hub.cache.path(entry.digest)) for entry in wanted.entries}
    files = sum(len(entry.files) for entry in wanted.entries)
    shown = facts(
        [
            ("lock", str(file)),
            ("entries", len(wanted.entries)),
            ("files", f"{files}, {fetched} fetched now"),
            ("verified", "all bytes have the digests that the lock names"),
        ]
    )
    ui.result({"lock": str(file), "fetched": fetched, "files": files, "paths": paths}, shown)


def hub_of(ui: Ui, wanted: Lock) -> Hub:
    """The registry of this command, or where none is given the one that the lock was made at.

    A lock may come from anybody: BEARING_TOKEN is not sent where only the lock says where that is, but what
    `bearing login` kept for that very address is.
    """
    here = ui.hub.config
    if ui.options.endpoint or os.environ.get("BEARING_ENDPOINT") or here.endpoint == wanted.endpoint:
        return ui.hub
    token = stored_tokens(here.home).get(wanted.endpoint, "")
    return Hub(wanted.endpoint, token, here.home, mode=here.mode, progress=ui.progress)


def _check(ui: Ui, file: Path) -> None:
    wanted = read_lock(read_file(file, most_bytes=MAX_LOCK_BYTES))
    with hub_of(ui, wanted) as hub:
        found = hub.lock_moved(wanted)
    moved = [
        {
            "reference": entry.reference,
            "locked": {"version": entry.version, "digest": entry.digest},
            "now": now and {"version": now.version, "digest": now.digest},
        }
        for entry, now in found
    ]
    if not moved:
        ui.say(f"all {len(wanted.entries)} references mean what {file} says")
    rows = [[entry.reference, entry.version, now.version if now else "nothing"] for entry, now in found]
    shown = listing(["reference", "locked", "now"], rows, empty="nothing")
    ui.result({"lock": str(file), "moved": moved}, *([shown] if moved else []))
    if moved:
        raise typer.Exit(FAILED)


def _json(made: Lock) -> dict[str, Any]:
    return dict(parse_json(write_lock(made).decode()))
