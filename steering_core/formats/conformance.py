"""Conformance certificates: what a model must answer with a vector applied, and what common faults give.

`evaluation.conformance` makes one with the model; an engine then runs the same token ids, and `compare` says
whether it applied the vector at the right block, site and sign, or which fault its answers look like. What
the file holds is described in docs/conformance.md. Numpy only.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from steering_core.errors import FormatError
from steering_core.formats.manifest import is_visible_text
from steering_core.spec import OPERATIONS, canonical_json, digest_hex, parse_json

FORMAT_NAME = "bearing-conformance"
FORMAT_VERSION = 1
MEDIA_TYPE = "application/vnd.bearing.conformance+json"

MAX_BYTES = 256 * 1024
MAX_PROBES, MAX_PROBE_TOKENS, MAX_WATCHED, MAX_STRENGTHS, MAX_DECOYS = 16, 64, 256, 4, 16
MAX_TOKEN_ID = 2**31 - 1
MAX_LOGIT = 1e6
# Smaller numbers are written as 0; every decimal of six digits above survives its way through float32.
_SMALLEST = 1e-12

_FIELDS = (
    *("format", "format_version", "tensor_digest", "model_hash", "model", "operation", "dtype"),
    *("strengths", "probes", "watched", "unsteered", "changes", "decoys", "same"),
)

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Probe:
    """A text to run, as token ids with nothing before or after them, and where to read the logits."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Decoy:
    """A fault: `name` says what was done (`block 2 instead of 3`), `why` where that puts the vector (`one
    block too early`); `changes` is what it does to the logits, of the shape of the certificate's.
    """

    name: str
    why: str
    changes: Logits


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Certificate:
    """What a vector does to a model, on a few fixed token ids. A point is a probe and a position in it.

    Attributes:
        tensor_digest: of the vector; see `SteeringVector.tensor_digest`.
        model_hash, model: which base model revision, by digest and for people.
        operation: `add`, `project` or `clamp`.
        dtype: what it was computed in, such as float32.
        strengths: rising, as `steer` takes them.
        watched: token ids, rising: whose logits are compared.
        unsteered: (points, watched) float32.
        changes: (strengths, points, watched) float32: steered minus unsteered.
        decoys: what can be told from it.
        same: what does the same in this model, by name, so that it is no fault.

    Raises:
        FormatError: `conformance.value` or `conformance.shape`: fields that do not fit each other.
    """

    tensor_digest: str
    model_hash: str
    model: str
    operation: str
    dtype: str
    strengths: tuple[float, ...]
    probes: tuple[Probe, ...]
    watched: tuple[int, ...]
    unsteered: Logits
    changes: Logits
    decoys: tuple[Decoy, ...]
    same: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_words(self)
        _check_points(self)
        changes = (len(self.strengths), self.n_points, len(self.watched))
        object.__setattr__(self, "unsteered", _numbers("unsteered", self.unsteered, changes[1:]))
        object.__setattr__(self, "changes", _numbers("changes", self.changes, changes))
        decoys = (Decoy(d.name, d.why, _numbers(f"{d.name!a}", d.changes, changes)) for d in self.decoys)
        object.__setattr__(self, "decoys", tuple(decoys))

    @property
    def n_points(self) -> int:
        """How many places there are to read logits at."""
        return sum(len(probe.positions) for probe in self.probes)


def write_certificate(certificate: Certificate) -> bytes:
    """Canonical JSON; numbers have six significant digits, which float32 holds exactly.

    Raises:
        FormatError: `conformance.too_large`.
    """
    data = canonical_json(
        {
            "format": FORMAT_NAME,
            "format_version": FORMAT_VERSION,
            "tensor_digest": certificate.tensor_digest,
            "model_hash": certificate.model_hash,
            "model": certificate.model,
            "operation": certificate.operation,
            "dtype": certificate.dtype,
            "strengths": list(certificate.strengths),
            "probes": [{"ids": list(p.ids), "positions": list(p.positions)} for p in certificate.probes],
            "watched": list(certificate.watched),
            "unsteered": _decimals(certificate.unsteered),
            "changes": _decimals(certificate.changes),
            "decoys": [
                {"name": decoy.name, "why": decoy.why, "changes": _decimals(decoy.changes)}
                for decoy in certificate.decoys
            ],
            "same": list(certificate.same),
        }
    )
    if len(data) > MAX_BYTES:
        raise _refused(
            "too_large",
            f"the certificate has {len(data):,} bytes, more than {MAX_BYTES:,}; watch fewer tokens",
        )
    return data


