"""Presets: a named mix of pinned vectors of one base model, each with a strength and the words of its slider.

`preset.json` is canonical JSON and its sha256 is the identity of a preset version. What engines are told
about a mix is in `preset_engines`; docs/presets.md describes the file. No torch.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from steering_core.errors import FormatError
from steering_core.formats.manifest import MAX_STRENGTH, is_visible_text
from steering_core.spec import canonical_json, digest_hex, parse_json

PRESET_VERSION = 1
MEDIA_TYPE = "application/vnd.bearing.preset+json"
MAX_MEMBERS = 12
MAX_TITLE, MAX_DESCRIPTION, MAX_LABEL = 120, 4000, 40
MAX_BYTES = 2 * 1024 * 1024
COMPOSITION_FORMAT = "bearing-composition"

Mode = Literal["sum", "equal_dose"]
MODES: tuple[str, ...] = get_args(Mode)

_SLUG = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_SEMVER = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
_NAME = re.compile(rf"{_SLUG}/{_SLUG}")
_VERSION = re.compile(_SEMVER)
_REFERENCE = re.compile(rf"{_SLUG}/{_SLUG}@{_SEMVER}")

_FIELDS = {"preset_version", "name", "version", "title", "description", "base_model", "members", "mode"}
_FIELDS |= {"composition"}
_MEMBER_FIELDS = {"reference", "digest", "strength", "label", "low_label", "high_label", "range"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetMember:
    """One vector of a mix, and its slider.

    Attributes:
        reference: `owner/name@1.2.0`, for people.
        digest: `sha256:…` of the native file, which alone decides.
        strength: where the slider stands: a share of the residual norm for `add`.
        label: what the slider is called; no two of a preset have the same.
        low_label, high_label: words for its two ends; may be empty.
        range: the least and the greatest strength that the slider offers.

    Raises:
        FormatError: `preset.value`.
    """

    reference: str
    digest: str
    strength: float
    label: str
    range: tuple[float, float]
    low_label: str = ""
    high_label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.reference, str) or not _REFERENCE.fullmatch(self.reference):
            raise _refused(
                "value", f"member {str(self.reference)[:80]!a} is not pinned; expected owner/name@1.2.0"
            )
        _digest("the digest of a member", self.digest)
        check_text("label", self.label, MAX_LABEL, least=1)
        check_text("low_label", self.low_label, MAX_LABEL)
        check_text("high_label", self.high_label, MAX_LABEL)
        low, high = (_number(f"an end of the range of {self.label!a}", end) for end in self.range)
        if not low <= _number(f"the strength of {self.label!a}", self.strength) <= high:
            raise _refused(
                "value",
                f"{self.label!a} has strength {self.strength:g}, outside its range, {low:g} to {high:g}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A mix under a name and a version.

    Attributes:
        name: `owner/name`.
        model_name, model_hash: the base model revision that all members are for.
        mode: `sum` takes strengths as they are; `equal_dose` divides them by the square root of how many are
            not 0, so that sliders do not push each other out of the range in which the model writes well.
        composition: what was measured of the mix, as `evaluation.composition.record` reads it; None if it was
            not measured.

    Raises:
        FormatError: `preset.value`.
    """

    name: str
    version: str
    title: str
    description: str
    model_name: str
    model_hash: str
    members: tuple[PresetMember, ...]
    mode: Mode = "sum"
    composition: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise _refused("value", f"name {str(self.name)[:80]!a} is not owner/name")
        if not isinstance(self.version, str) or not _VERSION.fullmatch(self.version):
            raise _refused("value", f"version {str(self.version)[:40]!a} is not MAJOR.MINOR.PATCH")
        check_text("title", self.title, MAX_TITLE)
        check_text("description", self.description, MAX_DESCRIPTION, lines=True)
        check_text("the name of the base model", self.model_name, 200, least=1)
        _digest("the model hash", self.model_hash)
        if self.mode not in MODES:
            raise _refused("value", f"mode {str(self.mode)[:20]!a} is none of {', '.join(MODES)}")
        _check_members(self.members)
        _check_composition(self)

    def strengths(self, sliders: Mapping[str, float] | None = None) -> tuple[float, ...]:
        """What each member is applied at, in order, after the mode.

        Args:
            sliders: strengths by label, in place of the preset's own.
        Raises:
            FormatError: `preset.slider`: no such label, or a strength outside the slider's range.
        """
        chosen = {member.label: member.strength for member in self.members}
        for label, strength in (sliders or {}).items():
            chosen[label] = self._slid(label, strength)
        return applied(self.mode, tuple(chosen.values()))

    def to_json(self) -> dict[str, Any]:
        """The fields of `preset.json`."""
        return {
            "preset_version": PRESET_VERSION,
            "name": self.name,
            "version": self.version,
            "title": self.title,
            "description": self.description,
            "base_model": {"name": self.model_name, "model_hash": self.model_hash},
            "members": [{**asdict(member), "range": list(member.range)} for member in self.members],
            "mode": self.mode,
            "composition": None if self.composition is None else dict(self.composition),
        }

    def _slid(self, label: str, strength: float) -> float:
        member = next((one for one in self.members if one.label == label), None)
        if member is None:
            known = ", ".join(one.label for one in self.members)
            raise _refused("slider", f"there is no slider {label[:60]!a}; this preset has {known}")
        low, high = member.range
        if not low <= strength <= high:
            raise _refused("slider", f"{label!a} goes from {low:g} to {high:g}, so not to {strength:g}")
        return float(strength)


