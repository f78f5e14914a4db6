"""`bearing extract`, `run …` and `models list`: work that the registry does, followed until it ends."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from steering_core.client import tables
from steering_core.client.hub_work import TERMINAL_STATES, Extraction, RunUpdate
from steering_core.client.text import cell
from steering_core.client.ui import INTERRUPTED, Ui, command
from steering_core.errors import ClientError, FormatError
from steering_core.spec import SITES, Method, Pooling, Tier, parse_site

Json = dict[str, Any]
RunId = Annotated[str, typer.Argument(metavar="ID", help="The run's id.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    extract_examples = [
        "bearing extract acme/politeness --model bearing/demo --vector politeness",
        "bearing extract acme/politeness@2 --model bearing/demo --vector politeness --tier smoke --no-wait",
        "bearing extract acme/politeness --model bearing/demo --vector politeness --method whitened",
        "bearing extract acme/politeness --model bearing/demo --vector politeness \\",
        "    --publish 1.0.0 --license CC-BY-4.0 --public",
    ]
    command(app, "extract", examples=extract_examples)(extract)
    runs = typer.Typer(
        help="List, show, watch and cancel your runs, move vectors, and fetch what runs read.",
        rich_markup_mode=None,
        no_args_is_help=True,
    )
    command(runs, "list", examples=["bearing run list", "bearing run list --limit 5 --json"])(list_runs)
    command(
        runs, "migrate", examples=["bearing run migrate acme/kind@1.0.0 --model acme/two --vector kind-two"]
    )(migrate)
    command(runs, "show", examples=["bearing run show ID"])(show)
    command(runs, "watch", examples=["bearing run watch ID"])(watch)
    command(runs, "cancel", examples=["bearing run cancel ID"])(cancel)
    command(runs, "statistics", examples=["bearing run statistics ID --output statistics.safetensors"])(
        statistics
    )
    app.add_typer(runs, name="run")
    models = typer.Typer(help="Base models of the registry.", rich_markup_mode=None, no_args_is_help=True)
    command(models, "list", examples=["bearing models list", "bearing models list --json"])(list_models)
    app.add_typer(models, name="models")


def extract(
    ui: Ui,
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="OWNER/NAME[@N]", help="The dataset; its newest version if no number is given."
        ),
    ],
    model: Annotated[str, typer.Option(metavar="MODEL", help="A base model, by name or model hash.")],
    vector: Annotated[str, typer.Option(metavar="NAME", help="Your vector's name; made when it is new.")],
    tier: Annotated[Tier, typer.Option(help="How much is generated for the report.")] = "standard",
    method: Annotated[Method, typer.Option(help="How a direction is made of the pairs.")] = "mean_difference",
    site: Annotated[
        str,
        typer.Option(
            metavar="SITE",
            help=f"Where in a block: {', '.join(SITES)}; resid_post@2 for one of several residual streams.",
        ),
    ] = "resid_post",
    pooling: Annotated[Pooling, typer.Option(help="Which positions of a pair are read.")] = "auto",
    publish: Annotated[
        str, typer.Option(metavar="X.Y.Z", help="Publish the result at once under this version.")
    ] = "",
    license: Annotated[
        str, typer.Option(metavar="SPDX", help="Licence for --publish, such as CC-BY-4.0.")
    ] = "",
    public: Annotated[
        bool, typer.Option("--public", help="With --publish: show the vector to everybody.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only start it; watch it later.")] = False,
) -> None:
    """Extract a vector, wait for it, and show its report.

    Ctrl-C leaves the run going; `bearing run watch ID` comes back to it.
    """
    if bool(publish) != bool(license):
        raise typer.BadParameter("--publish and --license come together")
    if public and not publish:
        raise typer.BadParameter("--public says how to publish; give --publish and --license too")
    try:
        parse_site(site)
    except FormatError as error:
        raise typer.BadParameter(error.message, param_hint="--site") from error
    asked = Extraction(
        dataset=dataset,
        base_model=model,
        vector=vector,
        method=method,
        site=site,
        pooling=pooling,
        tier=tier,
        publish_version=publish,
        license=license,
        visibility="public" if public else "",
    )
    started(ui, ui.hub.extraction_start(asked), no_wait)


def migrate(
    ui: Ui,
    source: Annotated[
        str, typer.Argument(metavar="VERSION", help="owner/name, owner/name@1.0.0, or the id of a draft.")
    ],
    model: Annotated[str, typer.Option(metavar="MODEL", help="Another base model, by name or model hash.")],
    vector: Annotated[str, typer.Option(metavar="NAME", help="Your vector's name; made when it is new.")],
    tier: Annotated[Tier, typer.Option(help="How much is generated for the report.")] = "standard",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only start it; watch it later.")] = False,
) -> None:
    """Move a vector to another base model of the registry, wait for it, and show its report there.

    `bearing migrate` does the same on this machine.
    """
    run = ui.hub.migration_start(source, base_model=model, vector=vector, tier=tier)
    started(ui, run, no_wait)


def list_runs(
    ui: Ui, limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50
) -> None:
    """List your runs, newest first."""
    items = ui.hub.run_list(limit=limit)
    ui.result({"items": items}, tables.runs_table(items))


def show(ui: Ui, run_id: RunId) -> None:
    """Show a run as it is now."""
    run = ui.hub.run(run_id)
    ui.result(run, tables.run_card(run))


def watch(ui: Ui, run_id: RunId) -> None:
    """Follow a run until it ends, and show the report."""
    _follow(ui, run_id)


def cancel(ui: Ui, run_id: RunId) -> None:
    """Cancel a run: at once while it waits, at its next step while it works."""
    run = ui.hub.run_cancel(run_id)
    asked = run["state"] not in TERMINAL_STATES
    ui.say("cancelling at its next step" if asked else f"the run is {run['state']}")
    ui.result(run, tables.run_card(run))


def statistics(
    ui: Ui,
    run_id: RunId,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Write the file here.")],
) -> None:
    """Fetch the activations that a run kept, and verify them.

    steering_core.extraction makes directions of them without the model: other methods, pairs or blocks.
    """
    kept = ui.hub.run_statistics(run_id, output)
    shown = tables.facts(
        [
            ("run", run_id),
            ("digest", kept["digest"]),
            ("size", f"{kept['size_bytes']:,} bytes"),
            ("verified", "the bytes have the promised digest"),
            ("file", str(output)),
        ]
    )
    ui.result({"run": run_id, **kept, "output": str(output)}, shown)


def list_models(ui: Ui) -> None:
    """List the base models that the registry can extract on."""
    items = ui.hub.base_models()
    ui.result({"items": items}, tables.models_table(items))


def started(ui: Ui, run: Json, no_wait: bool) -> None:
    """Say that a run was started, and follow it unless that is not wanted."""
    ui.say(f"run {run['id']} {run['state']}: {run.get('url', '')}")
    if no_wait:
        ui.result({"run": run, "version": None}, tables.run_card(run))
    else:
        _follow(ui, str(run["id"]))


def _follow(ui: Ui, run_id: str) -> None:
    """Show progress until the run ends, then its report.

    Raises:
        ClientError: the run ended without a result; the code is the run's.
    """
    try:
        run = _last_state(ui, run_id)
    except KeyboardInterrupt:
        ui.say(f"the run goes on; come back to it with: bearing run watch {run_id}")
        ui.say(f"or stop it with: bearing run cancel {run_id}")
        raise typer.Exit(INTERRUPTED) from None
    if run["state"] != "succeeded":
        ui.partial["run"] = run
        error = run.get("error") or {}
        raise ClientError(
            str(error.get("message") or f"the run is {run['state']}"),
            code=str(error.get("code") or f"run.{run['state']}"),
        )
    version = ui.hub.version(str(run["version_id"]))
    ui.result({"run": run, "version": version}, tables.version_card(version))


def _last_state(ui: Ui, run_id: str) -> Json:
    run: Json = {}
    told: set[str] = set()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ui.err, disable=not ui.err.is_terminal) as progress:
        task = progress.add_task("queued", total=1.0)
        for update in ui.hub.run_wait(run_id):
            run = update.run
            _tell(ui, update, told)
            progress.update(task, completed=float(run["progress"]), description=_stage(update))
    return run


def _stage(update: RunUpdate) -> str:
    stage = cell(update.run.get("stage") or update.run["state"])
    again = f", attempt {update.run['attempt']}" if update.run["attempt"] > 1 else ""
    return stage + again


def _tell(ui: Ui, update: RunUpdate, told: set[str]) -> None:
    """Where there is no bar to move, a line for each thing that the run says for the first time."""
    for event in [] if ui.err.is_terminal else update.events:
        said = f"{event['stage']}: {event['message']}"
        if said not in told:
            told.add(said)
            ui.say(f"{event['progress']:5.0%}  {said}")
