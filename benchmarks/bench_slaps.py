"""Fingers cut from synthetic slaps: how many are right, refused, and come first in a search.

    python benchmarks/bench_slaps.py [--hands 12] [--seed 5000] [--picture FILE]

Every hand is four made-up fingers, right and left hands in turn. A finger is right where the cut
has its position and shares over 70 % of what its box and the true one cover. Each is compared with
another impression, captured by itself, of every finger of every hand; positions are not looked at.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import cv2
import numpy as np

import fpmatch as fp
from fpmatch.errors import ExtractionError
from fpmatch.finger import SLAPS
from fpmatch.image import FingerImage, draw_cuts
from fpmatch.synthetic import Print, impression, master, slap

WAYS: dict[str, dict] = {
    "upright, 40 pixels apart": {},
    "tilted 20 degrees": {"tilt": 20},
    "tilted 45 degrees": {"tilt": 45},
    "tilted -45 degrees": {"tilt": -45},
    "10 pixels apart": {"gap": 10},
    "touching": {"gap": 0, "fan": 0.02},
    "touching, tilted -30 degrees": {"gap": 0, "tilt": -30},
    "10 pixels over each other": {"gap": -10, "fan": 0.02},
    "20 pixels over each other": {"gap": -20, "fan": 0.02},
    "spread (9 degrees between two)": {"fan": 0.16},
    "fingertips only": {"phalanges": False},
    "fingertips only, touching, 30 degrees": {"phalanges": False, "gap": 0, "tilt": 30},
    "noise of 20 gray levels": {"noise": 20.0},
    "index missing, stated": {"missing": (0,), "stated": True},
    "ring missing, stated": {"missing": (2,), "stated": True},
    "two missing, stated": {"missing": (0, 3), "stated": True},
    "ring missing, not stated": {"missing": (2,)},
    "none missing, ring stated missing": {"stated": (2,)},
    "stated as the other hand": {"other": True},
}


def overlap(cut: tuple, truth: tuple) -> float:
    masks = []
    for corners in (cut, truth):
        mask = np.zeros((2000, 2000), np.uint8)
        cv2.fillConvexPoly(mask, np.rint(np.array(corners) / 2 + 100).astype(np.int32), 1)
        masks.append(mask > 0)
    return float((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


def lay(prints: list[Print], code: int, how: dict):
    """The slap, which fingers it shows and which are stated to be missing."""
    how = dict(how)
    absent, stated = how.pop("missing", ()), how.pop("stated", ())
    other = how.pop("other", False)
    how["tilt"] = math.radians(how.get("tilt", 0))
    # By the kind of finger: index, middle, ring, little.
    named = {finger: prints[(int(finger) - 2) % 5] for finger in SLAPS[code]}
    gone = [f for f in SLAPS[code] if (int(f) - 2) % 5 in absent]
    made = slap({f: p for f, p in named.items() if f not in gone}, code, **how)
    told = gone if stated is True else [f for f in SLAPS[code] if (int(f) - 2) % 5 in stated]
    return made, told, 27 - code if other else code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hands", type=int, default=12)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--seed", type=int, default=5000)
    parser.add_argument("--extractor", default="neural")
    asked = parser.parse_args()
    fingers = [master(asked.seed + n) for n in range(4 * asked.hands)]
    laid = [impression(one, 1, rotation=0.0) for one in fingers]
    if asked.picture is not None:
        draw(laid, asked.picture)
    singles = [
        fp.extract(FingerImage(impression(one, 2).pixels), extractor=asked.extractor)
        for one in fingers
    ]
    print("| slaps | hands | hands cut | fingers right | fingers wrong | found first | ms |")
    print("|---|---|---|---|---|---|---|")
    for name, how in WAYS.items():
        cut_hands = right = wrong = first = there = 0
        took = []
        for n in range(asked.hands):
            code = (13, 14)[n % 2]
            made, told, stated = lay(laid[4 * n : 4 * n + 4], code, how)
            there += len(made.fingers)
            start = time.thread_time()
            try:
                cuts = fp.segment_slap(FingerImage(made.pixels), stated, missing=told)
            except ExtractionError:
                cuts = ()
            took.append(time.thread_time() - start)
            cut_hands += bool(cuts)
            truth = {one.position: one.corners for one in made.fingers}
            for one in cuts:
                good = one.position in truth and overlap(one.corners, truth[one.position]) > 0.7
                right, wrong = right + good, wrong + (not good)
                mate = 4 * n + (int(one.position) - 2) % 5
                try:
                    probe = fp.extract(one.image, extractor=asked.extractor)
                except ExtractionError:
                    continue
                scores = [fp.compare(probe, other).value for other in singles]
                first += int(np.argmax(scores) == mate)
        print(
            f"| {name} | {asked.hands} | {cut_hands} | {right} of {there} | {wrong} | "
            f"{first} of {right + wrong} | {1e3 * float(np.median(took)):.0f} |",
            flush=True,
        )


def draw(laid: list[Print], path: Path) -> None:
    """Three slaps with their cuts, side by side."""
    from PIL import Image

    shown = []
    for n, how in enumerate(
        ({}, {"tilt": -25, "gap": 0}, {"missing": (2,), "stated": True, "tilt": 15})
    ):
        made, told, code = lay(laid[4 * n : 4 * n + 4], (13, 14, 13)[n], how)
        image = FingerImage(made.pixels)
        drawn = draw_cuts(image, fp.segment_slap(image, code, missing=told))
        scale = 420 / drawn.shape[0]
        shown.append(cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    white = np.full((420, 16, 3), 255, np.uint8)
    whole = np.hstack([shown[0], white, shown[1], white, shown[2]])
    Image.fromarray(whole).quantize(96, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)


if __name__ == "__main__":
    main()
