"""Bytes -> gray pixels, and the resolution that the file records."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ImageError
from fpmatch.image.wsq import wsq_ppi
from fpmatch.parameters import IMAGE

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "TIFF", "BMP", "JPEG", "JPEG2000", "WSQ", "PPM")
_CM_PER_INCH = 2.54

Recorded = tuple[float, float] | None


def decode(data: bytes) -> tuple[NDArray[np.uint8], Recorded, str]:
    """Decode one image.

    Returns
    -------
    pixels : (H, W) uint8
    recorded : (x, y) pixels per inch as the file states them, or None
    name : str
        The format, one of `FORMATS`.

    Raises
    ------
    ImageError
        Whatever the decoder says: its own errors do not leave this function.
    """
    import wsq  # noqa: F401  registers the WSQ format with Pillow
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check(image)
                name = str(image.format)
                recorded = _recorded(image, data)
                pixels = _gray(image)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("the image is damaged: its header asks for too much memory") from error
    except Exception as error:
        # Decoders leak whatever they please on damaged input (SyntaxError, UnboundLocalError,
        # bare Exception, ...), so nothing narrower is safe here.
        raise ImageError(
            f"no readable PNG, TIFF, BMP, JPEG, JPEG 2000, WSQ or PGM image "
            f"({len(data)} bytes): {type(error).__name__}: {str(error)[:120]}"
        ) from error
    return pixels, recorded, name


def _check(image: Image.Image) -> None:
    width, height = image.size
    if width <= 0 or height <= 0 or width * height > IMAGE.max_pixels:
        raise ImageError(
            f"image of {width}x{height} pixels; between 1 and {IMAGE.max_pixels} are read"
        )
    frames = getattr(image, "n_frames", 1)
    if frames != 1:
        raise ImageError(f"the file holds {frames} images; hand in one finger at a time")


def _gray(image: Image.Image) -> NDArray[np.uint8]:
    from PIL import Image

    image.load()
    if image.mode in ("I;16", "I;16L", "I;16B", "I"):
        wide = np.asarray(image).astype(np.int64)
        if wide.size and not 0 <= int(wide.min()) <= int(wide.max()) <= 65535:
            raise ImageError("gray levels beyond 16 bits")
        return np.ascontiguousarray((wide >> 8).astype(np.uint8))
    if image.mode == "F":
        raise ImageError("floating-point images are not read: their white is not defined")
    if "A" in image.getbands() or "transparency" in image.info:
        top = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", top.size, "white"), top)
    return np.array(image.convert("L"), dtype=np.uint8, order="C")


def _recorded(image: Image.Image, data: bytes) -> Recorded:
    if image.format == "WSQ":
        found = wsq_ppi(data)
        return None if found is None else (found, found)
    if image.format == "TIFF":
        return _tiff_ppi(image)
    dpi = image.info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2:
        return float(dpi[0]), float(dpi[1])
    return None


def _tiff_ppi(image: Image.Image) -> Recorded:
    # Pillow reports a resolution without a unit (tag 296 = 1) as if it were inches.
    tags = getattr(image, "tag_v2", {})
    x, y, unit = tags.get(282), tags.get(283), tags.get(296, 2)
    if x is None or y is None or unit not in (2, 3):
        return None
    scale = _CM_PER_INCH if unit == 3 else 1.0
    return float(x) * scale, float(y) * scale
