"""Base models over HTTP."""

from tests.api.conftest import Api
from tests.factories import MODEL_HASH, make_base_model


def test_list_shows_registered_models(nobody: Api) -> None:
    make_base_model()
    item = nobody.get("/base-models").json()["items"][0]
    assert item.pop("registered_at")
    assert item == {
        "name": "bearing/demo",
        "model_hash": MODEL_HASH,
        "architecture": "LlamaForCausalLM",
        "n_layers": 4,
        "d_model": 8,
        "scorer": "demo",
        "suite": None,
    }


def test_get_by_hash_gives_the_model(nobody: Api) -> None:
    make_base_model()
    assert nobody.get(f"/base-models/{MODEL_HASH}").json()["name"] == "bearing/demo"


def test_get_of_unknown_hash_is_not_found(nobody: Api) -> None:
    answer = nobody.get("/base-models/sha256:00")
    assert (answer.status_code, answer.json()["code"]) == (404, "base_model.not_found")
