"""What one pass keeps: the pooled activation of every pair, in one safetensors file. Numpy only.

From this file every method, fold, bootstrap and dropped row is worked out without the model: `derive` makes
directions of it, `reliability` says how far they can be trusted. Rows are written as they come and read in
chunks, so that memory does not grow with the number of pairs.

    {pooling}/{site}.{block}/positive    (n_pairs, d_model) float32; likewise `negative`
    norms       (n_pairs, n_blocks) float64, the residual norm at each block, mean of the two texts
    groups      (n_pairs,) int64, equal for pairs that must stay together
    splits      (n_pairs,) uint8, an index into SPLITS
    keys        (n_pairs, 32) uint8, sha256 of each pair's canonical JSON
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from steering_core.errors import ExtractionError, FormatError
from steering_core.spec import ModelIdentity, canonical_json, parse_json, site_key

FORMAT_NAME = "bearing-statistics"
FORMAT_VERSION = "1"
MEDIA_TYPE = "application/vnd.bearing.statistics+safetensors"
SPLITS = ("train", "select", "test", "background")
POLES = ("positive", "negative")
MAX_HEADER_BYTES = 64 * 1024 * 1024
CHUNK = 256

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "U8": np.dtype("u1"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: at every pooling, each of the sites in each of the blocks."""

    sites: tuple[str, ...]
    blocks: tuple[int, ...]
    poolings: tuple[str, ...]

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """(site, block), block by block."""
        return tuple((site, block) for block in self.blocks for site in self.sites)


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of each pair besides its activations; arrays as the module's docstring says."""

    groups: Indices
    splits: npt.NDArray[np.uint8]
    keys: npt.NDArray[np.uint8]

    def taken(self, pairs: Indices) -> "Labels":
        """The labels of some pairs."""
        return Labels(self.groups[pairs], self.splits[pairs], self.keys[pairs])


@dataclass(frozen=True, eq=False)
class Rows:
    """Pooled activations of some pairs at one place.

    Attributes:
        load: (pole, first, last) -> (last - first, d_model) float32, rows of a pole in order.
    """

    n_pairs: int
    d_model: int
    load: Callable[[str, int, int], Float32]

    @classmethod
    def of(cls, positive: npt.ArrayLike, negative: npt.ArrayLike) -> "Rows":
        """Rows in memory, each (n_pairs, d_model)."""
        poles = {"positive": np.asarray(positive, np.float32), "negative": np.asarray(negative, np.float32)}
        n_pairs, d_model = poles["positive"].shape
        return cls(n_pairs, d_model, lambda pole, first, last: poles[pole][first:last])

    def pole(self, pole: str) -> Float32:
        """All rows of one pole, (n_pairs, d_model)."""
        return self.load(pole, 0, self.n_pairs)

    def chunks(self) -> Iterator[tuple[Float32, Float32]]:
        """(positive, negative) rows, 256 pairs at a time."""
        for first in range(0, self.n_pairs, CHUNK):
            last = min(first + CHUNK, self.n_pairs)
            yield self.load("positive", first, last), self.load("negative", first, last)

    def differences(self) -> Float64:
        """Positive minus negative, (n_pairs, d_model) float64."""
        return self.pole("positive").astype(np.float64) - self.pole("negative")

    def taken(self, pairs: Indices) -> "Rows":
        """Some of the pairs, in the order of `pairs`, which must ascend."""

        def load(pole: str, first: int, last: int) -> Float32:
            wanted = pairs[first:last]
            if not len(wanted):
                return np.zeros((0, self.d_model), np.float32)
            span = self.load(pole, int(wanted[0]), int(wanted[-1]) + 1)
            rows: Float32 = span[wanted - wanted[0]]
            return rows

        return Rows(len(pairs), self.d_model, load)


