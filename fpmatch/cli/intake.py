"""What ``fpmatch enrol`` reads, entry by entry, and how far it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpmatch.cli.manifest import Entry
from fpmatch.cli.output import Progress
from fpmatch.cli.stopping import Stop
from fpmatch.errors import FpmatchError
from fpmatch.types import Record

if TYPE_CHECKING:
    from fpmatch.template import Template


class Intake:
    """Entries on their way into a gallery.

    Parameters
    ----------
    stop : Stop
        Ends the reading, also within an entry of several files: what of it was read is taken, and
        the entry is read again when the command goes on.
    skip : int
        Entries left out at the front.
    bar : callable or None
        Draws a progress bar.
    """

    def __init__(self, stop: Stop, skip: int = 0, bar: Progress | None = None) -> None:
        self.stop = stop
        self.read = skip
        self.failed: list[dict[str, str]] = []
        self._skip = skip
        self._bar = bar
        self._ends: list[int] = []
        self._items = self._records = 0

    def files(self, found: list[Entry], read: Callable[[Path, str], Template]) -> Iterator[Record]:
        """Extract entry by entry; a finger that fails is noted and left out."""
        for number, entry in enumerate(found[self._skip :], self._skip + 1):
            fingers = []
            for path, where in entry.files:
                if self.stop:
                    break
                try:
                    fingers.append(read(path, where))
                except FpmatchError as error:
                    problem = {"record": entry.record, "file": str(path), "error": str(error)}
                    self.failed.append(problem)
            else:
                self.read = number
            if fingers:
                self._ends.append(self.read)
                yield _record(entry, fingers)
            if self.stop:
                return
            if self._bar is not None:
                self._bar("enrolling", number, len(found))

    def table(self, path: Path) -> Iterator[Any]:
        """The records of a Parquet file."""
        from fpmatch.gallery import sources

        for item in islice(sources.records(str(path)), self._skip, None):
            self.read += 1
            self._ends.append(self.read)
            yield item
            if self.stop:
                return

    def stored(self, items: int, records: int) -> None:
        """Note what is on disk."""
        self._items, self._records = items, records

    def cut_off(self) -> str:
        """What is to be said where something ends the command before its time; "" for nothing."""
        if not self._items:
            return ""
        reached = self._ends[self._items - 1]
        return f"stored before that: {self._records} records. {self.go_on(reached)}"

    def go_on(self, entries: int) -> str:
        """How the command is taken up again behind so many entries."""
        return f"To go on, repeat the command with --skip {entries}."


def _record(entry: Entry, fingers: list[Template]) -> Record:
    return Record(
        entry.record,
        fingers,
        identity=entry.identity,
        event=entry.event,
        contributor=entry.contributor,
        protected=entry.protected,
        banned_uses=entry.banned_uses,
    )
