"""The three lines of the README work as they stand there, on the demo model and a registry."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

import steering_core
from steering_core.demo.datasets import demo_pairs
from steering_core.demo.paths import weights_path
from steering_core.evaluation.pipeline import extract_and_evaluate
from steering_core.injection import steer
from steering_core.models.load import load_model
from steering_core.pairs.splits import split_pairs
from steering_core.spec import ExtractionSpec
from steering_core.vector import SteeringVector

README = Path(steering_core.__file__).parents[1] / "README.md"
DIGEST = "sha256:" + "1" * 64


@pytest.fixture(scope="module")
def formality(tmp_path_factory: pytest.TempPathFactory) -> SteeringVector:
    lm = load_model(weights_path(), name="demo")
    pairs = demo_pairs("formality", 60, 7)
    spec = ExtractionSpec(DIGEST, lm.identity.model_hash, tier="smoke")
    splits = split_pairs(pairs, DIGEST)
    folder = tmp_path_factory.mktemp("formality")
    return extract_and_evaluate(
        lm, pairs, splits, spec, folder, scorer=None, progress=lambda *told: None
    ).vector


def test_readme_lines_pull_and_steer_a_plain_transformers_model(
    server: Any, publish: Callable[..., Any], formality: SteeringVector, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(vector=formality)
    served = {
        path.replace("acme/kind", "acme/formality"): replies for path, replies in server.replies.items()
    }
    server.replies |= served
    server.resolve("acme/formality@1.0.0", server.resolved["acme/kind@1.0.0"] | {"name": "formality"})
    monkeypatch.setenv("BEARING_ENDPOINT", server.url)
    code = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[0]
    model = AutoModelForCausalLM.from_pretrained(weights_path()).eval()
    words = "<bos> <usr> how do i reset the old router ? <end> <ast>"
    inputs = AutoTokenizer.from_pretrained(weights_path())(
        words, return_tensors="pt", return_token_type_ids=False
    )
    inputs |= {"do_sample": False, "max_new_tokens": 30}
    told: list[Any] = []
    generate = model.generate
    monkeypatch.setattr(model, "generate", lambda **asked: told.append(generate(**asked).tolist()))
    exec(compile(code, "README.md", "exec"), {"model": model, "inputs": inputs})  # what a reader would run
    with steer(model, [(formality, 0.3)]):
        assert told == [generate(**inputs).tolist()]
    assert told != [generate(**inputs).tolist()]
