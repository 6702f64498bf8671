"""Tables: as a terminal shows them, however narrow it is, and as CSV."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

NARROWEST = 16
"""Characters that a column of words has at least, where its longest word needs so many."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: made with `table`, printed by a console, written by `to_csv`.

    Parameters
    ----------
    columns : tuple of str
        Headings.
    rows : tuple of tuple
        Values, shown as `figure` says.
    title : str
        Printed above.
    words : frozenset of int
        Columns that hold words: to the left, and broken where the terminal is narrow.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    title: str = ""
    words: frozenset[int] = frozenset()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As wide as the terminal: headings break first, then words; last each row is a list."""
        for narrow in (False, True):
            if self._least(narrow=narrow) <= options.max_width:
                yield self._table(narrow=narrow)
                return
        yield from self._listed()

    def _least(self, *, narrow: bool) -> int:
        """Characters without which something would be cut off."""
        from rich.cells import cell_len

        total = 2 * len(self.columns)
        for i, name in enumerate(self.columns):
            texts = [figure(row[i]) for row in self.rows]
            if i in self.words:
                parts = [word for text in (name, *texts) for word in text.split()]
            else:
                parts = [*(name.split() if narrow else [name]), *texts]
            longest = max((cell_len(part) for part in parts), default=1)
            total += min(longest, NARROWEST) if narrow and i in self.words else longest
        return total

    def _table(self, *, narrow: bool) -> Table:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        title = escape(self.title) or None
        out = Table(
            title=title,
            title_justify="left",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        for i, name in enumerate(self.columns):
            words = i in self.words
            heading = self._broken(i) if narrow and not words else name
            out.add_column(
                escape(heading),
                justify="left" if words else "right",
                no_wrap=not words,
                overflow="fold",
            )
        for row in self.rows:
            out.add_row(*(escape(figure(value)) for value in row))
        return out

    def _broken(self, i: int) -> str:
        """A heading of figures, broken between words to be no wider than they are."""
        name = self.columns[i]
        longest = max((len(word) for word in name.split()), default=1)
        width = max([longest, *(len(figure(row[i])) for row in self.rows)])
        return "\n".join(textwrap.wrap(name, width)) or name

    def _listed(self) -> RenderResult:
        """Each row as a list of its values under their headings."""
        from rich.padding import Padding
        from rich.text import Text

        if self.title:
            yield Text(self.title, "italic")
        for row in self.rows:
            yield Text("")
            for i, (name, value) in enumerate(zip(self.columns, row, strict=True)):
                text = Text(overflow="fold")
                text.append(f"{name or 'what'}: ", "bold")
                text.append(figure(value))
                yield Padding(text, (0, 0, 0, 2 if i else 0))
        yield Text("")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    left: int = 1,
    text: Sequence[str] = (),
) -> Sheet:
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
    words = frozenset(i for i, name in enumerate(columns) if i < left or name in text)
    return Sheet(tuple(columns), tuple(tuple(row) for row in rows), title, words)


def to_csv(tables: Sequence[Sheet]) -> str:
    """Tables as CSV, one after another with an empty line between; values are not rounded."""
    parts = []
    for one in tables:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(one.columns)
        writer.writerows([_cell(value) for value in row] for row in one.rows)
        parts.append(text.getvalue())
    return "\n".join(parts)


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return figure(value) if isinstance(value, bool) else value


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


def printable(text: str) -> str:
    """Text that can be written anywhere: bytes of file names that are no UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
