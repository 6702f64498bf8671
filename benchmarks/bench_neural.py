"""Extraction time: learned, classical, and the teacher network, in one run on one thread.

    python benchmarks/bench_neural.py --leader LEADER.onnx --ppi 500 IMAGE [IMAGE ...]

CPU time of one thread, median over the images after a warm-up, interleaved so that a change of the
machine's speed hits all alike. Without --leader the teacher is left out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from fpmatch import FingerImage, read_image
from fpmatch.minutiae import extract_minutiae

TEACHER_MULTIPLE = 32


def teacher(path: Path) -> Callable[[FingerImage], None]:
    """The forward pass alone: its post-processing is cheap beside it."""
    net = cv2.dnn.readNetFromONNX(str(path))

    def run(image: FingerImage) -> None:
        pad = [(0, -n % TEACHER_MULTIPLE) for n in image.pixels.shape]
        net.setInput(np.pad(image.pixels, pad, mode="edge").astype(np.float32)[None, :, :, None])
        net.forward()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leader", type=Path)
    parser.add_argument("--ppi", type=float, default=500)
    parser.add_argument("images", type=Path, nargs="+")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    images = [read_image(path, ppi=args.ppi) for path in args.images]
    runs: dict[str, Callable[[FingerImage], object]] = {
        "neural": lambda image: extract_minutiae(image, extractor="neural"),
        "neural-large": lambda image: extract_minutiae(image, extractor="neural-large"),
        "classical": lambda image: extract_minutiae(image, extractor="classical"),
    }
    if args.leader:
        runs["LEADER.onnx"] = teacher(args.leader)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn, image in enumerate([images[0], *images]):
        for name, run in runs.items():
            start = time.thread_time()
            run(image)
            if turn:  # the first turn compiles and loads
                times[name].append(1e3 * (time.thread_time() - start))
    classical = statistics.median(times["classical"])
    height, width = images[0].pixels.shape
    print(f"{len(images)} images, the first {width}x{height}; one thread, warm, CPU ms")
    for name, values in times.items():
        middle = statistics.median(values)
        print(
            f"{name:12} median {middle:7.1f}  min {min(values):7.1f}  "
            f"ratio to classical {middle / classical:6.2f}"
        )


if __name__ == "__main__":
    main()
