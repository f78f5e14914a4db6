"""What every command shares: --json and --debug, where output goes, exit codes, and errors as one line.

Results go to standard output, everything else to standard error. `tables` draws; cli_* decide what.
"""

import functools
import inspect
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console, RenderableType

from steering_core.client.download_bar import DownloadBar
from steering_core.client.hub import Hub
from steering_core.client.incoming import Progress
from steering_core.client.references import ReferenceSyntaxError
from steering_core.client.text import clean
from steering_core.errors import (
    ClientError,
    FormatError,
    ModelError,
    ModelMismatchError,
    NotAllowedError,
    NotFoundError,
    SteeringError,
    VerificationError,
)

OK, FAILED, USAGE, NOT_FOUND, NOT_ALLOWED, NOT_VERIFIED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
PLAIN_WIDTH = 120
# What only some commands use, and the extra of the package that brings it.
EXTRAS = {
    "gguf": "engines",
    "zstandard": "engines",
    "sklearn": "torch",
    "torch": "torch",
    "transformers": "torch",
}

_EXIT_CODES: tuple[tuple[type[SteeringError], int], ...] = (
    (ReferenceSyntaxError, USAGE),
    (NotFoundError, NOT_FOUND),
    (NotAllowedError, NOT_ALLOWED),
    (VerificationError, NOT_VERIFIED),
    (FormatError, NOT_VERIFIED),
    (ModelMismatchError, NOT_VERIFIED),
)

JsonFlag = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on standard output.")
]
DebugFlag = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@dataclass(frozen=True, slots=True)
class Globals:
    """Options that stand before the command."""

    endpoint: str | None = None
    offline: bool | None = None


class Ui:
    """One command's way to the registry and to the terminal."""

    def __init__(self, options: Globals, *, as_json: bool, debug: bool) -> None:
        self.options = options
        self.as_json = as_json
        self.debug = debug
        self.out = _console(sys.stdout)
        self.err = _console(sys.stderr)
        # What a command knew before it failed; goes into the JSON beside the error.
        self.partial: dict[str, Any] = {}

    @cached_property
    def hub(self) -> Hub:
        """The registry of this command's options and environment."""
        return Hub(self.options.endpoint, offline=self.options.offline, progress=self.progress)

    @property
    def progress(self) -> Progress | None:
        """Shows how far a download is; None where nobody looks."""
        return self._bar.tell if self.err.is_terminal else None

    @cached_property
    def _bar(self) -> DownloadBar:
        return DownloadBar(self.err)

    def say(self, text: str, style: str = "") -> None:
        """A line for people, on standard error."""
        self.err.print(clean(text), style=style, soft_wrap=True)

    def result(self, data: Any, *shown: RenderableType) -> None:
        """The outcome on standard output: `data` with --json, else what is shown for it."""
        if self.as_json:
            self.print_json(data)
            return
        for part in shown:
            self.out.print(clean(part) if isinstance(part, str) else part, soft_wrap=isinstance(part, str))

    def print_json(self, data: Any) -> None:
        encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
        print(json.dumps(data, indent=2, ensure_ascii=encoding != "utf8"), flush=True)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Errors become a line and an exit code, warnings a line; the connections are closed."""
        try:
            with self._warnings_as_lines():
                yield
        except SteeringError as error:
            self._fail(error)
            raise typer.Exit(exit_code(error)) from error
        except ModuleNotFoundError as error:
            extra = EXTRAS.get(str(error.name).partition(".")[0])
            if extra is None:
                raise
            self._fail(
                ClientError(
                    f"{error.name} is not installed, and this needs it: install Bearing with its extra "
                    f"{extra}, as in pip install '.[{extra}]'",
                    code="client.not_installed",
                )
            )
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt:
            self.say("stopped")
            raise typer.Exit(INTERRUPTED) from None
        finally:
            self._bar.close()
            if "hub" in self.__dict__:
                self.hub.close()

    def _fail(self, error: SteeringError) -> None:
        if self.debug:
            traceback.print_exception(error)
        if self.as_json:
            self.print_json({"error": {"code": error.code, "message": error.message}} | self.partial)
        self.err.print(
            clean(f"error: {' '.join(error.message.split())} ({error.code})"), style="red", soft_wrap=True
        )

    @contextmanager
    def _warnings_as_lines(self) -> Iterator[None]:
        def show(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
            if category.__module__.startswith("steering_core."):
                self.say(f"warning: {message}", "yellow")
            elif self.debug:
                self.say(f"{category.__name__}: {message}", "dim")

        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show
            yield


def command(
    app: typer.Typer, name: str, *, examples: Sequence[str]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command: it gets a `Ui` first, and --json, --debug and the examples are added."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        added = [
            _parameter("context", typer.Context),
            _parameter("as_json", JsonFlag, default=False),
            _parameter("debug", DebugFlag, default=False),
        ]
        own = list(inspect.signature(function).parameters.values())[1:]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + added

        @functools.wraps(function)
        def run(**values: Any) -> None:
            options = values.pop("context").obj
            ui = Ui(options, as_json=values.pop("as_json"), debug=values.pop("debug"))
            with ui.guarded():
                function(ui, **values)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        lines = "\n".join(f"  {example}" for example in examples)
        app.command(name, epilog=f"\b\nExamples:\n{lines}")(run)
        return function

    return register


def exit_code(error: SteeringError) -> int:
    """The status that a command ends with; docs/client.md has the list."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), FAILED)


def read_file(file: Path, *, most_bytes: int) -> bytes:
    """A file of the user's.

    Raises:
        ClientError: it cannot be read, or is larger than makes sense.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(most_bytes + 1)
    except OSError as error:
        raise ClientError(f"{file} cannot be read: {error.strerror}", code="client.file") from error
    if len(data) > most_bytes:
        raise ClientError(
            f"{file} has more than {most_bytes:,} bytes, the most that is read", code="client.file"
        )
    return data


@contextmanager
def needs(packages: str) -> Iterator[None]:
    """Around the import of what only some commands use.

    Raises:
        ModelError: `model.no_torch`: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{error.name} is not installed, and this needs it: pip install {packages}", code="model.no_torch"
        ) from error


def _console(stream: TextIO) -> Console:
    # Not on a terminal, tables would be cut at 80 columns without need.
    width = None if stream.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=width)


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
