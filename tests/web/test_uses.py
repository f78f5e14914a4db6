"""How to use a vector in each engine: what the engine's own export says, or why it refuses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from registry.web.curves import read_curve
from registry.web.uses import EngineUse, checked_with, engine_uses, multipliers
from steering_core.formats.bearing import inspect_vector, write_vector
from tests.factories import make_vector
from tests.reports import make_report


def manifest(key: str = "resid_post.2", operation: str = "add") -> dict[str, Any]:
    (direction,) = make_vector().directions.values()
    vector = replace(
        make_vector(), directions={key: direction}, residual_norms={key: 12.5}, operation=operation
    )
    return inspect_vector(write_vector(vector))


def uses_of(found: dict[str, Any], strength: float = 0.3) -> dict[str, EngineUse]:
    return {use.engine: use for use in engine_uses(found, strength, "formality")}


def test_llama_cpp_is_given_the_file_at_scale_1() -> None:
    use = uses_of(manifest())["llama.cpp"]

    assert (use.file, use.reason) == ("formality.gguf", "")
    assert "--control-vector-scaled formality.gguf:1" in use.usage
    assert "FILE" not in use.usage


@pytest.mark.parametrize(
    ("key", "why"), [("resid_post.0", "block 0"), ("mlp_out.2", "mlp_out"), ("resid_post@1.2", "streams")]
)
def test_llama_cpp_that_cannot_say_it_has_a_reason_and_no_command(key: str, why: str) -> None:
    use = uses_of(manifest(key))["llama.cpp"]

    assert why in use.reason
    assert (use.usage, use.file) == ("", "")


def test_script_of_hooks_has_a_name_that_python_can_import() -> None:
    (use,) = (use for use in engine_uses(manifest(), 0.3, "2b-or-not") if use.engine == "python")

    assert use.file == "steer_2b_or_not.py"
    assert "from steer_2b_or_not import steered" in use.usage


def test_ds4_takes_what_projects_and_refuses_what_adds() -> None:
    assert "project" in uses_of(manifest("mlp_out.2"))["ds4"].reason
    assert "--dir-steering-ffn 0.3" in uses_of(manifest("mlp_out.2", "project"))["ds4"].usage


def test_every_engine_has_words_whatever_the_vector() -> None:
    for key in ("resid_post.0", "resid_post.3", "mlp_out.1", "attn_out.2", "resid_post@1.2"):
        for operation in ("add", "project"):
            for use in uses_of(manifest(key, operation), -0.2).values():
                assert bool(use.reason) != bool(use.usage), (use.engine, key, operation)


def test_multipliers_are_strength_over_ratio() -> None:
    found = manifest()
    ratio = float(np.linalg.norm(make_vector().directions["resid_post.2"])) / 12.5

    said = multipliers(found, 0.3, read_curve(make_report()))

    assert said is not None
    assert (said.strength, said.at) == ("+0.3", f"{0.3 / ratio:.2f}")
    assert said.window == f"−{0.3 / ratio:.2f} to {0.45 / ratio:.2f}"


def test_multipliers_of_several_directions_are_not_one_number() -> None:
    found = manifest()
    found["directions"] *= 2

    assert multipliers(found, 0.3, None) is None


@pytest.mark.parametrize(("key", "engine"), [("resid_post.2", "llama.cpp"), ("mlp_out.2", "transformers")])
def test_certificate_is_checked_with_an_engine_that_can_say_the_vector(key: str, engine: str) -> None:
    assert checked_with(engine_uses(manifest(key), 0.3, "formality"))[0] == engine
