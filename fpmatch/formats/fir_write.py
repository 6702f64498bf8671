"""`FingerImageRecord` -> bytes."""

from __future__ import annotations

import struct
from typing import Any

from fpmatch.errors import FormatError
from fpmatch.formats.fir_values import MAGIC, VERSIONS, FingerImageRecord, ImageView

_VIEW_HEADER = 14
_NO_TIME = b"\xff" * 9
_SCALE = ("unit", "scan_resolution", "resolution")


def write(record: FingerImageRecord) -> bytes:
    """Serialise; a record without deviations gives the bytes that it was read from.

    Raises
    ------
    FormatError
        If a value does not fit its field, or images differ where the edition of 2005 has one value
        for all: resolution, depth, compression, device.
    """
    try:
        if record.format == "fir2005":
            body, length = _2005(record), ">HI"
        else:
            body, length = _2011(record), ">I"
        head = MAGIC + VERSIONS[record.format]
        size = len(head) + struct.calcsize(length) + len(body)
        parts = (size >> 32, size & 0xFFFFFFFF) if length == ">HI" else (size,)
        return head + struct.pack(length, *parts) + body
    except struct.error as error:
        raise FormatError(f"a value does not fit {record.format}: {error}") from error


def _scale(unit: int, scan: tuple[int, int], resolution: tuple[int, int]) -> bytes:
    return struct.pack(">BHHHH", unit, *scan, *resolution)


def _2005(record: FingerImageRecord) -> bytes:
    for view in record.views:
        if view.extended or view.time or view.certifications or len(view.qualities) > 1:
            raise FormatError(
                "fir2005 has no room for extended data, times, certifications or a second quality"
            )
    parts = [
        struct.pack(">HHB", _shared(record, "device").kind, record.level, len(record.views)),
        _scale(*(_shared(record, name) for name in _SCALE)),
        struct.pack(">BBH", _shared(record, "depth"), _shared(record, "compression"), 0),
    ]
    for view in record.views:
        quality = view.qualities[0].value if view.qualities else 254
        parts.append(
            struct.pack(
                ">IBBBBBHHB",
                len(view.data) + _VIEW_HEADER,
                view.position,
                view.of,
                view.number,
                quality,
                view.impression,
                view.width,
                view.height,
                0,
            )
        )
        parts.append(view.data)
    return b"".join(parts)


def _shared(record: FingerImageRecord, name: str) -> Any:
    values = {getattr(view, name) for view in record.views}
    if len(values) != 1:
        raise FormatError(f"fir2005 has one {name} for all images; these have {len(values)}")
    return values.pop()


def _2011(record: FingerImageRecord) -> bytes:
    certified = any(view.certifications for view in record.views)
    fingers = len({view.position for view in record.views})
    parts = [struct.pack(">HBB", len(record.views), certified, fingers)]
    for view in record.views:
        body = _representation(view, certified)
        parts += [struct.pack(">I", len(body) + 4), body]
    return b"".join(parts)


def _representation(view: ImageView, certified: bool) -> bytes:
    time = view.time or _NO_TIME
    if len(time) != len(_NO_TIME):
        raise FormatError(f"a capture time takes 9 bytes, not {len(time)}")
    device = view.device
    parts = [time, struct.pack(">BHH", device.technology, device.vendor, device.kind)]
    parts.append(struct.pack(">B", len(view.qualities)))
    parts += [struct.pack(">BHH", q.value, q.vendor, q.algorithm) for q in view.qualities]
    if certified:
        parts.append(struct.pack(">B", len(view.certifications)))
        parts += [struct.pack(">HB", *pair) for pair in view.certifications]
    parts.append(struct.pack(">BB", view.position, view.number))
    parts.append(_scale(view.unit, view.scan_resolution, view.resolution))
    parts.append(
        struct.pack(
            ">BBBHHI",
            view.depth,
            view.compression,
            view.impression,
            view.width,
            view.height,
            len(view.data),
        )
    )
    return b"".join([*parts, view.data, view.extended])
