"""A dataset file before anything is parsed: size, kind, encoding, line endings. `readers` go on."""

import codecs

from steering_core.errors import PairsError
from steering_core.pairs.limits import MIB, Limits

_FILE_NAME_ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".txt")
_UNPACK = "unpack it and send the dataset inside"
_EXPORT = "export it as JSONL or CSV"

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "gzip", _UNPACK),
    (b"BZh", "bzip2", _UNPACK),
    (b"\xfd7zXZ", "xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstandard", _UNPACK),
    (b"7z\xbc\xaf", "a 7-Zip archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"PAR1", "Parquet", _EXPORT),
    (b"PARE", "encrypted Parquet", _EXPORT),
    (b"ARROW1", "Arrow", _EXPORT),
    (b"SQLite format 3", "an SQLite database", _EXPORT),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save it as CSV"),
    (b"\x93NUMPY", "a NumPy array", "send the texts, not activations"),
    (b"\x89HDF", "HDF5", "send the texts, not activations"),
    (b"GGUF", "a GGUF model file", "send the texts, not a model"),
    (b"%PDF", "PDF", "send the texts as JSONL or CSV"),
    (b"\x89PNG", "a PNG picture", "send the texts as JSONL or CSV"),
    (b"\xff\xd8\xff", "a JPEG picture", "send the texts as JSONL or CSV"),
)
_UTF16 = {b"\xff\xfe": "UTF-16 (little endian)", b"\xfe\xff": "UTF-16 (big endian)"}


def checked_bytes(data: bytes, filename: str, limits: Limits) -> bytes:
    """The file without byte order mark and without blank lines at its end, known to be UTF-8 text.

    Raises:
        PairsError: too large, empty, not text, not UTF-8, or with carriage returns alone as line ends.
    """
    _check_file_name(filename)
    if len(data) > limits.max_bytes:
        raise PairsError(
            f"the file has {len(data):,} bytes; at most {limits.max_bytes:,} are read, so send fewer pairs",
            code="dataset.too_large",
        )
    body = data.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")
    if not body or body.isspace():
        raise PairsError("the file is empty; send at least one pair per line", code="dataset.empty")
    _check_kind(body)
    _check_utf8(body)
    _check_lines(body)
    return body


def _check_file_name(filename: str) -> None:
    _, dot, ending = filename.replace("\\", "/").rpartition("/")[2].lower().rpartition(".")
    # A version such as pairs-1.2 is no ending.
    if dot and ending.isalpha() and f".{ending}" not in _FILE_NAME_ENDINGS:
        raise PairsError(
            f"the file name ends in .{ending[:16]}; a dataset ends in {', '.join(_FILE_NAME_ENDINGS)}, "
            "so rename it if it is one",
            code="dataset.file_name",
        )


def _check_kind(body: bytes) -> None:
    kind, remedy = _binary_kind(body)
    if kind:
        raise PairsError(f"the file is {kind}, not text; {remedy}", code="dataset.not_text")


def _binary_kind(body: bytes) -> tuple[str, str]:
    """What the file is, and what to do; "" for what may be text."""
    for magic, kind, remedy in _MAGIC:
        if body.startswith(magic):
            return kind, remedy
    if body[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        if b"xl/" in body[:8192] or b"xl/" in body[-8192:]:
            return "an Excel workbook", "save it as CSV"
        return "a zip archive", _UNPACK
    if body[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    if body[:1] == b"\x80" and body[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle", "send the texts; pickles are never opened here"
    if body[8:9] == b"{" and int.from_bytes(body[:8], "little") <= len(body):
        return "a safetensors file", "send the texts, not tensors"
    if body.lstrip()[:1] == b"<":
        return "HTML or XML", "send the file itself, not the page that shows it"
    return "", ""


def _check_utf8(body: bytes) -> None:
    name = _UTF16.get(body[:2])
    if name is None and b"\x00" in body[:4]:
        name = "UTF-16 without a mark, or UTF-32"
    if name is not None:
        raise PairsError(f"the file is {name}; save it as UTF-8", code="dataset.encoding")
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(body), MIB):
        waiting = len(decoder.getstate()[0])
        try:
            decoder.decode(body[start : start + MIB], final=start + MIB >= len(body))
        except UnicodeDecodeError as error:
            at = start - waiting + error.start
            raise PairsError(
                f"line {_line(body, at)} is not UTF-8 (byte 0x{body[at]:02x} at offset {at:,}); "
                "save the file as UTF-8",
                code="dataset.encoding",
            ) from error


def _check_lines(body: bytes) -> None:
    if (at := body.find(b"\x00")) >= 0:
        raise PairsError(
            f"line {_line(body, at)} holds a zero byte; take it out",
            code="dataset.control_character",
        )
    if body.count(b"\r") != body.count(b"\r\n"):
        at = body.replace(b"\r\n", b"\n\n").find(b"\r")
        raise PairsError(
            f"line {_line(body, at)} holds a carriage return without a line feed; save the file with "
            "line feeds (Unix) or both (Windows)",
            code="dataset.line_endings",
        )


def _line(body: bytes, at: int) -> int:
    return body.count(b"\n", 0, at) + 1
