"""The learned extractor: a small convolutional network run by OpenCV.

How it was trained and on what: `docs/neural.md`; the model file says it too.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.image.finger_image import FingerImage
from fpmatch.minutiae.area import orientation_cells, require_minutiae, require_ridges, window_of
from fpmatch.minutiae.decode import decode
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.minutiae.network import forward, model
from fpmatch.minutiae.segmentation import segment
from fpmatch.parameters import MINUTIAE, NEURAL, NeuralParameters

_CROSS = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def extract_neural(
    image: FingerImage,
    stages: dict[str, Any] | None = None,
    parameters: NeuralParameters = NEURAL,
) -> Minutiae:
    """The learned extractor; see `extract_minutiae`.

    Parameters
    ----------
    image : FingerImage
        At 500 ppi.
    stages : dict[str, Any] or None
        Filled with what each step leaves, by name.
    parameters : NeuralParameters
        Thresholds and sizes; see `fpmatch.parameters`.

    Notes
    -----
    Minutiae, finger area and ridge orientation come from the network; only the window that it
    looks at comes from the classical extractor's segmentation. Where it is not sure of what it
    found, it looks a second time, at the print turned by half a turn, and the mean counts.
    """
    p = parameters
    header, _ = model(p.model)
    mask = segment(image.pixels)
    require_ridges(int(mask.sum()), int(mask.sum()))
    window = window_of(mask)
    top, left, bottom, right = window
    part = np.ascontiguousarray(image.pixels[top:bottom, left:right])
    odds = (header.confidence_slope, header.confidence_offset)

    def read(maps: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        """Finger area, all claims, and those of them that are minutiae."""
        inside = _finger(maps[8], part.shape, header.stride, p)
        least = min(p.doubtful, p.threshold)
        claims = decode(maps, inside, header.stride, least, p, odds)
        return inside, claims, claims[claims[:, 4] >= p.threshold]

    maps = forward(part, p.model)
    inside, claims, found = read(maps)
    if not len(found) or found[:, 4].mean() < p.second_look:
        maps = (maps + forward(part, p.model, turned=True)) / np.float32(2)
        inside, claims, found = read(maps)
    require_ridges(int(inside.sum()), int(mask.sum()))
    if stages is not None:
        stages.update(mask=mask, inside=inside, window=window, maps=maps)
    require_minutiae(len(found))
    limit = np.array(image.pixels.shape[::-1], np.float32) - 1
    return Minutiae(
        xy=np.clip(found[:, :2] + (left, top), 0, limit).astype(np.float32),
        angle=found[:, 2].copy(),
        kind=found[:, 3].astype(np.uint8),
        quality=found[:, 4].copy(),
        shape=(image.pixels.shape[0], image.pixels.shape[1]),
        orientation=_orientation(maps, inside, image.pixels.shape, window, header.stride, p),
        image_quality=_quality(claims[:, 4], mask),
        extractor=f"{header.name}-{header.version}",
    )


def _finger(
    logit: NDArray[np.float32], shape: tuple[int, ...], stride: int, p: NeuralParameters
) -> NDArray[np.uint8]:
    """(H, W) uint8: where the network sees finger, without specks and holes."""
    sure = cv2.GaussianBlur(1 / (1 + np.exp(-logit)), (0, 0), p.finger_smooth)
    area = (sure > p.finger_least).astype(np.uint8)
    for step in (cv2.MORPH_OPEN, cv2.MORPH_CLOSE):
        area = cv2.morphologyEx(area, step, _CROSS, iterations=p.finger_clean)
    size = (area.shape[1] * stride, area.shape[0] * stride)
    large = cv2.resize(area, size, interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(large[: shape[0], : shape[1]], np.uint8)


def _orientation(
    maps: NDArray[np.float32],
    inside: NDArray[np.uint8],
    shape: tuple[int, ...],
    window: tuple[int, int, int, int],
    stride: int,
    p: NeuralParameters,
) -> NDArray[np.float32]:
    """Ridge orientation at the template's cells, NaN outside the finger."""
    cos, sin = (cv2.GaussianBlur(maps[k], (0, 0), p.orientation_smooth) for k in (6, 7))

    def angle_at(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        i = np.clip(y // stride, 0, cos.shape[0] - 1)
        j = np.clip(x // stride, 0, cos.shape[1] - 1)
        return np.mod(np.arctan2(sin[i, j].astype(np.float64), cos[i, j]) / 2, np.pi)

    return orientation_cells(shape, window, inside, angle_at)


def _quality(confidence: NDArray[np.float32], mask: NDArray[np.uint8]) -> int:
    """Mean confidence of all claims, doubtful ones too: a clear print leaves little in doubt.

    A small impression loses in proportion to its area.
    """
    share = min(1.0, float(mask.sum()) / MINUTIAE.quality_area)
    return int(np.rint(100 * share * float(confidence.mean())))
