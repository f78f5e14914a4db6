"""`bearing try`: replies of a model with and without a vector, side by side; the one command with torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from steering_core.client.local_files import check_model
from steering_core.client.pulling import Pulled
from steering_core.client.text import clean
from steering_core.client.ui import Ui, command, needs

Json = dict[str, Any]
DEFAULT_STRENGTH = 0.3


def add_to(app: typer.Typer) -> None:
    """Add this command to the tree."""
    examples = [
        "bearing try acme/formality@1.0.0 --model ./weights --prompt 'how do i upgrade the large password ?'",
        "bearing try acme/formality --model ./weights --prompt 'hello' --strength -0.3 --strength 0.3",
    ]
    command(app, "try", examples=examples)(try_vector)


def try_vector(
    ui: Ui,
    reference: Annotated[str, typer.Argument(metavar="REF", help="The vector; see bearing pull --help.")],
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
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same replies.")] = 0,
    max_new_tokens: Annotated[int, typer.Option(min=1, max=4096, help="The longest reply.")] = 72,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest word.")] = 0.8,
) -> None:
    """Generate with and without a vector and show both, side by side.

    The model must be the very base model revision that the vector was made for; its hash is compared.
    """
    strengths = strength or [DEFAULT_STRENGTH]
    found = ui.hub.pull_file(reference)
    write = _writer(ui, found, model, seed=seed, max_new_tokens=max_new_tokens, temperature=temperature)
    before = write(prompt, 0.0)
    after = {value: write(prompt, value) for value in strengths}
    samples = [
        {"prompt": text, "strength": value, "before": before[row], "after": after[value][row]}
        for row, text in enumerate(prompt)
        for value in strengths
    ]
    data = {
        "reference": found.reference,
        "digest": found.digest,
        "model": found.vector.model.name,
        "model_hash": found.vector.model.model_hash,
        "seed": seed,
        "samples": samples,
    }
    ui.result(data, _side_by_side(prompt, before, after))


def _writer(
    ui: Ui, found: Pulled, folder: Path, *, seed: int, max_new_tokens: int, temperature: float
) -> Callable[[list[str], float], list[str]]:
    """(prompts, strength) -> replies of the model in the folder, if it is the vector's.

    Raises:
        ModelError: torch is not installed, or the folder is no model.
        ModelMismatchError: it is another model.
    """
    check_model(folder)
    with needs("torch transformers"):
        from steering_core.injection.generate import generate
        from steering_core.injection.hooks import steer
        from steering_core.models.load import load_model
    wanted = found.vector.model
    with ui.err.status(f"loading {wanted.name}"):
        lm = load_model(folder, expected_hash=wanted.model_hash, name=wanted.name)

    def write(prompts: list[str], strength: float) -> list[str]:
        with ui.err.status(f"generating at strength {strength:g}"), steer(lm, [(found.vector, strength)]):
            return generate(lm, prompts, seed=seed, max_new_tokens=max_new_tokens, temperature=temperature)

    return write


def _side_by_side(prompts: list[str], before: list[str], after: dict[float, list[str]]) -> RenderableType:
    parts: list[RenderableType] = []
    for row, prompt in enumerate(prompts):
        table = Table(show_lines=False, expand=True)
        table.add_column("without the vector", ratio=1, overflow="fold")
        for strength in after:
            table.add_column(f"at {strength:+g}", ratio=1, overflow="fold")
        table.add_row(Text(clean(before[row])), *(Text(clean(replies[row])) for replies in after.values()))
        parts += [Text.assemble(("prompt  ", "dim"), clean(prompt)), table]
    return Group(*parts)
