"""`TemplateRecord` -> bytes, for the layouts that begin with ``FMR``."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from fpmatch.errors import FormatError
from fpmatch.formats.fmr_layouts import BY_NAME, MAGIC, Layout
from fpmatch.formats.values import UNDIVIDED, QualityBlock, TemplateRecord, View

_SHORT_LIMIT = 0xFFFF
_NO_TIME = b"\xff" * 9
_NOT_COMPUTED = 254


def write(record: TemplateRecord) -> bytes:
    """Serialise in the layout that the record names.

    Reading and writing gives the same bytes, except for what `TemplateRecord.deviations` reports:
    lengths are written as they are, and bytes after the record and reserved bits are not kept.

    Raises
    ------
    FormatError
        If a value does not fit its field, or views differ where the layout has one value for all.
    """
    layout = BY_NAME[record.format]
    try:
        if layout.representations:
            return _with_length(layout, _representations(record))
        return _with_length(layout, _plain(layout, record))
    except struct.error as error:
        raise FormatError(f"a value does not fit {layout.title}: {error}") from error


def _with_length(layout: Layout, rest: bytes) -> bytes:
    head = MAGIC + layout.version
    size = len(head) + len(rest)
    if not layout.short_length:
        return head + struct.pack(">I", size + 4) + rest
    if size + 2 <= _SHORT_LIMIT:
        return head + struct.pack(">H", size + 2) + rest
    return head + struct.pack(">HI", 0, size + 6) + rest


def _plain(layout: Layout, record: TemplateRecord) -> bytes:
    parts = []
    if layout.incits:
        parts.append(struct.pack(">HH", *record.product))
    device = _shared(layout, record, "device")
    if layout.compliance_byte:
        parts.append(struct.pack(">BH", device.certification, device.kind))
    else:
        if device.kind > 0xFFF or device.certification > 0xF:
            raise FormatError(f"the device does not fit the 16 bits of {layout.title}")
        parts.append(struct.pack(">H", device.certification << 12 | device.kind))
    if layout.size_in_header:
        parts.append(
            struct.pack(
                ">HHHH",
                _shared(layout, record, "width"),
                _shared(layout, record, "height"),
                *_shared(layout, record, "resolution"),
            )
        )
    parts.append(struct.pack(">BB", len(record.views), 0))
    for view in record.views:
        none = QualityBlock(0 if layout.size_in_header else _NOT_COMPUTED)
        quality = view.qualities[0] if view.qualities else none
        if layout.size_in_header:
            if view.number > 0xF or view.impression > 0xF:
                raise FormatError(
                    f"view number {view.number} or impression {view.impression} does not fit "
                    f"the four bits of {layout.title}"
                )
            both = view.number << 4 | view.impression
            parts.append(struct.pack(">BBB", view.position, both, quality.value))
        else:
            head = (view.position, view.number, view.impression, quality.value)
            parts.append(struct.pack(">BBBBHH", *head, quality.vendor, quality.algorithm))
            parts.append(struct.pack(">HHHH", view.width, view.height, *view.resolution))
        parts += [_minutiae(view, with_quality=True), _blocks(view)]
    return b"".join(parts)


def _shared(layout: Layout, record: TemplateRecord, name: str) -> Any:
    values = {getattr(view, name) for view in record.views}
    if len(values) != 1:
        raise FormatError(
            f"{layout.title} has one {name} for all views; these have {len(values)}: write each "
            "view to a file of its own"
        )
    return values.pop()


def _representations(record: TemplateRecord) -> bytes:
    certified = any(view.certifications for view in record.views)
    parts = [struct.pack(">HB", len(record.views), certified)]
    for view in record.views:
        time = view.time or _NO_TIME
        if len(time) != len(_NO_TIME):
            raise FormatError(f"a capture time takes 9 bytes, not {len(time)}")
        device = view.device
        body = [time, struct.pack(">BHH", device.technology, device.vendor, device.kind)]
        body.append(struct.pack(">B", len(view.qualities)))
        body += [struct.pack(">BHH", q.value, q.vendor, q.algorithm) for q in view.qualities]
        if certified:
            body.append(struct.pack(">B", len(view.certifications)))
            body += [struct.pack(">HB", *pair) for pair in view.certifications]
        body.append(struct.pack(">BBHH", view.position, view.number, *view.resolution))
        body.append(struct.pack(">BHH", view.impression, view.width, view.height))
        with_quality = view.quality is not None
        body.append(struct.pack(">B", (6 if with_quality else 5) << 4 | view.ending))
        body += [_minutiae(view, with_quality=with_quality), _blocks(view)]
        whole = b"".join(body)
        parts.append(struct.pack(">I", len(whole) + 4) + whole)
    return b"".join(parts)


def _minutiae(view: View, *, with_quality: bool) -> bytes:
    if len(view) and int(view.xy.max()) > 0x3FFF:
        raise FormatError(f"coordinate {int(view.xy.max())} does not fit 14 bits")
    if len(view) and (int(view.angle.max()) > 0xFF or int(view.kind.max()) > 3):
        raise FormatError("an angle does not fit a byte, or a minutia type two bits")
    table = np.zeros((len(view), 6), np.uint8)
    pairs = view.xy.astype(">u2")
    pairs[:, 0] |= view.kind.astype(np.uint16) << 14
    table[:, :4] = pairs.view(np.uint8).reshape(-1, 4)
    table[:, 4] = view.angle
    if view.quality is not None:
        table[:, 5] = view.quality
    kept = table if with_quality else np.ascontiguousarray(table[:, :5])
    return struct.pack(">B", len(view)) + kept.tobytes()


def _blocks(view: View) -> bytes:
    parts = []
    for block in view.blocks:
        if block.kind != UNDIVIDED:
            parts.append(struct.pack(">HH", block.kind, len(block.data) + 4))
        parts.append(block.data)
    data = b"".join(parts)
    return struct.pack(">H", len(data)) + data
