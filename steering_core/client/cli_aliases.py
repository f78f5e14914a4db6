"""`bearing alias …` and `bearing deprecate`: names for versions that move, and advice against a version."""

from typing import Annotated

import typer

from steering_core.client.tables import facts, listing
from steering_core.client.text import day
from steering_core.client.ui import Ui, command

Name = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="A vector.")]
Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="Such as stable.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    group = typer.Typer(
        help="List, set and delete aliases: names for versions that move.",
        rich_markup_mode=None,
        no_args_is_help=True,
    )
    command(group, "list", examples=["bearing alias list acme/formality"])(list_aliases)
    set_examples = [
        "bearing alias set acme/formality stable 1.2.0",
        "bearing alias set acme/formality prod 1.2.0 --protect",
    ]
    command(group, "set", examples=set_examples)(set_alias)
    command(group, "delete", examples=["bearing alias delete acme/formality stable"])(delete)
    command(group, "history", examples=["bearing alias history acme/formality prod"])(history)
    app.add_typer(group, name="alias")
    deprecate_examples = [
        "bearing deprecate acme/formality@1.0.0 --reason 'measured anew' --replacement acme/formality@2.0.0",
        "bearing deprecate acme/formality@1.0.0 --undo",
    ]
    command(app, "deprecate", examples=deprecate_examples)(deprecate)


def list_aliases(ui: Ui, name: Name) -> None:
    """List the aliases of a vector."""
    items = ui.hub.aliases(name)
    rows = [
        [
            row["name"],
            row.get("version"),
            "protected" if row.get("is_protected") else "",
            day(row.get("updated_at")),
        ]
        for row in items
    ]
    shown = listing(["alias", "version", "", "since"], rows, empty=f"{name} has no aliases")
    ui.result({"items": items}, shown)


def set_alias(
    ui: Ui,
    name: Name,
    alias: Alias,
    version: Annotated[str, typer.Argument(metavar="X.Y.Z", help="What it means from now on.")],
    protect: Annotated[
        bool | None,
        typer.Option(
            "--protect/--unprotect", help="Whether only admins may move it; left as it is if not given."
        ),
    ] = None,
) -> None:
    """Let an alias mean a version. A new one is made; one that is there moves."""
    done = ui.hub.alias_set(name, alias, version=version, protect=protect)
    ui.say(f"{name}@{alias} is {version}")
    ui.result(done)


def delete(ui: Ui, name: Name, alias: Alias) -> None:
    """Delete an alias. Its history stays."""
    ui.hub.alias_delete(name, alias)
    ui.say(f"{name}@{alias} is deleted")
    ui.result({"deleted": f"{name}@{alias}"})


def history(ui: Ui, name: Name, alias: Alias) -> None:
    """Show what an alias meant, newest first."""
    items = ui.hub.alias_history(name, alias)
    rows = [
        [day(row["at"]), row.get("before") or "–", row.get("after") or "deleted", row.get("actor")]
        for row in items
    ]
    ui.result({"items": items}, listing(["when", "before", "after", "by"], rows, empty="nothing happened"))


def deprecate(
    ui: Ui,
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="A vector of yours, or one version: owner/name@1.0.0.")
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; everybody who pulls it reads this.")] = "",
    replacement: Annotated[str, typer.Option(metavar="REF", help="What to use instead.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
) -> None:
    """Advise against a vector or a version. It resolves as before, with a warning."""
    if undo:
        done = ui.hub.undeprecate(reference)
    elif not reason.strip():
        raise typer.BadParameter("say why with --reason; everybody who pulls it reads this")
    else:
        done = ui.hub.deprecate(reference, reason=reason, replacement=replacement)
    ui.say(f"{reference} is {'as before' if undo else 'deprecated'}")
    ui.result(done, facts([("reason", reason), ("instead", replacement)]))
