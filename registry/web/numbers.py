"""Numbers as people read them: a true minus sign, few digits, a dash for what was not measured."""

import re

DASH = "–"
_MINUS = re.compile(r"(?<![\w.-])-(?=\d)")


def plain(value: float | None, digits: int = 2) -> str:
    """`0.5` -> `0.50`, `-1` -> `−1.00`, None -> `–`; two significant digits where this would say 0."""
    if value is None:
        return DASH
    text = f"{value:.{digits}f}"
    if value and not float(text):
        text = f"{value:.2g}"
    return text.replace("-", "−")


def signed(value: float | None, digits: int = 2) -> str:
    """`0.3` -> `+0.30`, `-0.3` -> `−0.30`, `0` -> `0`."""
    if value is None:
        return DASH
    return "0" if value == 0 else ("+" if value > 0 else "") + plain(value, digits)


def short(value: float) -> str:
    """As few digits as the value needs: `0.3` -> `0.3`, `-0.45` -> `−0.45`, `2.0` -> `2`."""
    return f"{value:.4g}".replace("-", "−")


def signed_short(value: float) -> str:
    """`short` with a plus sign."""
    return ("+" if value > 0 else "") + short(value)


def percent(value: float | None) -> str:
    """`0.031` -> `3 %`."""
    return DASH if value is None else f"{100 * value:.0f} %"


def span(low: float | None, high: float | None, digits: int = 2) -> str:
    """An interval: `0.93 to 0.99`."""
    if low is None or high is None:
        return DASH
    return f"{plain(low, digits)} to {plain(high, digits)}"


def minus(text: str) -> str:
    """A sentence with true minus signs before its numbers: `from -0.3 to 0.45` -> `from −0.3 to 0.45`."""
    return _MINUS.sub("−", text)
