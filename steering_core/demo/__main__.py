"""`python -m steering_core.demo`: trains the demo model or a variant, or writes the example datasets."""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from steering_core.demo.examples import write_examples
from steering_core.demo.paths import weights_path
from steering_core.errors import SteeringError

_DESCRIPTION = """\
train     trains the demo model from scratch on one thread (about four minutes on a free core), writes it to
          --out and prints its measured quality beside the shipped model's;
          with --moe a model with experts (Qwen3-MoE, about as long),
          with --continue-from FOLDER that model a little further: what an update of a base model is
examples  writes the example datasets, one JSONL file per axis, to --out
"""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m steering_core.demo",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command", nargs="?", choices=("train", "examples"), default="train", help="default: train"
    )
    parser.add_argument("--out", type=Path, help="folder (default: .bearing/demo-model, or examples)")
    parser.add_argument(
        "--seed", type=int, help="of weights and corpus (default: 0; another with --continue-from)"
    )
    parser.add_argument(
        "--steps", type=int, help="30 gives a smoke model (default: 600; 60 with --continue-from)"
    )
    parser.add_argument("--moe", action="store_true", help="8 experts, 2 of them per token")
    parser.add_argument(
        "--continue-from", type=Path, metavar="FOLDER", help="train this demo model further, at a small rate"
    )
    parser.add_argument(
        "--prompts", type=int, default=96, help="replies per line of the quality table (default: 96)"
    )
    parser.add_argument("--install", action="store_true", help="then replace the shipped model by this one")
    arguments = parser.parse_args(argv)
    for name in ("steps", "prompts"):
        if (given := getattr(arguments, name)) is not None and given < 1:
            parser.error(f"--{name} is {given}; expected one or more")
    if arguments.moe and arguments.continue_from:
        parser.error("a model that is trained further keeps its architecture; leave --moe out")
    return arguments


def _shipped_quality() -> dict[str, float]:
    """What was measured when the shipped model was trained; nothing where no model is shipped."""
    path = weights_path() / "training.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))["quality"]) if path.exists() else {}


def install(folder: Path, target: Path) -> None:
    """Replaces the model in `target` by the one in `folder`; nothing to do where they are the same."""
    if folder.resolve() != target.resolve():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)


def _train(arguments: argparse.Namespace) -> None:
    # torch and transformers take seconds to import; --help and examples do without.
    from transformers.utils import logging

    from steering_core.demo import quality, train

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = arguments.out or Path(".bearing/demo-model")
    start: Path | None = arguments.continue_from
    recipe = train.UPDATE if start else train.Recipe(architecture="moe" if arguments.moe else "llama")
    asked = {"seed": arguments.seed, "steps": arguments.steps}
    recipe = replace(recipe, **{name: value for name, value in asked.items() if value is not None})
    print(f"training {recipe.steps} steps from {start or f'seed {recipe.seed}'}", flush=True)
    model, tokenizer, history = train.train(
        recipe, start=start, progress=lambda line: print(line, flush=True)
    )
    train.save(folder, model, tokenizer)
    print("measuring", flush=True)
    stored, tokenizer = quality.load_demo_model(folder)
    measured = quality.measure(stored, tokenizer, arguments.prompts)
    train.write_facts(folder, recipe, history, measured, start=start)
    print(quality.quality_table({"this": measured, "shipped": _shipped_quality()}))
    print(f"written to {folder}")
    if arguments.install:
        install(folder, weights_path())
        print(f"installed in {weights_path()}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status is 0, or 1 after an error that the message explains."""
    arguments = _arguments(argv)
    try:
        if arguments.command == "examples":
            for path in write_examples(arguments.out or Path("examples")):
                print(f"written {path}")
        else:
            _train(arguments)
    except (SteeringError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
