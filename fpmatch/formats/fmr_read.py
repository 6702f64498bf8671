"""Bytes -> `TemplateRecord`, for the layouts that begin with ``FMR``."""

from __future__ import annotations

import numpy as np

from fpmatch.errors import FormatError
from fpmatch.formats.cursor import Cursor
from fpmatch.formats.fmr_layouts import LAYOUTS, MAGIC, Layout
from fpmatch.formats.values import (
    UNDIVIDED,
    Block,
    Deviation,
    Device,
    QualityBlock,
    TemplateRecord,
    View,
)
from fpmatch.parameters import FORMATS
from fpmatch.types import FingerPosition, MinutiaType

_MINUTIA = 6
_NO_MINUTIA_QUALITY = 5
_COORDINATE = 0x3FFF
_TIME = 9
_BLOCK_HEADER = 4
_QUALITY_CODES = (254, 255)
_BEST_QUALITY = 100
_NO_TIME = b"\xff" * _TIME
_STRUCTURAL = 8
"""Weight of a structural departure against one of a value, when layouts compete."""


class _Notes:
    """Deviations met while reading, and how far they speak against the layout.

    ``whole`` says that the record's own length is that of the file: a length inside that reaches
    past the end is then wrong itself, and no sign of a cut file.
    """

    __slots__ = ("found", "weight", "whole")

    def __init__(self) -> None:
        self.found: list[Deviation] = []
        self.weight = 0
        self.whole = False

    def add(self, at: int, what: str, weight: int = 1) -> None:
        self.found.append(Deviation(at, what))
        self.weight += weight


def layout_of(data: bytes) -> tuple[Layout, TemplateRecord]:
    """The layout that the bytes fit best, and what it makes of them.

    Version strings do not tell the standards apart and lengths are wrong in real files, so every
    layout is tried, those first whose version fits; the first without any deviation is taken, else
    the one with the lightest.

    Raises
    ------
    FormatError
        If no layout fits: the error of the layout that came furthest, of those whose version fits
        if there are any.
    """
    best: tuple[int, Layout, TemplateRecord] | None = None
    furthest: tuple[tuple[bool, int], Layout, FormatError] | None = None
    for layout in sorted(LAYOUTS, key=lambda known: known.version != data[4:8]):
        try:
            record, weight = _parse(layout, data)
        except FormatError as error:
            reach = (layout.version == data[4:8], error.at or 0)
            if furthest is None or reach > furthest[0]:
                furthest = reach, layout, error
            continue
        if best is None or weight < best[0]:
            best = weight, layout, record
        if weight == 0:
            break
    if best is not None:
        return best[1], best[2]
    assert furthest is not None
    refusal = FormatError(f"{furthest[2]} (read as {furthest[1].title})")
    refusal.at = furthest[2].at
    raise refusal from furthest[2]


def parse(layout: Layout, data: bytes) -> TemplateRecord:
    """Read bytes in a known layout, leniently; see `Deviation`.

    Raises
    ------
    FormatError
        With the byte position, if the file ends early or cannot be walked.
    """
    return _parse(layout, data)[0]


def _parse(layout: Layout, data: bytes) -> tuple[TemplateRecord, int]:
    notes = _Notes()
    cursor = Cursor(data)
    if cursor.take(4, "the magic") != MAGIC:
        raise FormatError("the file does not begin with FMR", 0)
    if cursor.take(4, "the version") != layout.version:
        notes.add(4, f"version {data[4:7]!r} is not that of {layout.title}")
    declared_at = cursor.at
    declared = _length(layout, cursor)
    notes.whole = declared == len(data)
    if layout.representations:
        views, product = _representations(layout, cursor, notes), (0, 0)
    else:
        views, product = _plain(layout, cursor, notes)
    if declared != cursor.at:
        notes.add(declared_at, f"length {declared} declared, {cursor.at} bytes read", _STRUCTURAL)
    if cursor.left:
        notes.add(cursor.at, f"{cursor.left} bytes follow the record", _STRUCTURAL)
    return TemplateRecord(layout.name, tuple(views), product, tuple(notes.found)), notes.weight


