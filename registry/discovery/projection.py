"""Few numbers in place of a direction: a fixed random projection, in which angles are about what they were.

256 random signs a component (Johnson and Lindenstrauss 1984; with signs Achlioptas 2003). The cosine of
two sketches is that of the directions with a standard error of about (1 - cosine²) / 16, so sketches find
candidates and the directions themselves decide.
"""

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from steering_core.vector import Direction

SIZE = 256
# The signs are the bits of SHAKE-256 of this text: the same on every machine and in every release. Another
# text makes all stored sketches worthless, so that they have to be written anew.
SEED = b"bearing sketch 1"

Numbers = npt.NDArray[np.float32]


def sketch_of(direction: Direction) -> Numbers:
    """(d_model,) of any norm -> (256,) of norm 1."""
    exact = direction.astype(np.float64)
    projected = exact / np.linalg.norm(exact) @ _signs(len(direction))
    return (projected / np.linalg.norm(projected)).astype(np.float32)


def cosine(one: Direction, other: Direction) -> float:
    """Of two directions as they are stored, summed in float64."""
    left, right = one.astype(np.float64), other.astype(np.float64)
    # Each by its own norm first: the product of two large norms is no float any more.
    return float(left / np.linalg.norm(left) @ (right / np.linalg.norm(right)))


@lru_cache(maxsize=4)
def _signs(d_model: int) -> npt.NDArray[np.float32]:
    """(d_model, 256) of -1 and 1; those of a smaller model are the first rows of those of a larger one."""
    stream = hashlib.shake_256(SEED).digest(d_model * SIZE // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8)).reshape(d_model, SIZE)
    return bits.astype(np.float32) * 2 - 1
