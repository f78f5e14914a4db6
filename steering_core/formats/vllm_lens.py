"""vllm-lens steering vectors in JSON: what a request carries as `apply_steering_vectors`.

Source: vllm-lens 1.3.0 (_helpers/types.py, _helpers/_serialize.py, _worker_ext.py, client.py).

- Site: what a decoder layer returns. In vLLM that is resid_post, or the half of it that the residual is still
  to be added to, which comes to the same. Not so in DeepSeek-V4, whose layers return the FFN's output before
  the streams are mixed: there a vector would act at mlp_out.
- Index: `layer_indices` are 0-based blocks, block 0 included.
- Operation: add. `norm_match` scales to each token's own norm, another operation; it is refused.
- Sign: positive adds.
- Scale: `scale` is the multiplier.
- Positions: a vector of two dimensions acts everywhere, as reports are measured; one of three is refused.
- Tensors: base64 of little-endian values. vllm-lens compresses them with zstd and reads them without, so ours
  are not compressed, and equal vectors give equal bytes. Compressed ones are read, never past their shape.
- Exact: directions, blocks and multiplier return bit for bit; bfloat16 and float16 widen exactly.
"""

import base64
import binascii
from typing import Any

import numpy as np
import zstandard

from steering_core.formats.control_vector import check_operation, finite, one_site
from steering_core.formats.easysteer_wire import MAX_LAYERS, json_object
from steering_core.formats.gguf_file import refused
from steering_core.formats.header import MAX_DIMENSION, MAX_FILE_BYTES
from steering_core.formats.loose import Exported, LooseVector
from steering_core.spec import canonical_json, site_key
from steering_core.vector import Direction

_FIELDS = {"activations", "layer_indices", "scale", "norm_match", "position_indices"}
_DTYPES = {"float32": "<f4", "float16": "<f2", "float64": "<f8", "int16": "<i2"}
_BFLOAT16 = "torch.bfloat16"


def matches(data: bytes) -> bool:
    """Whether the bytes begin as a JSON object or list and hold the keys of a steering vector."""
    begins = data[:64].lstrip()[:1] in (b"{", b"[")
    return begins and b'"activations"' in data and b'"layer_indices"' in data


