"""The six byte layouts that begin with ``FMR``."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.formats.units import INCITS_TURN, ISO_TURN

MAGIC = b"FMR\0"


@dataclass(frozen=True, slots=True)
class Layout:
    """How one edition of a standard lays its fields out.

    Parameters
    ----------
    name : str
        Of the format; see `fpmatch.formats.NAMES`.
    title : str
        Of the standard.
    version : bytes
        Four bytes after the magic, as written.
    turn : int
        Angle units a turn.
    incits : bool
        Whether a product identifier follows the length.
    short_length : bool
        Whether lengths up to 65535 take two bytes.
    compliance_byte : bool
        Whether compliance bits have a byte of their own before a 16-bit device type.
    size_in_header : bool
        Whether one image size holds for all views.
    representations : bool
        Whether each view is a representation with a length, a time and quality blocks.
    impressions : int
        Highest impression code that fits.
    """

    name: str
    title: str
    version: bytes
    turn: int = ISO_TURN
    incits: bool = False
    short_length: bool = False
    compliance_byte: bool = False
    size_in_header: bool = False
    representations: bool = False
    impressions: int = 255


LAYOUTS = (
    Layout(
        "iso2005", "ISO/IEC 19794-2:2005", b" 20\0", size_in_header=True, impressions=15
    ),
    Layout("iso2011", "ISO/IEC 19794-2:2011", b"030\0", representations=True),
    Layout(
        "incits2004", "INCITS 378-2004", b" 20\0", INCITS_TURN, incits=True, short_length=True,
        size_in_header=True, impressions=15,
    ),
    Layout(
        "incits2009", "INCITS 378-2009", b"030\0", INCITS_TURN, incits=True, compliance_byte=True
    ),
    Layout(
        "incits2009am1", "INCITS 378-2009 amendment 1", b"035\0", INCITS_TURN, incits=True,
        compliance_byte=True,
    ),
    Layout("incits2007", "INCITS 378, draft of 2007", b"030\0", INCITS_TURN, incits=True),
)  # fmt: skip
BY_NAME = {layout.name: layout for layout in LAYOUTS}
