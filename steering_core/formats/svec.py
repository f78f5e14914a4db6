"""`.svec` files of IBM's activation steering: JSON, one direction a layer.

Sources: IBM/activation-steering at 52be602 (steering_vector.py, leash_layer.py, malleable_model.py);
IBM/AISteer360 at 1d7c843 (state_control/_common/steering_vector.py, cast/control.py, caa/control.py).

- Site: the residual stream at the INPUT of a layer, so resid_post of the block before it.
- Index: key L is measured after block L but added to the input of block L, one block earlier. Read here is
  what is applied: key L is resid_post.{L-1}, and key 0, the embeddings, cannot be said. Written is key b+1
  for block b, so the model's last block cannot be said.
- Two dialects: activation-steering has a list for each layer, AISteer360 a list of K lists. K = 1 is read; a
  larger K means positions, a plane or heads. AISteer360 reads the first dialect too, so that is written. Its
  CAA adds the same file at the OUTPUT of layer L instead; the file does not say for which it was made.
- Operation: add. Sign: positive goes towards the positive texts.
- Scale: a raw factor beside the file (`behavior_vector_strength`). Theirs have norm 1.
- activation-steering steers the first row of a batch only.
- Exact: numbers are written as the decimal of the float32, so directions and blocks return bit for bit.
"""

import re
from typing import Any

import numpy as np

from steering_core.formats.control_vector import check_operation, finite, hint_fields, one_site, printable
from steering_core.formats.easysteer_wire import MAX_LAYERS, json_object, looks_like_json
from steering_core.formats.gguf_file import refused
from steering_core.formats.header import MAX_DIMENSION
from steering_core.formats.loose import Exported, LooseVector
from steering_core.spec import canonical_json, site_key
from steering_core.vector import Direction

_LAYER = re.compile(r"0|[1-9][0-9]{0,5}")
_APPLIED = (
    "activation-steering measures after block L but adds to the input of block L; shown is where it is "
    "added, one block before its key"
)
_OTHER_CONTROL = "AISteer360's CAA adds the same file after block L instead, one block later than shown"
_EMBEDDINGS = "the direction of layer 0 was left out: it is added to the embeddings, before the first block"


def matches(data: bytes) -> bool:
    """Whether the bytes begin as a JSON object and hold the keys of a .svec file."""
    return looks_like_json(data) and b'"directions"' in data and b'"model_type"' in data


def read(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    """The vector of a .svec file, as activation-steering would apply it.

    Raises:
        FormatError: no .svec file, several directions a layer, or nothing but the embeddings.
    """
    fields = json_object(data)
    listed = fields.get("directions") if isinstance(fields, dict) else None
    if not isinstance(listed, dict) or not 1 <= len(listed) <= MAX_LAYERS:
        raise refused("svec", f"directions must be an object of 1 to {MAX_LAYERS} layers")
    if fields.get("num_heads") is not None or fields.get("head_dim") is not None:
        raise refused("svec", "the directions are of attention heads; those of the residual stream are read")
    rows = {_layer(key): _row(value, f"layer {key}") for key, value in listed.items()}
    embeddings = rows.pop(0, None)
    if not rows:
        raise refused(
            "embeddings",
            "the only direction is for layer 0, which is added to the embeddings; no site here is before the "
            "first block",
        )
    nested = any(isinstance(value[0], list) for value in listed.values())
    return LooseVector(
        source=".svec of AISteer360" if nested else ".svec of activation-steering",
        directions={site_key("resid_post", layer - 1): row for layer, row in rows.items()},
        model=printable(str(fields.get("model_type", ""))),
        warnings=(
            _APPLIED,
            *((_OTHER_CONTROL,) if nested else ()),
            *((_EMBEDDINGS,) if embeddings is not None else ()),
        ),
    )


def export(loose: LooseVector) -> Exported:
    """A .svec file of the first dialect, which both programs read.

    Raises:
        FormatError: another operation than `add`, another site than resid_post, a residual stream, or nothing
            but the last block.
    """
    check_operation(loose, ("add",), "activation-steering", "There is no key for an operation")
    site = one_site(loose, ("resid_post",), "activation-steering")
    rows = {block + 1: loose.at(site, block) for block in loose.blocks(site)}
    warnings: tuple[str, ...] = ()
    if rows.pop(loose.n_layers or -1, None) is not None:
        warnings = ("the direction of the last block was left out: there is no layer whose input it is",)
    if not rows:
        raise refused(
            "last_block",
            "the only direction is at the last block, and activation-steering adds before a layer; extract "
            "at an earlier block",
        )
    fields = {
        "model_type": hint_fields(loose, ())["controlvector.model_hint"].value,
        "directions": {str(layer): row.tolist() for layer, row in rows.items()},
        "explained_variances": {},
    }
    return Exported(data=canonical_json(fields), usage=_usage(loose, sorted(rows)), warnings=warnings)


def number_row(values: Any, where: str) -> Direction:
    """(d_model,) float32 of a JSON list of numbers.

    Raises:
        FormatError: `engine.numbers`: no list of 1 to 65,536 numbers; `format.not_finite`.
    """
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_DIMENSION:
        raise refused("numbers", f"{where} is not a list of 1 to {MAX_DIMENSION:,} numbers")
    if not all(type(value) in (int, float) for value in values):
        raise refused("numbers", f"{where} holds something else than numbers")
    return finite(np.array(values, dtype=np.float64), where)


def _layer(key: str) -> int:
    if not _LAYER.fullmatch(key):
        raise refused("svec", f"a layer is called {key[:24]!a}; expected a number such as 12")
    return int(key)


def _row(value: Any, where: str) -> Direction:
    if isinstance(value, list) and value and isinstance(value[0], list):
        if len(value) > 1:
            raise refused(
                "rank",
                f"{where} has {len(value)} directions, for positions, a plane or heads; files of one "
                "direction a layer are read",
            )
        value = value[0]
    return number_row(value, where)


def _usage(loose: LooseVector, layers: list[int]) -> str:
    return (
        "from activation_steering import MalleableModel, SteeringVector\n"
        "steered = MalleableModel(model=model, tokenizer=tokenizer)\n"
        f'steered.steer(behavior_vector=SteeringVector.load("FILE.svec"), behavior_layer_ids={layers},\n'
        f"              behavior_vector_strength={loose.multiplier:g})  # one prompt at a time\n"
        "# In AISteer360 this is for CAST; its CAA would add one block too late."
    )
