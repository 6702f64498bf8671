"""Who candidates are, from a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.formats.ebts_answering import Person
    from fpmatch.types import Candidate

COLUMNS = ("partition", "record", "ucn", "name")


def read_people(path: Path) -> Callable[[str, Candidate], Person | None]:
    """A function that names candidates by a file in UTF-8 with the columns of `COLUMNS`.

    Parameters
    ----------
    path : Path

    Returns
    -------
    callable
        From a partition and a candidate to the person, None for who is not listed.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing or unknown, a record is listed twice, or a
        number or name could not be written in an answer; with the line.
    """
    from fpmatch.formats.ebts_answering import Person

    try:
        reader = csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline=""), strict=True)
        if sorted(reader.fieldnames or ()) != sorted(COLUMNS):
            raise InputError(f"{path}: the first line must be {','.join(COLUMNS)}")
        out: dict[tuple[str, str], Person] = {}
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise InputError(f"{where}: a line has {len(COLUMNS)} values")
            key = row["partition"].strip(), row["record"].strip()
            if key in out:
                raise InputError(f"{where}: the record is listed twice")
            try:
                out[key] = Person(row["ucn"].strip(), row["name"].strip())
            except InputError as error:
                raise InputError(f"{where}: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no CSV file in UTF-8: {error}") from error

    def who(partition: str, candidate: Candidate) -> Person | None:
        return out.get((partition, candidate.record))

    return who
