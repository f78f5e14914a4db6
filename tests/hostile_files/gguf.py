"""GGUF files 132-135 of the bad-input list, and more: CASES holds a lazy builder for each, with its code."""

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

U8, I8, U32, I32, F32, BOOL, STRING, ARRAY, U64 = 0, 1, 4, 5, 6, 7, 8, 9, 10
WIDTH = 8


class GgufCase(NamedTuple):
    """`build()` gives the bytes, `code` is what they are refused with."""

    name: str
    build: Callable[[], bytes]
    code: str


def text(value: bytes, length: int | None = None) -> bytes:
    """A string; `length` may lie."""
    return struct.pack("<Q", len(value) if length is None else length) + value


def field(key: bytes, kind: int, value: bytes) -> bytes:
    """A metadata entry."""
    return text(key) + struct.pack("<I", kind) + value


def tensor(
    name: bytes = b"direction.1",
    shape: Sequence[int] = (WIDTH,),
    kind: int = 0,
    offset: int = 0,
    n_dimensions: int | None = None,
) -> bytes:
    """A tensor's entry; `n_dimensions` may lie."""
    n_dimensions = len(shape) if n_dimensions is None else n_dimensions
    sizes = struct.pack(f"<I{len(shape)}Q", n_dimensions, *shape)
    return text(name) + sizes + struct.pack("<IQ", kind, offset)


def gguf(
    fields: Sequence[bytes] = (),
    tensors: Sequence[bytes] | None = None,
    data: bytes = bytes(4 * WIDTH),
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    n_fields: int | None = None,
    n_tensors: int | None = None,
    padding: bytes = b"\0",
    alignment: int = 32,
) -> bytes:
    """A file of these parts; the counts may lie. Without arguments it is a good one with one direction."""
    tensors = [tensor()] if tensors is None else tensors
    counts = (
        len(tensors) if n_tensors is None else n_tensors,
        len(fields) if n_fields is None else n_fields,
    )
    head = magic + struct.pack("<IQQ", version, *counts) + b"".join([*fields, *tensors])
    return head + padding * (-len(head) % alignment) + data


def _array(kind: int, length: int, values: bytes = b"") -> bytes:
    return gguf([field(b"a.list", ARRAY, struct.pack("<IQ", kind, length) + values)])


def _alignment(kind: int, value: bytes) -> bytes:
    return gguf([field(b"general.alignment", kind, value)])


def _two(second_offset: int, data: bytes = bytes(96), name: bytes = b"direction.2") -> bytes:
    return gguf(tensors=[tensor(), tensor(name, offset=second_offset)], data=data)


