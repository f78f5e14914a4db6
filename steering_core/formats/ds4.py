"""ds4 (DwarfStar) direction files: a headerless float32 matrix, and a JSON file beside it.

Source: antirez/ds4 at 8d57664: ds4.c (`read_f32_binary_file`, `cpu_directional_steering_project_rows`) and
dir-steering/tools/build_direction.py; the example vector dir-steering/out/verbosity.

- Layout: [n_layer][d_model] float32, little endian, no header; ds4 demands exactly its model's size, for
  DeepSeek-V4-Flash 43 x 4096. Row k is the 0-based block k, block 0 included; a row of zeros does nothing.
- Site: `component` of the JSON, which the engine never reads: `ffn_out` is mlp_out, `attn_out` is attn_out,
  both before the hyper-connections mix them in. There is no resid_post.
- Operation: project only: y - scale v (v.y), with the row as it stands. Adding cannot be said: a vector that
  was measured as one that adds must be measured again as one that projects.
- Sign: a scale above 0 takes the component away, below 0 strengthens it, as our strength of `project` does.
- Scale: `--dir-steering-ffn` and `--dir-steering-attn`; rows have norm 1, since a norm would act squared.
- Exact: a file whose rows are zeros or have norm 1 within 1e-6 returns byte for byte, and its JSON too if it
  was written as ds4's tool writes it. Other rows are normalised in float64 and rounded once.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from steering_core.errors import FormatError
from steering_core.formats.control_vector import check_operation, finite, one_site, printable
from steering_core.formats.easysteer_wire import json_object
from steering_core.formats.gguf_file import refused
from steering_core.formats.glp import UNIT_TOLERANCE, unit
from steering_core.formats.header import MAX_DIMENSION, MAX_FILE_BYTES
from steering_core.formats.loose import Exported, LooseVector
from steering_core.formats.manifest import MAX_LAYERS
from steering_core.spec import parse_json, site_key
from steering_core.vector import Direction

FORMAT = "ds4-directional-steering-v1"
COMPONENTS = {"mlp_out": "ffn_out", "attn_out": "attn_out"}

_SITES = {component: site for site, component in COMPONENTS.items()}
_SNIFFED_BYTES = 65_536


def matches(data: bytes) -> bool:
    """Whether the bytes could be unit rows, small float32; there is no header to know them by."""
    if not data or len(data) % 4 or len(data) > MAX_FILE_BYTES:
        return False
    with np.errstate(invalid="ignore"):
        return bool((np.abs(np.frombuffer(data[:_SNIFFED_BYTES], dtype="<f4")) <= 1).all())


def read(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    """The vector of a direction file; only its JSON says how wide a row is.

    Raises:
        FormatError: no JSON, one that is not ds4's, or a file of another size than its shape.
    """
    if sidecar is None:
        raise refused(
            "sidecar",
            f"a ds4 file of {len(data):,} bytes does not say how wide its rows are; give the JSON file that "
            f"ds4 wrote beside it (format {FORMAT}, with its shape and component)",
        )
    fields = json_object(sidecar)
    n_layers, d_model, site = _described(fields)
    if len(data) != 4 * n_layers * d_model:
        raise refused(
            "size",
            f"the file has {len(data):,} bytes; the shape [{n_layers}, {d_model}] takes "
            f"{4 * n_layers * d_model:,}. Is the JSON file that of another vector?",
        )
    rows = np.frombuffer(data, dtype="<f4").reshape(n_layers, d_model)
    directions = {
        site_key(site, block): finite(row, f"row {block}")
        for block, row in enumerate(rows)
        if row.tobytes().strip(b"\0")
    }
    if not directions:
        raise refused("zero", "every row of the file is zero, which steers nothing")
    return LooseVector(
        source="ds4 direction file",
        directions=directions,
        operation="project",
        n_layers=n_layers,
        model=printable(str(fields.get("model", ""))),
        notes={field: _to_note(value) for field, value in fields.items()},
        warnings=_norm_warnings(directions),
    )


def export(loose: LooseVector) -> Exported:
    """A direction file and its JSON.

    Raises:
        FormatError: another operation than `project`, another site than mlp_out or attn_out, several sites,
            or a number of blocks that is not known.
    """
    check_operation(
        loose,
        ("project",),
        "ds4",
        "It takes a share of what is there along the direction and cannot add, so a strength means something "
        "else: extract the vector for project, or measure this direction again as one",
    )
    site = one_site(loose, COMPONENTS, "ds4")
    if loose.n_layers is None:
        raise refused(
            "n_layers",
            "the number of the model's blocks is not known, and ds4 demands a row for each; convert from a "
            "file that says it, such as a native one",
        )
    rows = np.zeros((loose.n_layers, loose.d_model), dtype="<f4")
    for block in loose.blocks(site):
        row = loose.at(site, block)
        rows[block] = unit(row, f"{site}.{block}") if row.any() else row
    return Exported(
        data=rows.tobytes(),
        sidecars={".json": json.dumps(_fields(loose, site), indent=2).encode("ascii")},
        usage=_usage(loose, site),
        warnings=_norm_warnings(loose.directions),
    )


def _described(fields: Any) -> tuple[int, int, str]:
    """(n_layers, d_model, site) of a sidecar."""
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise refused("sidecar", f"the JSON file is not ds4's; expected an object with format {FORMAT!r}")
    shape = fields.get("shape")
    if not isinstance(shape, list) or [type(size) for size in shape] != [int, int]:
        raise refused("sidecar", f"shape is {str(shape)[:40]}; expected [blocks, width]")
    if not 1 <= shape[0] <= MAX_LAYERS or not 1 <= shape[1] <= MAX_DIMENSION:
        raise refused(
            "sidecar", f"shape is {str(shape)[:40]}; at most [{MAX_LAYERS}, {MAX_DIMENSION}] is read"
        )
    component = fields.get("component")
    if not isinstance(component, str) or component not in _SITES:
        raise refused("sidecar", f"component is {str(component)[:40]!a}; expected {' or '.join(_SITES)}")
    return shape[0], shape[1], _SITES[component]


def _norm_warnings(directions: Mapping[str, Direction]) -> tuple[str, ...]:
    norms = [float(np.linalg.norm(row.astype(np.float64))) for row in directions.values() if row.any()]
    if all(abs(norm - 1) <= UNIT_TOLERANCE for norm in norms):
        return ()
    return (
        f"the norms go from {min(norms):.4g} to {max(norms):.4g}; ds4 has rows of norm 1, since a norm acts "
        "squared there; written, each is divided by its norm",
    )


def _fields(loose: LooseVector, site: str) -> dict[str, Any]:
    """What the sidecar says: that of the file that was read, or ours in ds4's order."""
    shape = [loose.n_layers, loose.d_model]
    if loose.notes.get("format") == FORMAT:
        said = {field: _from_note(note) for field, note in loose.notes.items()}
        return said | {"shape": shape, "component": COMPONENTS[site]}
    fields = {"format": FORMAT, "shape": shape, "component": COMPONENTS[site], "model": loose.model}
    if loose.native is not None:
        fields["bearing_vector"] = loose.native.tensor_digest
    fields["note"] = "runtime positive scale suppresses this direction; negative scale amplifies it"
    return fields


def _to_note(value: Any) -> str:
    """A text as it is, anything else as JSON; a text that could be taken for JSON, or not be shown, too."""
    if isinstance(value, str) and value.isprintable() and _from_note(value) == value:
        return value
    return json.dumps(value)


def _from_note(note: str) -> Any:
    try:
        return parse_json(note)
    except FormatError:
        return note


def _usage(loose: LooseVector, site: str) -> str:
    # A file steers the FFN output at scale 1 unless told otherwise.
    flags = "--dir-steering-ffn" if site == "mlp_out" else "--dir-steering-ffn 0 --dir-steering-attn"
    return f"ds4 -m MODEL.gguf --dir-steering-file FILE.f32 {flags} {loose.multiplier:g}"
