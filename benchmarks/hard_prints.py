"""The prints of `benchmarks.bending`: as they are, spoilt, and of skin that moved.

Real skin is moved by smooth random fields of growing strength (`SKIN`): what two displacements
differ by over a distance, and not how far all of it moves, is what a matcher has to bear.

Templates are kept in a folder, one file each, as long as that exists: delete them when an
extractor changes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

import fpmatch as fp
from fpmatch.errors import ExtractionError
from fpmatch.synthetic import impression, master
from fpmatch.template import Template
from training.faults import Scene, spoil
from training.left_out import PEOPLE

SPOILT_SEED = 73
SPOILT_TIMES = 2
"""How often faults are drawn for one print: 2.8 of them on average."""
SYNTHETIC_SEED = 900_000
"""First master; no network was trained on these."""
SYNTHETIC_FINGERS = 120
SYNTHETIC_SENSORS = ("optical", "capacitive", "ink", "optical")
SYNTHETIC_DISTORTION = 1.5
"""The most that the generator can: beyond it skin would fold."""

SKIN_SEED = 31
SKIN = (8.0, 16.0)
"""How far skin moves, pixels at 500 ppi: the standard deviation of either displacement."""
SKIN_REACH = 60.0
"""Standard deviation of the Gaussian that the fields are smoothed by: at 16 pixels neighbouring
skin is stretched, pressed and sheared by a fifth (one standard deviation)."""
SKIN_GRID = 8
"""Pixels."""

Images = Iterator[tuple[str, fp.FingerImage]]


def _files(data: Path) -> list[tuple[str, Path, float]]:
    folders = json.loads((data / "ppi.json").read_text())
    return [
        (f"{folder}/{path.stem}", path, ppi)
        for folder, ppi in folders.items()
        for path in sorted((data / folder).glob("*.[tp][in][fg]"))
    ]


def _unit(name: str) -> str:
    folder = name.rsplit("/", 1)[0]
    return PEOPLE.get(folder, folder)


def as_they_are(data: Path) -> Images:
    """The nine development sets."""
    for name, path, ppi in _files(data):
        yield name, fp.read_image(path, ppi=ppi)


def spoilt(data: Path) -> Images:
    """The same prints with faults of `training.faults`, drawn by the print's number."""
    files = _files(data)
    for k, (name, path, ppi) in enumerate(files):
        gray = fp.read_image(path, ppi=ppi).pixels.astype(np.float32)
        rng = np.random.default_rng([SPOILT_SEED, k])
        # What an earlier finger left is of another set, and so of no one that it is compared with.
        others = [other for other in files if _unit(other[0]) != _unit(name)]
        _, at, its_ppi = others[rng.integers(len(others))]
        residue = _ridges(fp.read_image(at, ppi=its_ppi).pixels, gray.shape)
        h, w = gray.shape
        # The faults are made for squares.
        more = (0, max(0, w - h), 0, max(0, h - w))
        planes = [
            cv2.copyMakeBorder(plane, *more, cv2.BORDER_REPLICATE)
            for plane in (gray, _finger(gray), residue)
        ]
        gray = planes[0]
        for _ in range(SPOILT_TIMES):
            gray = spoil(gray, Scene(*planes[1:]), rng)
        yield name, fp.FingerImage(np.clip(np.rint(gray[:h, :w]), 0, 255).astype(np.uint8))


def _finger(gray: np.ndarray) -> np.ndarray:
    """Where there is contrast."""
    power = cv2.blur((gray - cv2.blur(gray, (17, 17))) ** 2, (33, 33))
    most = np.sqrt(np.percentile(power, 95))
    finger = (np.sqrt(np.maximum(power, 0)) > 0.2 * most).astype(np.float32)
    return cv2.morphologyEx(finger, cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8))


def _ridges(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Another print at this size, local mean removed and divided by the local deviation."""
    piece = cv2.resize(pixels, shape[::-1]).astype(np.float32)
    piece -= cv2.blur(piece, (33, 33))
    return piece / (np.sqrt(np.maximum(cv2.blur(piece * piece, (33, 33)), 0)) + 10)


def moved_skin(_: Path) -> Images:
    """Synthetic prints with the strongest distortion."""
    for finger in range(SYNTHETIC_SEED, SYNTHETIC_SEED + SYNTHETIC_FINGERS):
        grown = master(finger)
        for k, sensor in enumerate(SYNTHETIC_SENSORS):
            made = impression(grown, k, sensor=sensor, distortion=SYNTHETIC_DISTORTION)
            yield f"bent/{finger}_{k}", made.image


def warped(strength: float, data: Path) -> Images:
    """The nine development sets, every print's skin moved by a field drawn by its number."""
    for k, (name, path, ppi) in enumerate(_files(data)):
        pixels = fp.read_image(path, ppi=ppi).pixels
        rng = np.random.default_rng([SKIN_SEED, k])
        h, w = pixels.shape
        fields = [_field((h, w), strength, rng) for _ in range(2)]
        y, x = np.mgrid[:h, :w].astype(np.float32)
        border = int(
            np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]))
        )
        moved = cv2.remap(pixels, x + fields[0], y + fields[1], cv2.INTER_CUBIC, borderValue=border)
        yield name, fp.FingerImage(moved)


def _field(shape: tuple[int, int], strength: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field of this standard deviation, made on a grid of `SKIN_GRID` pixels."""
    reach = SKIN_REACH / SKIN_GRID
    rim = round(2 * reach)
    h, w = (-(-side // SKIN_GRID) for side in shape)
    field = rng.normal(size=(h + 2 * rim, w + 2 * rim)).astype(np.float32)
    field = cv2.GaussianBlur(field, (0, 0), reach) * np.float32(
        strength * 2 * np.sqrt(np.pi) * reach
    )
    return cv2.resize(
        field[rim : rim + h, rim : rim + w], shape[::-1], interpolation=cv2.INTER_CUBIC
    )


KINDS: dict[str, Callable[[Path], Images]] = {
    "base": as_they_are,
    "spoilt": spoilt,
    "synth": moved_skin,
    **{f"skin{strength:g}": functools.partial(warped, strength) for strength in SKIN},
}


def templates(kind: str, data: Path, extractor: str, cache: Path) -> dict[str, Template]:
    """Templates by ``set/finger_impression``; what cannot be extracted is said and left out.

    `kind` is one of `KINDS`.
    """
    kept = cache / f"{kind}_{extractor}.npz"
    if kept.exists():
        with np.load(kept) as stored:
            return {name: Template.from_bytes(stored[name].tobytes()) for name in stored.files}
    made = {}
    for name, image in KINDS[kind](data):
        try:
            made[name] = fp.extract(image, extractor=extractor)
        except ExtractionError as error:
            print(f"{kind}, {extractor}: {name}: {error}")
    cache.mkdir(parents=True, exist_ok=True)
    np.savez(kept, **{k: np.frombuffer(t.to_bytes(), np.uint8) for k, t in made.items()})
    return made
