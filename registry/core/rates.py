"""Rates as the settings write them: so many in a window of time."""

WINDOW_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_rate(rate: str) -> tuple[int, int]:
    """`300/min` -> (300, 60); the settings have checked its form."""
    count, _, unit = rate.partition("/")
    return int(count), WINDOW_SECONDS[unit[0]]
