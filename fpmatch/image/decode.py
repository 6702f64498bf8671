"""Bytes -> gray pixels, and the resolution that the file records."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import quoted
from fpmatch.errors import ImageError
from fpmatch.image.wsq import quiet, wsq_ppi
from fpmatch.image.wsq_check import WSQ_START, check_wsq
from fpmatch.parameters import IMAGE

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "TIFF", "BMP", "JPEG", "JPEG2000", "WSQ", "PPM")
_DEPTHS = (8, 10, 12, 16)
"""Bits a pixel of what is kept in 16."""
_LOUD = ("WSQ", "TIFF")
"""Formats whose decoders write to standard error; those of the others were heard to say nothing."""
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_ADDRESS = re.compile(r"<[^<>]*>")
_CM_PER_INCH = 2.54

Recorded = tuple[float, float] | None


def decode(data: bytes, most: int = IMAGE.max_pixels) -> tuple[NDArray[np.uint8], Recorded, str]:
    """Decode one image, upright as its EXIF orientation says.

    Parameters
    ----------
    data : bytes
        Of the file. Of a phone's several pictures (MPO) the first is taken.
    most : int
        Pixels.

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

    if data.startswith(WSQ_START):
        check_wsq(data, most)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check(image, most)
                name = "JPEG" if image.format == "MPO" else str(image.format)
                recorded = _recorded(image, data)
                pixels, turned = _gray(image)
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(
            "the image is damaged, or larger than memory: its header asks for too much"
        ) from None
    except Exception as error:
        # Decoders leak whatever they please on damaged input (SyntaxError, UnboundLocalError,
        # bare Exception, ...), so nothing narrower is safe here.
        said = quoted(_ADDRESS.sub("it", str(error)))
        raise ImageError(
            f"no readable PNG, TIFF, BMP, JPEG, JPEG 2000, WSQ or PGM image "
            f"({len(data)} bytes): {type(error).__name__}: {said}"
        ) from error
    if turned and recorded is not None:
        recorded = recorded[::-1]
    return pixels, recorded, name


def _check(image: Image.Image, most: int) -> None:
    width, height = image.size
    if width <= 0 or height <= 0 or width * height > most:
        raise ImageError(f"image of {width}x{height} pixels; between 1 and {most} are read")
    frames = getattr(image, "n_frames", 1)
    if frames != 1 and image.format != "MPO":
        raise ImageError(f"the file holds {frames} images; hand in one finger at a time")


def _gray(image: Image.Image) -> tuple[NDArray[np.uint8], bool]:
    """Gray levels, upright, and whether rows and columns changed places for it."""
    from PIL import ImageOps

    with quiet() if image.format in _LOUD else contextlib.nullcontext():
        image.load()
    before = image.size
    upright = ImageOps.exif_transpose(image) if image.getexif() else image
    turned = upright.size != before
    if upright.mode in _DEEP:
        return _eight_bits(np.asarray(upright)), turned
    if upright.mode == "F":
        raise ImageError("floating-point images are not read: their white is not defined")
    if "A" in upright.getbands() or "transparency" in upright.info:
        upright = _opaque(upright)
    return np.array(upright.convert("L"), dtype=np.uint8, order="C"), turned


def _eight_bits(wide: NDArray[Any]) -> NDArray[np.uint8]:
    """The upper 8 of the bits that the sensor filled: 8, 10, 12 or 16."""
    low, high = (int(wide.min()), int(wide.max())) if wide.size else (0, 0)
    if not 0 <= low <= high <= 65535:
        raise ImageError("gray levels beyond 16 bits")
    shift = next(depth for depth in _DEPTHS if high < 1 << depth) - 8
    return np.ascontiguousarray((wide >> shift).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    """Laid on white; where the transparency is the same everywhere it shows nothing, and goes."""
    from PIL import Image

    top = image.convert("RGBA")
    low, high = top.getchannel("A").getextrema()
    if low == high:
        return top.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", top.size, "white"), top)


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
