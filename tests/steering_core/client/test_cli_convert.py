"""`bearing convert`, `bearing inspect` on other engines' files, and `bearing engines`."""

import json
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFWriter

from steering_core.client.local_import import NEUTRAL_TEXTS
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.formats.engines import ENGINES, read_any
from steering_core.injection.hooks import steer
from steering_core.spec import digest
from steering_core.vector import SteeringVector
from tests.hostile_files.vectors import good_vector
from tests.loose_vectors import unit_vector

TO = ["llama.cpp", "repeng", "glp", "easysteer", "easysteer-wire", "easysteer-request", "lm-eval"]
TO += ["persona", "svec", "vllm-lens", "neuronpedia", "python"]


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """A native file with two directions on a model of 4 blocks x 8."""
    file = tmp_path / "kind.safetensors"
    file.write_bytes(write_vector(good_vector()))
    return file


@pytest.fixture
def foreign(tmp_path: Path) -> Callable[..., Path]:
    """(blocks, width) -> an EasySteer file as its extractors write it."""

    def write(*blocks: int, width: int = 32) -> Path:
        file = tmp_path / "happy.gguf"
        writer = GGUFWriter(file, "controlvector")
        writer.add_string("controlvector.model_hint", "llama")
        writer.add_string("controlvector.method", "diffmean")
        for block in blocks:
            row = np.random.default_rng(block).normal(size=width).astype(np.float32)
            writer.add_tensor(f"direction.{block}", row / np.linalg.norm(row))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return file

    return write


@pytest.fixture
def done(bearing: Any) -> Callable[..., Any]:
    """A command that ends well, as its JSON."""

    def run(*arguments: object) -> Any:
        ran = bearing(*arguments, "--json")
        assert ran.exit_code == 0, ran.output
        return json.loads(ran.stdout)

    return run


@pytest.mark.parametrize("command", ["convert", "inspect", "engines"])
def test_help_has_examples_and_exit_status(bearing: Any, command: str) -> None:
    shown = bearing(command, "--help")

    assert shown.exit_code == 0
    assert f"bearing {command}" in shown.stdout
    assert "--json" in shown.stdout


# --- convert ---


@pytest.mark.parametrize("to", TO)
def test_convert_writes_every_form_that_can_say_the_vector(
    bearing: Any, native: Path, tmp_path: Path, to: str
) -> None:
    output = tmp_path / f"out{ENGINES[to].suffix}"

    ran = bearing("convert", native, output, "--to", to, "--strength", "0.3")

    assert ran.exit_code == 0, ran.output
    told = " ".join(ran.stdout.split())
    assert digest(output.read_bytes()) in told
    assert "1 is strength +0.3" in told
    for meaning in (ENGINES[to].index, ENGINES[to].sign, ENGINES[to].scale):
        assert meaning in told
    assert "FILE." not in told.partition("resid_post.2")[2]
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("to", [name for name in TO if ENGINES[name].is_read])
def test_convert_at_a_strength_makes_multiplier_1_that_strength(
    done: Any, native: Path, tmp_path: Path, to: str
) -> None:
    output = tmp_path / f"out{ENGINES[to].suffix}"
    found = done("convert", native, output, "--to", to, "--strength", "-0.3")

    _, loose = read_any(output.read_bytes(), output.name)

    assert (found["strength"], found["multiplier"], loose.multiplier) == (-0.3, 1.0, 1.0)
    for key, row in loose.directions.items():
        assert row.tobytes() == good_vector().addition(-0.3, key).tobytes()


