"""EasySteer's GGUF export, which its vLLM loads as `VectorSpec(source="FILE.gguf")`.

Sources: ZJU-REAL/EasySteer easysteer/extraction/result.py at 9905dd4 and, for the older files,
easysteer/steer/utils.py at 01b5d72; the loader is vllm/model_hooks/steering/loading.py of
ZJU-REAL/EasySteer-vllm-v1 at 4b85a7f.

- Site: resid_post (`component` hidden_states): the decoder layer's output with the residual added. Files of
  attention_heads or router_logits are refused: they are no directions of the residual stream.
- Index: `direction.k` is the true 0-based block k, block 0 included (llama.cpp rejects a direction.0).
- Operation: the request chooses it (`algorithm`), the file does not say. We note it in the metadata and read
  it from there; other files are taken as `add`. `erase` takes the whole component away at any scale.
- Sign: positive adds. The positive samples are those that the extractor was given.
- Scale: a raw factor in the request; not in the file. EasySteer's extractors write norm 1 by default.
- Metadata: one JSON text in `controlvector.easysteer`; older files have one float32 or string for each value.
- Exact: directions, blocks and operation return bit for bit.
"""

import json
from typing import Any

from gguf import GGUFValueType

from steering_core.errors import FormatError
from steering_core.formats.control_vector import (
    ARCHITECTURE,
    bearing_fields,
    check_operation,
    hint_fields,
    model_from,
    named,
    notes_from,
    one_site,
    read_directions,
    text_field,
)
from steering_core.formats.gguf_file import Field, GgufFile, is_gguf, read_gguf, refused, says, write_gguf
from steering_core.formats.llama_cpp import rejected_by_llama_cpp
from steering_core.formats.loose import Exported, LooseVector
from steering_core.spec import parse_json, site_key

ALGORITHMS = {"add": "direct", "project": "erase"}
APPLY = {"prompt": "all", "generation": "all"}

_NATIVE = "controlvector.easysteer"
_VERSION = 1
_COMPONENT = "hidden_states"
_OPERATION = "bearing_operation"
_FIRST_BLOCK = "llama.cpp rejects this file, since it has direction.0; export for llama.cpp to use it there"


def matches(data: bytes) -> bool:
    """Whether a file begins as GGUF and has a key that only EasySteer writes."""
    return is_gguf(data) and (says(data, _NATIVE) or says(data, "controlvector.method"))


def read(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    """The vector of an EasySteer file.

    Raises:
        FormatError: no GGUF file, tensors that are not directions, or another component than hidden states.
    """
    file = read_gguf(data)
    directions = read_directions(file)
    return LooseVector(
        source="EasySteer GGUF",
        directions={site_key("resid_post", block): row for block, row in directions.items()},
        operation=_operation(file),
        n_layers=file.integer("bearing.n_layers"),
        model=model_from(file),
        notes=notes_from(file),
        warnings=tuple(rejected_by_llama_cpp(file, directions)),
    )


def export(loose: LooseVector) -> Exported:
    """A file for EasySteer's `source`.

    Raises:
        FormatError: `clamp`, another site than resid_post, or one of several residual streams.
    """
    check_operation(
        loose, ALGORITHMS, "EasySteer", "Its replace algorithm puts the direction in, no set point"
    )
    site = one_site(loose, ("resid_post",), "EasySteer")
    directions = {block: loose.at(site, block) for block in loose.blocks(site)}
    method = loose.notes.get("controlvector.method", "unknown")
    if loose.native is not None:
        method = loose.native.provenance.method
    native = {
        "version": _VERSION,
        "component": _COMPONENT,
        "metadata": {"mapping": [[_OPERATION, loose.operation]]},
    }
    fields = hint_fields(loose, directions)
    fields["controlvector.method"] = text_field(method)
    fields[_NATIVE] = Field(GGUFValueType.STRING, json.dumps(native, separators=(",", ":")))
    return Exported(
        data=write_gguf(ARCHITECTURE, fields | bearing_fields(loose), named(directions)),
        usage=_usage(loose),
        warnings=scale_warnings(loose) + ((_FIRST_BLOCK,) if 0 in directions else ()),
    )


def scale_warnings(loose: LooseVector) -> tuple[str, ...]:
    """A word on `erase`, whose scale does nothing."""
    if loose.operation == "project" and loose.multiplier != 1:
        return (
            f"EasySteer's erase takes the whole component away, not {loose.multiplier:g} of it; its scale "
            "does nothing",
        )
    return ()


def _operation(file: GgufFile) -> str:
    text = file.text(_NATIVE)
    if not text:
        return "add"
    try:
        native = parse_json(text)
    except FormatError as error:
        raise refused("metadata", f"{_NATIVE} cannot be read: {error.message}") from error
    if not isinstance(native, dict) or native.get("version") != _VERSION:
        raise refused("metadata", f"{_NATIVE} is not of version {_VERSION}; update this program")
    if native.get("component") not in (None, _COMPONENT):
        raise refused(
            "component",
            f"the directions are of {str(native['component'])[:40]!a}; those of {_COMPONENT} are read",
        )
    return _noted(native.get("metadata"))


def _noted(metadata: Any) -> str:
    """Our own note among EasySteer's metadata, which writes a dict as a list of pairs."""
    pairs = metadata.get("mapping") if isinstance(metadata, dict) else None
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and pair[0] == _OPERATION and pair[1] in (*ALGORITHMS,):
            return str(pair[1])
    return "add"


def _usage(loose: LooseVector) -> str:
    algorithm = ALGORITHMS[loose.operation]
    spec = {"source": "FILE.gguf", "algorithm": algorithm, "scale": loose.multiplier, "apply": APPLY}
    return (
        f"vllm serve MODEL --enable-steer-vector --steer-algorithms {algorithm}\n"
        f"# in a request: {json.dumps({'steering': {'vectors': [spec]}})}"
    )
