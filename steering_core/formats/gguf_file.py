"""Small GGUF files, read more strictly than any engine reads them. `control_vector` goes on from here.

GGUF versions 2 and 3, little endian (ggml/docs/gguf.md). Every count, length and offset is checked against a
limit and against the bytes that are left before anything is read or allocated. As in ggml, tensors lie in the
order of their names' list, each at the next multiple of `general.alignment`, and nothing follows the last.

Writing is left to the `gguf` package of llama.cpp's own authors, whose dtypes follow the array's: everything
is cast to float32 first, since a float64 array would become an F64 tensor, which llama.cpp rejects.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter

from steering_core.errors import FormatError
from steering_core.formats.header import MAX_FILE_BYTES
from steering_core.vector import Direction

MAX_FIELDS = 4096
MAX_TENSORS = 4096
MAX_KEY_BYTES = 256
MAX_NAME_BYTES = 64
MAX_TEXT_BYTES = 65_536
MAX_METADATA_BYTES = 1024 * 1024  # all that stands before the tensors
MAX_DIMENSIONS = 4

_DEFAULT_ALIGNMENT = 32
# A key, its type and one byte; a name, one dimension, a type and an offset.
_SMALLEST_FIELD, _SMALLEST_TENSOR = 13, 32
_SCALARS = {
    GGUFValueType.UINT8: "B",
    GGUFValueType.INT8: "b",
    GGUFValueType.UINT16: "H",
    GGUFValueType.INT16: "h",
    GGUFValueType.UINT32: "I",
    GGUFValueType.INT32: "i",
    GGUFValueType.FLOAT32: "f",
    GGUFValueType.BOOL: "B",
    GGUFValueType.UINT64: "Q",
    GGUFValueType.INT64: "q",
    GGUFValueType.FLOAT64: "d",
}
_DTYPES = {GGMLQuantizationType.F32: "<f4", GGMLQuantizationType.F16: "<f2", GGMLQuantizationType.F64: "<f8"}

Scalar = str | int | float | bool


class Field(NamedTuple):
    """A metadata value with the type that it was stored as; that of a list is its elements'."""

    type: GGUFValueType
    value: Scalar | list[Scalar]


@dataclass(frozen=True, slots=True)
class GgufFile:
    """What a file says, in the order of the file.

    Attributes:
        fields: key -> value.
        tensors: name -> read-only array in C order (GGUF lists dimensions backwards), F32, F16 or F64.
    """

    fields: dict[str, Field]
    tensors: dict[str, npt.NDArray[np.floating]]

    def text(self, key: str) -> str:
        """A string field; "" where there is none.

        Raises:
            FormatError: the field is no string.
        """
        found = self.fields.get(key)
        if found is None:
            return ""
        if not isinstance(found.value, str):
            raise refused("gguf_field", f"{key} is {found.type.name}; expected a string")
        return found.value

    def number(self, key: str) -> float | None:
        """A numeric field, or None where there is none.

        Raises:
            FormatError: the field is no finite number.
        """
        found = self.fields.get(key)
        if found is None:
            return None
        if isinstance(found.value, str | bool | list) or not math.isfinite(found.value):
            raise refused("gguf_field", f"{key} is {str(found.value)[:40]!a}; expected a finite number")
        return found.value

    def integer(self, key: str) -> int | None:
        """An integer field, or None where there is none.

        Raises:
            FormatError: the field is no integer from 0 on.
        """
        found = self.number(key)
        if found is not None and not (isinstance(found, int) and found >= 0):
            raise refused("gguf_field", f"{key} is {found}; expected an integer from 0 on")
        return found


class _Tensor(NamedTuple):
    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int

    @property
    def n_bytes(self) -> int:
        return prod(self.shape) * np.dtype(self.dtype).itemsize


def is_gguf(data: bytes) -> bool:
    """Whether the bytes begin as GGUF does."""
    return data[:4] == b"GGUF"


def says(data: bytes, key: str) -> bool:
    """Whether a metadata key stands near the start of a file, without reading the file."""
    named = key.encode()
    return data.find(struct.pack("<Q", len(named)) + named, 0, MAX_METADATA_BYTES) >= 0


