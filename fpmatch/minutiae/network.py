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
    pixels: NDArray[np.uint8] | NDArray[np.float32], sigma: float, floor: float, step: int = 1
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
    step : int
        Mean and deviation are those of so many pixels squared at once. They are as smooth as the
        window is wide: with steps of 2 and a sigma of 12 the result differs by a four hundredth of
        its deviation, in a fifth of the time.
    """
    level = pixels.astype(np.float32)
    centred = level - _smooth(level, sigma, step)
    power = _smooth(centred * centred, sigma, step)
    return (centred / (np.sqrt(power) + np.float32(floor))).astype(np.float32, copy=False)


def _smooth(level: NDArray[np.float32], sigma: float, step: int) -> NDArray[np.float32]:
    """Gaussian of `sigma` pixels, of means over `step` pixels squared, linear between them."""
    if step == 1:
        plain: NDArray[np.float32] = cv2.GaussianBlur(level, (0, 0), sigma)
        return plain
    height, width = level.shape
    bottom, right = (-n % step for n in level.shape)
    whole = cv2.copyMakeBorder(level, 0, bottom, 0, right, cv2.BORDER_REFLECT_101)
    size = (whole.shape[1] // step, whole.shape[0] // step)
    small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step)
    large = cv2.resize(small, whole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    out: NDArray[np.float32] = large[:height, :width]
    return out


def _blocks(level: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(H, W) -> (1, side^2, H / side, W / side): a channel for each pixel of a block.

    A first convolution of stride 2 over the one channel that an image has costs more than one of
    stride 1 over four.
    """
    height, width = level.shape
    parts = level.reshape(height // side, side, width // side, side).transpose(1, 3, 0, 2)
    return np.ascontiguousarray(parts.reshape(1, side * side, height // side, width // side))


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
    window = (header.normalise_sigma, header.normalise_floor, header.normalise_step)
    normal = normalise(pixels, *window)
    bottom, right = (-n % _MULTIPLE for n in normal.shape)
    padded = np.pad(normal, ((0, bottom), (0, right)))
    net.setInput(_blocks(padded[::-1, ::-1] if turned else padded, header.block))
    out: NDArray[np.float32] = net.forward()[0].copy()
    return out[:, ::-1, ::-1] * _TURNED if turned else out
