"""Decoding in a process of its own beside decoding in this one: ratio of elapsed times, one run.

    python benchmarks/bench_isolated.py [--rounds 20]

The same pictures by turns; elapsed, not CPU, for two processes share the work. Real files where
FPMATCH_DATA has them. The look through a WSQ file before its decoder sees it is CPU time, as a
share of the decoding that follows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import fuzz_pictures  # noqa: E402
from PIL import Image  # noqa: E402

from fpmatch.image import wsq_check  # noqa: E402
from fpmatch.image.decode import decode  # noqa: E402
from fpmatch.image.isolated import IsolatedDecoder  # noqa: E402


def pictures() -> dict[str, list[bytes]]:
    """Of each format the real ones, else one of our own of 500 x 500 pixels."""
    folder = Path(os.environ.get("FPMATCH_DATA", ROOT / ".." / "shared" / "data"))
    found = {
        "PNG 512x512": sorted((folder / "sd4").glob("*.png"))[:10],
        "TIFF 388x374": sorted((folder / "fvc2002" / "DB1_B").glob("*.tif"))[:10],
        "WSQ 300 to 500": sorted((folder / "formats/fir/imagedecoder").glob("*.wsq"))[:10],
        "JPEG 2000": sorted((folder / "formats/fir/imagedecoder").glob("*.jp2")),
    }
    out = {name: [path.read_bytes() for path in paths] for name, paths in found.items() if paths}
    own = Image.fromarray(np.kron(fuzz_pictures._ridges(50, 50), np.ones((10, 10), np.uint8)))
    return out | {"JPEG 500x500": [fuzz_pictures._saved(own, "JPEG")]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    apart = IsolatedDecoder()
    start = time.perf_counter()
    everything = pictures()
    apart.decode(everything["JPEG 500x500"][0])
    print(f"the first picture, with the start of the process: {time.perf_counter() - start:.2f} s")
    for name, files in everything.items():
        direct: list[float] = []
        isolated: list[float] = []
        for _ in range(rounds):
            for data in files:
                for times, way in ((direct, decode), (isolated, apart.decode)):
                    start = time.perf_counter()
                    way(data)
                    times.append(1e3 * (time.perf_counter() - start))
        middle, other = statistics.median(direct), statistics.median(isolated)
        print(
            f"{name:16} {len(files):3} files x {rounds}: direct {middle:6.2f} ms, apart "
            f"{other:6.2f} ms, ratio {other / middle:5.2f}, {other - middle:5.2f} ms more; least "
            f"{min(direct):.2f} and {min(isolated):.2f}"
        )
    apart.close()
    looked, whole = 0.0, 0.0
    for data in everything.get("WSQ 300 to 500", fuzz_pictures.seeds("WSQ")):
        for _ in range(rounds):
            start = time.thread_time()
            wsq_check.check_wsq(data, 10**8)
            between = time.thread_time()
            decode(data)
            looked += between - start
            whole += time.thread_time() - between
    print(f"WSQ looked through first: {100 * looked / (whole - looked):.0f} % of its decoding")


if __name__ == "__main__":
    main()
