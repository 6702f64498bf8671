"""Comparison, warm, on one thread: fpmatch beside nbis-py (Bozorth3) in the same run.

    python -m pytest benchmarks/bench_compare.py --benchmark-enable -q

Uses FVC2002 DB1-B where FPMATCH_DATA has it, else the bundled synthetic prints. Non-mated pairs:
every print against the first impressions of the other fingers. CPU times; the ratio is printed.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import numpy as np
import pytest

import fpmatch as fp
from fpmatch.descriptor import encode, pack
from fpmatch.evaluate.nbis_matcher import Nbis
from fpmatch.matcher import compare, compare_many

ROOT = Path(__file__).resolve().parent.parent


def paths() -> list[Path]:
    data = Path(os.environ.get("FPMATCH_DATA", ROOT / ".." / "shared" / "data")).resolve()
    found = sorted((data / "fvc2002" / "DB1_B").glob("*_[12].tif"))
    return found or sorted((ROOT / "data" / "synthetic" / "optical").glob("*.png"))[:20]


@pytest.fixture(scope="module")
def images():
    return [fp.read_image(path, ppi=500) for path in paths()]


@pytest.fixture(scope="module")
def templates(images):
    return [fp.extract(image) for image in images]


@pytest.fixture(scope="module")
def forms(templates):
    return [encode(template) for template in templates]


def finger(k: int) -> str:
    return paths()[k].stem.rsplit("_", 1)[0]


def others(k: int, n: int) -> list[int]:
    return [j for j in range(n) if finger(j) != finger(k)]


@pytest.mark.benchmark(timer=time.thread_time)
def test_encode(benchmark, templates):
    """Template to search form."""
    benchmark(encode, templates[0])


@pytest.mark.benchmark(timer=time.thread_time)
def test_compare_mated(benchmark, forms):
    """Two impressions of one finger, with pairs and calibration."""
    benchmark(compare, forms[0], forms[1])


@pytest.mark.benchmark(timer=time.thread_time)
def test_compare_thousand_non_mated(benchmark, forms):
    """One search form against 1000 rows: a thousandth of the time is one comparison."""
    gallery = pack([forms[j] for j in others(0, len(forms))])
    rows = np.resize(np.arange(len(gallery)), 1000)
    benchmark(compare_many, forms[0], gallery, rows)


def non_mated_us(forms) -> float:
    """Median over the probes of the least CPU time of five passes, microseconds a comparison."""
    out = []
    for k, form in enumerate(forms):
        gallery = pack([forms[j] for j in others(k, len(forms))])
        rows = np.resize(np.arange(len(gallery)), 500)
        compare_many(form, gallery, rows)
        times = []
        for _ in range(5):
            start = time.thread_time()
            compare_many(form, gallery, rows)
            times.append(time.thread_time() - start)
        out.append(1e6 * min(times) / len(rows))
    return statistics.median(out)


def bozorth_us(images) -> float:
    """The same for Bozorth3 on MINDTCT's minutiae, as nbis-py wraps it."""
    pytest.importorskip("nbis")
    peer = Nbis()
    sets = [peer.minutiae(image.pixels) for image in images]
    out = []
    for k, probe in enumerate(sets):
        rest = [sets[j] for j in others(k, len(sets))]
        start = time.thread_time()
        for other in rest:
            probe.compare(other)
        out.append(1e6 * (time.thread_time() - start) / len(rest))
    return statistics.median(out)


def test_compare_beside_nbis(images, forms, capsys):
    """Non-mated comparison beside Bozorth3 on the same prints in the same run."""
    theirs = bozorth_us(images)
    ours = non_mated_us(forms)
    minutiae = statistics.mean(len(form) for form in forms)
    size = statistics.median(form.nbytes for form in forms)
    with capsys.disabled():
        print(
            f"\ncompare non-mated, {minutiae:.0f} minutiae, one thread, warm, CPU us: fpmatch "
            f"{ours:.1f}, nbis-py {theirs:.0f}, ratio {ours / theirs:.4f}; search form {size} bytes"
        )
    assert ours < theirs
