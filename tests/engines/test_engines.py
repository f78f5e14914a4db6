"""Each engine applies a vector where it belongs, and a fault planted in its file is named rightly.

Not part of `make test`: `make test-engines` runs these, and makes the engines' environments first.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from steering_core.client.engines.adapters import ADAPTERS
from steering_core.errors import ClientError
from tests.engines.to_gguf import write_gguf_model
from tests.planted import planted

ENGINES = tuple(ADAPTERS)
# What rounding in float32 leaves; llama.cpp keeps its keys and values in float16.
CLOSE = dict.fromkeys(ENGINES, 1e-4) | {"llama.cpp": 5e-3}


@pytest.mark.parametrize("model", ["demo", "random"])
@pytest.mark.parametrize("engine", ENGINES)
def test_engine_gives_the_logits_of_our_hook(run: Any, subject: Any, engine: str, model: str) -> None:
    chosen = subject(model)

    answer, finding = run(engine, chosen)

    assert finding.conforms, finding.reason
    right, *faults = finding.likenesses
    assert right.cosine > 0.999
    assert max(fault.cosine for fault in faults if fault.name.startswith("block")) < 0.99
    expected = chosen.certificate.unsteered + chosen.certificate.changes
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(answer.observed.steered, expected, atol=CLOSE[engine] * scale, rtol=0)


@pytest.mark.parametrize("model", ["demo", "random"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", [{"step": -1}, {"step": 1}, {"sign": -1}], ids=["early", "late", "sign"])
def test_engine_with_a_planted_fault_is_caught(
    run: Any, subject: Any, engine: str, model: str, fault: dict[str, int]
) -> None:
    chosen = subject(model)

    _, finding = run(engine, chosen, adapter=planted(ADAPTERS[engine], **fault))

    block = chosen.block
    expected = f"block {block + fault['step']} instead of {block}" if "step" in fault else "wrong sign"
    assert (finding.verdict, finding.matched) == ("fault", expected)


@pytest.mark.parametrize("quantisation", ["F16", "Q8_0", "Q5_0", "Q4_0"])
def test_quantised_llama_cpp_conforms_within_the_tolerance_of_its_logits(
    run: Any, subject: Any, quantisation: str
) -> None:
    _, finding = run("llama.cpp", subject("demo"), quantisation)

    assert finding.conforms, finding.reason
    assert finding.likenesses[0].distance < finding.tolerance


@pytest.mark.parametrize("quantisation", ["Q8_0", "Q4_0"])
@pytest.mark.parametrize("fault", [{"step": -1}, {"step": 1}, {"sign": -1}], ids=["early", "late", "sign"])
def test_quantised_llama_cpp_with_a_planted_fault_is_caught(
    run: Any, subject: Any, quantisation: str, fault: dict[str, int]
) -> None:
    chosen = subject("demo")

    _, finding = run("llama.cpp", chosen, quantisation, adapter=planted(ADAPTERS["llama.cpp"], **fault))

    block = chosen.block
    expected = f"block {block + fault['step']} instead of {block}" if "step" in fault else "wrong sign"
    assert (finding.verdict, finding.matched) == ("fault", expected)


def test_llama_cpp_with_another_model_is_told_so(run: Any, subject: Any, tmp_path: Path) -> None:
    """The demo model with one matrix turned around, as a faulty conversion might."""
    chosen = subject("demo")
    shutil.copy(chosen.folder / "config.json", tmp_path)
    weights = load_file(chosen.folder / "model.safetensors")
    turned = "model.layers.0.self_attn.o_proj.weight"
    weights[turned] = np.ascontiguousarray(weights[turned].T)
    save_file(weights, tmp_path / "model.safetensors")
    model = write_gguf_model(tmp_path, tmp_path / "model.gguf")

    _, finding = run("llama.cpp", chosen, model=model)

    assert finding.verdict == "other_model"


def test_llama_cpp_rejects_a_direction_of_the_first_block(run: Any, subject: Any) -> None:
    chosen = subject("demo")

    with pytest.raises(ClientError, match=r"rejects direction\.0"):
        run("llama.cpp", chosen, adapter=planted(ADAPTERS["llama.cpp"], step=-chosen.block))
