import numpy as np
import pytest

from steering_core.errors import FormatError
from steering_core.formats.loose import LooseVector, loosen
from tests.hostile_files.vectors import good_vector, good_vectors
from tests.loose_vectors import loose_vector


def test_loose_vector_keeps_read_only_copies_in_the_order_of_sites_and_blocks() -> None:
    row = np.ones(2)
    loose = LooseVector(
        source="test", directions={"resid_post.10": row, "mlp_out.3": row, "resid_post.2": row}
    )
    row[0] = 7

    assert list(loose.directions) == ["mlp_out.3", "resid_post.2", "resid_post.10"]
    assert (loose.sites, loose.blocks("resid_post"), loose.d_model) == (("mlp_out", "resid_post"), (2, 10), 2)
    assert loose.at("resid_post", 10).tolist() == [1.0, 1.0]
    assert loose.at("resid_post", 10).dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        loose.at("mlp_out", 3)[0] = 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"directions": {}}, "format.no_tensors"),
        ({"directions": {"resid_post.1": np.ones(2), "resid_post.2": np.ones(3)}}, "format.dimension"),
        ({"directions": {"resid_post.1": np.ones((2, 2))}}, "format.dimension"),
        ({"directions": {"resid_pre.1": np.ones(2)}}, "format.site_key"),
        ({"directions": {"resid_post.12": np.ones(2)}}, "format.block"),
        ({"directions": {"resid_post.1": np.array([1.0, np.inf])}}, "format.not_finite"),
        ({"operation": "subtract"}, "format.operation"),
        ({"n_layers": 0}, "engine.n_layers"),
        ({"n_layers": 2**31}, "engine.n_layers"),
    ],
)
def test_loose_vector_of_what_cannot_be_meant_is_refused(fields: dict[str, object], code: str) -> None:
    with pytest.raises(FormatError) as caught:
        loose_vector(**fields)

    assert caught.value.code == code


def test_loosen_scales_what_adds_and_leaves_what_projects_and_clamps() -> None:
    adds, projects, clamps = good_vectors()

    stored, scaled = loosen(adds), loosen(adds, 0.3)
    assert stored.at("resid_post", 1).tobytes() == adds.directions["resid_post.1"].tobytes()
    assert scaled.at("resid_post", 1).tobytes() == adds.addition(0.3, "resid_post.1").tobytes()
    assert (stored.multiplier, scaled.multiplier) == (1.0, 1.0)
    for vector in (projects, clamps):
        loose = loosen(vector, 0.3)
        assert (loose.operation, loose.multiplier) == (vector.operation, 0.3)
        assert [row.tolist() for row in loose.directions.values()] == [
            row.tolist() for row in vector.directions.values()
        ]


def test_loosen_says_the_model_and_keeps_the_vector() -> None:
    vector = good_vector()
    loose = loosen(vector)

    assert (loose.model, loose.n_layers, loose.native) == ("tiny", 4, vector)
