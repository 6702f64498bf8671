"""The learned extractor's network, run by OpenCV."""

from __future__ import annotations

import functools
import threading
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.minutiae.model_file import ModelHeader, read_model
from fpmatch.parameters import NEURAL

_MULTIPLE = 16
_LOCAL = threading.local()
_TURNED = np.array([1, -1, -1, -1, -1, 1, 1, 1, 1], np.float32)[:, None, None]
"""Sign of every map after half a turn: offsets and directions point the other way."""


@functools.cache
def model(name: str = NEURAL.model) -> tuple[ModelHeader, bytes]:
    """A model file that the package ships, read and checked once.

    Parameters
    ----------
    name : str
        File in `fpmatch/minutiae/models`, or an absolute path.
    """
    return read_model(Path(str(files("fpmatch.minutiae") / "models" / name)))


def normalise(
    pixels: NDArray[np.uint8] | NDArray[np.float32], sigma: float, floor: float
) -> NDArray[np.float32]:
    """Local mean removed, divided by the local deviation; training calls it too.

    Parameters
    ----------
    pixels : ndarray of uint8 or ndarray of float32
        (H, W) gray levels at 500 ppi.
    sigma : float
        Of the Gaussian window, pixels.
    floor : float
        Least deviation, gray levels.
    """
    level = pixels.astype(np.float32)
    centred = level - cv2.GaussianBlur(level, (0, 0), sigma)
    power = cv2.GaussianBlur(centred * centred, (0, 0), sigma)
    out: NDArray[np.float32] = centred / (np.sqrt(power) + np.float32(floor))
    return out


def forward(
    pixels: NDArray[np.uint8], name: str = NEURAL.model, *, turned: bool = False
) -> NDArray[np.float32]:
    """Output maps of an image.

    Parameters
    ----------
    pixels : (H, W) uint8
        At 500 ppi.
    name : str
        Model file; see `model`.
    turned : bool
        Look at the image turned by half a turn. The maps are turned back: they speak of the same
        minutiae, with other mistakes.

    Returns
    -------
    (9, h, w) float32, h and w the sides over `ModelHeader.stride`, rounded up to whole 16 pixels
        Confidence (logit), offset x and y (cells), cos and sin of the direction, type (logit),
        cos and sin of twice the ridge orientation, finger (logit).

    Notes
    -----
    One OpenCV network a thread and model, made on first use. O(H W).
    """
    nets: dict[str, cv2.dnn.Net] = _LOCAL.__dict__.setdefault("nets", {})
    header, network = model(name)
    net = nets.get(name)
    if net is None:
        net = nets[name] = cv2.dnn.readNetFromONNX(np.frombuffer(network, np.uint8))
    normal = normalise(pixels, header.normalise_sigma, header.normalise_floor)
    bottom, right = (-n % _MULTIPLE for n in normal.shape)
    padded = np.pad(normal, ((0, bottom), (0, right)))
    net.setInput(np.ascontiguousarray((padded[::-1, ::-1] if turned else padded)[None, None]))
    out: NDArray[np.float32] = net.forward()[0].copy()
    return out[:, ::-1, ::-1] * _TURNED if turned else out
