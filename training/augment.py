"""One random crop of one labelled print, made to look like any sensor's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.faults import Scene, smooth_field, spoil
from training.network import STRIDE
from training.prints import CELL, Print

CROP = 192
"""Side of a training crop, pixels at 500 ppi."""
SCALE_SPREAD = 0.17
"""Standard deviation of the logarithm of a crop's scale: it takes the usual ridge period of
9 pixels to 6.4-12.7 in 95 of 100 crops, children to large hands."""
AROUND = 0.8
"""Share of the crops that lie round a minutia; the others lie anywhere, background too."""


def crop(
    source: Print, rng: np.random.Generator, other: Print | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Random rotation, scale, mirror, bending, faults and gray-level treatment.

    Parameters
    ----------
    source : Print
    rng : Generator
    other : Print, optional
        What lies on the platen as residue. Without it there are no faults (`training.faults`).

    Returns
    -------
    image : (CROP, CROP) float32, gray levels
    labels : (K, 5) float32, minutiae in the crop's own coordinates
    flow : (2, CROP / STRIDE, CROP / STRIDE) float32
        Orientation at the output's cells, as in `Print`.
    """
    pixels, labels = source.pixels, source.minutiae
    matrix = _affine(pixels.shape, labels, rng)
    bend = _bend(rng)
    bx, by = _GRID[0] + bend[..., 0], _GRID[1] + bend[..., 1]
    sx = matrix[0, 0] * bx + matrix[0, 1] * by + matrix[0, 2]
    sy = matrix[1, 0] * bx + matrix[1, 1] * by + matrix[1, 2]
    fill = int(np.median(np.r_[pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]))
    image = cv2.remap(
        pixels,
        sx.astype(np.float32),
        sy.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=fill,
    ).astype(np.float32)
    half = STRIDE // 2
    flow = _flow(source, matrix, sx[half::STRIDE, half::STRIDE], sy[half::STRIDE, half::STRIDE])
    if other is not None:
        image = spoil(image, _scene(flow, other, rng), rng)
    return _gray(image, rng), _move(labels, matrix, bend), flow


_GRID = np.mgrid[:CROP, :CROP][::-1].astype(np.float32)


def _scene(flow: NDArray[np.float32], other: Print, rng: np.random.Generator) -> Scene:
    """The finger's area in the crop, and ridges of another print somewhere."""
    finger = (np.hypot(flow[0], flow[1]) > 0).astype(np.float32)
    h, w = other.pixels.shape
    turn, scale = rng.uniform(0, 360), np.exp(rng.normal(0, SCALE_SPREAD))
    matrix = cv2.getRotationMatrix2D((w * rng.random(), h * rng.random()), turn, scale)
    matrix[:, 2] += CROP / 2 - np.array([w, h]) * rng.uniform(0.3, 0.7, 2)
    edge = cv2.BORDER_REFLECT
    piece = cv2.warpAffine(other.pixels, matrix, (CROP, CROP), borderMode=edge).astype(np.float32)
    # Boxes: a Gaussian this wide would take an eighth of a crop's time.
    piece -= cv2.blur(piece, (33, 33))
    power = cv2.blur(piece * piece, (33, 33))  # a running sum: a little under 0 where all is flat
    piece /= np.sqrt(np.maximum(power, 0)) + 10
    return Scene(cv2.resize(finger, (CROP, CROP), interpolation=cv2.INTER_LINEAR), piece)


def _flow(source: Print, matrix: NDArray, x: NDArray, y: NDArray) -> NDArray[np.float32]:
    """Orientation of the source at some of its points, turned into the crop."""
    rows, columns = source.orientation.shape[:2]
    i, j = np.floor(y / CELL).astype(int), np.floor(x / CELL).astype(int)
    inside = (i >= 0) & (j >= 0) & (i < rows) & (j < columns)
    vector = source.orientation[np.where(inside, i, 0), np.where(inside, j, 0)].astype(np.float32)
    length = np.hypot(vector[..., 0], vector[..., 1]) * inside
    angle = np.arctan2(vector[..., 1], vector[..., 0]) / 2
    inverse = np.linalg.inv(matrix[:, :2])
    along_x = inverse[0, 0] * np.cos(angle) + inverse[0, 1] * np.sin(angle)
    along_y = inverse[1, 0] * np.cos(angle) + inverse[1, 1] * np.sin(angle)
    double = 2 * np.arctan2(along_y, along_x)
    return np.stack([length * np.cos(double), length * np.sin(double)]).astype(np.float32)


