"""What every command shares: JSON, CSV, tables, progress, and one-line errors."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.checks import path_of, quoted
from fpmatch.cli.sheets import Sheet, figure, printable, table, to_csv
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Sheet", "figure", "printable", "table"]

LONGEST_PATH = 256
LONGEST_MESSAGE = 1000
"""Characters that a message repeats: what was handed in may be anything."""

JsonFile = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for standard output."),
]

CsvFile = Annotated[
    str | None,
    typer.Option("--csv", metavar="FILE", help="Write the table as CSV; - for standard output."),
]

CSV_TARGET: ContextVar[str | None] = ContextVar("CSV_TARGET", default=None)
"""Where `emit` writes its tables as CSV besides; set for every command by its registration."""

FILE_WIDTH = 120
"""Columns of what is printed into a file or a pipe."""

ToCsv = Callable[[], str]
Progress = Callable[[str, int, int], None]


def console(*, stderr: bool = False) -> Console:
    """A console that colours on a terminal only."""
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, width=None if terminal else FILE_WIDTH)


def emit(
    result: Any,
    json_file: str | None,
    *shown: Sheet | str,
    sheet: Sheet | ToCsv | None = None,
) -> None:
    """Write JSON and CSV where asked, and print unless one of them goes to standard output.

    Parameters
    ----------
    result : plain types
        Written as JSON.
    json_file : str or None
        A file, or ``-`` for standard output.
    *shown : Sheet or str
        What a reader gets, in order.
    sheet : Sheet, or callable that gives CSV, optional
        Written as CSV instead of the tables that are shown.
    """
    csv_file = CSV_TARGET.get()
    if json_file is not None:
        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        write_out(json_file, f"{text}\n")
    if csv_file is not None:
        write_out(csv_file, _csv(shown, sheet))
    if "-" in (json_file, csv_file):
        return
    out = console()
    for part in shown:
        shown_part = _hung(printable(part), out.width) if isinstance(part, str) else part
        out.print(shown_part, markup=False)


def _hung(text: str, width: int) -> str:
    """An indented line, broken at words with what follows under its own beginning."""
    indent = len(text) - len(text.lstrip(" "))
    if not indent or "\n" in text:
        return text
    return textwrap.fill(
        text,
        width,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _csv(shown: tuple[Sheet | str, ...], sheet: Sheet | ToCsv | None) -> str:
    if isinstance(sheet, Sheet):
        return to_csv([sheet])
    if sheet is not None:
        return sheet()
    tables = [s for s in shown if isinstance(s, Sheet)]
    # A command that has nothing to list still says what it says.
    return to_csv(tables or [table(["said"], [(s,) for s in shown])])


def write_out(path: str, text: str) -> None:
    """Write to a file, or to standard output for ``-``."""
    if path == "-":
        sys.stdout.write(printable(text))
    else:
        write_text(path, printable(text))


def write_text(path: str, text: str) -> None:
    """Write a file; a path that cannot be written is an `InputError`."""
    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def check_target(path: str | None) -> None:
    """Refuse a file that cannot be written, before the work that would be lost.

    Raises
    ------
    InputError
        If it is a folder, or its folder does not exist.
    """
    if path is None or path == "-":
        return
    try:
        target = path_of(path)
        free = not target.is_dir() and target.absolute().parent.is_dir()
    except OSError as error:
        raise InputError(f"cannot write {quoted(path)}: {error.strerror}") from None
    if not free:
        shown = path if len(path) <= LONGEST_PATH else quoted(path)
        raise InputError(f"cannot write {shown}: it is a folder, or its folder does not exist")


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """A callback ``(what, done, total)`` that draws a bar; None where no terminal looks on."""
    if not sys.stderr.isatty():
        yield None
        return
    try:
        yield bars.step
    finally:
        bars.clear()


class Bars:
    """The one block of bars on standard error: what is finished goes, and leaves no line.

    What is printed meanwhile goes to another stream, which would write through a bar: so a bar is
    on the screen only while its own work is under way.
    """

    def __init__(self) -> None:
        self._shown: Any = None
        self._tasks: dict[str, Any] = {}

    def step(self, what: str, done: int, total: int | None, *, said: str = "") -> None:
        """Draw or move a bar; one that is done is taken away.

        Parameters
        ----------
        what : str
            Which bar.
        done, total : int
            How far it is; None where nobody knows of how much.
        said : str
            What stands before the bar; `what` where empty.
        """
        if total is not None and done >= total:
            self.remove(what)
            return
        text = said or what
        if self._shown is None:
            self._shown = _new_bars()
            self._shown.start()
        if what not in self._tasks:
            self._tasks[what] = self._shown.add_task(text, total=total, of="")
        of = f"no. {done}" if total is None else f"{done}/{total}"
        at = self._tasks[what]
        self._shown.update(at, completed=done, total=total, description=text, of=of)

    def remove(self, what: str) -> None:
        """Take a bar away, if it is there."""
        task = self._tasks.pop(what, None)
        if task is not None:
            self._shown.remove_task(task)
        if not self._tasks:
            self.clear()

    def clear(self) -> None:
        """Take all bars away."""
        shown, self._shown = self._shown, None
        self._tasks.clear()
        if shown is not None:
            shown.stop()


bars = Bars()


def _new_bars() -> Any:
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=20),  # name, bar and time fit in 80 columns
        progress.TextColumn("{task.fields[of]}"),
        progress.TimeElapsedColumn(),
    )
    return progress.Progress(*columns, console=console(stderr=True), transient=True)


def fail(error: Exception) -> None:
    """Print one line to standard error and leave with status 2."""
    message = printable(" ".join(str(error).split())) or type(error).__name__
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]}... ({len(message)} characters)"
    print(f"fpmatch: error: {message}", file=sys.stderr)
    sys.exit(2)
