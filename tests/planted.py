"""Faults planted into what is exported for an engine: one block early or late, or the wrong sign."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from steering_core.client.engines.adapters import Adapter
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.formats.gguf_file import is_gguf, read_gguf, write_gguf
from steering_core.formats.loose import Exported, LooseVector

Tensors = Mapping[str, npt.NDArray[np.float32]]


def planted(adapter: Adapter, *, step: int = 0, sign: int = 1) -> Adapter:
    """The adapter, with its files changed after they were written: every direction `step` blocks on, times
    `sign`.
    """

    def changed(tensors: Tensors) -> dict[str, npt.NDArray[np.float32]]:
        moved = {}
        for key, row in tensors.items():
            site, _, block = key.partition(".")
            moved[f"{site}.{int(block) + step}"] = (sign * row).astype(np.float32)
        return moved

    def native(data: bytes) -> bytes:
        vector = read_vector(data)
        (norm,) = set(vector.residual_norms.values())
        directions = changed(vector.directions)
        norms = dict.fromkeys(directions, norm)
        return write_vector(replace(vector, directions=directions, residual_norms=norms, set_points={}))

    def gguf(data: bytes) -> bytes:
        file = read_gguf(data)
        fields = {key: value for key, value in file.fields.items() if key != "general.architecture"}
        return write_gguf("controlvector", fields, changed(file.tensors))

    def export(loose: LooseVector) -> Exported:
        good = adapter.export(loose)
        if is_gguf(good.data):
            return replace(good, data=gguf(good.data))
        if adapter.name == "transformers":
            return replace(good, data=native(good.data))
        if good.sidecars:
            ((suffix, data),) = good.sidecars.items()
            return replace(good, sidecars={suffix: save(changed(load(data)))})
        return replace(good, data=save(changed(load(good.data))))

    return replace(adapter, export=export)