class Statistics:
    """An open statistics file.

    Attributes:
        model: whose activations these are.
        dataset_digest: of the dataset that the pairs came from; empty where several were merged.
        dtype: what the model computed in, such as float32; empty where files that differ in it were merged,
            and in files from before it was noted.
        norms: (n_pairs, n_blocks) float64, columns as `reading.blocks`.
    """

    def __init__(self, file: Path) -> None:
        """
        Raises:
            ExtractionError: `extraction.statistics_invalid`, the file is not what `StatisticsWriter` writes.
        """
        self._file = file
        self._tensors, metadata, self._start = _read_header(file)
        try:
            self.model = ModelIdentity(**json.loads(metadata["model"]))
            read = json.loads(metadata["reading"])
            self.reading = Reading(tuple(read["sites"]), tuple(read["blocks"]), tuple(read["poolings"]))
            self.dataset_digest = str(metadata["dataset_digest"])
            self.dtype = str(metadata.get("dtype", ""))
            n_pairs = self._tensors["norms"].shape[0]
            if self._tensors != _layout(self.reading, n_pairs, self.model.d_model):
                raise _invalid(file, "its tensors are not those that its reading says")
            self.norms: Float64 = self._whole("norms")
            self.labels = Labels(self._whole("groups"), self._whole("splits"), self._whole("keys"))
        except (KeyError, TypeError, ValueError) as error:
            raise _invalid(file, f"it lacks {error}") from error

    @property
    def n_pairs(self) -> int:
        """How many pairs were read."""
        return len(self.norms)

    def split(self, name: str) -> Indices:
        """The pairs of `train`, `select`, `test` or `background`, ascending.

        A background pair is one neutral text at both poles; `methods.mean_centred` measures against them.
        """
        return np.flatnonzero(self.labels.splits == SPLITS.index(name))

    def rows(self, pooling: str, site: str, block: int, pairs: Indices | None = None) -> Rows:
        """Activations at one place, of all pairs or of some, ascending.

        Raises:
            ExtractionError: the pass did not read there.
        """
        prefix = f"{pooling}/{site_key(site, block)}"
        if f"{prefix}/positive" not in self._tensors:
            raise ExtractionError(
                f"{prefix} was not read; the file has {', '.join(self.reading.poolings)} at "
                f"{', '.join(self.reading.sites)}, blocks {_listed(self.reading.blocks)}",
                code="extraction.not_read",
            )
        rows = Rows(
            self.n_pairs,
            self.model.d_model,
            lambda pole, first, last: self._part(f"{prefix}/{pole}", first, last),
        )
        return rows if pairs is None else rows.taken(pairs)

    def residual_norm(self, block: int, pairs: Indices | None = None) -> float:
        """Mean norm of the residual stream after a block, over pairs."""
        column = self.norms[:, self.reading.blocks.index(block)]
        return float((column if pairs is None else column[pairs]).mean())

    def _whole(self, name: str) -> Any:
        return self._part(name, 0, self._tensors[name].shape[0])

    def _part(self, name: str, first: int, last: int) -> Any:
        tensor = self._tensors[name]
        row = int(np.prod(tensor.shape[1:])) * tensor.dtype.itemsize
        with self._file.open("rb", buffering=0) as stream:
            stream.seek(self._start + tensor.offset + first * row)
            data = stream.read((last - first) * row)
        return np.frombuffer(data, tensor.dtype).reshape(last - first, *tensor.shape[1:])


