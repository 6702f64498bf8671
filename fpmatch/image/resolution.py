"""Settle the resolution of an image, and bring its pixels to 500 ppi."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_number
from fpmatch.errors import ImageError, InputError, ResolutionError
from fpmatch.parameters import IMAGE, RIDGES

_ROUNDING = 1e-3
"""What counting per metre or centimetre leaves of a number."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """A resolution, and who says so.

    Parameters
    ----------
    ppi : float
        Pixels per inch.
    source : str
        ``given`` by the caller, ``recorded`` in the file, or ``estimated`` from the ridges.
    """

    ppi: float
    source: str


def settle_ppi(
    given: float | None, recorded: tuple[float, float] | None, name: str = "file"
) -> Settled:
    """The resolution to believe: the one given, else a credible recorded one.

    Parameters
    ----------
    given : float or None
        Pixels per inch, from the caller.
    recorded : (float, float) or None
        Across and down, from the file, or from the record that the picture came in.
    name : str
        What messages call the source.

    Raises
    ------
    ResolutionError
        Neither is usable.
    """
    if given is not None:
        return Settled(_given(given, recorded), "given")
    if recorded is None:
        raise ResolutionError(
            f"the {name} states no resolution; pass ppi=, e.g. ppi=500 for most live-scan sensors"
        )
    x, y = recorded
    low, high = IMAGE.min_recorded_ppi, IMAGE.max_ppi
    if not (low <= x <= high and low <= y <= high) or _unknown(x):
        codes = ", ".join(f"{one:g}" for one in IMAGE.unknown_ppi)
        raise ResolutionError(
            f"the {name} states {x:g} x {y:g} ppi; under {low:g} or over {high:g}, or {codes}, "
            "which stands for unknown, it is not believed: pass ppi= with the sensor's own"
        )
    if abs(x - y) > IMAGE.exact_tolerance * max(x, y):
        raise ResolutionError(
            f"the {name} states {x:g} ppi across and {y:g} down; "
            "resample it to square pixels and pass ppi="
        )
    return Settled(meant_ppi(x), "recorded")


def _unknown(ppi: float) -> bool:
    return any(abs(ppi / code - 1) < _ROUNDING for code in IMAGE.unknown_ppi)


@takes(ppi=lambda name, value: check_number(name, value, 0, 1e6))
def meant_ppi(ppi: float) -> float:
    """A stated resolution, pixels per inch, as it is meant.

    Files state 500 and 1000 ppi in whole pixels per centimetre (197 and 394) or hundredths of
    pixels per millimetre (19.69): what lies within half a percent of a multiple of 500 is that.
    """
    level = max(round(ppi / IMAGE.ppi), 1) * IMAGE.ppi
    return level if abs(ppi / level - 1) <= IMAGE.exact_tolerance else ppi


def contradiction(settled: Settled, period: float | None) -> str | None:
    """What the ridges say against a resolution, with both figures; None where they agree.

    Parameters
    ----------
    settled : Settled
        What was believed when the picture was brought to 500 ppi.
    period : float or None
        Distance of the ridges after that, pixels, from `find_ridges`.

    Notes
    -----
    A resolution that is no multiple of 500 ppi must fit better than one that is: software writes
    numbers of its own, and no sensor those.
    """
    if period is None or settled.source == "estimated":
        return None
    low, high = RIDGES.known_periods
    if settled.source == "recorded" and abs(settled.ppi / IMAGE.ppi - 1) > IMAGE.exact_tolerance:
        low = RIDGES.likely_periods[0]
        if settled.ppi % IMAGE.ppi:
            high = RIDGES.likely_periods[1]
    if low <= period <= high:
        return None
    return (
        f"{settled.ppi:.4g} ppi is stated, but then the ridges would be {period:.1f} pixels apart "
        f"at 500 ppi, where fingers have {low:g} to {high:g}; by its ridges the picture has about "
        f"{ridge_ppi(settled.ppi, period):.0f} ppi"
    )


def ridge_ppi(ppi: float, period: float) -> float:
    """The resolution at which ridges are as far apart as those of most fingers.

    Parameters
    ----------
    ppi : float
        At which the period was measured.
    period : float
        Pixels after bringing the picture from `ppi` to 500 ppi.

    Notes
    -----
    An estimate: fingers differ by a third either way.
    """
    return ppi * period / RIDGES.typical_period


def _given(given: float, recorded: tuple[float, float] | None) -> float:
    try:
        ppi = check_number("ppi", given, IMAGE.min_ppi, IMAGE.max_ppi)
    except InputError as error:
        raise ResolutionError(f"{error} pixels per inch") from None
    if recorded is not None and abs(recorded[0] - ppi) > IMAGE.exact_tolerance * ppi:
        _LOG.info("file records %g ppi; the given %g is used", recorded[0], ppi)
    return ppi


def resample(
    pixels: NDArray[np.uint8], ppi: float, most: int = IMAGE.max_pixels
) -> tuple[NDArray[np.uint8], bool]:
    """Bring (H, W) pixels from `ppi` to 500 ppi; the flag says whether anything was done.

    Parameters
    ----------
    pixels : (H, W) uint8
        Gray.
    ppi : float
        Pixels per inch that they have.
    most : int
        Pixels of the result.

    Raises
    ------
    ImageError
        If the result would be over the size limit.
    """
    scale = IMAGE.ppi / ppi
    if abs(scale - 1) <= IMAGE.exact_tolerance:
        return pixels, False
    import cv2

    height, width = (max(1, round(n * scale)) for n in pixels.shape)
    if height * width > most:
        raise ImageError(f"image would have {width}x{height} pixels at 500 ppi; {most} are taken")
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    out = cv2.resize(pixels, (width, height), interpolation=how)
    return np.ascontiguousarray(out, dtype=np.uint8), True
