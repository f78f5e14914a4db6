"""Training the demo model anew: a smoke run learns, and the command line says what it did."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from steering_core.demo.__main__ import install, main
from steering_core.demo.muon import orthogonalise
from steering_core.demo.paths import weights_path
from steering_core.demo.quality import load_demo_model, quality_table
from steering_core.demo.train import (
    UPDATE,
    VARIANTS,
    Recipe,
    build_model,
    padded,
    save,
    train,
    write_facts,
)
from steering_core.errors import ModelError
from steering_core.models.fingerprint import model_fingerprint
from steering_core.models.load import load_model


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((3, 16, 40), (2, 40, 16)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert float(values.min()) > 0.6
        assert float(values.max()) < 1.3


def test_training_of_thirty_steps_lowers_the_loss() -> None:
    lines = list[str]()
    _, _, history = train(Recipe(steps=30, tokens_per_batch=384), progress=lines.append)
    losses = [point["loss"] for point in history.points]
    assert losses[-1] < losses[0] - 1
    assert len(lines) == len(losses) == 6


def test_training_with_equal_seed_gives_equal_weights() -> None:
    recipe = Recipe(steps=3, tokens_per_batch=256)
    first, second = (train(recipe, progress=len)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_padded_rows_of_unequal_length_are_filled_on_the_right() -> None:
    assert padded([[1, 2, 3], [4]]).tolist() == [[1, 2, 3], [4, 0, 0]]


def test_untrained_model_has_the_stated_shape() -> None:
    config = build_model(0, 1006).config
    assert (config.num_hidden_layers, config.hidden_size) == (4, 128)


def test_training_of_a_model_with_experts_learns_and_loads(tmp_path: Path) -> None:
    recipe = Recipe(steps=8, tokens_per_batch=256, warm_up=2, architecture="moe")

    model, tokenizer, history = train(recipe, progress=len)
    save(tmp_path, model, tokenizer)

    losses = [point["loss"] for point in history.points]
    assert losses[-1] < losses[0] - 0.5
    lm = load_model(tmp_path)
    assert lm.identity.architecture == "Qwen3MoeForCausalLM"
    assert lm.model.config.num_local_experts == 8


def test_further_training_starts_from_the_stored_model_and_changes_it_little(tmp_path: Path) -> None:
    lines = list[str]()

    model, _, history = train(replace(UPDATE, steps=2), start=weights_path(), progress=lines.append)
    write_facts(tmp_path, UPDATE, history, start=weights_path())

    assert history.points[0]["loss"] < 1.2
    before, _ = load_demo_model(weights_path())
    couples = zip(model.parameters(), before.parameters(), strict=True)
    changed = [float((new - old).detach().norm() / old.detach().norm()) for new, old in couples]
    assert 0 < max(changed) < 0.05
    facts = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert facts["continued_from"] == model_fingerprint(weights_path()).model_hash


def test_further_training_of_a_model_with_other_words_is_refused(tmp_path: Path) -> None:
    vocabulary = {"<unk>": 0, "hello": 1}
    words = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").save_pretrained(tmp_path)

    with pytest.raises(ModelError, match="other words"):
        train(Recipe(steps=1), start=tmp_path, progress=len)


def test_variants_are_the_three_models_that_vectors_are_tried_on() -> None:
    assert VARIANTS == ("seed1", "continued", "moe")


def test_command_trains_measures_and_stores_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    assert main(["--steps", "2", "--prompts", "2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "step    2 of 2" in printed
    assert "shipped" in printed
    assert str(out) in printed
    facts = json.loads((out / "training.json").read_text(encoding="utf-8"))
    assert facts["recipe"]["steps"] == 2
    assert facts["quality"]
    model, _ = load_demo_model(out)
    assert model.dtype == torch.float32


def test_command_with_unusable_folder_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["examples", "--out", str(tmp_path / "file" / "examples")]) == 1
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--steps", "0"], ["--prompts", "-1"], ["bake"], ["--moe", "--continue-from", "x"]]
)
def test_command_with_wrong_arguments_exits_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2


def test_help_names_both_commands_without_loading_torch() -> None:
    code = "import sys; from steering_core.demo.__main__ import install, main\ntry: main(['--help'])\n"
    code += "except SystemExit: sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env=dict(os.environ),
    )
    assert "examples" in done.stdout
    assert "--install" in done.stdout


def test_install_replaces_the_target_and_leaves_the_same_folder_alone(tmp_path: Path) -> None:
    folder, target = tmp_path / "new", tmp_path / "old"
    for place, name in ((folder, "config.json"), (target, "stale.json")):
        place.mkdir()
        (place / name).write_text("{}")
    install(folder, target)
    install(target, target)
    assert [path.name for path in target.iterdir()] == ["config.json"]


def test_quality_table_without_a_shipped_model_shows_a_dash() -> None:
    assert quality_table({"this": {"loss": 1.0}, "shipped": {}}).split() == [
        "this",
        "shipped",
        "loss",
        "1.000",
        "-",
    ]
