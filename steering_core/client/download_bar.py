"""A bar for files that take a while to arrive."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

# Smaller files are there before a bar could be read.
LEAST_BYTES = 1_000_000


class DownloadBar:
    """One bar per file of more than a megabyte; gone when the file is there."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None

    def tell(self, done: int, total: int) -> None:
        """So many bytes are there, of so many; 0 where nobody said how many."""
        if total < LEAST_BYTES:
            return
        if self._progress is None:
            columns = BarColumn(), DownloadColumn(), TransferSpeedColumn()
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._progress.add_task("", total=total)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done, total=total)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Take the bar away, also from a download that failed."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