@dataclass(frozen=True, slots=True)
class _Tensor:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def n_bytes(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize


class StatisticsWriter:
    """Fills a statistics file row by row; its size is known from the start."""

    def __init__(self, stream: int, tensors: dict[str, _Tensor], start: int) -> None:
        self._stream, self._tensors, self._start = stream, tensors, start

    def put(self, name: str, first: int, rows: npt.NDArray[Any]) -> None:
        """Write rows of a tensor from row `first` on."""
        tensor = self._tensors[name]
        row = int(np.prod(tensor.shape[1:])) * tensor.dtype.itemsize
        data = np.ascontiguousarray(rows, tensor.dtype).tobytes()
        os.pwrite(self._stream, data, self._start + tensor.offset + first * row)


@contextmanager
def write_statistics(
    file: Path,
    model: ModelIdentity,
    reading: Reading,
    labels: Labels,
    dataset_digest: str = "",
    dtype: str = "",
) -> Iterator[StatisticsWriter]:
    """A writer of the file; it stands under its name only once the block ends without an exception."""
    tensors = _layout(reading, len(labels.groups), model.d_model)
    header = _header(tensors, model, reading, {"dataset_digest": dataset_digest, "dtype": dtype})
    partial = file.with_name(file.name + ".partial")
    stream = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.pwrite(stream, header, 0)
        os.ftruncate(stream, len(header) + sum(tensor.n_bytes for tensor in tensors.values()))
        writer = StatisticsWriter(stream, tensors, len(header))
        for name in ("groups", "splits", "keys"):
            writer.put(name, 0, getattr(labels, name))
        yield writer
        partial.replace(file)
    finally:
        os.close(stream)
        partial.unlink(missing_ok=True)


def _layout(reading: Reading, n_pairs: int, d_model: int) -> dict[str, _Tensor]:
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        "norms": ("F64", (n_pairs, len(reading.blocks))),
        "groups": ("I64", (n_pairs,)),
        "splits": ("U8", (n_pairs,)),
        "keys": ("U8", (n_pairs, 32)),
    }
    for pooling in reading.poolings:
        for site, block in reading.places:
            for pole in POLES:
                shapes[f"{pooling}/{site_key(site, block)}/{pole}"] = ("F32", (n_pairs, d_model))
    tensors, offset = {}, 0
    # Wide numbers first, so that each tensor begins at a multiple of its width.
    for name, (dtype, shape) in sorted(shapes.items(), key=lambda item: -_DTYPES[item[1][0]].itemsize):
        tensors[name] = _Tensor(_DTYPES[dtype], shape, offset)
        offset += tensors[name].n_bytes
    return tensors


def _header(
    tensors: dict[str, _Tensor], model: ModelIdentity, reading: Reading, origin: dict[str, str]
) -> bytes:
    fields: dict[str, Any] = {
        name: {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [tensor.offset, tensor.offset + tensor.n_bytes],
        }
        for name, tensor in tensors.items()
    }
    fields["__metadata__"] = {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "model": canonical_json(asdict(model)).decode(),
        "reading": canonical_json(asdict(reading)).decode(),
        **origin,
    }
    raw = canonical_json(fields)
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw


def _read_header(file: Path) -> tuple[dict[str, _Tensor], dict[str, str], int]:
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= MAX_HEADER_BYTES:
                raise _invalid(file, f"its header claims {length:,} bytes")
            fields = parse_json(stream.read(length).decode("utf-8"))
            size = stream.seek(0, os.SEEK_END)
        metadata = fields.pop("__metadata__")
        if (metadata["format"], metadata["format_version"]) != (FORMAT_NAME, FORMAT_VERSION):
            raise _invalid(file, "it says that it is something else, or of another version")
        tensors = {
            name: _Tensor(
                _DTYPES[info["dtype"]], tuple(map(int, info["shape"])), int(info["data_offsets"][0])
            )
            for name, info in fields.items()
        }
    except OSError as error:
        raise _invalid(file, str(error.strerror)) from error
    except (FormatError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _invalid(file, f"its header cannot be read ({error})") from error
    ends = max((tensor.offset + tensor.n_bytes for tensor in tensors.values()), default=0)
    if size != 8 + length + ends:
        raise _invalid(
            file, f"it has {size:,} bytes instead of {8 + length + ends:,}; it was cut or extended"
        )
    return tensors, metadata, 8 + length


def _invalid(file: Path, why: str) -> ExtractionError:
    return ExtractionError(
        f"{file.name} is no statistics file of an extraction: {why}", code="extraction.statistics_invalid"
    )


def _listed(blocks: Sequence[int]) -> str:
    return f"{blocks[0]} to {blocks[-1]}" if len(blocks) > 2 else ", ".join(map(str, blocks))
