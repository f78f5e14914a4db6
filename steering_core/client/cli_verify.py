"""`bearing verify` and `bearing certify`: is a file what was promised, and does an engine apply it rightly?

`engines` runs an engine; docs/conformance.md says what a certificate holds.
"""

import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steering_core.client import tables, verify_tables
from steering_core.client.local_files import check_model, check_outputs, write_file
from steering_core.client.references import reference_of
from steering_core.client.ui import NOT_VERIFIED, Ui, command, needs, read_file
from steering_core.errors import DigestMismatchError, FormatError
from steering_core.formats.bearing import read_vector
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.formats.manifest import manifest_from_vector
from steering_core.spec import digest, digest_hex
from steering_core.vector import SteeringVector

if TYPE_CHECKING:  # what only some of the ways to call them need is imported inside the commands
    from steering_core.client.engines.adapters import Adapter
    from steering_core.formats.conformance import Certificate

Json = dict[str, Any]
Seconds = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long it may take.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    verify_examples = [
        "bearing verify acme/formality@1.0.0",
        "bearing verify formality.safetensors --digest sha256:…",
        "bearing verify acme/formality@1.0.0 --engine llama.cpp --model model.gguf --python venv/bin/python",
        "bearing verify formality.safetensors --engine repeng --model ./model --certificate formality.json",
        "bearing verify --engines --python venv/bin/python",
    ]
    command(app, "verify", examples=verify_examples)(verify)
    certify_examples = ["bearing certify formality.safetensors --model ./model --output formality.json"]
    command(app, "certify", examples=certify_examples)(certify)


@dataclass(frozen=True, slots=True)
class Found:
    """A valid vector file; `source` says in JSON where it is from."""

    target: str
    source: Json
    digest: str
    was_promised: bool
    vector: SteeringVector


def verify(
    ui: Ui,
    target: Annotated[
        str, typer.Argument(metavar="FILE|REF", help="A vector file, or a reference to pull.")
    ] = "",
    expected: Annotated[
        str, typer.Option("--digest", metavar="sha256:…", help="The digest that it must have.")
    ] = "",
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="Also run this engine, and see how it applies the vector.")
    ] = "",
    model: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="As the engine loads it: a folder, or a GGUF file."),
    ] = None,
    python: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The Python that has the engine; else this one."),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the engine must answer; else the registry's, of a REF."),
    ] = None,
    timeout: Seconds = 900.0,
    engines: Annotated[bool, typer.Option("--engines", help="Only show which engines can be run.")] = False,
) -> None:
    """Check a vector file and its digest; with --engine also that the engine applies it at the right block,
    site and sign.

    The engine answers a few fixed token ids with and without the vector. Its logits are compared with the
    version's certificate, and so with what common faults give: another block, site or sign. Exit code 5 means
    that it does not conform.
    """
    at = _interpreter(python)
    if engines:
        _show_engines(ui, at)
        return
    if not target:
        raise typer.BadParameter("name a vector file or a reference, or give --engines")
    if not engine and (model or certificate):
        raise typer.BadParameter("--model and --certificate go with --engine NAME")
    if engine and model is None:
        raise typer.BadParameter(f"--engine {engine} needs --model PATH, the model as the engine loads it")
    if expected:
        digest_hex(expected)
    found = _found(ui, target, expected)
    if engine:
        assert model is not None
        _verify_engine(ui, found, engine, model, at, certificate, timeout)
        return
    result = {
        **found.source,
        "verified": True,
        "digest": found.digest,
        "digest_was_promised": found.was_promised,
        "model": manifest_from_vector(found.vector)["model"],
    }
    note = "valid, and as promised" if found.was_promised else "valid; no digest was given to compare with"
    ui.result(result, tables.facts([("vector", target), ("digest", found.digest), ("file", note)]))


def certify(
    ui: Ui,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A vector file.")],
    model: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Its base model, in the Hugging Face layout.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the certificate goes.")
    ],
    strength: Annotated[
        list[float] | None,
        typer.Option(metavar="NUMBER", help="May be given up to 4 times. [default: ±0.3, or ±1 but for add]"),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the probes; else the vector's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")] = False,
) -> None:
    """Measure what any engine must answer with a vector, for `bearing verify --engine`."""
    from steering_core.formats.conformance import write_certificate

    check_outputs([output], force=force)
    vector = read_vector(read_file(file, most_bytes=MAX_FILE_BYTES))
    certificate = _certified(ui, vector, model, strength, seed)
    data = write_certificate(certificate)
    write_file(output, data)
    result: Json = {
        "certificate": str(output),
        "digest": digest(data),
        "size_bytes": len(data),
        "tensor_digest": certificate.tensor_digest,
        "model_hash": certificate.model_hash,
        "strengths": list(certificate.strengths),
        "decoys": [decoy.name for decoy in certificate.decoys],
        "same": list(certificate.same),
    }
    shown = tables.facts(
        [
            ("certificate", f"{output}, {len(data):,} bytes"),
            ("digest", result["digest"]),
            ("tells apart", ", ".join(result["decoys"])),
            ("does the same", ", ".join(result["same"])),
        ]
    )
    ui.result(result, shown)


