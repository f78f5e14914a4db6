"""What a file says about itself, as a page shows it: where it acts, which way it points, its doses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.web.numbers import plain
from steering_core.spec import Place

Json = Mapping[str, Any]

_SITES = {
    "resid_post": "the output of block {blocks}",
    "mlp_out": "what the feed-forward part of block {blocks} adds",
    "attn_out": "what the attention of block {blocks} adds",
}
_OTHER_POLE = {"positive": "negative", "negative": "positive"}


@dataclass(frozen=True, slots=True)
class ManifestView:
    """What a page says of a manifest; texts are empty where the manifest does not say.

    Attributes:
        place: where the vector acts, in words.
        keys: the same as site keys.
        sign: what a positive strength does.
        set_points: mean projections of the two kinds of texts on the unit direction.
    """

    place: str
    keys: str
    sign: str
    set_points: str


def view_manifest(manifest: Json | None, poles: tuple[str, str] | None = None) -> ManifestView | None:
    """The manifest of a version, or None while there is none.

    Args:
        poles: words for the negative and the positive texts.
    """
    if not manifest:
        return None
    directions = manifest["directions"]
    return ManifestView(
        place=place_words([(row["site"], row["block"]) for row in directions]),
        keys=", ".join(row["key"] for row in directions),
        sign=sign_words(str(manifest["operation"]), str(manifest.get("sign", "unknown")), poles),
        set_points=_set_points(directions),
    )


def measured_doses(manifest: Json | None) -> dict[float, float]:
    """Strength -> nats: how far the next-token distribution moves at most tokens; empty if not measured."""
    return {round(strength, 6): nats for strength, nats in (manifest or {}).get("doses") or []}


def place_words(places: Iterable[Place]) -> str:
    """`(resid_post, 3)` -> `the output of block 3`; several sites and streams are told apart."""
    blocks: dict[str, list[int]] = {}
    for site, block in places:
        blocks.setdefault(site, []).append(block)
    return "; ".join(_site_words(site, sorted(found)) for site, found in blocks.items())


def sign_words(operation: str, sign: str, poles: tuple[str, str] | None) -> str:
    """What a positive strength does; empty where it is not known which texts the direction points to."""
    if sign not in _OTHER_POLE:
        return ""
    away, towards = (_OTHER_POLE[sign], sign)
    if poles:
        named = dict(zip(("negative", "positive"), poles, strict=True))
        away, towards = named[away], named[towards]
    else:
        away, towards = f"the {away} texts", f"the {towards} texts"
    if operation == "project":
        return f"a positive strength takes away what points to {towards}"
    if operation == "clamp":
        return f"a positive strength holds replies at {towards}, a negative one at {away}"
    return f"a positive strength moves replies towards {towards}, a negative one towards {away}"


def _site_words(site: str, blocks: list[int]) -> str:
    name, _, stream = site.partition("@")
    words = _SITES[name].format(blocks=", ".join(map(str, blocks)))
    return f"{words}, residual stream {stream}" if stream else words


def _set_points(directions: Iterable[Json]) -> str:
    found = [(row["key"], row["set_points"]) for row in directions if row.get("set_points")]
    return "; ".join(
        f"{plain(points[0])} and {plain(points[1])}" + (f" ({key})" if len(found) > 1 else "")
        for key, points in found
    )