def _length(layout: Layout, cursor: Cursor) -> int:
    if not layout.short_length:
        return cursor.number(4, "the record length")
    short = cursor.number(2, "the record length")
    return short or cursor.number(4, "the record length")


def _plain(layout: Layout, cursor: Cursor, notes: _Notes) -> tuple[list[View], tuple[int, int]]:
    product = (0, 0)
    if layout.incits:
        product = (cursor.number(2, "the product owner"), cursor.number(2, "the product type"))
    if layout.compliance_byte:
        compliance = cursor.number(1, "the device compliance")
        device = Device(cursor.number(2, "the device type"), compliance)
    else:
        both = cursor.number(2, "the device type")
        device = Device(both & 0xFFF, both >> 12)
    size = _size(cursor) if layout.size_in_header else None
    count = cursor.number(1, "the number of views")
    if count == 0:
        raise FormatError("the record holds no views", cursor.at - 1)
    if cursor.number(1, "the reserved byte"):
        notes.add(cursor.at - 1, "the reserved byte is not 0", _STRUCTURAL)
    views = []
    for _ in range(count):
        start = cursor.at
        position = cursor.number(1, "the finger position")
        if size is None:
            number = cursor.number(1, "the view number")
            impression = cursor.number(1, "the impression type")
            quality = QualityBlock(
                cursor.number(1, "the finger quality"),
                cursor.number(2, "the quality vendor"),
                cursor.number(2, "the quality algorithm"),
            )
            shape = _size(cursor)
        else:
            both = cursor.number(1, "the view number and impression type")
            number, impression = both >> 4, both & 0xF
            quality = QualityBlock(cursor.number(1, "the finger quality"))
            shape = size
        minutiae = cursor.number(1, "the number of minutiae")
        columns = _minutiae(cursor, minutiae, _MINUTIA, notes)
        views.append(
            View(
                *columns,
                *shape,
                position=position,
                impression=impression,
                number=number,
                qualities=(quality,),
                blocks=_blocks(cursor, notes),
                device=device,
            )
        )
        _check(layout, views[-1], start, notes)
    return views, product


def _size(cursor: Cursor) -> tuple[int, int, tuple[int, int]]:
    width = cursor.number(2, "the image width")
    height = cursor.number(2, "the image height")
    x = cursor.number(2, "the resolution in x")
    return width, height, (x, cursor.number(2, "the resolution in y"))


def _representations(layout: Layout, cursor: Cursor, notes: _Notes) -> list[View]:
    count = cursor.number(2, "the number of representations")
    certified = cursor.number(1, "the certification flag")
    if count == 0:
        raise FormatError("the record holds no representations", cursor.at - 3)
    if count > FORMATS.max_records:
        raise FormatError(f"{count} representations; up to {FORMATS.max_records}", cursor.at - 3)
    if certified > 1:
        notes.add(cursor.at - 1, "the certification flag is neither 0 nor 1", _STRUCTURAL)
    views = []
    for _ in range(count):
        start = cursor.at
        declared = cursor.number(4, "the representation length")
        views.append(_representation(cursor, bool(certified), notes))
        _check(layout, views[-1], start, notes)
        if declared != cursor.at - start:
            notes.add(
                start,
                f"representation length {declared} declared, {cursor.at - start} bytes read",
                _STRUCTURAL,
            )
            cursor.at = max(cursor.at, min(start + declared, cursor.end))
    return views


