"""What became of a bulk enrolment: the report, how far it is, and the rejects in a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from fpmatch.errors import WriteError
from fpmatch.gallery import EnrolFlag, EnrolNote


@dataclass(frozen=True, slots=True)
class ItemError:
    """An item, or a file of one, that was not taken.

    Parameters
    ----------
    item : int
        Number of the item in its source, from 0.
    record, event : str
        As the source names them.
    file : str
        Which file, or where in the source the item stands; empty where that is not known.
    error : str
        Name of the error: one of `fpmatch.errors`.
    message : str
    """

    item: int
    record: str
    event: str
    file: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a bulk enrolment is.

    Parameters
    ----------
    read : int
        Items come to, from the front of the source; those left out by ``skip`` count.
    stored : int
        So many items from the front are settled, and what was to be stored of them is on disk.
    total : int or None
        Items of the source, where known.
    records : int
        Records taken, on disk.
    skipped : int
        Items found enrolled already.
    failed : int
        Errors so far.
    """

    read: int
    stored: int
    total: int | None
    records: int
    skipped: int
    failed: int


OnProgress = Callable[[Progress], None]
OnError = Callable[[ItemError], None]


@dataclass(frozen=True, slots=True)
class BulkReport:
    """What became of the items of a source; everything counted here is on disk.

    Parameters
    ----------
    read : int
        Items come to, those left out by ``skip`` included.
    accepted : int
        Records taken, those that were there and got something added included.
    fingers : int
        Fingers added.
    skipped : int
        Items that were enrolled before, unchanged.
    failed : int
        How many errors there were.
    errors : tuple of ItemError
        The first `parameters.BULK.kept_errors` of them, in the order of the items.
    flags : tuple of EnrolFlag
        Items that were taken though their fingers resemble nothing that the record held.
    notes : tuple of EnrolNote
        Prints that were taken and should be captured again.
    passed_over : tuple of (int, str, str)
        Of transactions: item, file, and what in it is no single finger, with the reason; the first
        `parameters.BULK.kept_errors`.
    stopped : str
        Why it ended early: ``cancelled`` or ``max_errors``; empty where it came to the end.
    """

    read: int = 0
    accepted: int = 0
    fingers: int = 0
    skipped: int = 0
    failed: int = 0
    errors: tuple[ItemError, ...] = ()
    flags: tuple[EnrolFlag, ...] = ()
    notes: tuple[EnrolNote, ...] = ()
    passed_over: tuple[tuple[int, str, str], ...] = ()
    stopped: str = ""

    @property
    def ok(self) -> bool:
        """Whether every item of the source is enrolled."""
        return not self.failed and not self.stopped

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "fingers": self.fingers,
            "skipped": self.skipped,
            "failed": self.failed,
            "errors": [asdict(error) for error in self.errors],
            "flagged": [asdict(flag) for flag in self.flags],
            "notes": [{"record": n.record, "item": n.item, **n.note.to_dict()} for n in self.notes],
            "passed_over": [
                {"item": item, "file": file, "what": what} for item, file, what in self.passed_over
            ],
            "stopped": self.stopped,
        }


class Rejects:
    """A file of errors, written as they come: CSV where it is called so, else JSON Lines.

    Parameters
    ----------
    path : Path
        What lies there is replaced.

    Raises
    ------
    WriteError
        If it cannot be written.
    """

    COLUMNS = tuple(f.name for f in fields(ItemError))

    def __init__(self, path: Path) -> None:
        self._path = path
        self._csv = path.suffix.lower() == ".csv"
        try:
            self._file: TextIO = path.open(
                "w", encoding="utf-8", newline="", errors="backslashreplace"
            )
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error.strerror}") from error
        if self._csv:
            self._write(self.COLUMNS)

    def add(self, error: ItemError) -> None:
        """Write one."""
        self._write([getattr(error, name) for name in self.COLUMNS])

    def _write(self, values: Any) -> None:
        try:
            if self._csv:
                csv.writer(self._file).writerow(values)
            else:
                said = dict(zip(self.COLUMNS, values, strict=True))
                self._file.write(json.dumps(said, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise WriteError(f"cannot write {self._path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
