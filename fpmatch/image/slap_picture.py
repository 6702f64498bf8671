"""A picture of the cuts, for whoever looks whether they are right."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import listed, takes
from fpmatch.image.finger_image import FingerImage
from fpmatch.image.slap_cut import SlapFinger

_COLOURS = ((214, 39, 40), (31, 119, 180), (44, 160, 44), (148, 103, 189))
"""Red, green, blue; told apart by the colour-blind too."""
_PALE = 0.55
_LARGEST = 1600


@takes(image="FingerImage", fingers=listed(SlapFinger))
def draw_cuts(image: FingerImage, fingers: Sequence[SlapFinger]) -> NDArray[np.uint8]:
    """Draw the boxes of the fingers that a slap was cut into, with their names.

    Parameters
    ----------
    image : FingerImage
        The slap.
    fingers : sequence of SlapFinger
        As `segment_slap` gives them.

    Returns
    -------
    (H, W, 3) uint8
        Red, green, blue; at most 1600 pixels on a side.
    """
    scale = min(1.0, _LARGEST / max(image.pixels.shape))
    gray = cv2.resize(image.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    pale = np.rint(255 - _PALE * (255 - gray.astype(np.float32))).astype(np.uint8)
    out: NDArray[np.uint8] = np.repeat(pale[:, :, None], 3, axis=2)
    letter = max(0.5, out.shape[1] / 1600)
    for number, one in enumerate(fingers):
        colour = _COLOURS[number % len(_COLOURS)]
        corners = np.array(one.corners) * scale
        cv2.polylines(out, [np.rint(corners).astype(np.int32)], True, colour, 3, cv2.LINE_AA)
        # The upper side is drawn twice as thick: which way the finger points.
        top = [tuple(round(v) for v in corner) for corner in corners[:2]]
        cv2.line(out, top[0], top[1], colour, 7, cv2.LINE_AA)
        name = one.position.name.replace("_", " ").lower()
        (wide, high), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, letter, 2)
        x = int(np.clip(corners[:, 0].mean() - wide / 2, 2, max(2, out.shape[1] - wide - 2)))
        y = int(np.clip(corners[:, 1].max() + 1.4 * high, high + 2, out.shape[0] - 4))
        cv2.rectangle(out, (x - 3, y - high - 4), (x + wide + 3, y + 5), (255, 255, 255), -1)
        cv2.putText(out, name, (x, y), cv2.FONT_HERSHEY_SIMPLEX, letter, colour, 2, cv2.LINE_AA)
    return out