def _representation(cursor: Cursor, certified: bool, notes: _Notes) -> View:
    time = cursor.take(_TIME, "the capture time")
    technology = cursor.number(1, "the device technology")
    vendor = cursor.number(2, "the device vendor")
    device = Device(cursor.number(2, "the device type"), 0, vendor, technology)
    qualities = tuple(
        QualityBlock(
            cursor.number(1, "a quality"),
            cursor.number(2, "a quality vendor"),
            cursor.number(2, "a quality algorithm"),
        )
        for _ in range(cursor.number(1, "the number of quality blocks"))
    )
    certifications: tuple[tuple[int, int], ...] = ()
    if certified:
        certifications = tuple(
            (cursor.number(2, "a certifier"), cursor.number(1, "a certification scheme"))
            for _ in range(cursor.number(1, "the number of certification blocks"))
        )
    position = cursor.number(1, "the finger position")
    number = cursor.number(1, "the view number")
    x, y = cursor.number(2, "the resolution in x"), cursor.number(2, "the resolution in y")
    impression = cursor.number(1, "the impression type")
    width, height = cursor.number(2, "the image width"), cursor.number(2, "the image height")
    flags = cursor.number(1, "the minutia field length")
    if flags >> 4 not in (_NO_MINUTIA_QUALITY, _MINUTIA):
        raise FormatError(f"minutia field length {flags >> 4} is neither 5 nor 6", cursor.at - 1)
    minutiae = cursor.number(1, "the number of minutiae")
    columns = _minutiae(cursor, minutiae, flags >> 4, notes)
    return View(
        *columns, width, height, (x, y), position, impression, number, qualities,
        _blocks(cursor, notes), device, b"" if time == _NO_TIME else time, certifications,
        flags & 0xF,
    )  # fmt: skip


def _minutiae(
    cursor: Cursor, count: int, size: int, notes: _Notes
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    at = cursor.at
    raw = cursor.take(count * size, f"{count} minutiae")
    table = np.frombuffer(raw, np.uint8).reshape(count, size)
    pairs = np.ascontiguousarray(table[:, :4]).view(">u2").reshape(count, 2)
    reserved = pairs[:, 1] & ~np.uint16(_COORDINATE)
    if reserved.any():
        notes.add(at, "reserved bits of minutiae are set", _STRUCTURAL)
    quality = table[:, 5] if size == _MINUTIA else None
    return pairs & _COORDINATE, table[:, 4], (pairs[:, 0] >> 14).astype(np.uint8), quality


def _blocks(cursor: Cursor, notes: _Notes) -> tuple[Block, ...]:
    size = cursor.number(2, "the length of the extended data")
    over = size - cursor.left
    if over > 0 and notes.whole:
        notes.add(cursor.at - 2, f"extended data declared {over} bytes too long", _STRUCTURAL)
        size = cursor.left
    start = cursor.at
    area = cursor.take(size, "the extended data")
    for header in (_BLOCK_HEADER, 0):
        blocks = _divide(area, header, max(over, 0))
        if blocks is not None:
            if header == 0:
                notes.add(start, "block lengths leave out their own four bytes", _STRUCTURAL)
            return blocks
    notes.add(start, "extended data that does not divide into blocks", _STRUCTURAL)
    return (Block(UNDIVIDED, area),)


def _divide(area: bytes, header: int, over: int) -> tuple[Block, ...] | None:
    """Blocks of a kind, a length and data; ``header`` is what the length counts beside the data."""
    blocks = []
    at = 0
    while at < len(area):
        kind = int.from_bytes(area[at : at + 2], "big")
        length = int.from_bytes(area[at + 2 : at + _BLOCK_HEADER], "big") - header
        at += _BLOCK_HEADER
        if at + length - over == len(area):
            length -= over
        if length < 0 or at + length > len(area):
            return None
        blocks.append(Block(kind, area[at : at + length]))
        at += length
    return tuple(blocks)


def _check(layout: Layout, view: View, at: int, notes: _Notes) -> None:
    """Note values that a reader can pass over, at the place where the view begins."""
    if not view.width or not view.height or not all(view.resolution):
        notes.add(at, "the image size or resolution is 0", 2)
    if view.position > max(FingerPosition):
        notes.add(at, f"no single finger has position {view.position}")
    if any(q.value > _BEST_QUALITY and q.value not in _QUALITY_CODES for q in view.qualities):
        notes.add(at, "a finger quality is over 100", 2)
    outside = int(((view.xy[:, 0] >= view.width) | (view.xy[:, 1] >= view.height)).sum())
    if outside:
        notes.add(at, f"{outside} minutiae lie outside the image", outside)
    strange = int((view.kind > max(MinutiaType)).sum()) + int((view.angle >= layout.turn).sum())
    if view.quality is not None:
        coded = (view.quality == _QUALITY_CODES[0]) | (view.quality == _QUALITY_CODES[1])
        strange += int(((view.quality > _BEST_QUALITY) & ~coded).sum())
    if strange:
        notes.add(at, f"{strange} minutia types, angles or qualities are out of range", strange)
