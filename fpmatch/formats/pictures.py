"""A fingerprint picture out of a container, with what the container says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fpmatch.errors import FormatError, ResolutionError
from fpmatch.finger import PLAIN_THUMBS, SLAPS
from fpmatch.formats.coded import coded_size, coding
from fpmatch.formats.templates import impression_of
from fpmatch.types import FingerPosition, Impression

if TYPE_CHECKING:
    from fpmatch.image import FingerImage

RAW = "RAW"


@dataclass(frozen=True, slots=True)
class Segment:
    """Where one finger lies in a slap, as the record says (ITL 14.021 and 14.025).

    Parameters
    ----------
    position : int
        Friction ridge position code.
    points : tuple of (int, int)
        Corners of a box or polygon round it, x and y in pixels of the picture as it is coded.
    """

    position: int
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a record.

    Parameters
    ----------
    data : bytes
        Coded, or gray levels row by row.
    coding : str
        ``WSQ``, ``JPEG``, ``JPEG2000``, ``PNG`` or ``RAW``.
    width, height : int
        As the record states them, pixels.
    ppi : tuple of float or None
        Resolution in x and y that the record states, pixels per inch.
    positions : tuple of int
        Friction ridge position codes; several where it may be any of them.
    impression : int
        Impression type code.
    depth : int
        Bits a pixel.
    number : int
        Of the image in a transaction (IDC) or of the view in a finger image record.
    at : int
        Bytes from the start of the file to the picture's record.
    segments : tuple of Segment
        Where the fingers of a slap lie, if the record says so.
    amputated : tuple of int
        Positions of which the record says that they are not there (ITL 14.018).
    unclear : str
        What is malformed in what it says of the two; empty if nothing is.
    """

    data: bytes = field(repr=False)
    coding: str
    width: int
    height: int
    ppi: tuple[float, float] | None
    positions: tuple[int, ...]
    impression: int
    depth: int = 8
    number: int = 0
    at: int = 0
    segments: tuple[Segment, ...] = ()
    amputated: tuple[int, ...] = ()
    unclear: str = ""

    @property
    def slap(self) -> int:
        """13, 14 or 15 if it is a plain slap of several fingers, else 0."""
        code = self.positions[0] if len(self.positions) == 1 else 0
        return code if code in SLAPS else 0

    @property
    def finger(self) -> FingerPosition | None:
        """The one finger shown; None for a slap, a palm or several possible positions.

        Plain thumbs (11 and 12) are the thumbs.
        """
        if len(self.positions) != 1:
            return None
        code = self.positions[0]
        if code <= max(FingerPosition):
            return FingerPosition(code)
        return PLAIN_THUMBS.get(code)

    @property
    def impression_type(self) -> Impression:
        """The impression type as templates know it."""
        return impression_of(self.impression)

    @property
    def coded_size(self) -> tuple[int, int] | None:
        """Width and height in the coded picture's own header, or None."""
        return None if self.coding == RAW else coded_size(self.data)

    def disagreement(self) -> str | None:
        """How the stated size departs from that of the picture, or None."""
        if self.coding == RAW:
            needed = self.width * self.height * self.depth // 8
            if needed == len(self.data):
                return None
            return f"{self.width}x{self.height} pixels need {needed} bytes, not {len(self.data)}"
        found = self.coded_size
        if found is None or found == (self.width, self.height):
            return None
        return (
            f"the record states {self.width}x{self.height} pixels, the picture has "
            f"{found[0]}x{found[1]}"
        )

    def read(
        self, ppi: float | None = None, *, trust_ppi: bool = False, isolated: bool = False
    ) -> FingerImage:
        """Decode, and bring to 500 ppi.

        Parameters
        ----------
        ppi : float, optional
            Wins over what the record states; the record wins over what the coded picture states.
        trust_ppi : bool
            Believe what is stated even where the ridges contradict it; see `read_image`.
        isolated : bool
            Decode in a process of its own; see `read_image`.

        Raises
        ------
        FormatError
            If a raw picture is not of 8 bits a pixel or of another size than stated.
        ImageError
            If the picture cannot be decoded.
        ResolutionError
            If ``ppi`` is not given and the record states none, one that `read_image` would not
            believe of a file, or one that the ridges contradict.
        """
        from fpmatch.image import read_image

        source: bytes | np.ndarray = self.data
        if self.coding == RAW:
            wrong = self.disagreement()
            if self.depth != 8:
                wrong = f"{self.depth} bits a pixel; raw pictures are read with 8"
            if wrong is not None:
                raise FormatError(wrong, self.at)
            source = np.frombuffer(self.data, np.uint8).reshape(self.height, self.width)
        if self.ppi is None and ppi is None:
            raise ResolutionError("the record states no resolution; say which with ppi=")
        return read_image(source, ppi=ppi, stated=self.ppi, trust_ppi=trust_ppi, isolated=isolated)


def picture_coding(data: bytes, stated_raw: bool, size: int) -> str:
    """The coding of a picture: raw where it is said to be and has the size, else by its content.

    Parameters
    ----------
    data : bytes
    stated_raw : bool
    size : int
        Bytes that a raw picture would have.
    """
    if stated_raw and len(data) == size:
        return RAW
    return coding(data) or RAW
