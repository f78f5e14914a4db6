"""What can go wrong while the embedded stack starts."""

from pathlib import Path


class EmbeddedError(Exception):
    """A server or a part of the service did not start, or did not stop; the message says what to do."""


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log file, ready to stand below an error message; empty when there is none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    kept = text.splitlines()[-lines:]
    return "\n".join([f"--- end of {log}", *kept]) if kept else ""
