"""Loose vectors to convert: one to look at, and a hypothesis strategy for any."""

from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from steering_core.formats.loose import LooseVector
from steering_core.vector import Direction

N_LAYERS = 12
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
EXTREMES = st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 1.1754942e-38, 3.4028235e38, -3.4028235e38, 1.0])


def loose_vector(
    site: str = "resid_post", *, blocks: tuple[int, ...] = (1, 3), **fields: object
) -> LooseVector:
    """Unlike directions of width 6 at some blocks of one site."""
    directions = {f"{site}.{block}": np.arange(6, dtype=np.float32) - block - 0.5 for block in blocks}
    return LooseVector(**{"source": "test", "directions": directions, "n_layers": N_LAYERS, **fields})


def unit_vector(site: str, *, blocks: tuple[int, ...] = (1, 3), **fields: object) -> LooseVector:
    """As `loose_vector`, of norm 1 and for `project`."""
    directions = {}
    for key, row in loose_vector(site, blocks=blocks).directions.items():
        exact = row.astype(np.float64)
        directions[key] = (exact / np.linalg.norm(exact)).astype(np.float32)
    return loose_vector(site, blocks=blocks, **{"directions": directions, "operation": "project", **fields})


@st.composite
def loose_vectors(
    draw: st.DrawFn,
    *,
    sites: tuple[str, ...] = ("resid_post",),
    operations: tuple[str, ...] = ("add",),
    first_block: int = 0,
) -> LooseVector:
    """Any directions that a float32 can say, at one of the sites."""
    site = draw(st.sampled_from(sites))
    width = draw(st.integers(1, 40))
    rows = stn.arrays(np.float32, width, elements=FINITE | EXTREMES)
    blocks = draw(st.dictionaries(st.integers(first_block, N_LAYERS - 1), rows, min_size=1, max_size=6))
    return LooseVector(
        source="test",
        directions={f"{site}.{block}": row for block, row in blocks.items()},
        operation=draw(st.sampled_from(operations)),
        n_layers=draw(st.sampled_from([None, N_LAYERS])),
        model=draw(st.text(max_size=12)),
        multiplier=draw(st.floats(-(2.0**100), 2.0**100, width=32)),
    )


def same_bits(one: LooseVector, other: LooseVector) -> bool:
    """Whether two vectors have the same directions at the same places, bit for bit."""
    return _bits(one.directions) == _bits(other.directions)


def _bits(directions: Mapping[str, Direction]) -> dict[str, bytes]:
    return {key: row.tobytes() for key, row in directions.items()}
