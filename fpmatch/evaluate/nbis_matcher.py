"""NBIS, the peer: MINDTCT and Bozorth3, as the optional `nbis-py` wraps them."""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import MissingExtra

_RESOLUTIONS = 16
_KEPT = 4096
"""Templates that are kept as Bozorth3 takes them."""


class Nbis:
    """Minutiae of MINDTCT without a filter, compared by Bozorth3; a `Matcher`.

    It is handed images at the resolution of their files.

    Raises
    ------
    MissingExtra
        Without `nbis-py`: ``pip install 'fpmatch[nfiq]'``.

    Notes
    -----
    What is prepared are the bytes of an ISO/IEC 19794-2 template, which hold MINDTCT's minutiae
    exactly: their directions are multiples of 11.25 degrees. The image goes to nbis-py as a PNG,
    and its time has the writing (1 ms for 388 x 374) and reading of that in it.
    """

    takes = "native"

    def __init__(self) -> None:
        try:
            import nbis
        except ImportError as error:
            raise MissingExtra("NBIS needs nbis-py: pip install 'fpmatch[nfiq]'") from error
        self.name = f"nbis-py {metadata.version('nbis-py')} (mindtct, bozorth3)"
        self._module = nbis
        self._extractor = lru_cache(_RESOLUTIONS)(self._made)
        self._loaded = lru_cache(_KEPT)(self._extractor(500.0).load_iso_19794_2_2005)

    def _made(self, ppi: float) -> Any:
        return self._module.new_nbis_extractor(
            self._module.NbisExtractorSettings(
                min_quality=0.0,
                get_center=False,
                check_fingerprint=False,
                compute_nfiq2=False,
                ppi=ppi,
            )
        )

    def minutiae(self, image: NDArray[np.uint8], ppi: float = 500.0) -> Any:
        """MINDTCT's minutiae as nbis-py holds them: an object with ``compare``.

        Parameters
        ----------
        image : (H, W) uint8
            Gray levels.
        ppi : float
            Pixels per inch.
        """
        coded = cv2.imencode(".png", image)[1]  # uncompressed it takes nbis-py 40 % longer
        return self._extractor(ppi).extract_minutiae(coded.tobytes())

    def prepare(self, image: NDArray[np.uint8], ppi: float) -> bytes:
        """An ISO/IEC 19794-2 template.

        Parameters
        ----------
        image : (H, W) uint8
            Gray levels.
        ppi : float
            Pixels per inch.
        """
        return bytes(self.minutiae(image, ppi).to_iso_19794_2_2005())

    def compare(self, a: bytes, b: bytes) -> float:
        """Bozorth3's score: a whole number from 0.

        Parameters
        ----------
        a, b : bytes
            Of `prepare`.
        """
        return float(self._loaded(a).compare(self._loaded(b)))
