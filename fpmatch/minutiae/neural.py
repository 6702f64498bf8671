"""The learned extractor: a small convolutional network run by OpenCV.

How it was trained and on what: `docs/neural.md`; the model file says it too.
"""

from __future__ import annotations

import functools
import threading
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.image.finger_image import FingerImage
from fpmatch.minutiae.area import finger_area, require_minutiae
from fpmatch.minutiae.decode import decode
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.minutiae.model_file import ModelHeader, read_model
from fpmatch.parameters import MINUTIAE, NEURAL, NeuralParameters

_MULTIPLE = 16
_LOCAL = threading.local()


def extract_neural(
    image: FingerImage,
    stages: dict[str, Any] | None = None,
    parameters: NeuralParameters = NEURAL,
) -> Minutiae:
    """The learned extractor; see `extract_minutiae`.

    Notes
    -----
    Position, direction, type and confidence come from the network; the finger area, the coarse
    orientation field and the image quality from the same code as in the classical extractor.
    One OpenCV network a thread, made on first use.
    """
    p = parameters
    header, _ = _model()
    area = finger_area(image.pixels)
    maps = _forward(normalise(area.pixels, header.normalise_sigma, header.normalise_floor))
    odds = (header.confidence_slope, header.confidence_offset)
    found = decode(maps, area.inside, header.stride, p, odds)
    if stages is not None:
        stages.update(
            mask=area.mask, inside=area.inside, window=area.window, orientation=area.field,
            maps=maps,
        )  # fmt: skip
    require_minutiae(len(found))
    limit = np.array(image.pixels.shape[::-1], np.float32) - 1
    return Minutiae(
        xy=np.clip(found[:, :2] + area.corner, 0, limit),
        angle=found[:, 2].copy(),
        kind=found[:, 3].astype(np.uint8),
        quality=found[:, 4].copy(),
        shape=(image.pixels.shape[0], image.pixels.shape[1]),
        orientation=area.cells(),
        image_quality=_quality(found[:, 4], area.mask),
        extractor=f"{header.name}-{header.version}",
    )


def _quality(confidence: NDArray[np.float32], mask: NDArray[np.uint8]) -> int:
    """Mean confidence of the minutiae; a small impression loses in proportion to its area."""
    share = min(1.0, float(mask.sum()) / MINUTIAE.quality_area)
    return int(np.rint(100 * share * float(confidence.mean())))


def normalise(
    pixels: NDArray[np.uint8] | NDArray[np.float32], sigma: float, floor: float
) -> NDArray[np.float32]:
    """Local mean removed, divided by the local deviation; training calls it too."""
    level = pixels.astype(np.float32)
    centred = level - cv2.GaussianBlur(level, (0, 0), sigma)
    power = cv2.GaussianBlur(centred * centred, (0, 0), sigma)
    out: NDArray[np.float32] = centred / (np.sqrt(power) + np.float32(floor))
    return out


@functools.cache
def _model() -> tuple[ModelHeader, bytes]:
    return read_model(Path(str(files("fpmatch.minutiae") / "models" / NEURAL.model)))


def _forward(normal: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) -> (6, H / stride, W / stride), after padding to a multiple of 16 with flat gray."""
    net = getattr(_LOCAL, "net", None)
    if net is None:
        net = _LOCAL.net = cv2.dnn.readNetFromONNX(np.frombuffer(_model()[1], np.uint8))
    bottom, right = (-n % _MULTIPLE for n in normal.shape)
    padded = np.pad(normal, ((0, bottom), (0, right)))
    net.setInput(np.ascontiguousarray(padded[None, None]))
    out: NDArray[np.float32] = net.forward()[0].copy()
    return out
