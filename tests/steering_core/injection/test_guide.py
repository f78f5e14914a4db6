"""Every example in docs/injection.md runs, one after the other, and every code stands in it."""

import re
from pathlib import Path

import pytest

from steering_core.formats.bearing import write_vector
from tests.steering_core.injection.conftest import direction

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "injection.md"
EXAMPLES = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_guide_every_example_runs(demo, make_vector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("formality", "warmth")):
        vector = make_vector(
            demo.identity,
            {"resid_post.2": direction(seed, 128) / 4},  # a ratio near 0.3
            set_points={"resid_post.2": (-2.0, 2.0)},
            window=(-0.6, 0.6),
            doses=((-0.6, 0.9), (-0.3, 0.3), (0.0, 0.0), (0.3, 0.3), (0.6, 0.9)),
        )
        Path(f"{name}.safetensors").write_bytes(write_vector(vector))
    examples = EXAMPLES.findall(GUIDE.read_text())
    shared: dict = {}

    for example in examples:
        try:
            exec(compile(example, str(GUIDE), "exec"), shared)
        except Exception as error:
            pytest.fail(f"{type(error).__name__}: {error}, in\n{example}")
    assert len(examples) >= 7


def test_guide_lists_every_code_of_steering_and_no_other():
    modules = [path.read_text() for path in (ROOT / "steering_core" / "injection").glob("*.py")]
    raised = {code for text in modules for code in re.findall(r'code="(injection\.[a-z_]+)"', text)}
    listed = set(re.findall(r"`(injection\.[a-z_]+)`", GUIDE.read_text()))

    assert raised == listed
