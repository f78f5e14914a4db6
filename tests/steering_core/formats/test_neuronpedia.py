import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from steering_core.errors import FormatError
from steering_core.formats import neuronpedia
from steering_core.formats.codes import ENGINE_ERROR_CODES
from steering_core.formats.loose import LooseVector, loosen
from tests.hostile_files.vectors import good_vector
from tests.loose_vectors import loose_vector, loose_vectors, same_bits


def body(**fields: Any) -> dict[str, Any]:
    """An upload as Neuronpedia's own client sends it, but for `fields`."""
    return {
        "modelId": "gemma-2-2b-it",
        "layerNumber": 20,
        "hookType": "hook_resid_pre",
        "vector": [0.5, -1],
        "vectorDefaultSteerStrength": 44,
        "vectorLabel": "dinosaurs",
        **fields,
    }


def data(value: Any) -> bytes:
    return json.dumps(value).encode()


@given(loose_vectors())
def test_read_of_export_gives_it_back_bit_for_bit(loose: LooseVector) -> None:
    if abs(loose.multiplier) > neuronpedia.MAX_STRENGTH:
        with pytest.raises(FormatError) as caught:
            neuronpedia.export(loose)
        assert caught.value.code == "engine.multiplier"
        return
    written = neuronpedia.export(loose).data
    again = neuronpedia.read(written)

    assert neuronpedia.matches(written)
    assert same_bits(again, loose)
    assert (again.operation, again.multiplier) == ("add", loose.multiplier)


def test_export_of_one_direction_is_the_body_itself() -> None:
    vector = good_vector()
    exported = neuronpedia.export(loose_vector(blocks=(3,), model="Google/Gemma-2-2B-it", multiplier=2.0))
    fields = json.loads(exported.data)

    assert fields.keys() == body().keys()
    assert (fields["modelId"], fields["layerNumber"]) == ("gemma-2-2b-it", 3)
    assert (fields["hookType"], fields["vectorDefaultSteerStrength"]) == ("hook_resid_post", 2.0)
    assert exported.usage.endswith("-d @FILE.json")
    assert "gemma-2-2b-it is a guess" in exported.warnings[0]

    several = json.loads(neuronpedia.export(loosen(vector)).data)
    assert [one["layerNumber"] for one in several] == [1, 2]
    assert several[0]["vectorLabel"] == f"mean_difference {vector.tensor_digest[:19]}"


def test_read_of_resid_pre_is_the_block_before() -> None:
    vector = neuronpedia.read(data(body()))

    assert vector.blocks("resid_post") == (19,)
    assert np.array_equal(vector.at("resid_post", 19), [0.5, -1])
    assert (vector.model, vector.multiplier) == ("gemma-2-2b-it", 44.0)
    assert json.loads(neuronpedia.export(vector).data)["vectorLabel"] == "dinosaurs"


@pytest.mark.parametrize(
    ("loose", "code"),
    [
        (loose_vector(operation="project"), "engine.operation"),
        (loose_vector("attn_out"), "engine.site"),
        (loose_vector(multiplier=301.0), "engine.multiplier"),
        (loose_vector(multiplier=float("nan")), "engine.multiplier"),
        (loose_vector(directions={"resid_post.1": np.ones(24_577)}), "engine.size"),
    ],
)
def test_export_of_what_the_server_refuses_is_refused(loose: LooseVector, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        neuronpedia.export(loose)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([], "engine.request"),
        ([1], "engine.request"),
        (body(other=1), "engine.request"),
        (body(layerNumber=-1), "engine.request"),
        (body(layerNumber=1.0), "engine.request"),
        (body(modelId=1), "engine.request"),
        ([body(), body()], "engine.request"),
        ([body(), body(layerNumber=3, modelId="other")], "engine.request"),
        ([body(), body(layerNumber=3, vectorDefaultSteerStrength=1)], "engine.request"),
        (body(hookType="resid-post"), "engine.hook_point"),
        (body(hookType=[]), "engine.hook_point"),
        (body(layerNumber=0), "engine.embeddings"),
        (body(vectorDefaultSteerStrength=1e9), "engine.multiplier"),
        (body(vectorDefaultSteerStrength="1"), "engine.multiplier"),
        (body(vector="1"), "engine.numbers"),
        (body(vector=[1e39]), "format.not_finite"),
    ],
)
def test_read_of_what_cannot_be_meant_is_refused(value: object, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        neuronpedia.read(data(value))

    assert caught.value.code == code
    assert code.startswith("format.") or code in ENGINE_ERROR_CODES
