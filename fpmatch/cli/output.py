"""What every command shares: JSON, tables, progress, and one-line errors."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.checks import path_of, quoted
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LONGEST_PATH = 256
LONGEST_MESSAGE = 1000
"""Characters that a message repeats: what was handed in may be anything."""

JsonFile = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for standard output."),
]

FILE_WIDTH = 120
"""Columns of what is printed into a file or a pipe."""

Progress = Callable[[str, int, int], None]


def console(*, stderr: bool = False) -> Console:
    """A console that colours on a terminal only."""
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, width=None if terminal else FILE_WIDTH)


def emit(result: Any, json_file: str | None, *tables: Table | str) -> None:
    """Write JSON where asked, and print the tables unless JSON goes to standard output."""
    if json_file is not None:
        text = printable(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"
        if json_file == "-":
            sys.stdout.write(text)
            return
        write_text(json_file, text)
    out = console()
    for table in tables:
        out.print(printable(table) if isinstance(table, str) else table)


def printable(text: str) -> str:
    """Text that can be written anywhere: bytes of file names that are no UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


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


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    left: int = 1,
    text: Sequence[str] = (),
) -> Table:
    """A plain table: the first ``left`` columns and those of ``text`` left, figures right.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequence
        Values, shown as `figure` says.
    title : str
        Printed above.
    left : int
        So many columns from the left hold words.
    text : sequence of str
        Further columns of words, by heading.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    out = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        words = i < left or name in text
        out.add_column(
            name, justify="left" if words else "right", no_wrap=not words, overflow="fold"
        )
    for row in rows:
        out.add_row(*(escape(figure(value)) for value in row))
    return out


def figure(value: Any) -> str:
    """A value as people read it: two decimals, thousands apart, a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, float) and math.isnan(value):
        return "-"
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        return f"{value:.3g}"
    if isinstance(value, float):
        return f"{value:,.2f}".replace(",", " ")
    return printable(str(value))


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """A callback ``(what, done, total)`` that draws a bar; None where no terminal looks on."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console(stderr=True), transient=True) as bar:
        tasks: dict[str, bars.TaskID] = {}

        def step(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield step


def fail(error: Exception) -> None:
    """Print one line to standard error and leave with status 2."""
    message = printable(" ".join(str(error).split())) or type(error).__name__
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]}... ({len(message)} characters)"
    print(f"fpmatch: error: {message}", file=sys.stderr)
    sys.exit(2)
