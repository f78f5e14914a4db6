"""`bearing try`: replies of a model with and without a vector or a preset, side by side; needs torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from steering_core.client.local_files import check_model
from steering_core.client.references import parse_any
from steering_core.client.text import clean
from steering_core.client.ui import Ui, command, needs
from steering_core.spec import ModelIdentity
from steering_core.vector import SteeringVector

Json = dict[str, Any]
Mix = Sequence[tuple[SteeringVector, float]]
DEFAULT_STRENGTH = 0.3


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are drawn."""

    seed: int
    max_new_tokens: int
    temperature: float


@dataclass(frozen=True, slots=True)
class Tried:
    """What is tried: mixes of vectors for one model, by what they are called; `strengths` for the JSON."""

    reference: str
    digest: str
    mixes: dict[str, Mix]
    strengths: tuple[Any, ...]

    @property
    def model(self) -> ModelIdentity:
        """The base model revision of all vectors."""
        first = next(iter(self.mixes.values()))
        return first[0][0].model


def add_to(app: typer.Typer) -> None:
    """Add this command to the tree."""
    examples = [
        "bearing try acme/formality@1.0.0 --model ./weights --prompt 'how do i upgrade the large password ?'",
        "bearing try acme/formality --model ./weights --prompt 'hello' --strength -0.3 --strength 0.3",
        "bearing try preset:acme/helpful --model ./weights --prompt 'hello' --slider Warmth=0.2",
    ]
    command(app, "try", examples=examples)(try_vector)


def try_vector(
    ui: Ui,
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="A vector, or a preset with preset: before it.")
    ],
    model: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The base model, in the Hugging Face layout.")
    ],
    prompt: Annotated[
        list[str], typer.Option(metavar="TEXT", help="What to ask; may be given several times.")
    ],
    strength: Annotated[
        list[float] | None,
        typer.Option(
            metavar="NUMBER",
            help="Share of the mean residual norm; may be given several times. [default: 0.3]",
        ),
    ] = None,
    slider: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=NUMBER", help="Move a preset's slider; may be given several times."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same replies.")] = 0,
    max_new_tokens: Annotated[int, typer.Option(min=1, max=4096, help="The longest reply.")] = 72,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest word.")] = 0.8,
) -> None:
    """Generate with and without a vector, or a preset, and show both, side by side.

    The model must be the very base model revision that the vector was made for; its hash is compared.
    """
    if parse_any(reference).kind == "preset":
        if strength:
            raise typer.BadParameter("a preset has its own strengths; move them with --slider LABEL=NUMBER")
        tried = _preset(ui, reference, sliders_of(slider or []))
    elif slider:
        raise typer.BadParameter("a vector has no sliders; give --strength")
    else:
        tried = _vector(ui, reference, strength or [DEFAULT_STRENGTH])
    write = _writer(ui, tried.model, model, Sampling(seed, max_new_tokens, temperature))
    first = next(iter(tried.mixes.values()))
    before = write(prompt, "without steering", [(vector, 0.0) for vector, _ in first])
    after = {name: write(prompt, name, mix) for name, mix in tried.mixes.items()}
    samples = [
        {"prompt": text, "strength": value, "before": before[row], "after": replies[row]}
        for row, text in enumerate(prompt)
        for value, replies in zip(tried.strengths, after.values(), strict=True)
    ]
    data = {
        "reference": tried.reference,
        "digest": tried.digest,
        "model": tried.model.name,
        "model_hash": tried.model.model_hash,
        "seed": seed,
        "samples": samples,
    }
    ui.result(data, _side_by_side(prompt, before, after))


def sliders_of(texts: Sequence[str]) -> dict[str, float]:
    """`Warmth=0.2` as a label and where its slider is put.

    Raises:
        BadParameter: it is not of that form.
    """
    found = {}
    for text in texts:
        label, _, value = text.rpartition("=")
        try:
            found[label] = float(value)
        except ValueError:
            raise typer.BadParameter(f"{text[:80]!a} moves no slider; expected LABEL=NUMBER") from None
    return found


def _vector(ui: Ui, reference: str, strengths: Sequence[float]) -> Tried:
    found = ui.hub.pull_file(reference)
    mixes: dict[str, Mix] = {f"at {value:+g}": [(found.vector, value)] for value in strengths}
    return Tried(found.reference, found.digest, mixes, tuple(dict.fromkeys(strengths)))


def _preset(ui: Ui, reference: str, sliders: Mapping[str, float]) -> Tried:
    found = ui.hub.pull_preset(reference)
    mix = found.mix(sliders)
    labels = [member.label for member in found.preset.members]
    applied = {label: strength for label, (_, strength) in zip(labels, mix, strict=True)}
    name = ", ".join(f"{label} {strength:+.3g}" for label, strength in applied.items())
    return Tried(found.reference, found.digest, {f"with {name}": mix}, (applied,))


def _writer(
    ui: Ui, wanted: ModelIdentity, folder: Path, sampling: Sampling
) -> Callable[[list[str], str, Mix], list[str]]:
    """(prompts, what is done, mix) -> replies of the model in the folder, if it is the one that is wanted.

    Raises:
        ModelError: torch is not installed, or the folder is no model.
        ModelMismatchError: it is another model.
    """
    check_model(folder)
    with needs("torch transformers"):
        from steering_core.injection.generate import generate
        from steering_core.injection.hooks import steer
        from steering_core.models.load import load_model
    with ui.err.status(f"loading {wanted.name}"):
        lm = load_model(folder, expected_hash=wanted.model_hash, name=wanted.name)

    def write(prompts: list[str], name: str, mix: Mix) -> list[str]:
        with ui.err.status(f"generating {name}"), steer(lm, mix):
            return generate(
                lm,
                prompts,
                seed=sampling.seed,
                max_new_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
            )

    return write


def _side_by_side(prompts: list[str], before: list[str], after: dict[str, list[str]]) -> RenderableType:
    parts: list[RenderableType] = []
    for row, prompt in enumerate(prompts):
        table = Table(show_lines=False, expand=True)
        table.add_column("without steering", ratio=1, overflow="fold")
        for name in after:
            table.add_column(clean(name), ratio=1, overflow="fold")
        table.add_row(Text(clean(before[row])), *(Text(clean(replies[row])) for replies in after.values()))
        parts += [Text.assemble(("prompt  ", "dim"), clean(prompt)), table]
    return Group(*parts)