def test_convert_as_stored_shows_the_multiplier_for_a_strength(
    bearing: Any, done: Any, native: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.gguf"
    found = done("convert", native, output, "--to", "llama.cpp")
    vector = good_vector()

    for row in found["directions"]:
        key = row["key"]
        assert row["norm"] == vector.norm(key)
        assert row["multiplier"] == pytest.approx(vector.multiplier(0.3, key))
        window = [vector.multiplier(strength, key) for strength in (-0.3, 0.45)]
        assert row["window_multipliers"] == pytest.approx(window)
    assert "0.6721 to 1.092 is strength 0.3" in found["advice"]
    assert "-0.3 to +0.45 were found to work" in found["advice"]
    _, again = read_any(output.read_bytes())
    assert again.at("resid_post", 1).tobytes() == vector.directions["resid_post.1"].tobytes()
    shown = bearing("convert", native, output, "--to", "llama.cpp", "--force").stdout
    assert "-0.6721 to 1.008" in shown
    assert f"--control-vector-scaled {output}:1" in " ".join(shown.split())


def test_convert_torch_forms_open_with_the_safe_loader(done: Any, native: Path, tmp_path: Path) -> None:
    done("convert", native, tmp_path / "a.pt", "--to", "persona")
    done("convert", native, tmp_path / "b.pt", "--to", "lm-eval")

    rows, steering = (
        torch.load(BytesIO((tmp_path / name).read_bytes()), weights_only=True)  # noqa: TID251
        for name in ("a.pt", "b.pt")
    )

    assert torch.equal(rows[2], torch.tensor(good_vector().directions["resid_post.1"]))
    assert torch.equal(steering["layers.2"]["steering_vector"], rows[3])
    assert steering["layers.2"]["action"] == "add"


def test_convert_takes_a_reference(done: Any, publish: Any, server: Any, tmp_path: Path) -> None:
    published = publish()
    output = tmp_path / "kind.gguf"
    found = done("--endpoint", server.url, "convert", "acme/kind@1.0.0", output, "--to", "llama.cpp")

    assert found["source"] == {"form": "bearing", "from": "acme/kind@1.0.0"}
    _, loose = read_any(output.read_bytes())
    assert loose.directions.keys() == read_vector(published.data).directions.keys()


def test_convert_never_writes_over_a_file_without_force(bearing: Any, native: Path, tmp_path: Path) -> None:
    output, beside = tmp_path / "steer.py", tmp_path / "steer.safetensors"
    beside.write_bytes(b"mine")

    refused = bearing("convert", native, output, "--to", "python", "--json")

    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["error"]["code"] == "client.file"
    assert (beside.read_bytes(), output.exists()) == (b"mine", False)
    assert bearing("convert", native, output, "--to", "python", "--force").exit_code == 0
    assert beside.read_bytes() != b"mine"
    assert bearing("convert", native, output, "--to", "python").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("out.gguf", "--to", "ollama"),
        ("out.bin", "--to", "llama.cpp"),
        ("out", "--to", "llama.cpp"),
        ("out.gguf", "--to", "llama.cpp", "--strength", "nan"),
        ("out.safetensors", "--to", "bearing", "--strength", "0.3"),
        ("out.gguf", "--to", "llama.cpp", "--texts", "texts.txt"),
        ("out.gguf", "--to", "llama.cpp", "--model", "."),
    ],
)
def test_convert_usage_that_cannot_be_meant_ends_with_2(
    bearing: Any, native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert bearing("convert", native, *arguments).exit_code == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["kind.safetensors"]


def test_convert_what_an_engine_cannot_say_is_refused(bearing: Any, native: Path, tmp_path: Path) -> None:
    refused = bearing("convert", native, tmp_path / "out.f32", "--to", "ds4", "--json")

    assert refused.exit_code == 5
    assert json.loads(refused.stdout)["error"]["code"] == "engine.operation"
    assert not (tmp_path / "out.f32").exists()


def test_convert_missing_file_names_both_ways(bearing: Any, tmp_path: Path) -> None:
    refused = bearing("convert", tmp_path / "missing.gguf", tmp_path / "out.gguf", "--to", "llama.cpp")

    assert refused.exit_code == 2
    assert "there is no file" in refused.stderr


def test_convert_pickle_is_refused_by_name(bearing: Any, tmp_path: Path) -> None:
    file = tmp_path / "evil.pt"
    torch.save(torch.zeros(3), file)

    refused = bearing("convert", file, tmp_path / "out.gguf", "--to", "llama.cpp")

    assert refused.exit_code == 5
    assert "engine.not_read" in refused.stderr
    assert "can run code" in refused.stderr


def test_convert_ds4_takes_the_json_beside_it(done: Any, bearing: Any, tmp_path: Path) -> None:
    exported = ENGINES["ds4"].export(unit_vector("mlp_out", blocks=(1, 2)))
    file = tmp_path / "verbosity.f32"
    file.write_bytes(exported.data)
    assert bearing("inspect", file).exit_code == 5

    file.with_suffix(".json").write_bytes(exported.sidecars[".json"])
    found = done("convert", file, tmp_path / "out.gguf", "--to", "glp", "--strength", "0.5")

    assert (found["operation"], found["multiplier"]) == ("project", 0.5)
    assert [row["key"] for row in found["directions"]] == ["mlp_out.1", "mlp_out.2"]
    back = done("convert", tmp_path / "out.gguf", tmp_path / "back.f32", "--to", "ds4")
    assert back["beside"] == [str(tmp_path / "back.json")]
    assert (tmp_path / "back.f32").read_bytes() == exported.data


def test_convert_foreign_file_has_no_strength_without_a_model(
    bearing: Any, done: Any, foreign: Any, tmp_path: Path
) -> None:
    file = foreign(0, 1)
    refused = bearing("convert", file, tmp_path / "a.svec", "--to", "svec", "--strength", "0.3")
    native = bearing("convert", file, tmp_path / "a.safetensors", "--to", "bearing")

    assert (refused.exit_code, native.exit_code) == (2, 5)
    assert "--model FOLDER" in " ".join(refused.stderr.split())
    assert "engine.native" in native.stderr
    found = done("convert", file, tmp_path / "a.gguf", "--to", "llama.cpp")
    assert "no residual norm is known" in found["advice"]
    assert any("block 0 was left out" in warning for warning in found["warnings"])
    assert any("llama.cpp rejects the file" in warning for warning in found["warnings"])


# --- with a model ---


def test_convert_to_bearing_measures_the_residual_norms(
    done: Any, foreign: Any, model_folder: Any, tiny_lm: Any, tmp_path: Path
) -> None:
    output = tmp_path / "happy.safetensors"
    done("convert", foreign(0, 2), output, "--to", "bearing", "--model", model_folder())
    vector, lm = read_vector(output.read_bytes()), tiny_lm()

    assert vector.model.model_hash == lm.identity.model_hash
    assert (vector.provenance.method, vector.sign, vector.window) == ("imported", "unknown", None)
    assert list(vector.directions) == ["resid_post.0", "resid_post.2"]
    for key, norm in vector.residual_norms.items():
        assert norm == pytest.approx(measured_by_hand(lm, vector, key), rel=1e-5)
    with steer(lm, [(vector, 0.3)]):
        pass


def measured_by_hand(lm: Any, vector: SteeringVector, key: str) -> float:
    """Mean over the texts of the mean norm at up to four positions after the first."""
    from steering_core.extraction.pooling import norm_positions
    from steering_core.models.tokens import encode_pair
    from steering_core.pairs.pair import ContrastivePair

    block, means = int(key.rpartition(".")[2]), []
    for text in NEUTRAL_TEXTS:
        pair = encode_pair(lm, ContrastivePair(text, text))
        seen = []
        hook = lm.sites.blocks[block].register_forward_hook(lambda m, a, out, seen=seen: seen.append(out))
        with torch.no_grad():
            lm.model(torch.tensor([pair.positive]))
        hook.remove()
        norms = seen[0][0].double().norm(dim=-1)
        means.append(norms[list(norm_positions(pair, 0))].mean().item())
    return float(np.mean(means))


def test_convert_with_texts_of_ones_own_measures_on_them(
    done: Any, bearing: Any, foreign: Any, model_folder: Any, tmp_path: Path
) -> None:
    texts, norms = tmp_path / "texts.txt", []
    for word in ("cat", "dog"):
        texts.write_text("".join(f"the {word} sat on mat {n * ' slow'}\n" for n in range(1, 7)))
        output = tmp_path / f"{word}.safetensors"
        asked = ("convert", foreign(1), output, "--to", "bearing", "--model", model_folder())
        done(*asked, "--texts", texts)
        norms.append(read_vector(output.read_bytes()).residual_norms["resid_post.1"])
    assert norms[0] != norms[1]

    texts.write_text("the cat\n")
    few = bearing(*asked, "--texts", texts, "--force")
    assert few.exit_code == 1
    assert "extraction.too_few_pairs" in few.stderr


def test_convert_at_a_strength_with_a_model_scales_to_its_norms(
    done: Any, foreign: Any, model_folder: Any, tmp_path: Path
) -> None:
    asked = ("--model", model_folder())
    done("convert", foreign(1), tmp_path / "n.safetensors", "--to", "bearing", *asked)
    native = read_vector((tmp_path / "n.safetensors").read_bytes())

    found = done("convert", foreign(1), tmp_path / "s.svec", "--to", "svec", "--strength", "0.3", *asked)

    _, loose = read_any((tmp_path / "s.svec").read_bytes())
    assert loose.at("resid_post", 1).tobytes() == native.addition(0.3, "resid_post.1").tobytes()
    assert found["directions"][0]["ratio"] == pytest.approx(0.3, rel=1e-6)


@pytest.mark.parametrize(("blocks", "width"), [((1,), 16), ((3,), 32)])
def test_convert_with_another_model_is_refused(
    bearing: Any, foreign: Any, model_folder: Any, tmp_path: Path, blocks: tuple[int, ...], width: int
) -> None:
    output = tmp_path / "out.safetensors"
    file = foreign(*blocks, width=width)

    refused = bearing("convert", file, output, "--to", "bearing", "--model", model_folder())

    assert refused.exit_code == 5
    assert "model.mismatch" in refused.stderr
    assert not output.exists()


# --- inspect ---


def test_inspect_of_another_engines_file_shows_blocks_norms_and_what_it_converts_to(
    bearing: Any, done: Any, foreign: Any
) -> None:
    file = foreign(0, 1)
    found = done("inspect", file)

    assert (found["form"], found["operation"], found["model"]) == ("easysteer", "add", "llama")
    assert [(row["block"], row["site"]) for row in found["directions"]] == [
        (0, "resid_post"),
        (1, "resid_post"),
    ]
    assert [row["norm"] for row in found["directions"]] == pytest.approx([1, 1], abs=1e-6)
    cosines = [row["cosine_to_block_before"] for row in found["directions"]]
    assert cosines[0] is None
    assert -1 <= cosines[1] <= 1
    assert found["converts_to"].keys() == ENGINES.keys()
    assert found["converts_to"]["llama.cpp"] is None
    assert "cannot add" in found["converts_to"]["ds4"]
    shown = " ".join(bearing("inspect", file).stdout.split())
    for told in (
        "EasySteer GGUF",
        "llama.cpp rejects the file: it has direction.0",
        "not ds4",
        "resid_post.1",
    ):
        assert told in shown


def test_inspect_of_a_native_file_says_what_it_converts_to(bearing: Any, done: Any, native: Path) -> None:
    found = done("inspect", native)

    assert found["digest"] == digest(native.read_bytes())
    assert found["converts_to"]["python"] is None
    assert "ds4 has project" in found["converts_to"]["ds4"]
    assert "converts to" in bearing("inspect", native).stdout


def test_inspect_and_convert_run_without_torch(foreign: Any, tmp_path: Path) -> None:
    """The two that write no .pt, in a process that cannot import it."""
    file, output = foreign(1, 2), tmp_path / "out.json"
    code = (
        "import sys\nsys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from steering_core.client.cli import app\n"
        "app(sys.argv[1:], prog_name='bearing')"
    )

    for asked in (["inspect", file], ["convert", file, output, "--to", "vllm-lens"], ["engines"]):
        subprocess.run([sys.executable, "-c", code, *asked], check=True, capture_output=True)
    for asked in (["--to", "bearing", "--model", tmp_path], ["--to", "lm-eval"]):
        suffix = ENGINES[asked[1]].suffix
        ran = subprocess.run(
            [sys.executable, "-c", code, "convert", file, tmp_path / f"x{suffix}", *asked],
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 1
        assert "model.no_torch" in ran.stderr

    assert read_any(output.read_bytes())[0].name == "vllm-lens"


# --- engines ---


def test_engines_shows_every_engine(bearing: Any, done: Any) -> None:
    items = done("engines")["items"]

    assert [item["name"] for item in items] == list(ENGINES)
    assert {item["name"] for item in items if not item["is_read"]} == {
        "repeng",
        "lm-eval",
        "persona",
        "python",
    }
    shown = bearing("engines").stdout
    assert all(shown.count(name) >= 2 for name in ENGINES)
