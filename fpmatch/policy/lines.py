"""Where in a TOML text a key stands, for error messages: `tomllib` keeps no positions.

A scan over the lines, good for the layout that people write: ``[table]``, ``[[array]]`` and
``key = value`` at the start of a line. What it cannot find it gives as the enclosing table's line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TABLE = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.\-\"]+)\s*\]?\]\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-\"]+)\s*(?:\.[^=]*)?=")

Location = Sequence[str | int]


def positions(text: str) -> dict[tuple[str | int, ...], int]:
    """Line number, from 1, of every table and every key of a TOML text."""
    found: dict[tuple[str | int, ...], int] = {}
    counts: dict[str, int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TABLE.match(line)
        if header is not None:
            table = _table(header.group(1).replace('"', ""), line, counts)
            found.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            found.setdefault((*table, key.group(1).strip('"')), number)
    return found


def _table(name: str, line: str, counts: dict[str, int]) -> tuple[str | int, ...]:
    """Location of a table header; elements of arrays are numbered as they come."""
    first, *rest = name.split(".")
    if line.lstrip().startswith("[["):
        counts[first] = counts.get(first, -1) + 1
    location: list[str | int] = [first]
    if first in counts:
        location.append(counts[first])
    return (*location, *rest)


def line_of(found: dict[tuple[str | int, ...], int], location: Location) -> int:
    """The line of a location, or of the nearest thing around it; 1 if nothing is known."""
    for end in range(len(location), 0, -1):
        number = found.get(tuple(location[:end]))
        if number is not None:
            return number
    return 1
