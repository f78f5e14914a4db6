import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.errors import FormatError
from steering_core.formats import ds4
from steering_core.formats.loose import LooseVector
from tests.loose_vectors import N_LAYERS, loose_vector, loose_vectors, same_bits, unit_vector

# The fields and the style of dir-steering/out/verbosity.json, which ds4's tool wrote.
FIELDS = {
    "format": "ds4-directional-steering-v1",
    "shape": [4, 3],
    "component": "ffn_out",
    "thinking": False,
    "pair_normalize": False,
    "orthogonalize_control_mean": True,
    "good_file": "good.txt",
    "bad_file": "bad.txt",
    "model": "DeepSeek-V4-Flash-IQ2XXS.gguf",
    "note": "runtime positive scale suppresses this direction; negative scale amplifies it",
}
ROWS = np.float32([[0, 0, 0], [0.6, 0.8, 0], [1, 0, 0], [0, -0.6, 0.8]])


def sidecar(**changes: object) -> bytes:
    return json.dumps(FIELDS | changes, indent=2).encode()


@pytest.mark.parametrize("component", ["ffn_out", "attn_out"])
def test_export_of_read_file_is_the_same_bytes_with_its_sidecar(component: str) -> None:
    vector = ds4.read(ROWS.tobytes(), sidecar(component=component))
    exported = ds4.export(vector)

    assert vector.sites == ({"ffn_out": "mlp_out"}.get(component, component),)
    assert vector.blocks(vector.sites[0]) == (1, 2, 3)
    assert (vector.operation, vector.multiplier, vector.n_layers) == ("project", 1.0, 4)
    assert (vector.model, vector.warnings) == (FIELDS["model"], ())
    assert exported.data == ROWS.tobytes()
    assert exported.sidecars == {".json": sidecar(component=component)}
    assert exported.warnings == ()


TEXTS = st.text(max_size=12) | st.sampled_from(["true", "4", '"x"', "null", "[]", "1e3", " 4", "{"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(-1e9, 1e9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=8).filter(lambda key: key not in FIELDS), VALUES, max_size=5))
def test_export_of_read_sidecar_with_any_other_fields_is_the_same_bytes(others: dict[str, object]) -> None:
    written = sidecar(**others)

    assert ds4.export(ds4.read(ROWS.tobytes(), written)).sidecars == {".json": written}


@given(loose_vectors(sites=("mlp_out", "attn_out"), operations=("project",)))
def test_read_of_export_gives_unit_rows_that_stay_as_they_are(loose: LooseVector) -> None:
    if loose.n_layers is None or not any(row.tobytes().strip(b"\0") for row in loose.directions.values()):
        return
    exported = ds4.export(loose)
    once = ds4.read(exported.data, exported.sidecars[".json"])
    again = ds4.export(once)

    assert len(exported.data) == 4 * N_LAYERS * loose.d_model
    assert (once.sites, once.n_layers) == (loose.sites, N_LAYERS)
    assert (again.data, again.sidecars) == (exported.data, exported.sidecars)
    for key, row in loose.directions.items():
        exact = row.astype(np.float64)
        expected = exact / (np.linalg.norm(exact) or 1)
        found = once.directions.get(key, np.zeros_like(row))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-44)


@pytest.mark.parametrize("site", ["mlp_out", "attn_out"])
def test_export_unit_rows_are_written_at_their_blocks_and_zeros_elsewhere(site: str) -> None:
    loose = unit_vector(site, blocks=(0, 7), multiplier=-0.5)
    exported = ds4.export(loose)
    rows = np.frombuffer(exported.data, dtype="<f4").reshape(N_LAYERS, loose.d_model)

    assert np.flatnonzero(rows.any(axis=1)).tolist() == [0, 7]
    assert same_bits(ds4.read(exported.data, exported.sidecars[".json"]), loose)
    assert exported.usage.endswith(
        {"mlp_out": "--dir-steering-ffn -0.5", "attn_out": "--dir-steering-ffn 0 --dir-steering-attn -0.5"}[
            site
        ]
    )
    said = json.loads(exported.sidecars[".json"])
    assert (said["format"], said["shape"]) == (ds4.FORMAT, [N_LAYERS, 6])
    assert "suppresses" in said["note"]


def test_export_other_norms_are_divided_by_with_a_warning() -> None:
    exported = ds4.export(loose_vector("mlp_out", operation="project"))

    assert "norm acts squared" in exported.warnings[0]


@pytest.mark.parametrize(
    ("loose", "code", "words"),
    [
        (loose_vector("mlp_out"), "engine.operation", "extract the vector for project"),
        (loose_vector("mlp_out", operation="clamp"), "engine.operation", "cannot add"),
        (unit_vector("resid_post"), "engine.site", "mlp_out or attn_out"),
        (unit_vector("resid_post@0"), "engine.site", "residual streams"),
        (unit_vector("mlp_out", n_layers=None), "engine.n_layers", "a row for each"),
    ],
)
def test_export_of_what_ds4_cannot_do_is_refused(loose: LooseVector, code: str, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        ds4.export(loose)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("data", "beside", "code"),
    [
        (ROWS.tobytes(), None, "engine.sidecar"),
        (ROWS.tobytes()[:-4], sidecar(), "engine.size"),
        (ROWS.tobytes() + bytes(4), sidecar(), "engine.size"),
        (b"", sidecar(), "engine.size"),
        (bytes(48), sidecar(), "engine.zero"),
        (np.full((4, 3), np.nan, dtype="<f4").tobytes(), sidecar(), "format.not_finite"),
        (b"\1\0\x80\x7f" * 12, sidecar(), "format.not_finite"),
        (ROWS.tobytes(), sidecar(format="ds4-expert-steering-v1"), "engine.sidecar"),
        (ROWS.tobytes(), sidecar(component="resid_post"), "engine.sidecar"),
        (ROWS.tobytes(), sidecar(component=[]), "engine.sidecar"),
        (ROWS.tobytes(), sidecar(shape=[12]), "engine.sidecar"),
        (ROWS.tobytes(), sidecar(shape=[4.0, 3.0]), "engine.sidecar"),
        (ROWS.tobytes(), sidecar(shape=[-4, -3]), "engine.sidecar"),
        (ROWS.tobytes(), sidecar(shape=[2**62, 2**62]), "engine.sidecar"),
        (ROWS.tobytes(), b"[]", "engine.sidecar"),
        (ROWS.tobytes(), b"{", "format.not_json"),
        (ROWS.tobytes(), ROWS.tobytes(), "format.not_json"),
    ],
)
def test_read_of_what_cannot_be_meant_is_refused(data: bytes, beside: bytes | None, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        ds4.read(data, beside)

    assert caught.value.code == code


def test_read_rows_of_other_norms_warns() -> None:
    assert "from 2 to 2" in ds4.read((2 * ROWS).tobytes(), sidecar()).warnings[0]


def test_matches_takes_rows_and_no_file_that_says_what_it_is() -> None:
    assert ds4.matches(ROWS.tobytes())
    others = (
        b"",
        b"GGUF" + bytes(20),
        sidecar() + b" " * (-len(sidecar()) % 4),
        Path(__file__).read_bytes()[:4000],
    )
    assert not any(map(ds4.matches, others))
