"""EasySteer's payload in JSON: what a request carries as `data` in place of a file on the server.

Sources: vllm/model_hooks/steering/payloads.py of ZJU-REAL/EasySteer-vllm-v1 at 4b85a7f (wire version 1) and
`to_json_payload` in easysteer/vectors.py of ZJU-REAL/EasySteer at 0b71127.

- Site: resid_post, as in `easysteer_gguf`. Index: `layer.k` is the 0-based block k, block 0 included.
- Operation: none is said, and unknown metadata is rejected, so only `add` is written; `easysteer_request` can
  also say `project`.
- Sign and scale: positive adds; the factor stands in the request beside the payload.
- sha256 over kind and version, then each name in order with its shape as a Python tuple and its bytes, little
  endian float32; checked before anything is used.
- Exact: directions and blocks return bit for bit.
"""

import base64
import binascii
import hashlib
import json
import re
from typing import Any

import numpy as np

from steering_core.errors import FormatError
from steering_core.formats.control_vector import check_operation, one_site
from steering_core.formats.easysteer_gguf import APPLY
from steering_core.formats.gguf_file import refused
from steering_core.formats.header import MAX_DIMENSION, MAX_FILE_BYTES
from steering_core.formats.loose import Exported, LooseVector
from steering_core.spec import canonical_json, parse_json, site_key
from steering_core.vector import Direction

VERSION = 1
KIND = "direction"
MAX_LAYERS = 1024

_FIELDS = {"version", "kind", "tensors", "extra", "sha256"}
_NAME = re.compile(r"layer\.(0|[1-9][0-9]{0,5})")


def matches(data: bytes) -> bool:
    """Whether the bytes begin as a JSON object and hold a payload's keys, but not a request's."""
    keys = (b'"kind"', b'"tensors"', b'"sha256"')
    return looks_like_json(data) and all(key in data for key in keys) and b'"vectors"' not in data


def read(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    """The vector of a payload, taken as `add`.

    Raises:
        FormatError: no payload of kind direction and version 1, or one whose sha256 is another.
    """
    return LooseVector(
        source="EasySteer payload",
        directions=directions_from(json_object(data)),
        warnings=("a payload does not say its operation; taken as add",),
    )


def export(loose: LooseVector) -> Exported:
    """A payload for `data`.

    Raises:
        FormatError: another operation than `add`, another site than resid_post, a residual stream.
    """
    check_operation(
        loose, ("add",), "an EasySteer payload", "Export for easysteer-request, which names erase"
    )
    spec = {"data": "…", "algorithm": "direct", "scale": loose.multiplier, "apply": APPLY}
    return Exported(
        data=canonical_json(payload(loose)),
        usage="# in a request, with the file's JSON as data\n"
        + json.dumps({"steering": {"vectors": [spec]}}, ensure_ascii=False),
    )


def payload(loose: LooseVector) -> dict[str, Any]:
    """The directions as EasySteer sends them.

    Raises:
        FormatError: another site than resid_post, or one of several residual streams.
    """
    site = one_site(loose, ("resid_post",), "EasySteer")
    rows = {f"layer.{block}": loose.at(site, block) for block in loose.blocks(site)}
    return {
        "version": VERSION,
        "kind": KIND,
        "tensors": {name: {"shape": [len(row)], "data": _encoded(row)} for name, row in sorted(rows.items())},
        "extra": {},
        "sha256": _digest(rows),
    }


def directions_from(value: object) -> dict[str, Direction]:
    """Site key -> direction, of a payload that was parsed.

    Raises:
        FormatError: as `read`.
    """
    if not isinstance(value, dict) or value.keys() != _FIELDS:
        raise refused("payload", f"a payload must have exactly {', '.join(sorted(_FIELDS))}")
    if value["version"] != VERSION or value["kind"] != KIND or value["extra"] != {}:
        found = f"version {str(value['version'])[:16]}, kind {str(value['kind'])[:24]!a}"
        raise refused(
            "payload", f"the payload has {found}; version {VERSION}, kind {KIND} is read, bare of extra"
        )
    tensors = value["tensors"]
    if not isinstance(tensors, dict) or not 1 <= len(tensors) <= MAX_LAYERS:
        raise refused("payload", f"tensors must be an object of 1 to {MAX_LAYERS} directions")
    rows = {name: _row(name, entry) for name, entry in tensors.items()}
    if value["sha256"] != _digest(rows):
        raise refused("digest", "the tensors do not have the payload's sha256; fetch the payload again")
    return {site_key("resid_post", int(name.removeprefix("layer."))): row for name, row in rows.items()}


def looks_like_json(data: bytes) -> bool:
    """Whether the first byte that is no white space opens an object."""
    return data[:64].lstrip().startswith(b"{")


def json_object(data: bytes) -> Any:
    """The strict JSON of a file.

    Raises:
        FormatError: too large, not UTF-8, or no JSON.
    """
    if len(data) > MAX_FILE_BYTES:
        raise refused("too_large", f"the file has {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are read")
    try:
        return parse_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 at byte {error.start}", code="format.not_json") from error


def _row(name: str, entry: object) -> Direction:
    """(d_model,) float32."""
    if not _NAME.fullmatch(name):
        raise refused("payload", f"a tensor is called {name[:40]!a}; expected layer. and a block index")
    if not isinstance(entry, dict) or entry.keys() != {"shape", "data"} or not isinstance(entry["data"], str):
        raise refused("payload", f"{name} must have shape and data, a text, and nothing else")
    shape = entry["shape"]
    if not isinstance(shape, list) or [type(size) for size in shape] != [int]:
        raise refused("payload", f"{name} has shape {str(shape)[:40]}; expected one dimension")
    try:
        values = base64.b64decode(entry["data"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise refused("payload", f"the data of {name} is not base64") from error
    if not 1 <= shape[0] <= MAX_DIMENSION or len(values) != 4 * shape[0]:
        raise refused(
            "payload",
            f"{name} has {len(values):,} bytes and shape {str(shape)[:40]}; expected 4 for each of 1 to "
            f"{MAX_DIMENSION:,} values",
        )
    return np.frombuffer(values, dtype="<f4").astype(np.float32)


def _encoded(row: Direction) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode("ascii")


def _digest(rows: dict[str, Direction]) -> str:
    summed = hashlib.sha256(f"{KIND}:{VERSION}".encode())
    for name, row in sorted(rows.items()):
        summed.update(f"{name}({len(row)},)".encode())
        summed.update(row.astype("<f4").tobytes())
    return summed.hexdigest()
