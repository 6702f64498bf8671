"""Template <-> bytes.

Layout, little-endian: ``FPT`` and the version byte; CRC-32 of all that follows it; a fixed
header; the extractor's name; the columns xy (two uint16), angle (uint16), kind (two bits, four to
a byte) and quality (one byte); the orientation cells, deflated. 40 minutiae take about 330 bytes
without the orientation cells. Version 2 adds what the image said of its resolution: the ridge
period (uint16, 1/256 pixel, 0 unknown) and who stated the resolution (one byte). It is written only
where one of them is known, so that templates of other sources are the same bytes as ever. Version
3, written only of a finger that was cut from a slap, adds the slap's position code (one byte).
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import quoted
from fpmatch.errors import TemplateError
from fpmatch.finger import SLAPS, FingerPosition, Impression
from fpmatch.parameters import TEMPLATE

MAGIC = b"FPT"
PLAIN, SIZED, VERSION = 1, 2, 3
_PREFIX = struct.Struct("<3sBI")
_HEADER = struct.Struct("<HHBBBBBH")  # width height position impression quality M name field
_ORIGIN = struct.Struct("<HB")  # ridge period, source of the resolution
_CUT = struct.Struct("<B")  # position code of the slap
_FIELD_ABSENT = 0
PERIOD_UNIT = 256
"""Units a pixel of the ridge period."""
SOURCES = ("", "given", "recorded", "estimated")
"""Who stated the resolution, by number."""


class Fields(Protocol):
    """What is stored of a template; `fpmatch.template.Template` says what each field holds."""

    @property
    def xy(self) -> NDArray[np.uint16]:
        """(M, 2) uint16, eighths of a pixel."""

    @property
    def angle(self) -> NDArray[np.uint16]:
        """(M,) uint16, units of 2 pi / 65536."""

    @property
    def kind(self) -> NDArray[np.uint8]:
        """(M,) uint8, `MinutiaType`."""

    @property
    def quality(self) -> NDArray[np.uint8]:
        """(M,) uint8, 0 to 100."""

    @property
    def width(self) -> int:
        """Pixels at 500 ppi."""

    @property
    def height(self) -> int:
        """Pixels at 500 ppi."""

    @property
    def position(self) -> FingerPosition:
        """Which finger."""

    @property
    def impression(self) -> Impression:
        """How it was taken."""

    @property
    def image_quality(self) -> int:
        """0 to 100, or 255 if unknown."""

    @property
    def extractor(self) -> str:
        """Name and version, ASCII."""

    @property
    def orientation(self) -> NDArray[np.uint8] | None:
        """(h, w) uint8 cells of 16 pixels."""

    @property
    def ridge_period(self) -> float | None:
        """Pixels at 500 ppi."""

    @property
    def ppi_source(self) -> str:
        """One of `SOURCES`."""

    @property
    def slap(self) -> int:
        """Position code of the slap that it was cut from, or 0."""


def to_bytes(template: Fields) -> bytes:
    """Serialise; equal templates give equal bytes. Cost: O(M), plus deflating the cells."""
    name = template.extractor.encode("ascii")
    field = b""
    if template.orientation is not None:
        field = zlib.compress(template.orientation.tobytes(), 9)
    # Of each four bytes, the lowest: two bits of each.
    kinds = int.from_bytes(template.kind.tobytes(), "little")
    kinds |= kinds >> 6 | kinds >> 12 | kinds >> 18
    body = b"".join(
        (
            _HEADER.pack(
                template.width,
                template.height,
                int(template.position),
                int(template.impression),
                template.image_quality,
                len(template.angle),
                len(name),
                len(field),
            ),
            name,
            np.asarray(template.xy, "<u2").tobytes(),
            np.asarray(template.angle, "<u2").tobytes(),
            kinds.to_bytes(len(template.angle), "little")[::4],
            template.quality.tobytes(),
            field,
        )
    )
    version = PLAIN
    if template.ridge_period is not None or template.ppi_source or template.slap:
        version = SIZED
        period = round((template.ridge_period or 0) * PERIOD_UNIT)
        body += _ORIGIN.pack(period, SOURCES.index(template.ppi_source))
    if template.slap:
        version = VERSION
        body += _CUT.pack(template.slap)
    return _PREFIX.pack(MAGIC, version, zlib.crc32(body)) + body


def from_bytes(data: bytes) -> dict[str, Any]:
    """Parse `to_bytes` output.

    Returns
    -------
    dict
        The arguments of `fpmatch.template.Template`, whose ranges are not checked here.

    Raises
    ------
    TemplateError
        On any other length, magic, version, checksum or content.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TemplateError(f"a stored template is bytes, not {quoted(data)}")
    data = bytes(data)
    if len(data) < _PREFIX.size + _HEADER.size:
        raise TemplateError(f"{len(data)} bytes are too short for a template")
    magic, version, crc = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise TemplateError("not an fpmatch template (wrong magic)")
    if version not in (PLAIN, SIZED, VERSION):
        raise TemplateError(f"template version {version}; this release reads up to {VERSION}")
    body = data[_PREFIX.size :]
    if zlib.crc32(body) != crc:
        raise TemplateError("template checksum does not match: the bytes are damaged")
    try:
        found: dict[str, Any] = {}
        if version == VERSION:
            found["slap"] = _slap(body[-_CUT.size :])
            body = body[: -_CUT.size]
        if version != PLAIN:
            found |= _origin(body[-_ORIGIN.size :])
            body = body[: -_ORIGIN.size]
        return _parse(body) | found
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise TemplateError(f"template content is damaged: {error}") from error


def _origin(data: bytes) -> dict[str, Any]:
    period, source = _ORIGIN.unpack(data)
    return {"ridge_period": period / PERIOD_UNIT or None, "ppi_source": SOURCES[source]}


def _slap(data: bytes) -> int:
    (code,) = _CUT.unpack(data)
    if code not in SLAPS:
        raise ValueError(f"position {code} is no slap")
    return int(code)


def _parse(body: bytes) -> dict[str, Any]:
    width, height, position, impression, quality, m, n, f = _HEADER.unpack_from(body)
    sizes = (n, 4 * m, 2 * m, -(-m // 4), m, f)
    if _HEADER.size + sum(sizes) != len(body):
        raise TemplateError("template length does not match its header")
    parts = []
    at = _HEADER.size
    for size in sizes:
        parts.append(body[at : at + size])
        at += size
    kind = (np.frombuffer(parts[3], np.uint8)[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    orientation = None
    if f != _FIELD_ABSENT:
        cell = TEMPLATE.orientation_cell
        shape = (-(-height // cell), -(-width // cell))
        inflate = zlib.decompressobj()
        raw = inflate.decompress(parts[5], shape[0] * shape[1] + 1)
        if len(raw) != shape[0] * shape[1] or not inflate.eof or inflate.unused_data:
            raise TemplateError("orientation cells do not match the image size")
        orientation = np.frombuffer(raw, np.uint8).reshape(shape)
    return {
        "xy": np.frombuffer(parts[1], "<u2").astype(np.uint16).reshape(-1, 2),
        "angle": np.frombuffer(parts[2], "<u2").astype(np.uint16),
        "kind": kind.astype(np.uint8).ravel()[:m],
        "quality": np.frombuffer(parts[4], np.uint8),
        "width": width,
        "height": height,
        "position": FingerPosition(position),
        "impression": Impression(impression),
        "image_quality": quality,
        "extractor": parts[0].decode("ascii"),
        "orientation": orientation,
    }
