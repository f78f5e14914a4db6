"""Bars for work that goes through stages on this machine, and for bytes on their way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from steering_core.client.ui import Ui


@contextmanager
def stage_bar(ui: Ui) -> Iterator[Callable[[str, float, str], None]]:
    """(stage, fraction, message) moves a bar; where there is no terminal, each message is a line, once."""
    told: set[str] = set()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ui.err, transient=True, disable=not ui.err.is_terminal) as progress:
        task = progress.add_task("", total=1.0)

        def tell(stage: str, fraction: float, message: str) -> None:
            if message not in told and (stage == "pilot" or not ui.err.is_terminal):
                ui.say(message)
            told.add(message)
            progress.update(task, completed=fraction, description=message)

        yield tell


@contextmanager
def byte_bar(ui: Ui, label: str) -> Iterator[Callable[[int, int], None]]:
    """(bytes so far, bytes in all) moves a bar; nothing is shown where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=ui.err, transient=True, disable=not ui.err.is_terminal) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)
