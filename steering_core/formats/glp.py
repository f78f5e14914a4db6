"""GLP (GGUF Layer Projection) files: control vectors that say what they do and where.

Source: msuiche/weightless, spec/GLP.md at 8283bd7 (spec versions 1 and 2); readers: ds4 (ds4_glp.c, of
antirez/ds4#970), plugins for vLLM and SGLang.

- Site: `glp.hook_point`: `residual_stream_post_layer` is resid_post, `ffn_out_pre_residual` mlp_out and
  `attn_out_pre_residual` attn_out; one site a file.
- Index: `direction.N` acts at the 0-based block N, without offset. Block 0 cannot be said.
- Operation: `glp.mode`: `add` is h + d, `project` is h - alpha (h.d) d. A reader that does not know the key
  adds a `project` file without a word: llama.cpp does.
- Sign: `add` goes towards what the direction stands for; `project` with alpha above 0 takes it away, so
  alpha is our strength.
- Scale: `project` needs unit directions, and alpha (`glp.alpha_default`, float32) stays apart from them,
  since the norm would act squared. `add` stores directions as they are added.
- Exact: `add` directions return bit for bit, and so do `project` directions whose norm is within 1e-6 of 1.
  Others are normalised in float64 and rounded once; a norm is no part of what `project` does. alpha is
  rounded to float32.
- Rank 1 only; `glp.created` is not written, so that equal vectors give equal bytes.
"""

import hashlib
import math

import numpy as np
from gguf import GGUFValueType

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
    without_block_0,
    wrong_dtypes,
)
from steering_core.formats.gguf_file import Field, GgufFile, is_gguf, read_gguf, refused, says, write_gguf
from steering_core.formats.loose import Exported, LooseVector
from steering_core.spec import site_key
from steering_core.vector import Direction

HOOK_POINTS = {
    "resid_post": "residual_stream_post_layer",
    "mlp_out": "ffn_out_pre_residual",
    "attn_out": "attn_out_pre_residual",
}
UNIT_TOLERANCE = 1e-6

_SITES = {hook: site for site, hook in HOOK_POINTS.items()}
_READ_TOLERANCE = 1e-3  # within which ds4's reader leaves a direction as it is
_VERSIONS = (1, 2)
# What the file was read from says and nothing here changes.
_KEPT = (
    "glp.derived_at",
    "glp.method",
    "glp.contrast",
    *(f"general.base_model.0.{field}" for field in ("name", "organization", "version", "repo_url")),
)
_DS4_FLAGS = {"mlp_out": "--dir-steering-ffn", "attn_out": "--dir-steering-attn"}


def matches(data: bytes) -> bool:
    """Whether a file begins as GGUF and has GLP's key, or that of the time before GLP, which is refused."""
    return is_gguf(data) and (says(data, "glp.mode") or says(data, "dspark.mode"))