def read_certificate(data: bytes) -> Certificate:
    """The certificate in a file, if the file is exactly what `write_certificate` writes for it.

    Raises:
        FormatError: `conformance.…`, or `format.…` for what is no JSON at all.
    """
    if len(data) > MAX_BYTES:
        raise _refused("too_large", f"a certificate has at most {MAX_BYTES:,} bytes, and this is longer")
    try:
        fields = parse_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _refused("fields", "not UTF-8; expected the JSON of a conformance certificate") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT_NAME:
        raise _refused(
            "fields", f"no conformance certificate: expected an object with format {FORMAT_NAME!r}"
        )
    if (version := fields.get("format_version")) != FORMAT_VERSION or type(version) is not int:
        raise _refused(
            "version",
            f"the certificate has format version {str(version)[:16]!a}; version {FORMAT_VERSION} is read "
            "here. If it is newer, update this program",
        )
    if fields.keys() != set(_FIELDS):
        raise _refused("fields", f"a certificate must have exactly the fields {', '.join(_FIELDS)}")
    try:
        certificate = _certificate(fields)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise _refused("fields", f"a field is not of its form: {str(error)[:100]!a}") from error
    if write_certificate(certificate) != data:
        raise _refused("not_canonical", "not the canonical encoding of what it says; use write_certificate")
    return certificate


def _certificate(fields: dict[str, Any]) -> Certificate:
    return Certificate(
        tensor_digest=fields["tensor_digest"],
        model_hash=fields["model_hash"],
        model=fields["model"],
        operation=fields["operation"],
        dtype=fields["dtype"],
        strengths=tuple(fields["strengths"]),
        probes=tuple(Probe(tuple(p["ids"]), tuple(p["positions"])) for p in fields["probes"]),
        watched=tuple(fields["watched"]),
        unsteered=_array(fields["unsteered"]),
        changes=_array(fields["changes"]),
        decoys=tuple(Decoy(d["name"], d["why"], _array(d["changes"])) for d in fields["decoys"]),
        same=tuple(fields["same"]),
    )


def _array(nested: Any) -> Logits:
    """Ragged lists raise ValueError; what else is no number fails the comparison of the encodings."""
    return np.array(nested, dtype=np.float64).astype(np.float32)


def _numbers(where: str, values: Logits, shape: tuple[int, ...]) -> Logits:
    """A read-only copy, rounded as it is written, so that a certificate equals itself when read again."""
    if np.shape(values) != shape:
        raise _refused("shape", f"{where} has the shape {list(np.shape(values))}; expected {list(shape)}")
    exact = np.asarray(values, dtype=np.float64)
    if not (np.abs(exact) <= MAX_LOGIT).all():
        raise _refused("value", f"{where} holds a number beyond ±{MAX_LOGIT:g}, or none")
    rounded = np.array(_decimals(exact), dtype=np.float64).astype(np.float32).reshape(shape)
    rounded.flags.writeable = False
    return rounded


def _decimals(values: npt.NDArray[np.floating]) -> Any:
    """Nested lists of floats with six significant digits."""
    if values.ndim > 1:
        return [_decimals(row) for row in values]
    return [float(f"{value:.6g}") if abs(value) >= _SMALLEST else 0.0 for value in values.tolist()]


def _check_words(certificate: Certificate) -> None:
    for named in (certificate.tensor_digest, certificate.model_hash):
        digest_hex(named)
    if certificate.operation not in OPERATIONS:
        raise _refused("value", f"operation {certificate.operation!a} is none of {', '.join(OPERATIONS)}")
    texts = [certificate.model, certificate.dtype, *certificate.same]
    texts += [text for decoy in certificate.decoys for text in (decoy.name, decoy.why)]
    for text in texts:
        if text == "" or not is_visible_text(text):
            raise _refused("value", f"{str(text)[:40]!a} is not 1 to 200 visible characters")
    names = [decoy.name for decoy in certificate.decoys] + list(certificate.same)
    if len(names) > MAX_DECOYS or len(set(names)) != len(names):
        raise _refused("value", f"decoys are at most {MAX_DECOYS} and each has a name of its own")


def _check_points(certificate: Certificate) -> None:
    strengths, probes, watched = certificate.strengths, certificate.probes, certificate.watched
    if not 1 <= len(strengths) <= MAX_STRENGTHS or not all(type(s) is float for s in strengths):
        raise _refused("value", f"expected 1 to {MAX_STRENGTHS} strengths, decimal numbers")
    if not all(math.isfinite(s) and s != 0 for s in strengths) or any(a >= b for a, b in pairwise(strengths)):
        raise _refused("value", f"strengths {strengths} are not rising numbers other than 0")
    if not 1 <= len(probes) <= MAX_PROBES or not all(map(_is_probe, probes)):
        raise _refused(
            "value",
            f"expected 1 to {MAX_PROBES} probes of 1 to {MAX_PROBE_TOKENS} token ids, with rising positions",
        )
    if not 2 <= len(watched) <= MAX_WATCHED or not _rising(watched, MAX_TOKEN_ID):
        raise _refused("value", f"expected 2 to {MAX_WATCHED} watched token ids, rising")


def _is_probe(probe: Probe) -> bool:
    ids, positions = probe.ids, probe.positions
    fits = 1 <= len(ids) <= MAX_PROBE_TOKENS and all(type(i) is int and 0 <= i <= MAX_TOKEN_ID for i in ids)
    return fits and len(positions) >= 1 and _rising(positions, len(ids) - 1)


def _rising(numbers: tuple[int, ...], most: int) -> bool:
    return all(type(n) is int and 0 <= n <= most for n in numbers) and all(
        a < b for a, b in pairwise(numbers)
    )


def _refused(code: str, message: str) -> FormatError:
    return FormatError(message, code=f"conformance.{code}")
