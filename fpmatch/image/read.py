"""Any source -> `FingerImage`: decode, settle the resolution, resample, record."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ImageError, InputError
from fpmatch.image.decode import decode
from fpmatch.image.finger_image import FingerImage
from fpmatch.image.resolution import resample, settle_ppi
from fpmatch.parameters import IMAGE

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[np.uint8]


def read_image(source: Source, ppi: float | None = None) -> FingerImage:
    """Read one finger image and bring it to 500 ppi.

    Parameters
    ----------
    source : path, bytes, binary file object or (H, W) uint8 array
        PNG, TIFF, BMP, JPEG, JPEG 2000, WSQ or PGM; ridges dark. Colour is reduced to luminance,
        16 bits to their upper 8, and transparency is laid on white.
    ppi : float, optional
        Resolution, pixels per inch, 96 to 4800. Where given it wins over what the file says:
        many files carry a made-up figure. Where not, the file's own is taken if it lies
        between 250 and 4800 and is the same in x and y.

    Returns
    -------
    FingerImage
        At 500 ppi; ``original_ppi`` and ``resampled`` record what was done.

    Raises
    ------
    ImageError
        The source cannot be read or decoded, holds several pages, or is too small or too large.
    ResolutionError
        The resolution is not given and not (credibly) recorded, or is out of range.
    InputError
        The source is of a type that fpmatch does not read.

    Notes
    -----
    Cost: decoding plus, unless the source is at 500 ppi, one area (down) or cubic (up) resampling.
    Safe to call from several threads.
    """
    if isinstance(source, np.ndarray):
        pixels, recorded, name = _from_array(source), None, "ARRAY"
    else:
        pixels, recorded, name = decode(_read_bytes(source))
    settled = settle_ppi(ppi, recorded, name)
    out, resampled = resample(pixels, settled)
    return FingerImage(
        pixels=out,
        original_ppi=settled,
        original_shape=(pixels.shape[0], pixels.shape[1]),
        resampled=resampled,
        source_format=name,
    )


def _from_array(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if array.ndim != 2 or array.dtype != np.uint8:
        raise ImageError(
            f"an image array must be two-dimensional uint8, got shape {array.shape} of "
            f"{array.dtype}; convert to gray levels first"
        )
    if array.size == 0 or array.size > IMAGE.max_pixels:
        raise ImageError(f"image array of shape {array.shape} is empty or over the size limit")
    return np.ascontiguousarray(array)


def _read_bytes(source: object) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        try:
            with open(source, "rb") as file:
                return file.read()
        except (OSError, ValueError) as error:
            raise ImageError(f"cannot read image {os.fspath(source)!r}: {error}") from error
    read = getattr(source, "read", None)
    if callable(read):
        try:
            data = read()
        except (OSError, ValueError) as error:
            raise ImageError(f"cannot read image from the file object: {error}") from error
        if isinstance(data, bytes):
            return data
        raise InputError("the file object is in text mode; open it with mode 'rb'")
    raise InputError(
        f"cannot read an image from {type(source).__name__}: "
        "expected a path, bytes, a binary file object or a uint8 array"
    )
