"""llama.cpp through llama-cpp-python's bindings of its C functions; the model is a GGUF file.

The control vector is read by ggml's own GGUF reader and laid out as llama.cpp's `--control-vector` does it:
the row of `direction.k` is k - 1, and `llama_set_adapter_cvec` gets the rows for blocks 1 to the last.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from .job import Job, Rows, answer

F32 = 0


def run(job: Job) -> tuple[Rows, list[Rows]]:
    """A context of its own for each strength, as a program that is given one control vector has."""
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(job.model.encode(), llama_cpp.llama_model_default_params())
    if not model:
        raise ValueError(f"llama.cpp cannot load {job.model}; it reads models from GGUF files")
    with context(model, job) as unsteered:
        plain = logits(model, unsteered, job)
    steered = []
    for path in job.paths:
        with context(model, job) as steering:
            set_control_vector(model, steering, path)
            steered.append(logits(model, steering, job))
    llama_cpp.llama_model_free(model)
    return plain, steered


@contextmanager
def context(model: Any, job: Job) -> Iterator[Any]:
    """With room for the longest probe."""
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = max(len(probe["ids"]) for probe in job.probes)
    made = llama_cpp.llama_init_from_model(model, params)
    if not made:
        raise ValueError("llama.cpp makes no context of the model; its own message stands above")
    try:
        yield made
    finally:
        llama_cpp.llama_free(made)


def set_control_vector(model: Any, steering: Any, path: Path) -> None:
    """As common_control_vector_load and common_init do, at scale 1."""
    n_embd, n_layer = llama_cpp.llama_model_n_embd(model), llama_cpp.llama_model_n_layer(model)
    rows = np.zeros((n_layer - 1, n_embd), dtype=np.float32)
    for name, direction in tensors(path).items():
        block = int(name.removeprefix("direction."))
        if block == 0 or direction.shape != (n_embd,):
            raise ValueError(f"llama.cpp rejects {name} of shape {direction.shape} in a model of {n_embd}")
        if block <= len(rows):  # llama.cpp leaves out what lies past the last block
            rows[block - 1] += direction
    data = rows.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    if llama_cpp.llama_set_adapter_cvec(steering, data, rows.size, n_embd, 1, n_layer):
        raise ValueError("llama_set_adapter_cvec refused the control vector")


def tensors(path: Path) -> dict[str, np.ndarray]:
    """The F32 tensors of a GGUF file."""
    gguf = library()
    file = gguf.gguf_init_from_file(str(path).encode(), InitParams(True, None))
    if not file:
        raise ValueError(f"ggml cannot read {path.name}")
    data, found = path.read_bytes(), {}
    for i in range(gguf.gguf_get_n_tensors(file)):
        name = gguf.gguf_get_tensor_name(file, i).decode()
        if gguf.gguf_get_tensor_type(file, i) != F32:
            raise ValueError(f"llama.cpp rejects {name}: it is not F32")
        start = gguf.gguf_get_data_offset(file) + gguf.gguf_get_tensor_offset(file, i)
        n_bytes = gguf.gguf_get_tensor_size(file, i)
        found[name] = np.frombuffer(data[start : start + n_bytes], dtype=np.float32)
    gguf.gguf_free(file)
    return found


class InitParams(ctypes.Structure):
    """struct gguf_init_params; without a context only names and offsets are read."""

    _fields_ = [("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p)]


def library() -> Any:
    """ggml's functions, which are in the libraries that llama_cpp has loaded."""
    folder = Path(llama_cpp.__file__).parent / "lib"
    (found, *_) = sorted(file for file in folder.iterdir() if "ggml-base" in file.name)
    gguf = ctypes.CDLL(str(found))
    file, index = ctypes.c_void_p, ctypes.c_int64
    for name, result, arguments in (
        ("gguf_init_from_file", file, [ctypes.c_char_p, InitParams]),
        ("gguf_get_n_tensors", ctypes.c_int64, [file]),
        ("gguf_get_data_offset", ctypes.c_size_t, [file]),
        ("gguf_get_tensor_name", ctypes.c_char_p, [file, index]),
        ("gguf_get_tensor_type", ctypes.c_int, [file, index]),
        ("gguf_get_tensor_offset", ctypes.c_size_t, [file, index]),
        ("gguf_get_tensor_size", ctypes.c_size_t, [file, index]),
        ("gguf_free", None, [file]),
    ):
        function = getattr(gguf, name)
        function.restype, function.argtypes = result, arguments
    return gguf


def logits(model: Any, steering: Any, job: Job) -> Rows:
    """Of the watched tokens, a row for each point."""
    n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    if max(job.watched) >= n_vocab:
        raise ValueError(f"the model has {n_vocab} tokens, and token {max(job.watched)} is asked for")
    rows: Rows = []
    for probe in job.probes:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(steering), True)
        batch = batch_of(probe["ids"])
        failed = llama_cpp.llama_decode(steering, batch)
        llama_cpp.llama_batch_free(batch)
        if failed:
            raise ValueError(f"llama_decode failed with {failed}")
        for position in probe["positions"]:
            scores = np.ctypeslib.as_array(
                llama_cpp.llama_get_logits_ith(steering, position), shape=(n_vocab,)
            )
            rows.append(scores[job.watched].tolist())
    return rows


def batch_of(ids: list[int]) -> Any:
    """One sequence, with the logits of all its positions."""
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.logits[i] = token, i, True
        batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
    return batch


if __name__ == "__main__":
    answer(run, "llama-cpp-python", "numpy")
