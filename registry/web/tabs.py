"""Parts of one thing as links in a row, see `components/tabs.html`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tab:
    """One of them; `count` is empty where nothing is counted."""

    url: str
    label: str
    count: str = ""
    is_current: bool = False
