"""The manifest of a vector file: all but the numbers, as canonical JSON. `bearing` puts it in the header."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from steering_core.errors import FormatError
from steering_core.formats.header import MAX_DIMENSION
from steering_core.spec import ModelIdentity, Provenance, canonical_json, parse_json
from steering_core.vector import SteeringVector

FORMAT_VERSION = 1
MAX_LAYERS = 1024
MAX_TEXT = 200
RESIDUAL_NORM_RANGE = (1e-9, 1e9)
MAX_SET_POINT = 1e9
MAX_STRENGTH = 1e3
MAX_NATS = 1e6
MAX_DOSES = 64

_WORD = re.compile(r"[a-z0-9_]{1,64}")
_CLASS_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Listed, since what `isprintable` refuses changes with every version of Unicode.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ue000-\uf8ff"
    "\ufeff\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)

Check = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The validated fields of a manifest; `tensor_digest` is what the tensors must hash to."""

    model: ModelIdentity
    residual_norms: dict[str, float]
    set_points: dict[str, tuple[float, float]]
    operation: str
    sign: str
    window: tuple[float, float] | None
    doses: tuple[tuple[float, float], ...]
    provenance: Provenance
    tensor_digest: str


def manifest_from_vector(vector: SteeringVector) -> dict[str, Any]:
    """The manifest as JSON fields, version 1."""
    model, provenance = vector.model, vector.provenance
    return {
        "format_version": FORMAT_VERSION,
        "model": {
            "name": model.name,
            "model_hash": model.model_hash,
            "architecture": model.architecture,
            "n_layers": model.n_layers,
            "d_model": model.d_model,
        },
        "directions": {
            key: {"residual_norm": norm, "set_points": _list_or_none(vector.set_points.get(key))}
            for key, norm in vector.residual_norms.items()
        },
        "operation": vector.operation,
        "sign": vector.sign,
        "window": _list_or_none(vector.window),
        "doses": [list(point) for point in vector.doses],
        "provenance": {
            "method": provenance.method,
            "pooling": provenance.pooling,
            "dataset_digest": provenance.dataset_digest,
            "spec_digest": provenance.spec_digest,
            "software": provenance.software,
            "dtype": provenance.dtype,
        },
        "tensor_digest": vector.tensor_digest,
    }


def encode_manifest(vector: SteeringVector) -> str:
    """The one text of a vector's manifest.

    Raises:
        FormatError: a text holds what JSON cannot say.
    """
    return canonical_json(manifest_from_vector(vector)).decode("utf-8")


def read_manifest(text: str) -> Manifest:
    """The manifest, if every field is there, none is unknown, and each has its type and range.

    Raises:
        FormatError: `format.version` for another version, else what is wrong with which field.
    """
    fields = parse_json(text)
    _check_version(fields)
    _check_fields("the manifest", fields, _MANIFEST)
    _check_fields("model", fields["model"], _MODEL)
    _check_fields("provenance", fields["provenance"], _PROVENANCE)
    for key, direction in fields["directions"].items():
        _check_fields(f"directions of {key[:40]!a}", direction, _DIRECTION)
    window, directions = fields["window"], fields["directions"]
    set_points = {key: d["set_points"] for key, d in directions.items() if d["set_points"] is not None}
    return Manifest(
        model=ModelIdentity(**fields["model"]),
        residual_norms={key: direction["residual_norm"] for key, direction in directions.items()},
        set_points={key: (negative, positive) for key, (negative, positive) in set_points.items()},
        operation=fields["operation"],
        sign=fields["sign"],
        window=None if window is None else (window[0], window[1]),
        doses=tuple((strength, nats) for strength, nats in fields["doses"]),
        provenance=Provenance(**fields["provenance"]),
        tensor_digest=fields["tensor_digest"],
    )


def _check_version(fields: object) -> None:
    version = fields.get("format_version") if isinstance(fields, dict) else None
    if type(version) is not int or version != FORMAT_VERSION:
        raise FormatError(
            f"the manifest has format version {str(version)[:16]}; version {FORMAT_VERSION} is read here. "
            "If the file is newer, update this program",
            code="format.version",
        )


