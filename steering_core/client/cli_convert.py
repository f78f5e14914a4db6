"""`bearing convert`, `bearing inspect` and `bearing engines`: other engines' files, without a registry.

`conversion` reads and writes, `local_import` measures on a model, `convert_tables` shows. They load every
format, which takes a quarter of a second, so they are imported inside the commands.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steering_core.client import tables
from steering_core.client.local_files import check_model, check_outputs
from steering_core.client.local_tables import DEFAULT_STRENGTH
from steering_core.client.references import reference_of
from steering_core.client.ui import Ui, command, needs, read_file
from steering_core.formats.bearing import inspect_vector
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.formats.loose import LooseVector
from steering_core.vector import SteeringVector

if TYPE_CHECKING:
    from steering_core.client.conversion import Source
    from steering_core.formats.engines import Engine

Json = dict[str, Any]
Sidecar = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The file beside it. [default: a .json of the same name]"),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    convert_examples = [
        "bearing convert acme/formality@1.0.0 formality.gguf --to llama.cpp --strength 0.3",
        "bearing convert formality.safetensors formality.pt --to lm-eval",
        "bearing convert happy.gguf happy.svec --to svec",
        "bearing convert verbosity.f32 verbosity.gguf --to glp --sidecar verbosity.json",
        "bearing convert happy.gguf happy.safetensors --to bearing --model ./model",
    ]
    command(app, "convert", examples=convert_examples)(convert)
    inspect_examples = ["bearing inspect formality.safetensors", "bearing inspect happy.gguf --json"]
    command(app, "inspect", examples=inspect_examples)(inspect)
    command(app, "engines", examples=["bearing engines", "bearing engines --json"])(engines)


def convert(
    ui: Ui,
    source: Annotated[
        str, typer.Argument(metavar="IN", help="A file of any form that is read, or a reference to pull.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Where the file goes.")],
    to: Annotated[str, typer.Option(metavar="ENGINE", help="Whose form; see bearing engines.")],
    strength: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="Scale it so that multiplier 1 gives this strength. [default: as stored]"
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The model of another engine's file: measure its residual norms on it."
        ),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --model: neutral texts, one per line. [default: built in]"),
    ] = None,
    sidecar: Sidecar = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there already.")] = False,
) -> None:
    """Write a vector in another engine's form, and say what its numbers mean there.

    Without --strength the directions are written as they are stored. What the engine would take for something
    else (another site, another operation) is refused.

    A file of another engine knows no residual norm, so it has no strength until --model measures one.
    """
    engine = _engine(to, output)
    _check_usage(engine, strength, model, texts)
    check_outputs([output], force=force)
    from steering_core.client import conversion, convert_tables

    found = _source(ui, source, sidecar)
    loose = _on_model(ui, found.loose, model, texts) if model is not None else found.loose
    if strength is not None:
        _check_strength(loose)
        loose = conversion.at_strength(loose, strength)
    exported = engine.export(loose)
    written = conversion.write_exported(exported, output, force=force)
    result = {
        "source": {"form": found.engine.name, "from": found.named},
        "engine": engine.name,
        "title": engine.title,
        **written,
        "operation": loose.operation,
        "strength": strength,
        "multiplier": loose.multiplier,
        "advice": _advice(loose, strength),
        **conversion.conventions(engine),
        "directions": conversion.direction_rows(loose),
        "warnings": [*(f"of what was read: {said}" for said in loose.warnings), *exported.warnings],
        "usage": conversion.usage_of(exported, engine, output),
    }
    ui.result(result, convert_tables.converted_card(result), "", result["usage"])


def inspect(
    ui: Ui,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A vector file of any form that is read.")],
    sidecar: Sidecar = None,
) -> None:
    """Show what a vector file says about itself, and which engines it can be written for.

    Block indexes are shown 0-based, whatever the file's own convention. No registry and no torch is needed.
    """
    from steering_core.client import conversion, convert_tables

    found = conversion.read_source(file, sidecar)
    if found.loose.native is None:
        shown = conversion.described(found)
        ui.result(shown, convert_tables.loose_card(shown))
        return
    native = inspect_vector(read_file(file, most_bytes=MAX_FILE_BYTES))
    native["converts_to"] = conversion.conversions(found.loose)
    ui.result(native, tables.inspection_card(native), "", convert_tables.conversions_card(native))


def engines(ui: Ui) -> None:
    """Show the engines that a vector can be written for or read from, and what their numbers mean."""
    from steering_core.client import conversion, convert_tables

    rows = conversion.engine_rows()
    ui.result({"items": rows}, convert_tables.engines_table(rows))


def _engine(name: str, output: Path) -> "Engine":
    """Raises typer.BadParameter for no engine, or a name that its program would not take."""
    from steering_core.formats.engines import ENGINES

    if name not in ENGINES:
        raise typer.BadParameter(f"there is no engine {name[:40]!a}; choose one of {', '.join(ENGINES)}")
    engine = ENGINES[name]
    if output.suffix != engine.suffix:
        raise typer.BadParameter(
            f"a file for {engine.name} ends with {engine.suffix}, not {output.suffix or 'nothing'!r}; call "
            f"it {output.with_suffix(engine.suffix).name if output.name else 'FILE' + engine.suffix}"
        )
    return engine


def _check_usage(engine: "Engine", strength: float | None, model: Path | None, texts: Path | None) -> None:
    """Raises typer.BadParameter for options that do not go together; ModelError for no folder."""
    if strength is not None and not math.isfinite(strength):
        raise typer.BadParameter(f"--strength is {strength}; expected a finite number")
    if strength is not None and engine.name == "bearing":
        raise typer.BadParameter(
            "a native vector is stored as it is; its strength is chosen where it is used"
        )
    if texts is not None and model is None:
        raise typer.BadParameter("--texts needs --model, to read them with")
    if model is not None:
        check_model(model)


def _check_strength(loose: LooseVector) -> None:
    """Raises typer.BadParameter where nothing says what a strength comes to."""
    if loose.native is None and loose.operation == "add":
        raise typer.BadParameter(
            "a strength is a share of the model's residual norm, which this file does not say; measure it "
            "with --model FOLDER, or leave --strength out and choose a multiplier"
        )


def _source(ui: Ui, named: str, sidecar: Path | None) -> "Source":
    from steering_core.client import conversion

    if Path(named).is_file():
        return conversion.read_source(Path(named), sidecar)
    return conversion.native_source(ui.hub.pull_file(reference_of(named)).vector, named)


def _on_model(ui: Ui, loose: LooseVector, folder: Path, texts: Path | None) -> LooseVector:
    """The vector with the residual norms of a model in it; the file's own multiplier and warnings stay."""
    from dataclasses import replace

    from steering_core.formats.loose import loosen

    if loose.native is not None:
        raise typer.BadParameter("IN is a native vector and knows its model; leave --model out")
    with needs("torch transformers"):
        from steering_core.client.local_import import import_loose
    with ui.err.status(f"measuring residual norms on {folder.name}"):
        vector, n_texts = import_loose(loose, folder, texts)
    ui.say(f"residual norms of {vector.model.name} ({vector.model.model_hash}) over {n_texts} texts")
    ui.say("the pole that the directions point to is not known: try the sign before you rely on it", "yellow")
    return replace(loosen(vector), multiplier=loose.multiplier, notes=loose.notes, warnings=loose.warnings)