def _found(ui: Ui, target: str, expected: str) -> Found:
    """A vector file that has the promised digest.

    Raises:
        DigestMismatchError: it has another.
        FormatError: it is no vector file.
    """
    if Path(target).is_file():
        data = read_file(Path(target), most_bytes=MAX_FILE_BYTES)
        promised, source = expected, {"file": target}
    else:
        pulled = ui.hub.pull_file(reference_of(target))
        data, promised = pulled.data, expected or pulled.digest
        source = {"reference": pulled.reference, "version": pulled.version}
    named = digest(data)
    if promised and named != promised:
        raise DigestMismatchError(f"{target} is {named}, not {promised}; do not use it")
    return Found(target, source, named, bool(promised), read_vector(data))


def _verify_engine(
    ui: Ui, found: Found, name: str, model: Path, python: Path, file: Path | None, timeout_seconds: float
) -> None:
    from steering_core.client.engines.adapters import adapter_named
    from steering_core.client.engines.running import run_engine
    from steering_core.formats.conformance_finding import compare
    from steering_core.formats.loose import loosen

    adapter = adapter_named(name)
    certificate = _certificate(ui, found, file)
    exported = [adapter.export(loosen(found.vector, strength)) for strength in certificate.strengths]
    for warning in exported[0].warnings:
        ui.say(f"warning: {warning}", "yellow")
    files = [adapter.files(each, f"vector{i}") for i, each in enumerate(exported)]
    with ui.err.status(f"running {name}"):
        answer = run_engine(
            adapter, certificate, files, model, python=python, timeout_seconds=timeout_seconds
        )
    finding = compare(certificate, answer.observed)
    sentence = f"{name} {answer.versions.get(adapter.packages[0], '')} {finding.reason}"
    result = {
        **found.source,
        "digest": found.digest,
        "engine": name,
        "versions": answer.versions,
        "conforms": finding.conforms,
        "sentence": sentence,
        **asdict(finding),
    }
    ui.result(result, sentence, "", verify_tables.likenesses_table(finding, certificate))
    if not finding.conforms:
        raise typer.Exit(NOT_VERIFIED)


def _certificate(ui: Ui, found: Found, file: Path | None) -> "Certificate":
    """The one that was given, else the registry's; about this very vector.

    Raises:
        FormatError: `conformance.other_vector`, or it is no certificate.
    """
    from steering_core.formats.conformance import MAX_BYTES, read_certificate

    if file is None and "file" in found.source:
        raise typer.BadParameter(
            "a file needs --certificate FILE; bearing certify makes one, or give a reference to a version"
        )
    if file is not None:
        certificate = read_certificate(read_file(file, most_bytes=MAX_BYTES))
    else:
        certificate = read_certificate(ui.hub.conformance(found.target))
    vector = found.vector
    expected = (vector.tensor_digest, vector.model.model_hash, vector.operation)
    if (certificate.tensor_digest, certificate.model_hash, certificate.operation) != expected:
        raise FormatError(
            f"the certificate is about {certificate.tensor_digest} on {certificate.model}, and "
            f"{found.target} holds {vector.tensor_digest} on {vector.model.name}; take that of its version",
            code="conformance.other_vector",
        )
    return certificate


def _certified(
    ui: Ui, vector: SteeringVector, folder: Path, strengths: list[float] | None, seed: int | None
) -> "Certificate":
    """Raises ModelError if torch is not installed, ModelMismatchError for another model."""
    check_model(folder)
    with needs("torch transformers"):
        from steering_core.evaluation import conformance
        from steering_core.models.load import load_model
    wanted = vector.model
    with ui.err.status(f"running {wanted.name}"):
        lm = load_model(folder, expected_hash=wanted.model_hash, name=wanted.name)
        return conformance.certify(lm, vector, strengths=strengths, seed=seed)


def _show_engines(ui: Ui, python: Path) -> None:
    from steering_core.client.engines.adapters import ADAPTERS
    from steering_core.client.engines.running import installed

    names = {package for adapter in ADAPTERS.values() for package in adapter.packages}
    found = installed(python, sorted(names))
    rows = [_engine_row(adapter, found) for adapter in ADAPTERS.values()]
    ui.result({"python": str(python), "items": rows}, verify_tables.engines_table(rows))


def _engine_row(adapter: "Adapter", found: dict[str, str]) -> Json:
    return {
        "engine": adapter.name,
        "is_installed": all(package in found for package in adapter.packages),
        "versions": {package: found[package] for package in adapter.packages if package in found},
        "model": adapter.model,
        "install": adapter.install,
    }


def _interpreter(python: Path | None) -> Path:
    """An absolute path, but no link resolved: a virtual environment is known by where its link stands."""
    if python is None:
        return Path(sys.executable)
    return Path(shutil.which(python) or python).absolute()
