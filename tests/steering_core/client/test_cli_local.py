"""`bearing extract-local`: vectors that are made on this machine, from real small models."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from steering_core.client import local_files
from steering_core.client.cli_local import LocalMethod
from steering_core.demo.paths import weights_path
from steering_core.extraction.derive import METHODS
from steering_core.pairs.readers import read_pairs
from steering_core.spec import STRENGTHS, digest
from tests.steering_core.client.small_pairs import WORDS, sentence, write_pairs

TRAIT = {
    "instruction": [{"pos": "please sat kindly", "neg": "just sat fast"}, {"pos": "yes", "neg": "no"}],
    "questions": [f"the {word} ran on the {other}" for word, other in pairwise(WORDS)],
    "eval_prompt": "Is {answer} a kind answer to {question}?",
}


def write_caa(folder: Path, n: int = 40) -> Path:
    """As the files of CAA are: questions with their choices, and the letter that shows the behaviour."""
    drawn = random.Random(1)
    rows = []
    for number in range(n):
        letters = ("(A)", "(B)") if number % 2 else ("(B)", "(A)")
        choices = [sentence(drawn, word) for word in (("yes", "no") if number % 2 else ("no", "yes"))]
        question = f"{sentence(drawn, 'hello')}\n\nChoices:\n(A) {choices[0]}\n(B) {choices[1]}"
        rows.append(
            {
                "question": question,
                "answer_matching_behavior": letters[0],
                "answer_not_matching_behavior": letters[1],
            }
        )
    file = folder / "caa.json"
    file.write_text(json.dumps(rows, indent=4))
    return file


def write_texts(file: Path, first: str, n: int = 40) -> Path:
    drawn = random.Random(first)
    file.write_text("".join(f"{sentence(drawn, first)} {number} cat\n" for number in range(n)))
    return file


def chosen(found: Any) -> list[str]:
    return [row["key"] for row in found["places"] if row["chosen"]]


# --- extract-local ---


@pytest.mark.parametrize("command", ["extract-local", "derive"])
def test_help_has_examples_and_exit_status(bearing: Any, command: str) -> None:
    shown = bearing(command, "--help")
    assert shown.exit_code == 0
    assert f"bearing {command}" in shown.stdout
    assert "Examples:" in shown.stdout
    assert "--json" in shown.stdout


def test_methods_of_the_commands_are_those_of_the_library() -> None:
    assert get_args(LocalMethod) == METHODS


def test_extract_local_caa_on_the_demo_model_is_read_at_the_letter(made: Any, tmp_path: Path) -> None:
    found, vector = made(write_caa(tmp_path), model=weights_path())
    assert vector.provenance.pooling == "answer_token"
    assert vector.provenance.dataset_digest == found["dataset_digest"]
    assert len(chosen(found)) == len(vector.directions) == 1
    assert chosen(found) == found["chosen"] == list(vector.directions)
    assert [row["block"] for row in found["places"]] == list(range(4))
    assert found["splits"] == {"train": 24, "select": 8, "test": 8}


def test_extract_local_caa_on_a_llama_with_a_chat_template(made: Any, base_lm: Any, tmp_path: Path) -> None:
    """A byte-level tokenizer spells any question out, so rows are hundreds of tokens long."""
    tokenizer = base_lm.tokenizer
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=1024,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).eval().save_pretrained(tmp_path / "llama")
    tokenizer.save_pretrained(tmp_path / "llama")
    (tmp_path / "llama" / "chat_template.jinja").write_text(
        "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    found, vector = made(write_caa(tmp_path), model=tmp_path / "llama")
    assert vector.provenance.pooling == "answer_token"
    assert found["splits"] == {"train": 24, "select": 8, "test": 8}


def test_extract_local_pairs_with_prompts_are_tried_at_equal_dose(
    bearing: Any, model_folder: Any, tmp_path: Path
) -> None:
    output = tmp_path / "kind.safetensors"
    done = bearing("extract-local", model_folder(), write_pairs(tmp_path), "-o", output)
    assert done.exit_code == 0, done.output
    for told in ("held out", "dose", "effect", "chosen", "the largest effect at equal dose on 8 pairs"):
        assert told in done.stdout
    assert digest(output.read_bytes()) in done.stdout
    for told in ("pairs: 40", "sha256:", "40 encoded, 0 left out", "train pairs", "Reading activations"):
        assert told in done.stderr


def test_extract_local_same_call_twice_gives_the_same_bytes(made: Any, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    assert made(pairs)[0]["digest"] == made(pairs)[0]["digest"]


def test_extract_local_python_lines_run(bearing: Any, model_folder: Any, tmp_path: Path) -> None:
    output = tmp_path / "kind.safetensors"
    done = bearing("extract-local", model_folder(), write_pairs(tmp_path), "-o", output)
    lines = done.stdout[done.stdout.index("from pathlib") :].replace("your prompt", "the cat")
    ran = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert ran.stdout.strip()


@pytest.mark.parametrize(
    ("blocks", "expected"), [("1", [1]), ("0-1", [0, 1]), ("0,2", [0, 2]), ("all", [0, 1, 2])]
)
def test_extract_local_blocks_are_taken_as_they_are(
    made: Any, tmp_path: Path, blocks: str, expected: list[int]
) -> None:
    found, vector = made(write_pairs(tmp_path), "--blocks", blocks)
    assert list(vector.directions) == list(vector.set_points) == [f"resid_post.{block}" for block in expected]
    assert [strength for strength, _ in vector.doses] == list(STRENGTHS)
    assert {row["pooling"] for row in found["places"]} == {"response_mean"}
    assert all(row["effect"] is None for row in found["places"])


def test_extract_local_site_is_where_the_vector_is(made: Any, tmp_path: Path) -> None:
    _, vector = made(write_pairs(tmp_path), "--site", "mlp_out", "--blocks", "1")
    assert list(vector.directions) == ["mlp_out.1"]


@pytest.mark.parametrize("method", [method for method in METHODS if method != "mean_centred"])
def test_extract_local_each_method_names_itself(made: Any, tmp_path: Path, method: str) -> None:
    pairs = write_pairs(tmp_path)
    asked = (pairs, "--method", method, "--blocks", "1")
    plain, freed = made(*asked)[1], made(*asked, "--orthogonal")[1]
    assert plain.provenance.method == method
    assert freed.provenance.method == f"{method}_orthogonal"
    assert plain.tensor_digest != freed.tensor_digest


def test_extract_local_two_text_files_without_prompts_are_not_tried(
    bearing: Any, model_folder: Any, tmp_path: Path
) -> None:
    texts = [write_texts(tmp_path / f"{word}.txt", word) for word in ("kindly", "just")]
    done = bearing("extract-local", model_folder(), *texts, "-o", tmp_path / "v")
    assert done.exit_code == 0, done.output
    assert "prompt_last" in done.stdout
    assert "effect" not in done.stdout
    assert "the pairs have no prompts" in " ".join(done.stdout.split())


def test_extract_local_positive_texts_alone_against_a_background(made: Any, tmp_path: Path) -> None:
    texts, neutral = (write_texts(tmp_path / f"{word}.txt", word) for word in ("kindly", "the"))
    kept = tmp_path / "kept.st"
    found, vector = made(texts, "--method", "mean_centred", "--background", neutral, "--statistics", kept)
    assert vector.provenance.method == "mean_centred"
    assert chosen(found) == ["resid_post.1"]
    assert all(row["auroc"] is row["consistency"] is None for row in found["places"])
    assert found["splits"] == {"train": 40, "select": 0, "test": 0}


def test_extract_local_few_pairs_hold_nothing_out_and_say_so(
    bearing: Any, model_folder: Any, tmp_path: Path
) -> None:
    done = bearing("extract-local", model_folder(), write_pairs(tmp_path, 6), "-o", tmp_path / "v")
    assert done.exit_code == 0, done.output
    assert "warning: Nothing is held out" in done.stderr
    assert "AUROC" not in done.stdout
    assert "nearest to the middle" in done.stdout


def test_extract_local_evaluate_is_the_whole_report(made: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept.st"
    found, vector = made(write_pairs(tmp_path), "--evaluate", "--tier", "smoke", "--statistics", kept)
    assert [metric["id"] for metric in found["report"]["metrics"]][:2] == ["auroc", "ratio"]
    assert found["report"]["selection"]["block"] == int(found["chosen"][0].rpartition(".")[2])
    assert vector.provenance.spec_digest
    assert kept.is_file()


def test_extract_local_long_pairs_are_left_out(made: Any, tmp_path: Path) -> None:
    found, _ = made(write_pairs(tmp_path, 60), "--max-tokens", "20", "--blocks", "1")
    assert 0 < found["left_out"] < 40


def test_extract_local_trait_answers_its_questions_first(made: Any, tmp_path: Path) -> None:
    trait, kept = tmp_path / "trait.json", tmp_path / "answers.jsonl"
    trait.write_text(json.dumps(TRAIT))
    options = ("--max-new-tokens", "8", "--rollouts", "2", "--pairs-out", kept)
    found, vector = made(trait, *options)
    pairs = read_pairs(kept.read_bytes()).pairs
    assert {pair.prompt for pair in pairs} == set(TRAIT["questions"])
    assert len(pairs) == found["n_pairs"]
    assert vector.provenance.dataset_digest == found["dataset_digest"] == digest(kept.read_bytes())
    assert any("Nothing judged" in warning for warning in found["warnings"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--blocks", "9"], "blocks 0 to 2"),
        (["--blocks", "x"], "--blocks is 3, 2-5"),
        (["--site", "nowhere"], "is not a site"),
        (["--site", "resid_post@1"], "model.stream"),
        (["--pooling", "prompt_last"], "extraction.pooling_needs_no_prompts"),
        (["--device", "nothing"], "model.no_device"),
        (["--method", "mean_centred"], "come together"),
        (["--evaluate", "--blocks", "1"], "without --orthogonal and --blocks"),
    ],
)
def test_extract_local_faults_are_plain_and_write_nothing(
    bearing: Any, model_folder: Any, tmp_path: Path, options: list[str], told: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    pairs = write_pairs(tmp_path)
    done = bearing("extract-local", model_folder(), pairs, "-o", folder / "v", *options)
    assert done.exit_code in (1, 2)
    assert told in done.stderr
    assert "Traceback" not in done.output
    assert list(folder.iterdir()) == []


def test_extract_local_background_for_pairs_with_prompts_is_refused(
    bearing: Any, model_folder: Any, tmp_path: Path
) -> None:
    neutral = write_texts(tmp_path / "neutral.txt", "the")
    options = ("--method", "mean_centred", "--background", neutral)
    done = bearing("extract-local", model_folder(), write_pairs(tmp_path), "-o", tmp_path / "v", *options)
    assert done.exit_code == 1
    assert "extraction.mixed_prompts" in done.stderr


def test_extract_local_wrong_places_are_said_before_any_work(
    bearing: Any, model_folder: Any, tmp_path: Path
) -> None:
    pairs, there = write_pairs(tmp_path), tmp_path / "there.safetensors"
    there.write_bytes(b"kept")
    for model, output, told in (
        (tmp_path / "none", tmp_path / "v", "there is no folder"),
        (tmp_path, tmp_path / "v", "model.no_config"),
        (model_folder(), tmp_path / "none" / "v", "there is no folder"),
        (model_folder(), there, "--force writes over it"),
    ):
        done = bearing("extract-local", model, pairs, "-o", output)
        assert done.exit_code == 1
        assert told in done.stderr
    assert there.read_bytes() == b"kept"
    assert bearing("extract-local", model_folder(), pairs, "-o", there, "--force").exit_code == 0
    assert there.read_bytes() != b"kept"


def test_extract_local_interrupted_leaves_nothing_and_ends_with_130(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    words = ("extract-local", weights_path(), write_caa(tmp_path, 3000), "-o", output / "v")
    process = subprocess.Popen(
        [sys.executable, "-m", "steering_core.client", *map(str, words), "--statistics", str(output / "st")],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        # A test run in the background of a shell ignores Ctrl-C, and hands that on to its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Reading activations" in line:
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        try:
            rest = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 130, rest
    assert "stopped" in rest
    assert list(output.iterdir()) == []


# --- files ---


@pytest.mark.parametrize(
    ("text", "expected"), [("3", [3]), ("3,7-9", [3, 7, 8, 9]), ("2-2", [2]), ("0", [0])]
)
def test_numbers_of_lists_and_ranges(text: str, expected: list[int]) -> None:
    assert local_files.numbers_of(text) == expected


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "5-2", "1,,2", "1-99999999"])
def test_numbers_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|^[\d-]+$"):
        local_files.numbers_of(text)
