"""`bearing search`, `show`, `pull`, `publish`, `yank`: vectors and their files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from steering_core.client import tables
from steering_core.client.cli_locks import pull_locked
from steering_core.client.cli_presets import show_pulled
from steering_core.client.local_files import write_file
from steering_core.client.lockfile import LOCK_FILE
from steering_core.client.pulling import Pulled
from steering_core.client.references import LATEST, ReferenceSyntaxError, parse_any, parse_reference
from steering_core.client.ui import Ui, command

Json = dict[str, Any]
Ref = Annotated[
    str, typer.Argument(metavar="REF", help="owner/name, owner/name@1.0.0, owner/name@sha256:… or sha256:…")
]
Name = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="A vector of yours.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    search_examples = [
        "bearing search formality",
        "bearing search --model bearing/demo --verdict pass --json",
    ]
    command(app, "search", examples=search_examples)(search)
    command(app, "show", examples=["bearing show acme/formality", "bearing show acme/formality@1.0.0"])(show)
    pull_examples = [
        "bearing pull acme/formality@1.0.0",
        "bearing pull acme/formality --output formality.safetensors",
        "bearing pull preset:acme/helpful",
        "bearing pull --lock",
    ]
    command(app, "pull", examples=pull_examples)(pull)
    publish_examples = ["bearing publish acme/formality --version 1.0.0 --license CC-BY-4.0 --public"]
    command(app, "publish", examples=publish_examples)(publish)
    yank_examples = [
        "bearing yank acme/formality@1.0.0 --reason 'wrong sign'",
        "bearing yank acme/formality@1.0.0 --undo",
    ]
    command(app, "yank", examples=yank_examples)(yank)


def search(
    ui: Ui,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words, or a model hash.")] = "",
    owner: Annotated[str, typer.Option(metavar="OWNER", help="Only this owner's.")] = "",
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="Only for this base model, by name or hash.")
    ] = "",
    verdict: Annotated[str, typer.Option(metavar="VERDICT", help="pass, warn, insufficient or fail.")] = "",
    grade: Annotated[str, typer.Option(metavar="GRADE", help="A, B, C or F.")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Your own, unpublished ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
) -> None:
    """Search vectors, the most relevant first."""
    items = ui.hub.search(
        query, owner=owner, base_model=model, verdict=verdict, grade=grade, mine=mine, limit=limit
    )
    ui.result({"items": items}, tables.vectors_table(items))


def show(ui: Ui, reference: Ref) -> None:
    """Show a version and its report.

    A name alone shows the latest release, or your newest draft where nothing is released yet.
    """
    version = ui.hub.show(reference)
    ui.result(version, tables.version_card(version))


def pull(
    ui: Ui,
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="A vector, a preset with preset: before it, or a lock.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the file here.")
    ] = None,
    lock: Annotated[
        bool, typer.Option("--lock", help="REF is a lock, bearing.lock if not given; pull all it names.")
    ] = False,
) -> None:
    """Fetch a vector, a preset or all that a lock names into the cache, and verify it.

    The bytes must have the digest that the registry promised, or that the lock names, and be a strictly valid
    file; else nothing is kept. Versions and digests that were pulled once work offline.
    """
    if lock:
        pull_locked(ui, Path(reference or LOCK_FILE))
        return
    if parse_any(reference).kind == "preset":
        show_pulled(ui, ui.hub.pull_preset(reference))
        return
    found = ui.hub.pull_file(reference)
    if output is not None:
        write_file(output, found.data)
    data = _pulled(found) | {"path": str(found.path), "output": None if output is None else str(output)}
    shown = tables.facts(
        [
            ("vector", _with_version(found)),
            ("digest", found.digest),
            ("verified", "the bytes have the promised digest and are a valid vector file"),
            ("file", str(output or found.path)),
        ]
    )
    ui.result(data, shown)


def publish(
    ui: Ui,
    name: Name,
    version: Annotated[str, typer.Option(metavar="X.Y.Z", help="MAJOR.MINOR.PATCH, never used before.")],
    license: Annotated[
        str,
        typer.Option(metavar="SPDX", help="CC-BY-4.0, CC0-1.0, CC-BY-SA-4.0, CC-BY-NC-4.0, Apache-2.0, MIT."),
    ],
    public: Annotated[bool, typer.Option("--public", help="Show the vector to everybody.")] = False,
    draft: Annotated[str, typer.Option(metavar="ID", help="Which draft; the newest if not given.")] = "",
) -> None:
    """Release an extracted draft as a version. It never changes again."""
    visibility = "public" if public else ""
    released = ui.hub.publish(name, version=version, license=license, visibility=visibility, draft_id=draft)
    ui.say(f"published {released['vector']}@{released['version']}")
    for warning in released.get("warnings", ()):
        ui.say(f"warning: {warning['message']}", style="yellow")
    shown = [("vector", f"{name}@{version}"), ("digest", released["digest"]), ("page", released.get("url"))]
    ui.result(released, tables.facts(shown))


def yank(
    ui: Ui,
    reference: Annotated[
        str, typer.Argument(metavar="OWNER/NAME@X.Y.Z", help="A released version of yours.")
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; everybody who pulls it reads this.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take the yank back.")] = False,
) -> None:
    """Warn everybody off a released version.

    It is no longer `latest`, and stays there for those who pinned it.
    """
    asked = parse_reference(reference)
    if not asked.owner or asked.digest or asked.selector == LATEST:
        raise ReferenceSyntaxError(f"{reference} does not say which version; give owner/name@1.0.0")
    if not undo and not reason.strip():
        raise typer.BadParameter("say why with --reason; everybody who pulls the version reads it")
    name = f"{asked.owner}/{asked.name}"
    if undo:
        version = ui.hub.unyank(name, version=asked.selector)
    else:
        version = ui.hub.yank(name, version=asked.selector, reason=reason)
    ui.say(f"{reference} is {version['state']}")
    ui.result(version)


def _with_version(found: Pulled) -> str:
    pinned = not found.version or found.reference.endswith(f"@{found.version}")
    return found.reference if pinned else f"{found.reference} ({found.version})"


def _pulled(found: Pulled) -> Json:
    vector = found.vector
    return {
        "reference": found.reference,
        "version": found.version,
        "digest": found.digest,
        "from_cache": found.from_cache,
        "warnings": list(found.warnings),
        "model": vector.model.name,
        "model_hash": vector.model.model_hash,
        "window": vector.window and list(vector.window),
    }
