"""ISO/IEC 19794-4:2005 and :2011: finger image records."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from fpmatch.errors import FormatError
from fpmatch.formats.codec import Codec
from fpmatch.formats.cursor import Cursor
from fpmatch.formats.fir_values import CODINGS, MAGIC, VERSIONS, FingerImageRecord, ImageView
from fpmatch.formats.fir_write import write
from fpmatch.formats.pictures import Picture, picture_coding
from fpmatch.formats.units import CM_PER_INCH
from fpmatch.formats.values import Deviation, Device, QualityBlock
from fpmatch.parameters import FORMATS

_VIEW_HEADER = 14
_COUNT_AT = 18
"""Where the edition of 2005 says how many images, or fingers, there are."""
_TIME = 9
_NO_TIME = b"\xff" * _TIME
_UNITS = {1: 1.0, 2: CM_PER_INCH}
_RAW_CODES = (0, 1)


def find(data: bytes) -> FingerImageRecord | None:
    """Read in the edition that fits, that of the version first, as versions may be wrong.

    Raises
    ------
    FormatError
        If neither fits: that of the edition whose version it is, or of the older.
    """
    if not data.startswith(MAGIC):
        return None
    names = sorted(VERSIONS, key=lambda name: VERSIONS[name] != data[4:8])
    first: FormatError | None = None
    for name in names:
        try:
            return read(data, name)
        except FormatError as error:
            first = first or error
    assert first is not None
    raise first


def recognise(data: bytes) -> str | None:
    """The edition that fits; see `find`."""
    found = find(data)
    return None if found is None else found.format


def read(data: bytes, name: str) -> FingerImageRecord:
    """Read in the named edition; see `Deviation`.

    Raises
    ------
    FormatError
        With the byte position, if the file ends early, states an absurd scale or cannot be walked.
    """
    notes: list[Deviation] = []
    cursor = Cursor(data)
    if cursor.take(4, "the magic") != MAGIC:
        raise FormatError("the file does not begin with FIR", 0)
    if cursor.take(4, "the version") != VERSIONS[name]:
        notes.append(Deviation(4, f"version {data[4:7]!r} is not that of {name}"))
    old = name == "fir2005"
    declared = cursor.number(6 if old else 4, "the record length")
    record = _read_2005(cursor, notes, declared) if old else _read_2011(cursor, notes)
    if declared != cursor.at:
        notes.append(Deviation(8, f"length {declared} declared, {cursor.at} bytes read"))
    if cursor.left:
        notes.append(Deviation(cursor.at, f"{cursor.left} bytes follow the record"))
    for view, shown in zip(record.views, pictures(record), strict=True):
        wrong = shown.disagreement()
        if wrong is not None:
            notes.append(Deviation(view.at, wrong))
        if CODINGS[name].get(view.compression) != shown.coding:
            notes.append(
                Deviation(view.at, f"compression {view.compression} stated, found {shown.coding}")
            )
    return replace(record, deviations=tuple(notes))


def _read_2005(cursor: Cursor, notes: list[Deviation], declared: int) -> FingerImageRecord:
    device = Device(cursor.number(2, "the capture device"))
    level = cursor.number(2, "the acquisition level")
    count = cursor.number(1, "the number of images")
    unit, scan, resolution = _scale(cursor)
    depth = cursor.number(1, "the pixel depth")
    compression = cursor.number(1, "the compression")
    if cursor.number(2, "the reserved bytes"):
        notes.append(Deviation(cursor.at - 2, "the reserved bytes are not 0"))
    if count == 0:
        raise FormatError("the record holds no images", cursor.at)
    shared = (unit, scan, resolution, depth, compression, device)
    views = [_image(cursor, notes, shared) for _ in range(count)]
    while cursor.at < declared and _lacks(views, count):
        start, more = cursor.at, list[Deviation]()
        try:
            views.append(_image(cursor, more, shared))
        except FormatError:
            cursor.at = start
            break
        notes += [Deviation(_COUNT_AT, f"{count} counts fingers: another image follows"), *more]
    return FingerImageRecord("fir2005", tuple(views), level)


def _lacks(views: list[ImageView], count: int) -> bool:
    """Whether images are missing where the header counts fingers, of which some have several.

    Both are done: the standard calls the number that of fingers or palms, and of images.
    """
    seen = Counter(view.position for view in views)
    return len(seen) < count or any(seen[view.position] < view.of for view in views)


def _image(
    cursor: Cursor,
    notes: list[Deviation],
    shared: tuple[int, tuple[int, int], tuple[int, int], int, int, Device],
) -> ImageView:
    """One image of the edition of 2005, with what is the same for all."""
    unit, scan, resolution, depth, compression, device = shared
    start = cursor.at
    size = cursor.number(4, "the image length")
    position = cursor.number(1, "the finger position")
    of = cursor.number(1, "the number of views")
    number = cursor.number(1, "the view number")
    quality = QualityBlock(cursor.number(1, "the quality"))
    impression = cursor.number(1, "the impression type")
    width, height = cursor.number(2, "the width"), cursor.number(2, "the height")
    if cursor.number(1, "the reserved byte"):
        notes.append(Deviation(cursor.at - 1, "the reserved byte is not 0"))
    if size <= _VIEW_HEADER:
        raise FormatError(f"image length {size} leaves no image", start)
    data = cursor.take(size - _VIEW_HEADER, "the image")
    return ImageView(
        data, width, height, unit, scan, resolution, depth, compression, position, number, of,
        impression, (quality,), device, at=start,
    )  # fmt: skip


def _read_2011(cursor: Cursor, notes: list[Deviation]) -> FingerImageRecord:
    count = cursor.number(2, "the number of representations")
    certified = cursor.number(1, "the certification flag")
    fingers_at = cursor.at
    fingers = cursor.number(1, "the number of positions")
    if count == 0:
        raise FormatError("the record holds no representations", cursor.at)
    if count > FORMATS.max_records:
        raise FormatError(f"{count} representations; up to {FORMATS.max_records}", fingers_at - 3)
    if certified > 1:
        notes.append(Deviation(fingers_at - 1, "the certification flag is neither 0 nor 1"))
    views = []
    for _ in range(count):
        start = cursor.at
        size = cursor.number(4, "the representation length")
        view = _representation(cursor, bool(certified), start)
        over = start + size - cursor.at
        if over < 0:
            notes.append(Deviation(start, f"representation length {size} is {-over} too short"))
            over = 0
        views.append(replace(view, extended=cursor.take(over, "the extended data")))
    found = len({view.position for view in views})
    if fingers != found:
        notes.append(Deviation(fingers_at, f"{fingers} finger positions declared, {found} found"))
    return FingerImageRecord("fir2011", tuple(views))


def _representation(cursor: Cursor, certified: bool, start: int) -> ImageView:
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
    number = cursor.number(1, "the representation number")
    unit, scan, resolution = _scale(cursor)
    depth = cursor.number(1, "the pixel depth")
    compression = cursor.number(1, "the compression")
    impression = cursor.number(1, "the impression type")
    width, height = cursor.number(2, "the width"), cursor.number(2, "the height")
    size = cursor.number(4, "the image length")
    return ImageView(
        cursor.take(size, "the image"), width, height, unit, scan, resolution, depth, compression,
        position, number, 1, impression, qualities, device, b"" if time == _NO_TIME else time,
        certifications, at=start,
    )  # fmt: skip


def _scale(cursor: Cursor) -> tuple[int, tuple[int, int], tuple[int, int]]:
    unit = cursor.number(1, "the scale units")
    if unit not in _UNITS:
        raise FormatError(f"scale units {unit} are neither 1 nor 2", cursor.at - 1)
    x, y, ix, iy = (cursor.number(2, "a resolution") for _ in range(4))
    return unit, (x, y), (ix, iy)


def pictures(record: FingerImageRecord) -> list[Picture]:
    """The pictures of a finger image record, in order."""
    return [_picture(view) for view in record.views]


def _picture(view: ImageView) -> Picture:
    x, y = view.resolution
    scale = _UNITS[view.unit]
    size = view.width * view.height * view.depth // 8
    return Picture(
        view.data, picture_coding(view.data, view.compression in _RAW_CODES, size), view.width,
        view.height, (x * scale, y * scale) if x and y else None, (view.position,),
        view.impression, view.depth, view.number, view.at,
    )  # fmt: skip


CODEC = Codec(tuple(VERSIONS), recognise, read, write, find)