def read(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    """The vector of a GLP file; a control vector without `glp.mode` is one that adds, as the spec says.

    Raises:
        FormatError: what the spec tells readers to refuse, and rank above 1.
    """
    file = read_gguf(data)
    mode = _mode(file)
    _check_version(file)
    hook = file.text("glp.hook_point") or HOOK_POINTS["resid_post"]
    if hook not in _SITES:
        raise refused("hook_point", f"glp.hook_point is {hook[:60]!a}; expected {', '.join(_SITES)}")
    directions = read_directions(file)
    _check_tensors(file, directions, mode)
    alpha = file.number("glp.alpha_default")
    return LooseVector(
        source="GLP GGUF",
        directions={site_key(_SITES[hook], block): row for block, row in directions.items()},
        operation=mode,
        n_layers=file.integer("bearing.n_layers"),
        model=model_from(file),
        multiplier=1.0 if alpha is None else float(alpha),
        notes=notes_from(file),
        warnings=tuple(_warnings(file, directions, mode, hook)),
    )


def export(loose: LooseVector) -> Exported:
    """A GLP file of spec version 1.

    Raises:
        FormatError: `clamp`, several sites, a residual stream, or nothing but block 0.
    """
    check_operation(loose, ("add", "project"), "GLP", "There is no set point in the file")
    site = one_site(loose, HOOK_POINTS, "GLP")
    directions, warnings = without_block_0(loose, site, "GLP")
    if loose.operation == "project":
        directions = {block: unit(row, f"{site}.{block}") for block, row in directions.items()}
        warnings += ("llama.cpp ignores glp.mode and adds this file; use it with readers of GLP only",)
    elif site != "resid_post":
        warnings += (f"llama.cpp ignores glp.hook_point and would add this at resid_post, not at {site}",)
    fields = hint_fields(loose, directions) | glp_fields(loose, site, directions) | bearing_fields(loose)
    return Exported(
        data=write_gguf(ARCHITECTURE, fields, named(directions)),
        usage=_usage(loose, site),
        warnings=warnings,
    )


def glp_fields(loose: LooseVector, site: str, directions: dict[int, Direction]) -> dict[str, Field]:
    """The `glp.*` keys and the base model's, for directions as they are written.

    Raises:
        FormatError: `engine.multiplier`: no float32 can hold it.
    """
    alpha = _float32(loose.multiplier)
    content = hashlib.sha256(b"".join(row.astype("<f4").tobytes() for row in named(directions).values()))
    fields = {
        "general.type": text_field(ARCHITECTURE),
        "glp.spec_version": Field(GGUFValueType.UINT32, 1),
        "glp.mode": text_field(loose.operation),
        "glp.hook_point": text_field(HOOK_POINTS[site]),
        "glp.alpha_default": Field(GGUFValueType.FLOAT32, alpha),
        "glp.rank": Field(GGUFValueType.UINT32, 1),
        "glp.orthonormal": Field(GGUFValueType.BOOL, loose.operation == "project"),
        "glp.layer_ids_zero_based": Field(GGUFValueType.STRING, ",".join(map(str, sorted(directions)))),
        "glp.content_sha256": text_field(content.hexdigest()),
    }
    said = {key: loose.notes[key] for key in _KEPT if loose.notes.get(key)}
    if loose.native is not None:
        said = {
            "glp.method": loose.native.provenance.method,
            "general.base_model.0.name": loose.native.model.name,
        }
    if "general.base_model.0.name" in said:
        fields["general.base_model.count"] = Field(GGUFValueType.UINT32, 1)
    return fields | {key: text_field(text) for key, text in said.items()}


def unit(direction: Direction, where: str) -> Direction:
    """A direction of norm 1: itself within 1e-6, else divided by its norm in float64 and rounded once.

    Raises:
        FormatError: `engine.zero`.
    """
    exact = direction.astype(np.float64)
    norm = float(np.linalg.norm(exact))
    if norm == 0:
        raise refused("zero", f"the direction at {where} is zero, which takes nothing away; leave it out")
    if abs(norm - 1) <= UNIT_TOLERANCE:
        return direction
    return (exact / norm).astype(np.float32)


def _mode(file: GgufFile) -> str:
    mode = file.text("glp.mode")
    if not mode and any(key.startswith("dspark.") for key in file.fields):
        raise refused("glp_mode", "the file has dspark.* keys, from before GLP; export it again")
    if mode not in ("", "add", "project"):
        raise refused("glp_mode", f"glp.mode is {mode[:40]!a}; expected add or project, never guessed")
    return mode or "add"


def _check_version(file: GgufFile) -> None:
    version = file.integer("glp.spec_version")
    if version is not None and version not in _VERSIONS:
        raise refused("glp_version", f"glp.spec_version is {version}; versions 1 and 2 are read here")
    if file.integer("glp.rank") not in (None, 1):
        raise refused("rank", f"glp.rank is {file.integer('glp.rank')}; one direction a block is read")
    for key in ("glp.dir_scales", "glp.layer_scales"):
        if key in file.fields:
            raise refused("glp_scales", f"the file has {key}; files with one alpha for all are read")


def _check_tensors(file: GgufFile, directions: dict[int, Direction], mode: str) -> None:
    if wrong := wrong_dtypes(file):
        raise refused("dtype", f"{wrong[0]} is not F32, as GLP demands; export it again")
    if 0 in directions:
        raise refused("block_0", "the file has direction.0, which GLP rejects; export it again without")
    if mode == "project":
        for block, row in directions.items():
            unit(row, f"block {block}")
    written = file.text("glp.layer_ids_zero_based")
    if written and sorted(written.replace(" ", "").split(",")) != sorted(map(str, directions)):
        raise refused(
            "glp_layers",
            f"glp.layer_ids_zero_based is {written[:60]!a}, the tensors are for {sorted(directions)[:20]}; "
            "one of them is off, export the file again",
        )
    content = hashlib.sha256(b"".join(np.ascontiguousarray(row).tobytes() for row in file.tensors.values()))
    if file.text("glp.content_sha256") not in ("", content.hexdigest()):
        raise refused("digest", "the tensors are not those of glp.content_sha256; download the file again")


def _warnings(file: GgufFile, directions: dict[int, Direction], mode: str, hook: str) -> list[str]:
    warnings = []
    if "glp.hook_point" not in file.fields:
        warnings.append(f"the file has no glp.hook_point; taken as {hook}")
    derived = file.text("glp.derived_at")
    if derived not in ("", hook):
        warnings.append(f"derived at {notes_from(file)['glp.derived_at']} but applied at {hook}")
    if mode == "project":
        warnings.append("llama.cpp ignores glp.mode and adds this file")
        norms = [float(np.linalg.norm(row.astype(np.float64))) for row in directions.values()]
        if any(not math.isclose(norm, 1, abs_tol=_READ_TOLERANCE) for norm in norms):
            warnings.append(
                f"the norms go from {min(norms):.4g} to {max(norms):.4g} where GLP has 1; ds4 normalises "
                "them, other readers take norm squared times as much away"
            )
        if "glp.alpha_default" not in file.fields:
            warnings.append("the file has no glp.alpha_default; taken as 1, which takes all of it away")
    return warnings


def _float32(multiplier: float) -> float:
    with np.errstate(over="ignore"):
        rounded = float(np.float32(multiplier))
    if not math.isfinite(rounded):
        raise refused("multiplier", f"the multiplier {multiplier} does not fit into a float32")
    return rounded


def _usage(loose: LooseVector, site: str) -> str:
    alpha = f"{loose.multiplier:g}"
    if loose.operation == "project" and site in _DS4_FLAGS:
        other = "" if site == "mlp_out" else " --dir-steering-ffn 0"
        return f"ds4 -m MODEL.gguf --dir-steering-file FILE.gguf{other} {_DS4_FLAGS[site]} {alpha}"
    return f"WEIGHTLESS_STEER_PATH=FILE.gguf WEIGHTLESS_STEER_ALPHA={alpha} vllm serve MODEL"