_COUNTS = (
    ("132-gguf-n_kv-huge", lambda: gguf(n_fields=2**63), "engine.gguf_counts"),
    ("132-gguf-n_kv-max-u64", lambda: gguf(n_fields=2**64 - 1), "engine.gguf_counts"),
    ("n_kv-one-more", lambda: gguf(n_fields=1), "engine.gguf_name"),
    ("n_tensors-max-u64", lambda: gguf(n_tensors=2**64 - 1), "engine.gguf_counts"),
    ("n_tensors-4097", lambda: gguf(n_tensors=4097, data=bytes(2**20)), "engine.gguf_counts"),
    ("n_kv-4097", lambda: gguf(n_fields=4097, data=bytes(2**20)), "engine.gguf_counts"),
    ("n_tensors-one-more", lambda: gguf(n_tensors=2), "engine.gguf_name"),
    ("empty", lambda: b"", "engine.gguf_truncated"),
    ("magic-only", lambda: b"GGUF", "engine.gguf_truncated"),
    ("other-magic", lambda: gguf(magic=b"GGML"), "engine.gguf_magic"),
    ("version-1", lambda: gguf(version=1), "engine.gguf_version"),
    ("version-4", lambda: gguf(version=4), "engine.gguf_version"),
    ("big-endian", lambda: gguf(version=3 << 24), "engine.gguf_version"),
    ("64-MiB-and-1", lambda: gguf() + bytes(2**26), "engine.too_large"),
    ("metadata-over-1-MiB", lambda: gguf([field(b"a%d" % i, STRING, text(b"x" * 60_000)) for i in range(18)]),
     "engine.gguf_metadata"),
)  # fmt: skip
_TEXTS = (
    (
        "133-gguf-str-len-u64",
        lambda: gguf([field(b"a.b", STRING, text(b"x", 2**64 - 1))]),
        "engine.gguf_text",
    ),
    ("133-gguf-key-len-u64", lambda: gguf([text(b"a", 2**64 - 1) + bytes(8)]), "engine.gguf_text"),
    ("133-gguf-name-len-u64", lambda: gguf(tensors=[text(b"a", 2**64 - 1) + bytes(40)]), "engine.gguf_text"),
    ("str-len-past-end", lambda: gguf([field(b"a.b", STRING, text(b"x", 5000))]), "engine.gguf_truncated"),
    ("str-bad-utf8", lambda: gguf([field(b"a.b", STRING, text(b"\xff\xfe"))]), "engine.gguf_text"),
    ("key-empty", lambda: gguf([field(b"", U8, b"\1")]), "engine.gguf_name"),
    ("key-NUL", lambda: gguf([field(b"a\0b", U8, b"\1")]), "engine.gguf_name"),
    ("key-bidi", lambda: gguf([field("a\u202eb".encode(), U8, b"\1")]), "engine.gguf_name"),
    ("key-257", lambda: gguf([field(b"a" * 257, U8, b"\1")]), "engine.gguf_text"),
    ("key-twice", lambda: gguf([field(b"a", U8, b"\1"), field(b"a", U8, b"\2")]), "engine.gguf_duplicate"),
    ("name-empty", lambda: gguf(tensors=[tensor(b"")]), "engine.gguf_name"),
    ("name-newline", lambda: gguf(tensors=[tensor(b"direction.1\n")]), "engine.gguf_name"),
    ("name-65", lambda: gguf(tensors=[tensor(b"d" * 65)]), "engine.gguf_text"),
    ("name-twice", lambda: _two(32, name=b"direction.1"), "engine.gguf_duplicate"),
)
_VALUES = (
    ("value-type-13", lambda: gguf([field(b"a", 13, b"\1")]), "engine.gguf_type"),
    ("value-type-max", lambda: gguf([field(b"a", 2**32 - 1, b"\1")]), "engine.gguf_type"),
    ("bool-2", lambda: gguf([field(b"a", BOOL, b"\2")]), "engine.gguf_type"),
    ("array-max-u64", lambda: _array(U8, 2**64 - 1), "engine.gguf_array"),
    ("array-of-texts-huge", lambda: _array(STRING, 2**40), "engine.gguf_array"),
    ("array-one-more", lambda: _array(U64, 100, bytes(16)), "engine.gguf_array"),
    ("array-of-arrays", lambda: _array(ARRAY, 1, struct.pack("<IQ", U8, 0)), "engine.gguf_array"),
    ("array-of-type-99", lambda: _array(99, 1, b"\1"), "engine.gguf_type"),
    ("135-gguf-alignment-0", lambda: _alignment(U32, struct.pack("<I", 0)), "engine.gguf_alignment"),
    ("alignment-24", lambda: _alignment(U32, struct.pack("<I", 24)), "engine.gguf_alignment"),
    ("alignment-text", lambda: _alignment(STRING, text(b"32")), "engine.gguf_alignment"),
    ("alignment-u64", lambda: _alignment(U64, struct.pack("<Q", 32)), "engine.gguf_alignment"),
    ("alignment-list", lambda: _alignment(ARRAY, struct.pack("<IQI", U32, 1, 32)), "engine.gguf_alignment"),
    ("alignment-2-GiB", lambda: _alignment(U32, struct.pack("<I", 2**31)), "engine.gguf_truncated"),
)
_TENSORS = (
    ("134-gguf-ndims-5", lambda: gguf(tensors=[tensor(shape=[2, 1, 1, 1, 4])]), "engine.gguf_shape"),
    ("ndims-0", lambda: gguf(tensors=[tensor(shape=[])]), "engine.gguf_shape"),
    ("ndims-max", lambda: gguf(tensors=[tensor(n_dimensions=2**32 - 1)]), "engine.gguf_shape"),
    ("dim-0", lambda: gguf(tensors=[tensor(shape=[0])]), "engine.gguf_shape"),
    ("dim-max-u64", lambda: gguf(tensors=[tensor(shape=[2**64 - 1])]), "engine.gguf_shape"),
    ("dims-overflow-u64", lambda: gguf(tensors=[tensor(shape=[2**33, 2**31])]), "engine.gguf_shape"),
    ("dims-overflow-to-8", lambda: gguf(tensors=[tensor(shape=[2**61 + 1, 8])]), "engine.gguf_shape"),
    ("dtype-Q4_0", lambda: gguf(tensors=[tensor(kind=2)]), "engine.gguf_dtype"),
    ("dtype-BF16", lambda: gguf(tensors=[tensor(kind=30)]), "engine.gguf_dtype"),
    ("dtype-max", lambda: gguf(tensors=[tensor(kind=2**32 - 1)]), "engine.gguf_dtype"),
    ("offset-max-u64", lambda: gguf(tensors=[tensor(offset=2**64 - 32)]), "engine.gguf_offset"),
    ("offset-unaligned", lambda: gguf(tensors=[tensor(offset=4)]), "engine.gguf_offset"),
    ("offset-overlap-full", lambda: _two(0), "engine.gguf_offset"),
    ("offset-hole", lambda: _two(64), "engine.gguf_offset"),
    ("data-missing", lambda: gguf(data=b""), "engine.gguf_truncated"),
    ("data-one-byte-short", lambda: gguf(data=bytes(4 * WIDTH - 1)), "engine.gguf_truncated"),
    ("infos-truncated", lambda: gguf()[:60], "engine.gguf_truncated"),
    ("padding-not-zero", lambda: gguf(padding=b"x"), "engine.gguf_padding"),
    ("trailing-aligned", lambda: gguf(data=bytes(4 * WIDTH + 32)), "engine.gguf_trailing"),
    ("trailing-zip", lambda: gguf() + b"PK\3\4", "engine.gguf_trailing"),
    (
        "trailing-in-padding",
        lambda: gguf(tensors=[tensor(shape=[2])], data=bytes(8) + b"hidden"),
        "engine.gguf_trailing",
    ),
)

CASES: tuple[GgufCase, ...] = tuple(GgufCase(*case) for case in (*_COUNTS, *_TEXTS, *_VALUES, *_TENSORS))
