"""Any source -> `FingerImage`: decode, settle the resolution, resample, compare, record."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import LONGEST_SHOWN, check_flag, check_integer, path_of, quoted
from fpmatch.errors import ImageError, InputError, ResolutionError
from fpmatch.image.decode import Recorded, decode
from fpmatch.image.estimate import estimate_ppi
from fpmatch.image.finger_image import FingerImage
from fpmatch.image.foreign import no_foreign
from fpmatch.image.isolated import SHARED
from fpmatch.image.resolution import Settled, contradiction, resample, settle_ppi
from fpmatch.image.ridges import Ridges, find_ridges
from fpmatch.parameters import IMAGE

_LOG = logging.getLogger(__name__)

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[np.uint8]


def read_image(
    source: Source,
    ppi: float | None = None,
    *,
    stated: tuple[float, float] | None = None,
    trust_ppi: bool = False,
    estimate: bool = False,
    max_pixels: int = IMAGE.max_pixels,
    isolated: bool = False,
) -> FingerImage:
    """Read one finger image, bring it to 500 ppi, and compare that with its ridges.

    Parameters
    ----------
    source : path, bytes, binary file object or (H, W) uint8 array
        PNG, TIFF, BMP, JPEG, JPEG 2000, WSQ or PGM; ridges dark. Colour is reduced to luminance,
        deeper gray to the upper 8 bits of those used (8, 10, 12 or 16), transparency is laid on
        white, EXIF orientation is followed. Of a phone's several pictures (MPO) the first is read.
    ppi : float, optional
        Resolution, pixels per inch, 96 to 4800. Where given it wins over what the file says:
        many files carry a made-up figure. Where not, the file's own is taken if it lies
        between 250 and 4800, is the same in x and y, and is no code for unknown (255).
    stated : (float, float), optional
        Resolution across and down that the record states which the picture comes from; it wins
        over the picture's own.
    trust_ppi : bool
        Believe a stated resolution even where the ridges contradict it.
    estimate : bool
        Where no resolution is given nor credibly stated, estimate it from the distance of the
        ridges, as for photographs without contact. Fingers differ: it can be a third off.
    max_pixels : int
        Largest picture read, pixels, before and after bringing it to 500 ppi.
    isolated : bool
        Decode in a process of its own, which a damaged or hostile picture may kill, exhaust or
        hang: an `ImageError` here, and the next picture gets another process. POSIX systems only;
        cost and limits: `docs/formats.md`.

    Returns
    -------
    FingerImage
        At 500 ppi; ``original_ppi``, ``ppi_source``, ``resampled`` and ``notes`` record what was
        done, ``ridges`` what was seen.

    Raises
    ------
    ImageError
        The source cannot be read or decoded, holds several pages, or is too small or too large.
    ResolutionError
        The resolution is not given and not (credibly) recorded, or is out of range, or the ridges
        contradict the one that the file states; both figures are named. One that the caller gave
        is believed, with a note and a warning in the log.
    InputError
        The source is of a type that fpmatch does not read.

    Notes
    -----
    Cost: decoding plus, unless the source is at 500 ppi, one area (down) or cubic (up) resampling,
    plus a look at the ridges, about 30 ns a pixel. Memory: `docs/robustness.md`. Safe to call from
    several threads.
    """
    most = check_integer("max_pixels", max_pixels, 1, IMAGE.most_pixels)
    check_flag("trust_ppi", trust_ppi)
    check_flag("estimate", estimate)
    check_flag("isolated", isolated)
    if isinstance(source, np.ndarray):
        pixels, recorded, name = _from_array(source, most), None, "ARRAY"
    else:
        decoded = SHARED.decode if isolated else decode
        pixels, recorded, name = decoded(_read_bytes(source), most)
    with no_foreign(ImageError):
        settled = _settle(pixels, ppi, recorded, stated, estimate, name)
        out, resampled = resample(pixels, settled.ppi, most)
        if max(out.shape) > IMAGE.max_side:
            raise ImageError(
                f"image of {out.shape[1]}x{out.shape[0]} pixels at 500 ppi; a side has up to "
                f"{IMAGE.max_side}"
            )
        ridges = find_ridges(out)
        if ridges.period is None and settled.ppi > IMAGE.ppi:
            # Ridges that were made too fine to be seen show in the picture as it came.
            period = find_ridges(pixels).period
            fine = None if period is None else period * IMAGE.ppi / settled.ppi
            ridges = replace(ridges, period=fine)
    return FingerImage(
        pixels=out,
        original_ppi=settled.ppi,
        original_shape=(pixels.shape[0], pixels.shape[1]),
        resampled=resampled,
        source_format=name,
        ppi_source=settled.source,
        ridges=ridges,
        notes=_notes(settled, ridges, trust_ppi),
    )


def _settle(
    pixels: NDArray[np.uint8],
    ppi: float | None,
    recorded: Recorded,
    stated: Recorded,
    estimate: bool,
    name: str,
) -> Settled:
    try:
        if stated is not None:
            return settle_ppi(ppi, stated, "record")
        return settle_ppi(ppi, recorded, f"{name} source" if recorded is None else f"{name} file")
    except ResolutionError:
        if ppi is not None or not estimate:
            raise
        return estimate_ppi(pixels)


def _notes(settled: Settled, ridges: Ridges, trust_ppi: bool) -> tuple[str, ...]:
    """What is to be said of the resolution; raises `ResolutionError` where it is refused."""
    if settled.source == "estimated":
        return (f"the resolution, {settled.ppi:.0f} ppi, is an estimate from the ridges",)
    wrong = contradiction(settled, ridges.period)
    if wrong is None:
        return ()
    if settled.source == "recorded" and not trust_ppi:
        raise ResolutionError(
            f"{wrong}: pass ppi= with the true one, or trust_ppi=True to believe what is stated"
        )
    if not trust_ppi:
        _LOG.warning("%s", wrong)
    return (wrong,)


def _from_array(array: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    if array.ndim != 2 or array.dtype != np.uint8:
        raise ImageError(
            f"an image array must be two-dimensional uint8, got shape {array.shape} of "
            f"{array.dtype}; convert to gray levels first"
        )
    if array.size == 0 or array.size > most:
        raise ImageError(f"image array of shape {array.shape}: 1 to {most} pixels are taken")
    return np.ascontiguousarray(array)


def _read_bytes(source: object) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        try:
            with open(path_of(source), "rb") as file:
                return file.read()
        except InputError as error:
            raise ImageError(f"cannot read the image: {error}") from None
        except (OSError, ValueError, MemoryError) as error:
            raise ImageError(f"cannot read image {_shown(source)}: {_reason(error)}") from error
    read = getattr(source, "read", None)
    if callable(read):
        try:
            data = read()
        except Exception as error:
            # A file object can be anything, and raise anything.
            raise ImageError(f"cannot read the file object: {_reason(error)}") from error
        if isinstance(data, bytes | bytearray | memoryview):
            return bytes(data)
        raise InputError(
            "the file object is in text mode; open it with mode 'rb'"
            if isinstance(data, str)
            else f"the file object gave {quoted(data)} instead of bytes"
        )
    raise InputError(
        f"cannot read an image from {type(source).__name__}: "
        "expected a path, bytes, a binary file object or a uint8 array"
    )


def _shown(path: str | os.PathLike[str]) -> str:
    """The end of a path, which says most."""
    return quoted(os.fspath(path)[-LONGEST_SHOWN:])


def _reason(error: BaseException) -> str:
    """Without the path that an `OSError` repeats."""
    return getattr(error, "strerror", None) or type(error).__name__
