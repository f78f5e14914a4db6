"""The native vector file: safetensors in one canonical encoding. docs/format.md is the contract."""

from typing import Any

import numpy as np

from steering_core.errors import FormatError
from steering_core.formats.header import ALIGNMENT, Header, read_header
from steering_core.formats.manifest import (
    encode_manifest,
    manifest_from_vector,
    read_manifest,
)
from steering_core.spec import canonical_json, digest, digest_hex, parse_site_key
from steering_core.vector import Direction, SteeringVector

FORMAT_NAME = "bearing"
MEDIA_TYPE = "application/vnd.bearing.vector+safetensors"
NORM_RANGE = (1e-6, 1e6)
_SMALLEST_NORMAL = float(np.finfo(np.float32).smallest_normal)


def write_vector(vector: SteeringVector) -> bytes:
    """The file of a vector: the same vector gives the same bytes.

    Raises:
        FormatError: `read_vector` would refuse the file (a zero direction, no digest, too large).
    """
    data = _encode(vector)
    _decode(data)
    return data


def read_vector(data: bytes, expected_digest: str | None = None) -> SteeringVector:
    """The vector of a file, if the file is exactly what `write_vector` writes for it.

    Args:
        expected_digest: `sha256:…` of the file as it was published; checked before anything is parsed.

    Raises:
        FormatError: with a code of docs/format.md.
    """
    if expected_digest is not None:
        digest_hex(expected_digest)
        if (found := digest(data)) != expected_digest:
            raise FormatError(
                f"the file is {found}, not {expected_digest} as promised; do not use it, fetch it again",
                code="format.digest_mismatch",
            )
    vector = _decode(data)
    # The tensors were copied as they lie, so only the header could have been written in another way.
    if not data.startswith(_encode_header(vector)):
        raise FormatError(
            "the file is not the canonical encoding of what it says; write it with write_vector",
            code="format.not_canonical",
        )
    return vector


def inspect_vector(data: bytes) -> dict[str, Any]:
    """The manifest of a file, its digest, and the scale of each direction, ready for JSON.

    Raises:
        FormatError: as `read_vector`.
    """
    vector = read_vector(data)
    manifest = manifest_from_vector(vector)
    directions = []
    for key, fields in manifest["directions"].items():
        site, block = parse_site_key(key)
        scale = {"norm": vector.norm(key), "ratio": vector.ratio(key)}
        directions.append({"key": key, "site": site, "block": block, **scale, **fields})
    return {
        **manifest,
        "directions": directions,
        "digest": digest(data),
        "size_bytes": len(data),
    }


def _encode(vector: SteeringVector) -> bytes:
    tensors = (direction.astype("<f4").tobytes() for direction in vector.directions.values())
    return b"".join((_encode_header(vector), *tensors))


def _encode_header(vector: SteeringVector) -> bytes:
    fields: dict[str, Any] = {"__metadata__": {"format": FORMAT_NAME, "manifest": encode_manifest(vector)}}
    offset = 0
    for key, direction in vector.directions.items():
        end = offset + 4 * len(direction)
        fields[key] = {"dtype": "F32", "shape": [len(direction)], "data_offsets": [offset, end]}
        offset = end
    header = canonical_json(fields)
    header += b" " * (-len(header) % ALIGNMENT)
    return len(header).to_bytes(8, "little") + header


def _decode(data: bytes) -> SteeringVector:
    header = read_header(data)
    if header.metadata.keys() != {"format", "manifest"} or header.metadata["format"] != FORMAT_NAME:
        raise FormatError(
            f"__metadata__ must hold format ({FORMAT_NAME!r}) and manifest and nothing else; a safetensors "
            "file is no Bearing vector until it is imported",
            code="format.metadata",
        )
    manifest = read_manifest(header.metadata["manifest"])
    if manifest.residual_norms.keys() != header.tensors.keys():
        raise FormatError(
            "the manifest names other directions than the tensors of the file",
            code="format.directions",
        )
    vector = SteeringVector(
        model=manifest.model,
        directions={key: _direction(data, header, key) for key in header.tensors},
        residual_norms=manifest.residual_norms,
        operation=manifest.operation,
        sign=manifest.sign,
        set_points=manifest.set_points,
        window=manifest.window,
        doses=manifest.doses,
        provenance=manifest.provenance,
    )
    if vector.tensor_digest != manifest.tensor_digest:
        raise FormatError(
            f"the tensors hash to {vector.tensor_digest}, the manifest says {manifest.tensor_digest}; "
            "the file was changed or damaged, fetch it again",
            code="format.tensor_digest",
        )
    return vector


def _direction(data: bytes, header: Header, key: str) -> Direction:
    """(d_model,) float32 whose values and norm can be meant."""
    parse_site_key(key)
    info = header.tensors[key]
    stored = np.frombuffer(data, dtype="<f4", count=info.shape[0], offset=header.data_start + info.start)
    direction: Direction = stored.astype(np.float32)
    check_direction(key, direction)
    return direction


def check_direction(key: str, direction: Direction) -> None:
    """Refuse numbers that cannot be meant.

    Raises:
        FormatError: a value is not finite, all are zero or subnormal, or the norm is out of range.
    """
    if not np.isfinite(direction).all():
        raise FormatError(
            f"{key} holds NaN or infinity; every value must be finite",
            code="format.not_finite",
        )
    largest = float(np.abs(direction).max())
    if largest == 0.0:
        raise FormatError(f"{key} is all zero and points nowhere", code="format.zero")
    if largest < _SMALLEST_NORMAL:
        raise FormatError(
            f"{key} holds only subnormal numbers, which devices round to zero",
            code="format.subnormal",
        )
    norm = float(np.linalg.norm(direction.astype(np.float64)))
    if not NORM_RANGE[0] <= norm <= NORM_RANGE[1]:
        raise FormatError(
            f"{key} has norm {norm:.3g}; expected {NORM_RANGE[0]:g} to {NORM_RANGE[1]:g}",
            code="format.norm_range",
        )
