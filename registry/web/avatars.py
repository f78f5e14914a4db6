"""The mark of a person or an organisation: drawn from the name alone, so that it is the same everywhere and
no picture has to be fetched.
"""

import hashlib
from math import cos, pi, sin

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# Classes of accounts.css, which gives each its colours in light and dark.
TINTS = 6
RAYS = 5
_CENTRE, _REACH = 20.0, 15.0


def avatar(slug: str, *, is_organisation: bool = False, size: int = 40) -> SafeString:
    """Rays from a centre, as in Bearing's own mark: their lengths, angle and tint are the name's digest."""
    digest = hashlib.sha256(slug.encode()).digest()
    turn = digest[1] / 256 * 2 * pi
    rays = [
        _ray(turn + 2 * pi * n / RAYS + (digest[2 + n] / 255 - 0.5) * 0.7, 0.45 + 0.55 * digest[10 + n] / 255)
        for n in range(RAYS)
    ]
    lines = format_html_join("", '<path d="M20 20 {} {}"/>', rays)
    shape = '<rect width="40" height="40" rx="9"/>' if is_organisation else '<circle cx="20" cy="20" r="20"/>'
    return format_html(
        '<svg class="owner-mark tint-{}" width="{}" height="{}" viewBox="0 0 40 40" aria-hidden="true">{}'
        '<g stroke-width="3.4" stroke-linecap="round">{}</g>'
        '<circle class="hub" cx="20" cy="20" r="3.6"/></svg>',
        digest[0] % TINTS,
        size,
        size,
        SafeString(shape),
        lines,
    )


def _ray(angle: float, share: float) -> tuple[str, str]:
    return f"{_CENTRE + _REACH * share * cos(angle):.1f}", f"{_CENTRE + _REACH * share * sin(angle):.1f}"
