"""Mutated vector files: bytes are changed, or the JSON and the numbers inside while the rest is kept sound.

A changed byte is nearly always stopped by the first check that it meets. Changes that are encoded again, with
lengths and digests set right, reach the checks behind.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from steering_core.spec import digest
from tests.hostile_files.vectors import encode, join_file, split_file

MAX_BYTES = 16_384

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 4, 8, 64, 65_536, 65_537, 2**31, 2**63, 2**64, 10**39, 10**41),
    *(0.0, -0.0, 1.0, 0.5, -0.5, 1e-5, 1e9, 1.5e9, 5e-324, 1.7976931348623157e308, 0.1 + 0.2),
    *("", " ", "a", "F32", "F64", "add", "clamp", "positive", "bearing", "float32", "resid_post.1"),
    *(
        "resid_post@2.3",
        "resid_post.01",
        "mlp_out@1.0",
        "\x00",
        "\u202e",
        "\ud800",
        "é",
        "漢",
        "🙂",
        "x" * 201,
    ),
    *("sha256:" + "0" * 64, "sha256:" + "A" * 64, [], [[]], {}, [0.0, 1.0], [1.0, 0.0], [[0.1, 0.0]]),
)
_KEYS = (
    *("resid_post.0", "resid_post.3", "mlp_out.1", "attn_out.2", "resid_post@0.1", "resid_post@99.1"),
    *(
        "resid_post@100.1",
        "resid_post@01.1",
        "mlp_out@1.1",
        "resid_post.01",
        "resid_post.1048576",
        "resid_pre.1",
    ),
    *(
        "resid_post",
        "resid_post.",
        ".1",
        "resid_post.1.1",
        "resid_post.-1",
        "@.@",
        "resid_post.\u0661",
        "",
        "a" * 65,
    ),
)
_NUMBERS = (0.0, -0.0, 1.0, 1e-45, 1e-38, 1e-7, 1e7, 3.4e38, float("inf"), float("nan"))
_SNIPPETS = (
    *(
        b"",
        b" ",
        b"\n",
        b"\x00",
        b"\xff",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\",
        b",",
        b":",
        b"e",
        b"-",
        b"0",
        b".",
    ),
    *(b"NaN", b"Infinity", b"1e999", b"\\ud800", b"\\u0000", b"\xe2\x80\xae", b"\xed\xa0\x80", b"[" * 70),
    *(b'"a":1,', b"__metadata__", b"1E5", b"1.0e0", b"true", b"null", b"\xef\xbb\xbf", b"PK\x03\x04"),
)


def mutated(data: bytes, random: Random) -> bytes:
    """A file with one to four changes."""
    for _ in range(random.choice((1, 1, 2, 4))):
        change = random.choice(_CHANGES)
        try:
            data = change(data, random)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
            data = _bytes_changed(data, random)  # what was to be changed is not there any more
    return data[:MAX_BYTES]


def _bytes_changed(data: bytes, random: Random) -> bytes:
    """Bits flipped, a piece replaced, repeated or cut out, or another length at the start."""
    kind = random.randrange(5)
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((0, 1, 1, 2, 8, 40)))
    if kind == 0 and start < len(data):
        return data[:start] + bytes([data[start] ^ 1 << random.randrange(8)]) + data[start + 1 :]
    if kind == 1:
        return data[:start] + data[start:end] * 2 + data[end:]
    if kind == 2:
        length = max(0, int.from_bytes(data[:8], "little") + random.choice((-8, -1, 1, 8, 2**16, 2**62)))
        return length.to_bytes(16, "little")[:8] + data[8:]
    if kind == 3:
        return data[:start]
    return data[:start] + random.choice(_SNIPPETS) + data[end:]


def _header_changed(data: bytes, random: Random) -> bytes:
    fields, tensors = split_file(data)
    _change(fields, random)
    return join_file(_respelled(encode(fields), random), tensors)


def _manifest_changed(data: bytes, random: Random) -> bytes:
    return _with_manifest(data, lambda manifest: _change(manifest, random))


def _rows_changed(data: bytes, random: Random) -> bytes:
    """Other numbers in the tensors, with the digest that they need."""
    fields, tensors = split_file(data)
    rows = np.frombuffer(tensors, "<f4").copy()
    start = random.randrange(len(rows))
    rows[start : start + random.choice((1, 1, 8, len(rows)))] = random.choice(_NUMBERS)
    changed = rows.astype("<f4").tobytes()
    header = data[: len(data) - len(tensors)]
    summed = _tensor_digest(fields, changed)
    return _with_manifest(header + changed, lambda manifest: manifest.update(tensor_digest=summed))


def _renamed(data: bytes, random: Random) -> bytes:
    """Another name for a tensor, in the header and in the manifest."""
    fields, tensors = split_file(data)
    old = random.choice(sorted(set(fields) - {"__metadata__"}))
    new = random.choice(_KEYS)
    fields[new] = fields.pop(old)
    summed = _tensor_digest(fields, tensors)

    def edit(manifest: dict[str, Any]) -> None:
        manifest["directions"][new] = manifest["directions"].pop(old)
        manifest["tensor_digest"] = summed

    return _with_manifest(join_file(encode(fields), tensors), edit)


def _tensor_digest(fields: dict[str, Any], tensors: bytes) -> str:
    summed = b""
    for name in sorted(set(fields) - {"__metadata__"}):
        start, end = fields[name]["data_offsets"]
        summed += f"{name}\nF32\n{fields[name]['shape'][0]}\n".encode() + tensors[start:end]
    return digest(summed)


def _with_manifest(data: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    fields, tensors = split_file(data)
    manifest = json.loads(fields["__metadata__"]["manifest"])
    edit(manifest)
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    fields["__metadata__"]["manifest"] = text
    return join_file(encode(fields), tensors)


def _change(tree: Any, random: Random) -> None:
    """Replace, drop, add or rename one thing somewhere in a JSON value."""
    at, key = random.choice(list(_slots(tree)))
    kind = random.randrange(6)
    if kind == 0:
        del at[key]
    elif kind == 1 and isinstance(at, dict):
        at[str(random.choice(_VALUES))] = at.pop(key)
    elif kind == 2 and isinstance(at, dict):
        at[str(random.choice(_VALUES))] = at[key]
    elif kind == 3 and isinstance(at, list):
        at.append(at[key])
    elif isinstance(at[key], float) and random.random() < 0.5:
        at[key] *= random.choice((-1, 0.1, 1e-300, 1e300, 1 + 2**-52))
    else:
        at[key] = random.choice(_VALUES)


def _slots(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key or index) of every value below."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [slot for key in keys for slot in ((tree, key), *_slots(tree[key]))]


def _respelled(header: bytes, random: Random) -> bytes:
    """Sometimes the same JSON with spaces or escapes, or other bytes behind it."""
    kind = random.randrange(8)
    if kind == 0:
        return header.replace(b":", b": ", random.randrange(1, 5))
    if kind == 1:
        return header.replace(b"a", b"\\u0061", 1)
    if kind == 2:
        return header.rstrip(b" ") + random.choice(_SNIPPETS)
    return header


_CHANGES = (_bytes_changed, _header_changed, _manifest_changed, _manifest_changed, _rows_changed, _renamed)