def _advice(loose: LooseVector, strength: float | None) -> str:
    """Which multiplier to use."""
    if loose.operation != "add":
        return f"{loose.multiplier:g} is asked for, as a share of the component; 1 is all of it"
    if strength is not None:
        return f"1 is strength {strength:+g}; twice as much is strength {2 * strength:+g}"
    if loose.native is None:
        return (
            f"{loose.multiplier:g} is what the file asks for; no residual norm is known, so no strength: "
            "--model FOLDER measures it"
        )
    factors = _multipliers(loose.native)
    low, high = min(factors), max(factors)
    if math.isclose(low, high, rel_tol=1e-3):
        said = f"{low:.4g} is strength {DEFAULT_STRENGTH:g}"
    else:
        said = (
            f"{low:.4g} to {high:.4g} is strength {DEFAULT_STRENGTH:g}, by direction; --strength evens it out"
        )
    asked = "1 is the direction as stored" if loose.multiplier == 1 else f"{loose.multiplier:g} is asked for"
    return f"{asked}; {said}{_window(loose.native)}"


def _multipliers(vector: SteeringVector) -> list[float]:
    return [vector.multiplier(DEFAULT_STRENGTH, key) for key in vector.directions]


def _window(vector: SteeringVector) -> str:
    if vector.window is None:
        return ""
    return "; the strengths {:+g} to {:+g} were found to work".format(*vector.window)