def read(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    """The vector of a file: one object, or a list of one, as `SteeringVector.model_dump` gives it.

    Raises:
        FormatError: several vectors, `norm_match`, positions, or a tensor that is not what it says.
    """
    value = json_object(data)
    vector = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(vector, dict) or not {"activations", "layer_indices"} <= vector.keys() <= _FIELDS:
        raise refused(
            "request",
            f"expected one object with {', '.join(sorted(_FIELDS))}; split a list of several vectors",
        )
    if vector.get("norm_match", False) is not False or vector.get("position_indices") is not None:
        raise refused(
            "operation",
            "norm_match and position_indices change what is added to each token; a vector without is read",
        )
    scale = vector.get("scale", 1.0)
    if type(scale) not in (int, float):
        raise refused("multiplier", f"scale is {str(scale)[:40]!a}; expected a number")
    layers = _layers(vector["layer_indices"])
    rows = _tensor(vector["activations"], len(layers))
    return LooseVector(
        source="vllm-lens JSON",
        directions={site_key("resid_post", layer): row for layer, row in zip(layers, rows, strict=True)},
        multiplier=float(scale),
    )


def export(loose: LooseVector) -> Exported:
    """A list of one vector, ready as the text of `apply_steering_vectors`.

    Raises:
        FormatError: another operation than `add`, another site than resid_post, or a residual stream.
    """
    check_operation(loose, ("add",), "vllm-lens", "Its generic hooks run code; this file holds none")
    site = one_site(loose, ("resid_post",), "vllm-lens")
    blocks = loose.blocks(site)
    rows = np.stack([loose.at(site, block) for block in blocks]).astype("<f4")
    activations = {
        "data": base64.b64encode(rows.tobytes()).decode("ascii"),
        "dtype": "float32",
        "original_dtype": "torch.float32",
        "shape": list(rows.shape),
    }
    vector = {
        "activations": activations,
        "layer_indices": list(blocks),
        "scale": float(loose.multiplier),
        "norm_match": False,
        "position_indices": None,
    }
    return Exported(data=canonical_json([vector]), usage=_USAGE)


def _layers(value: Any) -> list[int]:
    right = isinstance(value, list) and 1 <= len(value) <= MAX_LAYERS
    if not right or not all(type(layer) is int and 0 <= layer < 1_000_000 for layer in value):
        raise refused(
            "request", f"layer_indices is {str(value)[:40]}; expected 1 to {MAX_LAYERS} of 0, 1, 2…"
        )
    if len(set(value)) < len(value):
        raise refused("request", f"layer_indices is {str(value)[:40]}; a layer stands there twice")
    return list(value)


def _tensor(value: Any, n_rows: int) -> list[Direction]:
    """n_rows of (d_model,) float32."""
    if not isinstance(value, dict) or not isinstance(value.get("data"), str):
        raise refused("payload", "activations must be an object with data, dtype and shape")
    shape, dtype, original = value.get("shape"), value.get("dtype"), value.get("original_dtype")
    if not isinstance(dtype, str) or dtype not in _DTYPES or (dtype == "int16") != (original == _BFLOAT16):
        raise refused(
            "dtype", f"activations are {str(dtype)[:24]!a} of {str(original)[:24]!a}; expected floats"
        )
    if not isinstance(shape, list) or [type(size) for size in shape] != [int, int]:
        raise refused("payload", f"activations have shape {str(shape)[:40]}; expected [layers, width]")
    n_bytes = shape[0] * shape[1] * np.dtype(_DTYPES[dtype]).itemsize
    if shape[0] != n_rows or not 1 <= shape[1] <= MAX_DIMENSION or n_bytes > MAX_FILE_BYTES:
        raise refused(
            "payload",
            f"activations have shape {str(shape)[:40]}; expected {n_rows} rows, for the layers, of 1 to "
            f"{MAX_DIMENSION:,} values and {MAX_FILE_BYTES:,} bytes in all",
        )
    values = _unpacked(value["data"], value.get("compression"), n_bytes)
    array: Any = np.frombuffer(values, dtype=_DTYPES[dtype]).reshape(shape)
    if dtype == "int16":
        # The upper half of a float32 is a bfloat16.
        array = (array.astype("<u2").astype("<u4") << 16).view("<f4")
    return [finite(row, f"row {at} of activations") for at, row in enumerate(array)]


def _unpacked(text: str, compression: Any, n_bytes: int) -> bytes:
    """The bytes of a tensor, never more than its shape takes."""
    if compression not in (None, "zstd"):
        raise refused("payload", f"activations are compressed with {str(compression)[:24]!a}; zstd is read")
    try:
        packed = base64.b64decode(text, validate=True)
        if compression is not None:
            # A frame that says its size is unpacked to that size, whatever the limit.
            if zstandard.frame_content_size(packed) not in (n_bytes, -1):
                raise ValueError("the frame is of another size")
            packed = zstandard.ZstdDecompressor().decompress(packed, max_output_size=n_bytes)
    except (binascii.Error, ValueError, zstandard.ZstdError) as error:
        raise refused("payload", "the data of activations is not base64, or no zstd of its size") from error
    if len(packed) != n_bytes:
        raise refused(
            "payload", f"the data of activations has another size than its shape, {n_bytes:,} bytes"
        )
    return packed


_USAGE = """\
vllm serve MODEL  # with vllm-lens installed

from openai import OpenAI
client = OpenAI(base_url="http://localhost:8000/v1", api_key="EMPTY")
steering = {"apply_steering_vectors": open("FILE.json").read()}
messages = [{"role": "user", "content": "Hello"}]
client.chat.completions.create(model="MODEL", messages=messages, extra_body={"vllm_xargs": steering})"""