def read_gguf(data: bytes) -> GgufFile:
    """The metadata and tensors of a GGUF file.

    Raises:
        FormatError: `engine.gguf_…`, if the file is not one or breaks a rule or a limit of this module.
    """
    if len(data) > MAX_FILE_BYTES:
        raise refused("too_large", f"the file has {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are read")
    cursor = _Cursor(data)
    n_tensors, n_fields = _counts(cursor)
    fields: dict[str, Field] = {}
    for _ in range(n_fields):
        key = cursor.name("a key", MAX_KEY_BYTES)
        if key in fields:
            raise refused("gguf_duplicate", f"the key {key[:40]!a} stands twice")
        fields[key] = _field(cursor, key)
    tensors: dict[str, _Tensor] = {}
    for _ in range(n_tensors):
        tensor = _tensor(cursor)
        if tensor.name in tensors:
            raise refused("gguf_duplicate", f"the tensor {tensor.name[:40]!a} stands twice")
        tensors[tensor.name] = tensor
    alignment = _alignment(fields.get("general.alignment"))
    start = _aligned(cursor.at, alignment)
    _check_extents(data, cursor.at, start, list(tensors.values()), alignment)
    return GgufFile(fields, {name: _values(data, start, tensor) for name, tensor in tensors.items()})


def write_gguf(architecture: str, fields: Mapping[str, Field], tensors: Mapping[str, Direction]) -> bytes:
    """A GGUF version 3 file; equal arguments in equal order give equal bytes.

    Args:
        architecture: `general.architecture`, the first field.
        fields: the other metadata, in order.
        tensors: name -> float32, written as F32 in order.

    Raises:
        FormatError: `read_gguf` would refuse the file.
    """
    with TemporaryDirectory(prefix="bearing-gguf-") as folder:  # the package writes to files only
        path = Path(folder) / "vector.gguf"
        writer = GGUFWriter(path, architecture)
        for key, field in fields.items():
            writer.add_key_value(key, field.value, field.type)
        for name, tensor in tensors.items():
            writer.add_tensor(name, np.ascontiguousarray(tensor, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        data = path.read_bytes()
    read_gguf(data)
    return data


def refused(what: str, message: str) -> FormatError:
    """The refusal of an engine's file, or of a vector that an engine's file cannot say: `engine.<what>`."""
    return FormatError(message, code=f"engine.{what}")


class _Cursor:
    """Where reading is; every step is checked against what is left."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def left(self) -> int:
        return min(len(self.data), MAX_METADATA_BYTES) - self.at

    def take(self, n_bytes: int, what: str) -> bytes:
        if n_bytes > self.left and len(self.data) > MAX_METADATA_BYTES:
            raise refused(
                "gguf_metadata",
                f"{what} goes past the first {MAX_METADATA_BYTES:,} bytes, within which all metadata must be",
            )
        if n_bytes > self.left:
            raise refused(
                "gguf_truncated",
                f"the file ends within {what}, which takes {n_bytes:,} bytes where {self.left:,} are left; "
                "download it again",
            )
        self.at += n_bytes
        return self.data[self.at - n_bytes : self.at]

    def number(self, code: str, what: str) -> int | float:
        value: int | float = struct.unpack(f"<{code}", self.take(struct.calcsize(code), what))[0]
        return value

    def integer(self, code: str, what: str) -> int:
        return int(self.number(code, what))

    def text(self, what: str, most: int) -> str:
        length = self.integer("Q", what)
        if length > most:
            raise refused("gguf_text", f"{what} claims {length:,} bytes; at most {most:,} are read")
        try:
            return self.take(length, what).decode("utf-8")
        except UnicodeDecodeError as error:
            raise refused("gguf_text", f"{what} is not UTF-8 at byte {error.start}") from error

    def name(self, what: str, most: int) -> str:
        """A text by which something is found: printable ASCII, not empty."""
        text = self.text(what, most)
        if not text or not text.isascii() or not text.isprintable():
            raise refused("gguf_name", f"{what} is {text[:40]!a}; expected 1 to {most} printable ASCII")
        return text


def _counts(cursor: _Cursor) -> tuple[int, int]:
    if not is_gguf(cursor.take(4, "the magic number")):
        raise refused("gguf_magic", f"the file begins with {cursor.data[:4]!r}; expected b'GGUF'")
    version = cursor.integer("I", "the version")
    if version in (2 << 24, 3 << 24):
        raise refused("gguf_version", "the file is big endian; only little endian is read")
    if version not in (2, 3):
        raise refused("gguf_version", f"the file has GGUF version {version}; 2 and 3 are read")
    n_tensors, n_fields = cursor.integer("Q", "the counts"), cursor.integer("Q", "the counts")
    for count, most, smallest, what in (
        (n_fields, MAX_FIELDS, _SMALLEST_FIELD, "metadata keys"),
        (n_tensors, MAX_TENSORS, _SMALLEST_TENSOR, "tensors"),
    ):
        if count > most or count * smallest > cursor.left:
            raise refused(
                "gguf_counts",
                f"the file claims {count:,} {what}; at most {most:,} are read, and {cursor.left:,} bytes are "
                "left for them",
            )
    return n_tensors, n_fields


def _field(cursor: _Cursor, key: str) -> Field:
    kind = _value_type(cursor, key)
    if kind is not GGUFValueType.ARRAY:
        return Field(kind, _value(cursor, kind, key))
    kind = _value_type(cursor, key)
    length = cursor.integer("Q", key)
    if kind is GGUFValueType.ARRAY:
        raise refused("gguf_array", f"{key} is a list of lists; ggml reads none either")
    smallest = 8 if kind is GGUFValueType.STRING else struct.calcsize(_SCALARS[kind])
    if length * smallest > cursor.left:
        raise refused(
            "gguf_array", f"{key} claims {length:,} elements where {cursor.left:,} bytes are left for them"
        )
    return Field(kind, [_value(cursor, kind, key) for _ in range(length)])


def _value_type(cursor: _Cursor, key: str) -> GGUFValueType:
    number = cursor.integer("I", key)
    try:
        return GGUFValueType(number)
    except ValueError as error:
        raise refused("gguf_type", f"{key} has the value type {number}; GGUF has 0 to 12") from error


def _value(cursor: _Cursor, kind: GGUFValueType, key: str) -> Scalar:
    if kind is GGUFValueType.STRING:
        return cursor.text(key, MAX_TEXT_BYTES)
    number = cursor.number(_SCALARS[kind], key)
    if kind is not GGUFValueType.BOOL:
        return number
    if number not in (0, 1):
        raise refused("gguf_type", f"{key} is a truth value of {number}; expected 0 or 1")
    return bool(number)


def _tensor(cursor: _Cursor) -> _Tensor:
    name = cursor.name("a tensor's name", MAX_NAME_BYTES)
    n_dimensions = cursor.integer("I", name)
    if not 1 <= n_dimensions <= MAX_DIMENSIONS:
        raise refused("gguf_shape", f"{name} has {n_dimensions:,} dimensions; expected 1 to {MAX_DIMENSIONS}")
    backwards = [cursor.integer("Q", name) for _ in range(n_dimensions)]
    if not 1 <= prod(backwards) <= MAX_FILE_BYTES:
        raise refused("gguf_shape", f"{name} has shape {str(backwards)[:60]}, which no file here can hold")
    number = cursor.integer("I", name)
    if number not in _DTYPES:
        raise refused("gguf_dtype", f"{name} has the tensor type {number}; F32 is read, and F16 and F64")
    dtype = _DTYPES[GGMLQuantizationType(number)]
    return _Tensor(name, tuple(reversed(backwards)), dtype, cursor.integer("Q", name))


def _alignment(field: Field | None) -> int:
    if field is None:
        return _DEFAULT_ALIGNMENT
    value = field.value
    if field.type is not GGUFValueType.UINT32 or not isinstance(value, int) or value.bit_count() != 1:
        raise refused(
            "gguf_alignment",
            f"general.alignment is {str(value)[:40]}, {field.type.name}; expected a power of two, UINT32",
        )
    return value


def _aligned(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment


def _check_extents(data: bytes, at: int, start: int, tensors: list[_Tensor], alignment: int) -> None:
    """The tensors fill the file from `start`, with zeros between them only to the next aligned byte."""
    end, expected = at, start
    for tensor in tensors:
        if start + tensor.offset != expected:
            raise refused(
                "gguf_offset",
                f"{tensor.name} starts at byte {tensor.offset:,} of the tensors; expected "
                f"{expected - start:,}, the next aligned byte behind the tensor before it",
            )
        if expected + tensor.n_bytes > len(data):
            raise refused(
                "gguf_truncated",
                f"the file ends within {tensor.name}, at byte {len(data):,} of "
                f"{expected + tensor.n_bytes:,}; download it again",
            )
        if not _zeros(data, end, expected):
            raise refused("gguf_padding", f"the bytes before {tensor.name} are not zero")
        end = expected + tensor.n_bytes
        expected = start + _aligned(end - start, alignment)
    if len(data) > expected or not _zeros(data, end, len(data)):
        raise refused(
            "gguf_trailing",
            f"{len(data) - end:,} bytes follow the last tensor; only zeros to the next aligned byte may",
        )


def _zeros(data: bytes, start: int, end: int) -> bool:
    return data.count(0, start, end) == max(0, min(end, len(data)) - start)


def _values(data: bytes, start: int, tensor: _Tensor) -> npt.NDArray[np.floating]:
    values: npt.NDArray[np.floating] = np.frombuffer(
        data, dtype=tensor.dtype, count=prod(tensor.shape), offset=start + tensor.offset
    )
    return values.reshape(tensor.shape)
