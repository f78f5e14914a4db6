"""The steps of `bearing convert` and `bearing inspect`: what a file holds, and what it becomes. No torch.

`local_import` measures a file's residual norms on a model; `convert_tables` shows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from steering_core.client.local_files import check_outputs, write_file
from steering_core.client.local_tables import DEFAULT_STRENGTH
from steering_core.client.ui import needs, read_file
from steering_core.formats import ds4
from steering_core.formats.engines import ENGINES, Engine, read_any, refusals
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.formats.loose import Exported, LooseVector, loosen
from steering_core.spec import digest, parse_site_key
from steering_core.vector import SteeringVector

Json = dict[str, Any]

_PLAIN_PATH = re.compile(r"[\w./-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """A vector and where it came from: the engine whose form it had, and the file or reference."""

    engine: Engine
    loose: LooseVector
    named: str


def read_source(file: Path, sidecar: Path | None) -> Source:
    """The vector in a file of any readable form.

    Args:
        sidecar: the file beside it; None takes a JSON of the same name for bare floats, where there is one.

    Raises:
        ClientError: a file cannot be read.
        FormatError: it is of no form that is read, or breaks its own.
    """
    data = read_file(file, most_bytes=MAX_FILE_BYTES)
    if sidecar is None and ds4.matches(data) and file.with_suffix(".json").is_file():
        sidecar = file.with_suffix(".json")
    other = None if sidecar is None else read_file(sidecar, most_bytes=MAX_FILE_BYTES)
    engine, loose = read_any(data, file.name, other)
    return Source(engine, loose, str(file))


def native_source(vector: SteeringVector, named: str) -> Source:
    """A vector that was pulled."""
    return Source(ENGINES["bearing"], loosen(vector), named)


def at_strength(loose: LooseVector, strength: float) -> LooseVector:
    """The vector so that multiplier 1 gives a strength; `project` and `clamp` have it as their multiplier."""
    if loose.native is None:
        return replace(loose, multiplier=strength)
    return replace(loosen(loose.native, strength), notes=loose.notes, warnings=loose.warnings)


def write_exported(exported: Exported, output: Path, *, force: bool) -> Json:
    """Write the file and those beside it, each whole or not at all.

    Returns:
        Paths, the size and the digest of the file.

    Raises:
        ClientError: a file is there already and `force` is not given, or cannot be written.
        ModelError: the form needs torch, which is not installed.
    """
    data = exported.data if exported.torch_payload is None else torch_bytes(exported.torch_payload)
    beside = {output.with_suffix(suffix): content for suffix, content in exported.sidecars.items()}
    check_outputs([output, *beside], force=force)
    for path, content in beside.items():
        write_file(path, content)
    write_file(output, data)
    sizes = {"digest": digest(data), "size_bytes": len(data)}
    return {"file": str(output), "beside": [str(path) for path in beside], **sizes}


def torch_bytes(payload: Any) -> bytes:
    """What torch.save writes of plain values and tensors; its safe loader reads it.

    Raises:
        ModelError: torch is not installed.
    """
    with needs("torch"):  # only torch writes .pt files
        import torch

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return torch.from_numpy(value.copy())
        return {key: plain(inner) for key, inner in value.items()} if isinstance(value, dict) else value

    buffer = BytesIO()
    torch.save(plain(payload), buffer)
    return buffer.getvalue()


def usage_of(exported: Exported, engine: Engine, output: Path) -> str:
    """How to use the file, with its path in it unless that would have to be quoted."""
    if not _PLAIN_PATH.fullmatch(str(output)):
        return exported.usage
    return exported.usage.replace(f"FILE{engine.suffix}", str(output)).replace("FILE", output.stem)


def described(source: Source) -> Json:
    """What a file of another engine holds, ready for JSON."""
    loose = source.loose
    return {
        "form": source.engine.name,
        "title": loose.source,
        "model": loose.model,
        "n_layers": loose.n_layers,
        "d_model": loose.d_model,
        "operation": loose.operation,
        "multiplier": loose.multiplier,
        **conventions(source.engine),
        "directions": direction_rows(loose),
        "notes": dict(loose.notes),
        "warnings": list(loose.warnings),
        "converts_to": conversions(loose),
    }


def conventions(engine: Engine) -> Json:
    """What index, sign and scale mean to an engine."""
    return {"index": engine.index, "sign": engine.sign, "scale": engine.scale}


def conversions(loose: LooseVector) -> dict[str, str | None]:
    """Engine -> why the vector cannot be written for it, or None if it can."""
    return {name: None if error is None else error.message for name, error in refusals(loose).items()}


def engine_rows() -> list[Json]:
    """The table of engines."""
    return [
        {
            "name": engine.name,
            "title": engine.title,
            "suffix": engine.suffix,
            "sites": list(engine.sites),
            "operations": list(engine.operations),
            "is_read": engine.is_read,
            **conventions(engine),
        }
        for engine in ENGINES.values()
    ]


def direction_rows(loose: LooseVector) -> list[Json]:
    """Each direction as it is now, and where it is known what factor on it gives which strength."""
    rows: list[Json] = []
    for key, direction in loose.directions.items():
        site, block = parse_site_key(key)
        before = loose.directions.get(f"{site}.{block - 1}")
        exact = direction.astype(np.float64)
        norm = float(np.linalg.norm(exact))
        cosine = None if before is None else _cosine(exact, before.astype(np.float64))
        row = {"key": key, "site": site, "block": block, "norm": norm, "cosine_to_block_before": cosine}
        rows.append(row | _factors(loose, key, norm))
    return rows


def norm_summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """Smallest, middle and largest norm."""
    norms = [row["norm"] for row in rows]
    if len(norms) == 1:
        return f"{norms[0]:.4g}"
    return f"{min(norms):.4g} to {max(norms):.4g}, median {float(np.median(norms)):.4g}"


def _factors(loose: LooseVector, key: str, norm: float) -> Json:
    """What a multiplier comes to as a strength; nothing where no residual norm is known."""
    if loose.native is None or loose.operation != "add" or norm == 0:
        return {}
    ratio = norm / loose.native.residual_norms[key]
    window = loose.native.window
    return {
        "residual_norm": loose.native.residual_norms[key],
        "ratio": ratio,
        "multiplier": DEFAULT_STRENGTH / ratio,
        "window_multipliers": window and [window[0] / ratio, window[1] / ratio],
    }


def _cosine(one: Any, other: Any) -> float | None:
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size else None
