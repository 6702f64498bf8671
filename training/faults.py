"""What goes wrong with prints: ink, wear, residue, cards, sensors, files. One function a fault.

Each takes gray levels (H, W) float32 with dark ridges and gives them back spoilt; labels stay.
How strong is drawn from what was seen on rolled ink, dry and wet live scan, and photographs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]
LETTERS = "ABCDEFGHIKLMNOPRSTUVW0123456789.:/ "
FONTS = (cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a fault may look at besides the gray levels.

    Parameters
    ----------
    finger : (H, W) float32
        1 where the finger is.
    other : (H, W) float32
        Part of some other print, local mean removed and divided by the local deviation.
    """

    finger: Gray
    other: Gray


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], cells: int) -> Gray:
    """Smooth random field with unit variance."""
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _patches(rng: np.random.Generator, image: Gray, share: float, cells: int) -> Gray:
    """0 to 1: soft-edged patches that cover about this share."""
    field = smooth_field(rng, image.shape, cells)
    return np.clip(0.5 + 2.5 * (field - np.quantile(field, 1 - share)), 0, 1)


def _disc(size: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)).astype(np.uint8)


def over_inked(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """Ridges grow until they touch, and in patches the valleys fill."""
    thick = cv2.erode(image, _disc(int(rng.integers(2, 5))))
    out = image + rng.uniform(0.3, 0.9) * (thick - image)
    dark = cv2.blur(cv2.erode(image, _disc(9)), (9, 9))
    fill = rng.uniform(0.4, 0.9) * _patches(rng, image, rng.uniform(0.1, 0.6), 5)
    return (out + fill * (dark - out)).astype(np.float32)


def faint(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """Too little ink: in patches the ridges are hardly darker than the paper."""
    light = cv2.blur(cv2.dilate(image, _disc(9)), (9, 9))
    lift = rng.uniform(0.4, 0.9) * _patches(rng, image, rng.uniform(0.15, 0.8), 4)
    return (image + lift * (light - image)).astype(np.float32)


def beaded(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """Dry or worn skin: ridges break into beads, thin ones first."""
    light = cv2.dilate(image, _disc(7))
    grain = rng.normal(0, 1, image.shape).astype(np.float32)
    sigma = rng.uniform(0.8, 2.2)
    grain = cv2.GaussianBlur(grain, (0, 0), sigma) * np.float32(2 * np.sqrt(np.pi) * sigma)
    gone = np.clip(2 * (grain - rng.uniform(0.0, 1.0)), 0, 1)
    gone *= rng.uniform(0.5, 1.0) * _patches(rng, image, rng.uniform(0.3, 1.0), 4)
    return (image + gone * (light - image)).astype(np.float32)


def smudged(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """The finger slid: patches smeared along one direction."""
    length = int(rng.integers(4, 11))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    half = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    middle = (length - 1) / 2
    a, b = np.rint(middle - half).astype(int), np.rint(middle + half).astype(int)
    cv2.line(kernel, a.tolist(), b.tolist(), 1.0)
    smeared = cv2.filter2D(image, -1, kernel / kernel.sum())
    weight = _patches(rng, image, rng.uniform(0.1, 0.7), 4)
    return (image + weight * (smeared - image)).astype(np.float32)


def residue(image: Gray, scene: Scene, rng: np.random.Generator) -> Gray:
    """What an earlier finger left: faint under the finger, plainer beside it."""
    strength = rng.uniform(4, 22)
    share = strength * (1 - scene.finger * rng.uniform(0.3, 0.8))
    return (image + share * np.clip(scene.other, -2, 2)).astype(np.float32)


def card(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """Lines and print of a form, across the finger or beside it."""
    mark = np.zeros(image.shape, np.uint8)
    h, w = image.shape
    for _ in range(int(rng.integers(1, 4))):
        at, tilt = rng.integers(0, h), rng.normal(0, 4)
        ends = [(0, int(at - tilt)), (w, int(at + tilt))]
        if rng.random() < 0.5:
            ends = [(y, x) for x, y in ends]
        cv2.line(mark, *ends, 255, int(rng.integers(1, 4)), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 3))):
        text = "".join(rng.choice(list(LETTERS), int(rng.integers(3, 14))))
        where = (int(rng.integers(-40, w - 20)), int(rng.integers(10, h)))
        font, size = int(rng.choice(FONTS)), rng.uniform(0.4, 1.3)
        cv2.putText(mark, text, where, font, size, 255, 1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(mark, (0, 0), rng.uniform(0.4, 1.0)) / np.float32(255)
    ink = np.minimum(image, np.float32(rng.uniform(10, 120)))
    return (image + soft * (ink - image)).astype(np.float32)


def creased(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """White creases, curved, some with soft rims."""
    mark = np.zeros_like(image)
    for _ in range(int(rng.integers(1, 7))):
        start = rng.uniform(0, image.shape[0], 2)
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(20, 160)
        t = np.linspace(0, length, 12)
        bend = angle + np.cumsum(rng.normal(0, 0.12, 12))
        steps = np.diff(t, prepend=0)[:, None] * np.c_[np.cos(bend), np.sin(bend)]
        line = np.rint((start + np.cumsum(steps, axis=0)) * 8).astype(np.int32)
        cv2.polylines(
            mark, [line], False, rng.uniform(0.4, 1.0), int(rng.integers(1, 4)), cv2.LINE_AA, 3
        )
    mark = cv2.GaussianBlur(mark, (0, 0), rng.uniform(0.3, 0.9))
    light = cv2.dilate(image, _disc(9))
    return (image + mark * (light - image)).astype(np.float32)


def dirty(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """Dust, drops and blots, dark or bright."""
    out = image.copy()
    for _ in range(int(rng.integers(1, 15))):
        at = rng.integers(0, image.shape[0], 2).tolist()
        axes = np.rint(rng.lognormal(1.0, 0.6, 2)).astype(int).clip(1, 20).tolist()
        level = float(rng.choice([rng.uniform(0, 60), rng.uniform(190, 255)]))
        cv2.ellipse(out, at, axes, float(rng.uniform(0, 180)), 0, 360, level, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(out, (0, 0), 0.5).astype(np.float32)


def coarse(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """A sensor of 190 to 380 ppi, or a file that was made smaller: details are gone."""
    factor = rng.uniform(1.3, 2.6)
    small = [max(8, round(s / factor)) for s in image.shape[::-1]]
    how = cv2.INTER_AREA if rng.random() < 0.6 else cv2.INTER_LINEAR
    back = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
    out = cv2.resize(image, small, interpolation=how)
    return cv2.resize(out, image.shape[::-1], interpolation=back).astype(np.float32)


def photographed(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """No contact: light from one side, weak and uneven ridges, out of focus, skin texture."""
    mean = cv2.GaussianBlur(image, (0, 0), 15)
    relief = cv2.GaussianBlur(image - mean, (0, 0), rng.uniform(0.7, 1.8))
    texture = smooth_field(rng, image.shape, 60) * rng.uniform(1, 6)
    shade = rng.uniform(10, 35) * smooth_field(rng, image.shape, 3)
    even = np.clip(0.6 + 0.35 * smooth_field(rng, image.shape, 5), 0.1, 1.2)
    return (rng.uniform(90, 180) + shade + rng.uniform(0.25, 0.7) * even * relief + texture).astype(
        np.float32
    )


def striped(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """Rows or columns of different gain; lines of a swept sensor that do not meet."""
    h, w = image.shape
    gain = rng.normal(0, rng.uniform(1, 6), max(h, w)).astype(np.float32)
    out = image + (gain[:h, None] if rng.random() < 0.3 else gain[:w])
    if rng.random() < 0.5:
        for start in rng.integers(0, h, int(rng.integers(1, 12))):
            rows = slice(start, start + int(rng.integers(6, 16)))
            out[rows] = np.roll(out[rows], int(rng.integers(-2, 3)), axis=1)
    return out.astype(np.float32)


def levels(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """Few gray levels, or a hard tone curve that clips both ends."""
    if rng.random() < 0.5:
        step = 255 / int(rng.integers(3, 24))
        return (np.round(image / step) * step).astype(np.float32)
    low, high = np.quantile(image, [rng.uniform(0.02, 0.3), rng.uniform(0.7, 0.98)])
    return np.clip(255 * (image - low) / max(high - low, 8), 0, 255).astype(np.float32)


def compressed(image: Gray, _: Scene, rng: np.random.Generator) -> Gray:
    """JPEG of poor quality."""
    data = np.clip(image, 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 70))]
    return cv2.imdecode(cv2.imencode(".jpg", data, quality)[1], 0).astype(np.float32)


def beside(image: Gray, scene: Scene, rng: np.random.Generator) -> Gray:
    """Another background round the finger: black, gray, white, shaded, with texture."""
    soft = cv2.GaussianBlur(scene.finger, (0, 0), rng.uniform(1, 8))
    level = rng.uniform(0, 255) + rng.uniform(0, 25) * smooth_field(rng, image.shape, 4)
    if rng.random() < 0.5:
        grain = rng.normal(0, rng.uniform(2, 25), image.shape).astype(np.float32)
        level = level + cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.5, 2.5))
    return (image * soft + (1 - soft) * level).astype(np.float32)


FAULTS: tuple[tuple[float, Callable[[Gray, Scene, np.random.Generator], Gray]], ...] = (
    (0.16, over_inked),
    (0.14, faint),
    (0.14, beaded),
    (0.08, smudged),
    (0.14, residue),
    (0.08, beside),
    (0.08, card),
    (0.08, creased),
    (0.08, dirty),
    (0.08, photographed),
    (0.14, coarse),
    (0.06, striped),
    (0.08, levels),
    (0.08, compressed),
)
"""How often each befalls a crop, in the order in which they befall it: skin and ink, then what
lies on the platen or the card, then the sensor, then the file."""


def spoil(image: Gray, scene: Scene, rng: np.random.Generator) -> Gray:
    """Some of the faults, drawn at random: none on 1 crop in 4, 1.4 on average."""
    for often, fault in FAULTS:
        if rng.random() < often:
            image = fault(image, scene, rng)
    return np.clip(image, -50, 305).astype(np.float32)