def _affine(
    shape: tuple[int, ...],
    labels: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Crop coordinates -> source coordinates, around a random minutia or a random point."""
    turn = rng.uniform(0, 2 * np.pi)
    scale = np.exp(rng.normal(0, SCALE_SPREAD))
    if len(labels) and rng.random() < AROUND:
        centre = labels[rng.integers(len(labels)), :2] + rng.uniform(-60, 60, 2)
    else:
        centre = rng.uniform(0, 1, 2) * (shape[1], shape[0])
    c, s = np.cos(turn) / scale, np.sin(turn) / scale
    linear = np.array([[c, -s], [s, c]])
    if rng.random() < 0.5:
        linear = linear @ np.diag([-1.0, 1.0])
    shift = centre - linear @ np.full(2, CROP / 2)
    return np.c_[linear, shift]


def _bend(rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = rng.normal(0, rng.choice([0.0, 1.5, 4.0]), (5, 5, 2)).astype(np.float32)
    return cv2.resize(coarse, (CROP, CROP), interpolation=cv2.INTER_CUBIC)


def _move(
    labels: NDArray[np.float32], matrix: NDArray[np.float64], bend: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Labels into crop coordinates: invert the affine part, then the bending by fixed point."""
    if not len(labels):
        return labels.copy()
    inverse = np.linalg.inv(matrix[:, :2])
    bent = (labels[:, :2] - matrix[:, 2]) @ inverse.T
    at = bent.copy()
    for _ in range(4):
        index = np.clip(np.rint(at), 0, CROP - 1).astype(int)
        at = bent - bend[index[:, 1], index[:, 0]]
    unit = np.c_[np.cos(labels[:, 2]), np.sin(labels[:, 2])] @ inverse.T
    out = labels.copy()
    out[:, :2] = at
    out[:, 2] = np.arctan2(unit[:, 1], unit[:, 0])
    inside = ((at >= 0) & (at < CROP)).all(axis=1)
    return out[inside]


def _field(rng: np.random.Generator, cells: int) -> NDArray[np.float32]:
    return smooth_field(rng, (CROP, CROP), cells)


def _gray(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Pressure, wetness, contrast, blur, noise, scratches and stains, in a random mix."""
    out = image
    if rng.random() < 0.3:  # thicker or thinner ridges, in part of the print
        size = int(rng.integers(2, 4))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        other = cv2.erode(out, kernel) if rng.random() < 0.5 else cv2.dilate(out, kernel)
        weight = np.clip(rng.uniform(0.3, 0.8) + 0.3 * _field(rng, 4), 0, 1)
        out = out + weight * (other - out)
    if rng.random() < 0.5:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.5))
    mean = float(out.mean())
    out = (out - mean) * np.exp(rng.normal(0, 0.35)) + mean + rng.normal(0, 20)
    if rng.random() < 0.4:  # local loss of contrast
        keep = np.clip(0.65 + 0.5 * _field(rng, 5), 0.05, 1.2)
        out = (out - mean) * keep + mean
    if rng.random() < 0.4:
        out = out + rng.uniform(5, 25) * _field(rng, 6)
    if rng.random() < 0.6:
        noise = rng.normal(0, rng.uniform(1, 18), out.shape).astype(np.float32)
        if rng.random() < 0.5:
            noise = 1.6 * cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.6, 1.4))
        out = out + noise
    for _ in range(int(rng.poisson(0.5))):
        _scratch(out, rng)
    if rng.random() < 0.3:
        out = 255 * np.power(np.clip(out, 0, 255) / 255, np.exp(rng.normal(0, 0.4)))
    return np.clip(out, 0, 255).astype(np.float32)


def _scratch(image: NDArray[np.float32], rng: np.random.Generator) -> None:
    a, b = rng.integers(0, CROP, (2, 2))
    colour = float(rng.choice([10.0, 245.0]))
    cv2.line(image, a.tolist(), b.tolist(), colour, int(rng.integers(1, 4)), cv2.LINE_AA)
