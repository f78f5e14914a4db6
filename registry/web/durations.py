"""Lengths of time as people read them."""


def duration(seconds: float | None) -> str:
    """`0.4` -> `under 1 s`, `42` -> `42 s`, `190` -> `3 min 10 s`, `4000` -> `1 h 7 min`, None -> ``."""
    if seconds is None:
        return ""
    if seconds < 1:
        return "under 1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return (f"{hours} h {minutes} min" if minutes else f"{hours} h") if hours else f"{minutes} min"


def about(seconds: float) -> str:
    """As `duration`, as coarse as a guess is: `44` -> `about 45 s`, `190` -> `about 3 min`."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 60:
        return f"about {5 * round(seconds / 5)} s"
    return f"about {duration(60 * round(seconds / 60))}"


def span_of_time(low: float, high: float) -> str:
    """`38, 52` -> `38 s to 52 s`; one length where both read the same."""
    first, last = duration(low), duration(high)
    return first if first == last else f"{first} to {last}"
