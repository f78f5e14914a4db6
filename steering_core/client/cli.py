"""The `bearing` command: all commands in one tree. What they do stands in the cli_* modules."""

import io
import sys
from typing import Annotated

import typer

from steering_core.client import (
    cli_account,
    cli_aliases,
    cli_cache,
    cli_compose,
    cli_convert,
    cli_datasets,
    cli_diff,
    cli_evaluate,
    cli_import,
    cli_local,
    cli_locks,
    cli_models,
    cli_presets,
    cli_runs,
    cli_try,
    cli_vectors,
    cli_verify,
)
from steering_core.client.http import user_agent
from steering_core.client.ui import Globals

HELP = """Push contrastive pairs, extract steering vectors, publish, pull and try them.

The registry's address is BEARING_ENDPOINT (http://localhost:8000 if it is not set), the token is
BEARING_TOKEN or what `bearing login` kept, the cache is BEARING_HOME. BEARING_DOWNLOAD_MODE is auto,
prefer_offline or offline; with BEARING_OFFLINE=1 only the cache is asked.

Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 verification failed, 130 interrupted.
"""

app = typer.Typer(
    name="bearing",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(user_agent().split()[0].replace("/", " "))
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="The registry's address, instead of BEARING_ENDPOINT.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing but the cache.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Keep the options that stand before the command for the command."""
    context.obj = Globals(endpoint=endpoint, offline=True if offline else None)


for module in (
    *(cli_account, cli_datasets, cli_runs, cli_import, cli_vectors, cli_aliases, cli_presets),
    *(cli_diff, cli_locks, cli_cache, cli_verify),
    *(cli_convert, cli_local, cli_models, cli_evaluate, cli_compose, cli_try),
):
    module.add_to(app)


def main() -> None:
    """Run the command line; the process ends with the command's exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a sign gets a replacement, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app(prog_name="bearing")
