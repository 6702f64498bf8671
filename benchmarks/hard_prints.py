"""The prints of `benchmarks.matcher_change`: as they are, spoilt, and of skin that moved.

Templates are kept in a folder, one file each, as long as that exists: delete them when an
extractor changes.
"""

from __future__ import annotations

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


KINDS: dict[str, Callable[[Path], Images]] = {
    "base": as_they_are,
    "spoilt": spoilt,
    "synth": moved_skin,
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
