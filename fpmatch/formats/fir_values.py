"""What a finger image record of ISO/IEC 19794-4 holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from fpmatch.formats.pictures import RAW
from fpmatch.formats.values import Deviation, Device, QualityBlock
from fpmatch.types import Impression

MAGIC = b"FIR\0"
VERSIONS = {"fir2005": b"010\0", "fir2011": b"020\0"}
_COMMON = {0: RAW, 1: RAW, 2: "WSQ", 3: "JPEG", 4: "JPEG2000"}
CODINGS = {
    "fir2005": _COMMON | {5: "PNG"},
    "fir2011": _COMMON | {5: "JPEG2000", 6: "PNG"},
}
"""Compression codes: 2011 tells lossy from lossless JPEG 2000."""
_NO_DEVICE = Device()


@dataclass(frozen=True, slots=True)
class ImageView:
    """One image in a record.

    Parameters
    ----------
    data : bytes
        Coded, or gray levels row by row.
    width, height : int
        As stated, pixels.
    unit : int
        Of resolutions: 1 pixels per inch, 2 pixels per centimetre.
    scan_resolution, resolution : tuple of int
        Of the scanner and of the image, x and y.
    depth : int
        Bits a pixel.
    compression : int
        A key of `CODINGS`.
    position, number, of, impression : int
        Codes of the standard; ``number`` counts the views of a finger, ``of`` is how many there
        are (2005 only).
    qualities : tuple of QualityBlock
    device : Device
    time : bytes
        Date and time of capture, nine bytes; empty if absent (2011 only).
    certifications : tuple of (int, int)
        Authority and scheme (2011 only).
    extended : bytes
        What follows the image in its representation: segmentation, annotation, comments, vendors'
        own, as it stands (2011 only).
    at : int
        Bytes from the start of the file; no part of equality.
    """

    data: bytes = field(repr=False)
    width: int
    height: int
    unit: int = 1
    scan_resolution: tuple[int, int] = (500, 500)
    resolution: tuple[int, int] = (500, 500)
    depth: int = 8
    compression: int = 0
    position: int = 0
    number: int = 0
    of: int = 1
    impression: int = int(Impression.UNKNOWN)
    qualities: tuple[QualityBlock, ...] = ()
    device: Device = _NO_DEVICE
    time: bytes = b""
    certifications: tuple[tuple[int, int], ...] = ()
    extended: bytes = field(default=b"", repr=False)
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FingerImageRecord:
    """A file of finger images.

    Parameters
    ----------
    format : str
        ``fir2005`` or ``fir2011``.
    views : tuple of ImageView
    level : int
        Image acquisition settings level (2005 only): 30 and 31 are 500 ppi, 40 and 41 are 1000.
    deviations : tuple of Deviation
        What reading leniently passed over; no part of equality.
    """

    format: str
    views: tuple[ImageView, ...]
    level: int = 31
    deviations: tuple[Deviation, ...] = field(default=(), compare=False)
