"""``.xyt``: text lines of x, y, angle and quality, the exchange form of NIST's tools.

It has no header: image size, resolution, finger and minutia type are not in it, and nothing in it
tells its two flavours apart. NIST's own (what its matcher takes) counts y upwards from the bottom
and points away from the ridge, in degrees; M1 counts y downwards and points along it, in units of
two degrees. Read is NIST's own unless the caller names the other.
"""

from __future__ import annotations

import numpy as np

from fpmatch.errors import FormatError
from fpmatch.formats.codec import Codec
from fpmatch.formats.units import DEGREES, INCITS_TURN
from fpmatch.formats.values import Deviation, TemplateRecord, View
from fpmatch.parameters import FORMATS

NAMES = ("xyt", "xyt-m1")
TURNS = dict(zip(NAMES, (DEGREES, INCITS_TURN), strict=True))
_TEXT = frozenset(b"0123456789 \t\r\n")
_BEST_QUALITY = 100


def recognise(data: bytes) -> str | None:
    """``xyt`` if the first line is three or four numbers and nothing but numbers is seen."""
    head = data[:256]
    if not head or not _TEXT.issuperset(head):
        return None
    lines = head.split(b"\n")
    first = lines[0].split()
    return NAMES[0] if len(first) in (3, 4) else None


def read(data: bytes, name: str) -> TemplateRecord:
    """Parse text lines.

    Raises
    ------
    FormatError
        With the byte position of the line, if it is not three or four numbers in range, or if
        lines differ in how many.
    """
    if len(data) > FORMATS.max_minutiae * FORMATS.xyt_line:
        raise FormatError(f"{len(data)} bytes; up to {FORMATS.max_minutiae} minutiae are read", 0)
    rows: list[list[int]] = []
    deviations = []
    at = 0
    for line in data.split(b"\n"):
        fields = line.split()
        if fields:
            if len(fields) not in (3, 4) or (rows and len(fields) != len(rows[0])):
                raise FormatError(f"{len(fields)} fields in a line of a minutia; 3 or 4", at)
            if not _TEXT.issuperset(line) or max(map(len, fields)) > FORMATS.xyt_digits:
                raise FormatError("a field of a minutia is no number in range", at)
            rows.append([int(field) for field in fields])
            if len(rows) > FORMATS.max_minutiae:
                raise FormatError(f"over {FORMATS.max_minutiae} minutiae", at)
            if rows[-1][2] >= TURNS[name]:
                deviations.append(Deviation(at, f"angle {rows[-1][2]} is a turn or more"))
            if len(fields) == 4 and rows[-1][3] > _BEST_QUALITY:
                raise FormatError(f"minutia quality {rows[-1][3]} is over 100", at)
        at += len(line) + 1
    if not rows:
        raise FormatError("no minutiae", 0)
    table = np.array(rows, np.int64)
    if int(table.max()) > np.iinfo(np.uint16).max:
        raise FormatError(f"a number up to {int(table.max())} is out of range")
    view = View(
        xy=table[:, :2],
        angle=table[:, 2] % TURNS[name],
        kind=np.zeros(len(table), np.uint8),
        quality=table[:, 3] if table.shape[1] == 4 else None,
    )
    return TemplateRecord(name, (view,), deviations=tuple(deviations))


def write(record: TemplateRecord) -> bytes:
    """One line a minutia.

    Raises
    ------
    FormatError
        If the record does not hold exactly one view.
    """
    if len(record.views) != 1:
        raise FormatError(f"an .xyt file holds one view, not {len(record.views)}")
    view = record.views[0]
    columns = [view.xy[:, 0], view.xy[:, 1], view.angle]
    if view.quality is not None:
        columns.append(view.quality)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return "".join(" ".join(map(str, row)) + "\n" for row in rows).encode("ascii")


CODEC = Codec(NAMES, recognise, read, write)
