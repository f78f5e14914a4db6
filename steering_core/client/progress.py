"""A bar for work that goes through stages on this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

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
