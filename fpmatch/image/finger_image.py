"""The one form in which an image reaches the extractor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ImageError
from fpmatch.image.ridges import Ridges
from fpmatch.parameters import IMAGE


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FingerImage:
    """A gray fingerprint image at 500 ppi, ridges dark.

    Parameters
    ----------
    pixels : (H, W) uint8, C-contiguous
        Gray levels at 500 ppi, 0 black.
    original_ppi : float
        Resolution of the source, pixels per inch.
    original_shape : tuple of int
        Rows and columns of the source.
    resampled : bool
        Whether the source was resampled to 500 ppi.
    source_format : str
        ``PNG``, ``TIFF``, ``BMP``, ``JPEG``, ``JPEG2000``, ``WSQ`` or ``ARRAY``.
    ppi_source : str
        Who says so: ``given`` by the caller, ``recorded`` in the file, or ``estimated`` from the
        ridges.
    ridges : Ridges or None
        What `find_ridges` saw at 500 ppi: fingers, and the ridge period; None if not looked for.
    notes : tuple of str
        What whoever uses the print should know of it.
    slap : int
        Position code of the slap that the finger was cut from (13, 14 or 15); 0 if of none.
    """

    pixels: NDArray[np.uint8]
    original_ppi: float = IMAGE.ppi
    original_shape: tuple[int, int] = (0, 0)
    resampled: bool = False
    source_format: str = "ARRAY"
    ppi_source: str = "given"
    ridges: Ridges | None = None
    notes: tuple[str, ...] = ()
    slap: int = 0

    def __post_init__(self) -> None:
        p = self.pixels
        if not isinstance(p, np.ndarray) or p.ndim != 2 or p.dtype != np.uint8:
            raise ImageError("pixels must be a two-dimensional uint8 array")
        if min(p.shape) < IMAGE.min_side:
            raise ImageError(
                f"image is {p.shape[1]}x{p.shape[0]} pixels at 500 ppi; "
                f"at least {IMAGE.min_side} on a side are needed"
            )
        object.__setattr__(self, "pixels", np.ascontiguousarray(p))

    @property
    def ppi(self) -> float:
        """Always 500."""
        return IMAGE.ppi

    def __repr__(self) -> str:
        h, w = self.pixels.shape
        note = f", resampled from {self.original_ppi:g} ppi" if self.resampled else ""
        return f"<FingerImage {w}x{h} at 500 ppi from {self.source_format}{note}>"