def applied(mode: str, strengths: tuple[float, ...]) -> tuple[float, ...]:
    """Strengths after the mode; see `Preset.mode`."""
    on = sum(strength != 0 for strength in strengths)
    scale = 1 / math.sqrt(on) if mode == "equal_dose" and on else 1.0
    return tuple(scale * strength for strength in strengths)


def write_preset(preset: Preset) -> bytes:
    """The one encoding of a preset.

    Raises:
        FormatError: `preset.too_large`.
    """
    data = canonical_json(preset.to_json())
    if len(data) > MAX_BYTES:
        raise _refused("too_large", f"the preset has {len(data):,} bytes, more than {MAX_BYTES:,}")
    return data


def read_preset(data: bytes) -> Preset:
    """The preset in a file, if the file is exactly what `write_preset` writes for it.

    Raises:
        FormatError: `preset.…`, or `format.…` for what is no JSON at all.
    """
    if len(data) > MAX_BYTES:
        raise _refused("too_large", f"a preset has at most {MAX_BYTES:,} bytes, and this is longer")
    try:
        fields = parse_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _refused("fields", "not UTF-8; expected the JSON of a preset") from error
    preset = preset_from_json(fields)
    if write_preset(preset) != data:
        raise _refused("not_canonical", "not the canonical encoding of what it says; use write_preset")
    return preset


def preset_from_json(fields: object) -> Preset:
    """A preset of parsed JSON: every field there, none unknown, each of its type and range.

    Raises:
        FormatError: `preset.version` for another version, else what is wrong with which field.
    """
    version = fields.get("preset_version") if isinstance(fields, dict) else None
    if type(version) is not int or version != PRESET_VERSION:
        raise _refused(
            "version",
            f"preset_version is {str(version)[:16]!a}; version {PRESET_VERSION} is read here. If the file is "
            "newer, update this program",
        )
    found = _object("a preset", fields, _FIELDS)
    model = _object("base_model", found["base_model"], {"name", "model_hash"})
    composition = found["composition"]
    if composition is not None and not isinstance(composition, dict):
        raise _refused("fields", "composition is neither null nor an object")
    return Preset(
        name=found["name"],
        version=found["version"],
        title=found["title"],
        description=found["description"],
        model_name=model["name"],
        model_hash=model["model_hash"],
        members=tuple(map(_member, _list("members", found["members"]))),
        mode=cast(Mode, found["mode"]),
        composition=composition,
    )


def check_text(what: str, value: object, most: int, *, least: int = 0, lines: bool = False) -> None:
    """Refuse what is no text of so many characters, all of which can be seen; `lines` allows line breaks.

    Raises:
        FormatError: `preset.value`.
    """
    if isinstance(value, str) and least <= len(value) <= most:
        parts = value.split("\n") if lines else [value]
        # `is_visible_text` has a limit of its own, below that of a description.
        if all(is_visible_text(part[i : i + 200]) for part in parts for i in range(0, len(part) + 1, 200)):
            return
    raise _refused(
        "value", f"{what} is {str(value)[:40]!a}; expected {least} to {most} characters, none of them hidden"
    )


def _member(fields: object) -> PresetMember:
    found = _object("a member", fields, _MEMBER_FIELDS)
    ends = _list("range", found.pop("range"))
    if len(ends) != 2:
        raise _refused("fields", f"range has {len(ends)} ends; expected the least and the greatest strength")
    return PresetMember(**found, range=(ends[0], ends[1]))


def _object(where: str, value: object, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise _refused("fields", f"{where} must have exactly the fields {', '.join(sorted(names))}")
    return dict(value)


def _list(where: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _refused("fields", f"{where} is {str(value)[:40]!a}; expected a list")
    return value


def _check_members(members: tuple[PresetMember, ...]) -> None:
    if not 1 <= len(members) <= MAX_MEMBERS:
        raise _refused("value", f"{len(members)} members; expected 1 to {MAX_MEMBERS}")
    for what in ("label", "digest"):
        said = [getattr(member, what).casefold() for member in members]
        if twice := next((one for one in said if said.count(one) > 1), None):
            raise _refused("value", f"two members have the {what} {twice[:80]!a}; each needs its own")


def _check_composition(preset: Preset) -> None:
    found = preset.composition
    if found is None:
        return
    if found.get("format") != COMPOSITION_FORMAT or found.get("model_hash") != preset.model_hash:
        raise _refused("value", f"composition is none of this base model; expected {COMPOSITION_FORMAT}")
    measured = found.get("members")
    rows = measured if isinstance(measured, list) else []
    names = [row.get("name") if isinstance(row, dict) else None for row in rows]
    if names != [member.label for member in preset.members]:
        raise _refused("value", "the composition is of other members than the preset has")


def _number(what: str, value: object) -> float:
    if type(value) is float and math.isfinite(value) and abs(value) <= MAX_STRENGTH:
        return value
    raise _refused(
        "value", f"{what} is {str(value)[:24]!a}; expected a decimal number within ±{MAX_STRENGTH:g}"
    )


def _digest(what: str, value: object) -> None:
    try:
        digest_hex(str(value))
    except FormatError as error:
        raise _refused("value", f"{what}: {error.message}") from error
    if not isinstance(value, str):
        raise _refused("value", f"{what} is no text")


def _refused(code: str, message: str) -> FormatError:
    return FormatError(message, code=f"preset.{code}")