def _check_fields(where: str, value: object, checks: Mapping[str, tuple[str, Check]]) -> None:
    if not isinstance(value, dict) or value.keys() != checks.keys():
        raise FormatError(
            f"{where} must have exactly the fields {', '.join(checks)}",
            code="format.manifest_fields",
        )
    for field, (expected, fits) in checks.items():
        if not fits(value[field]):
            raise FormatError(
                f"{field} in {where} is {str(value[field])[:60]!a}; expected {expected}",
                code="format.manifest_value",
            )


def is_visible_text(value: Any) -> bool:
    """Whether a value is a text of at most 200 characters without hidden ones."""
    return isinstance(value, str) and len(value) <= MAX_TEXT and _HIDDEN.search(value) is None


def _matches(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _digest_or_empty(value: Any) -> bool:
    return value == "" or _matches(_DIGEST)(value)


def _integer(most: int) -> Check:
    return lambda value: type(value) is int and 1 <= value <= most


def _list_or_none(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else list(pair)


def _number(least: float, most: float) -> Check:
    return lambda value: type(value) is float and least <= value <= most


def _pair(first: Check, second: Check) -> Check:
    return lambda value: isinstance(value, list) and len(value) == 2 and first(value[0]) and second(value[1])


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _doses(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAX_DOSES and all(map(_DOSE, value))


_VISIBLE = f"a text of at most {MAX_TEXT} characters without hidden ones"
_OBJECT: tuple[str, Check] = ("an object", lambda value: isinstance(value, dict))
_SHA256 = ("sha256: and 64 hex digits", _matches(_DIGEST))
_SHA256_OR_EMPTY = ("sha256: and 64 hex digits, or nothing", _digest_or_empty)
_NAME = ("1 to 64 of a-z 0-9 _", _matches(_WORD))
_STRENGTH = _number(-MAX_STRENGTH, MAX_STRENGTH)
_SET_POINT = _number(-MAX_SET_POINT, MAX_SET_POINT)
_DOSE = _pair(_STRENGTH, _number(0, MAX_NATS))

_MANIFEST: dict[str, tuple[str, Check]] = {
    "format_version": (str(FORMAT_VERSION), lambda value: value == FORMAT_VERSION),
    "model": _OBJECT,
    "directions": _OBJECT,
    "operation": _NAME,
    "sign": _NAME,
    "window": (
        f"null or two decimal numbers within ±{MAX_STRENGTH:g}",
        _or_none(_pair(_STRENGTH, _STRENGTH)),
    ),
    "doses": (f"a list of at most {MAX_DOSES} [strength, nats], decimal numbers", _doses),
    "provenance": _OBJECT,
    "tensor_digest": _SHA256,
}
_MODEL: dict[str, tuple[str, Check]] = {
    "name": (_VISIBLE, lambda value: is_visible_text(value) and value != ""),
    "model_hash": _SHA256,
    "architecture": ("a class name of at most 100 characters", _matches(_CLASS_NAME)),
    "n_layers": (f"an integer from 1 to {MAX_LAYERS}", _integer(MAX_LAYERS)),
    "d_model": (f"an integer from 1 to {MAX_DIMENSION}", _integer(MAX_DIMENSION)),
}
_DIRECTION: dict[str, tuple[str, Check]] = {
    "residual_norm": (
        "a decimal number from {:g} to {:g}".format(*RESIDUAL_NORM_RANGE),
        _number(*RESIDUAL_NORM_RANGE),
    ),
    "set_points": (
        f"null or two decimal numbers within ±{MAX_SET_POINT:g}",
        _or_none(_pair(_SET_POINT, _SET_POINT)),
    ),
}
_PROVENANCE: dict[str, tuple[str, Check]] = {
    "method": _NAME,
    "pooling": _NAME,
    "dataset_digest": _SHA256_OR_EMPTY,
    "spec_digest": _SHA256_OR_EMPTY,
    "software": (_VISIBLE, is_visible_text),
    "dtype": ("at most 64 of a-z 0-9 _", lambda value: value == "" or _matches(_WORD)(value)),
}
