"""Extraction, warm, on one thread: fpmatch beside nbis-py in the same run.

    python -m pytest benchmarks/bench_extract.py --benchmark-enable -q

Uses FVC2002 DB1-B (388x374) where FPMATCH_DATA has it, else the bundled synthetic prints. The
ratio is printed: CPU time of fpmatch over CPU time of nbis-py, median of the same images.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import cv2
import pytest

from fpmatch.evaluate.nbis_matcher import Nbis
from fpmatch.image import FingerImage, read_image
from fpmatch.minutiae import extract_minutiae

ROOT = Path(__file__).resolve().parent.parent
COUNT = 10


def images() -> list[FingerImage]:
    data = Path(os.environ.get("FPMATCH_DATA", ROOT / ".." / "shared" / "data")).resolve()
    paths = sorted((data / "fvc2002" / "DB1_B").glob("*_1.tif"))[:COUNT]
    paths = paths or sorted((ROOT / "data" / "synthetic" / "optical").glob("*.png"))[:COUNT]
    return [read_image(p, ppi=500) for p in paths]


@pytest.fixture(scope="module")
def prints():
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    out = images()
    extract_minutiae(out[0])
    yield out
    cv2.setNumThreads(threads)


def cpu_ms(call, items) -> float:
    """Median over the items of the least CPU time of three calls, milliseconds."""
    out = []
    for item in items:
        times = []
        for _ in range(3):
            start = time.thread_time()
            call(item)
            times.append(time.thread_time() - start)
        out.append(1e3 * min(times))
    return statistics.median(out)


@pytest.mark.benchmark(timer=time.thread_time)
def test_extract_one_thread(benchmark, prints):
    """One 388x374 print, whole path from pixels to minutiae; CPU time of the calling thread."""
    benchmark(extract_minutiae, prints[0])


def test_extract_beside_nbis(prints, capsys):
    """CPU time beside MINDTCT on the same images in the same run."""
    pytest.importorskip("nbis")
    peer = Nbis()
    peer.minutiae(prints[0].pixels)
    ours = cpu_ms(extract_minutiae, prints)
    theirs = cpu_ms(lambda image: peer.minutiae(image.pixels), prints)
    height, width = prints[0].pixels.shape
    with capsys.disabled():
        print(
            f"\nextract {width}x{height}, one thread, warm, CPU ms: fpmatch {ours:.1f}, "
            f"nbis-py {theirs:.1f} (with its PNG, written and read), ratio {ours / theirs:.2f}"
        )
    assert ours < 120
