"""`bearing compose`: what vectors of one model do together, how many it carries, and strengths for a wish.

`evaluation.composition` measures; docs/composition.md says what the numbers mean. It needs torch, so that is
imported inside the command.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from steering_core.client.local_files import (
    check_model,
    check_outputs,
    dataset_of,
    read_background,
    write_file,
)
from steering_core.client.references import parse_reference, reference_of
from steering_core.client.tables import facts, listing
from steering_core.client.ui import Ui, command, needs, read_file
from steering_core.formats.bearing import read_vector
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.pairs.limits import DEFAULT_LIMITS
from steering_core.pairs.readers import read_pairs
from steering_core.spec import digest
from steering_core.vector import SteeringVector

if TYPE_CHECKING:
    from steering_core.evaluation.composition.bench import Member
    from steering_core.evaluation.composition.record import Composition, Curve, Estimate, Solution
    from steering_core.models.load import LanguageModel


def add_to(app: typer.Typer) -> None:
    """Add this command to the tree."""
    examples = [
        "bearing compose warm.safetensors formal.safetensors --model ./model \\",
        "    --pairs warm.jsonl --pairs formal.jsonl -o mix.json",
        "bearing compose acme/warm@1.0.0 acme/formal@1.2.0 --model ./model \\",
        "    --pairs warm.jsonl --pairs formal.jsonl --want warm=0.2,formal=0.1 -o mix.json",
    ]
    command(app, "compose", examples=examples)(compose)


def compose(
    ui: Ui,
    vectors: Annotated[
        list[str], typer.Argument(metavar="FILE|REF...", help="Two to twelve vectors of one model.")
    ],
    model: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Their base model, in the Hugging Face layout.")
    ],
    pairs: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE", help="Pairs with prompts that show a vector's trait, one file for each."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the result goes.")],
    want: Annotated[
        str,
        typer.Option(
            metavar="NAME=CHANGE,...",
            help="Find strengths for these changes, in nats per token of an answer.",
        ),
    ] = "",
    strength: Annotated[
        float | None,
        typer.Option(metavar="S", help="Measure all at ±S. [default: 0.3, or what a window allows]"),
    ] = None,
    items: Annotated[int, typer.Option(min=8, metavar="N", help="Pairs of each file, at most.")] = 48,
    texts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Neutral texts, one per line. [default: built in]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same numbers.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")] = False,
) -> None:
    """Measure vectors of one model together: who disturbs whom, and how many of them the model carries.

    A trait is how much likelier the positive answers of its pairs are than the negative ones. Of each file
    the test split is used, which an extraction from the same file has not seen. --want also finds the
    strengths for changes of some traits that disturb the others least, and measures what they do.
    """
    check_outputs([output], force=force)
    check_model(model)
    if len(pairs) != len(vectors):
        raise typer.BadParameter(f"{len(vectors)} vectors and {len(pairs)} times --pairs; give one file each")
    found = {name: vector for name, vector in (_vector(ui, named) for named in vectors)}
    if len(found) != len(vectors):
        raise typer.BadParameter("two vectors have one name; rename a file")
    wanted = _wanted(want, list(found))
    with needs("torch transformers scikit-learn"):
        from steering_core.evaluation.composition.bench import Effort, Material
        from steering_core.evaluation.composition.compose import compose as measure
        from steering_core.evaluation.composition.record import write_composition
        from steering_core.models.load import load_model
    first = next(iter(found.values())).model
    with ui.err.status(f"loading {first.name}") as status:
        lm = load_model(model, expected_hash=first.model_hash, name=first.name)
        members = [
            _member(lm, name, vector, file, strength, items)
            for (name, vector), file in zip(found.items(), pairs, strict=True)
        ]
        composition = measure(
            lm,
            members,
            Material(texts=_texts(lm, texts)),
            Effort(seed=seed),
            wanted=wanted,
            progress=lambda fraction, said: status.update(f"{said}: {fraction:.0%}"),
        )
    data = write_composition(composition)
    write_file(output, data)
    named = digest(data)
    written = facts([("written", str(output)), ("digest", named)])
    ui.result(
        {"file": str(output), "digest": named, **composition.to_json()}, _shown(composition), "", written
    )


def _vector(ui: Ui, named: str) -> tuple[str, SteeringVector]:
    """A short name, and the vector of a file or a reference."""
    if Path(named).is_file():
        return Path(named).stem, read_vector(read_file(Path(named), most_bytes=MAX_FILE_BYTES))
    pulled = ui.hub.pull_file(reference_of(named))
    return parse_reference(named).name or named, pulled.vector


def _wanted(text: str, names: Sequence[str]) -> dict[str, float]:
    """`warm=0.2,formal=0.1`. Raises typer.BadParameter if it is not of that form."""
    wanted = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            wanted[name.strip()] = float(value)
        except ValueError as error:
            raise typer.BadParameter(f"--want is NAME=CHANGE,..., and {part[:40]!a} is not") from error
        if name.strip() not in names or not math.isfinite(wanted[name.strip()]):
            raise typer.BadParameter(
                f"--want {part[:40]!a}: expected a finite number for one of {', '.join(names)}"
            )
    return wanted


def _member(
    lm: "LanguageModel", name: str, vector: SteeringVector, file: Path, strength: float | None, most: int
) -> "Member":
    """A vector with the test pairs of a file.

    Raises:
        EvaluationError: `evaluation.members`: no pair with a prompt fits into the model.
    """
    from steering_core.evaluation.composition.members import member_of_pairs

    data = read_file(file, most_bytes=DEFAULT_LIMITS.max_bytes)
    dataset = dataset_of(read_pairs(data, filename=file.name))
    rows = dataset.splits.test or dataset.splits.train
    tested = [dataset.pairs[i] for i in rows if dataset.pairs[i].prompt]
    return member_of_pairs(lm, name, vector, tested, strength=strength, most=most)


def _texts(lm: "LanguageModel", file: Path | None) -> tuple[tuple[int, ...], ...]:
    from steering_core.client.local_import import neutral_pairs
    from steering_core.models.tokens import encode_prompt

    texts = neutral_pairs() if file is None else read_background(file)
    rows = (tuple(encode_prompt(lm, text.positive)) for text in texts)
    return tuple(row for row in rows if len(row) <= lm.max_positions)


def _shown(found: "Composition") -> RenderableType:
    parts: list[RenderableType] = [
        "Change of a trait (column) as a vector (row) goes from minus to plus its strength:",
        _matrix(found),
        Text(),
        "Least share of its effect that a vector keeps as more are on:",
        listing(
            ("vectors", "kept", "at least", "coherence", "nats"), _curve_rows(found.curves[0]), empty="-"
        ),
        Text(),
        _carried(found.curves[0], found.curves[-1]),
    ]
    if found.solution is not None:
        parts += [Text(), *_solution(found.names, found.solution)]
    return Group(*parts)


def _matrix(found: "Composition") -> RenderableType:
    rows = [
        (f"{member.name} at ±{member.strength:g}", *map(_number, row))
        for member, row in zip(found.members, found.effects, strict=True)
    ]
    return listing(("", *found.names), rows, empty="-")


def _curve_rows(curve: "Curve") -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    before: set[str] = set()
    for point in curve.points:
        lows = [-math.inf if kept is None or kept.low is None else kept.low for kept in point.retention]
        added = ", ".join(name for name in point.members if name not in before)
        before |= set(point.members)
        nats = "–" if point.nats is None else f"{point.nats:.2f}"
        rows.append(
            (
                f"{len(before)}: + {added}",
                _share(point.least),
                _share(min(lows)),
                f"{point.coherence.value:.2f}",
                nats,
            )
        )
    return rows


def _carried(greedy: "Curve", worst: "Curve") -> str:
    def said(curve: "Curve") -> str:
        note = (
            ""
            if curve.max_axes == curve.max_axes_shown
            else f", {curve.max_axes_shown} shown by the intervals"
        )
        return f"{curve.max_axes}{note}"

    return f"Carried at once: {said(greedy)} in the best order, {said(worst)} in the worst that was tried."


def _solution(names: Sequence[str], found: "Solution") -> list[RenderableType]:
    rows = [
        (name, _wish(found.wanted, name), f"{strength:+.3f}", f"{predicted:+.3f}", *map(_number, measured))
        for name, strength, predicted, *measured in zip(
            names, found.strengths, found.predicted, found.measured, found.alone, strict=True
        )
    ]
    said: list[RenderableType] = [
        listing(("vector", "wanted", "strength", "predicted", "measured", "alone"), rows, empty="-")
    ]
    if found.missing:
        held = [f"{name} is at the end of its window" for name in found.at_window]
        held += ["the coherence budget is used up"] if found.at_budget else []
        short = ", ".join(f"{name} {gap:+.3f}" for name, gap in found.missing.items())
        said.append(Text(f"Not all can be had. Missing: {short}. {'; '.join(held)}", style="yellow"))
    return said


def _wish(wanted: Mapping[str, float], name: str) -> str:
    return f"{wanted[name]:+.3f}" if name in wanted else "unchanged"


def _number(estimate: "Estimate") -> str:
    if estimate.low is None:
        return f"{estimate.value:+.3f}"
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"


def _share(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "none"
