"""Vectors turned to right angles to each other where they are written, as little as possible."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from steering_core.evaluation.composition.bench import Member

_LEAST_EIGENVALUE = 1e-3


def orthogonal(members: Sequence[Member]) -> list[Member] | None:
    """Members whose directions are at right angles at every place that some of them share.

    Symmetric (Löwdin) orthogonalisation, U -> (U U^T)^(-1/2) U on unit directions: of all orthonormal sets
    the nearest one, and unlike Gram-Schmidt the same in any order. Norms stay.

    Returns:
        None where no two share a place, or where directions nearly coincide, so that there is no such set.

    Source: Löwdin, Journal of Chemical Physics 18 (1950), 365-375.
    """
    directions = [dict(member.vector.directions) for member in members]
    shared = {key for key in set().union(*directions) if sum(key in own for own in directions) > 1}
    for key in sorted(shared):
        at = [own for own in directions if key in own]
        raw = np.array([own[key] for own in at], dtype=np.float64)
        norms = np.linalg.norm(raw, axis=1, keepdims=True)
        units = raw / norms
        values, vectors = np.linalg.eigh(units @ units.T)
        if values.min() < _LEAST_EIGENVALUE:
            return None
        turned = norms * (vectors @ np.diag(values**-0.5) @ vectors.T @ units)
        for own, direction in zip(at, turned, strict=True):
            own[key] = direction.astype(np.float32)
    if not shared:
        return None
    return [
        replace(member, vector=replace(member.vector, directions=own, set_points={}, doses=()))
        for member, own in zip(members, directions, strict=True)
    ]
