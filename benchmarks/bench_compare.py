"""Comparison, warm, on one thread: fpmatch beside nbis-py (Bozorth3) in the same run.

    python -m pytest benchmarks/bench_compare.py --benchmark-enable -q

Uses FVC2002 DB1-B where FPMATCH_DATA has it, else the bundled synthetic prints. Non-mated pairs:
every print against the first impressions of the other fingers. CPU times; the ratio is printed.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from pathlib import Path

import numpy as np
import pytest

import fpmatch as fp
from fpmatch.descriptor import encode, pack
from fpmatch.errors import ExtractionError
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


def least_us(form, gallery, count: int) -> float:
    """Least CPU time of five passes over so many rows, microseconds a comparison."""
    rows = np.resize(np.arange(len(gallery)), count)
    compare_many(form, gallery, rows)
    times = []
    for _ in range(5):
        start = time.thread_time()
        compare_many(form, gallery, rows)
        times.append(time.thread_time() - start)
    return 1e6 * min(times) / count


def non_mated_us(forms) -> float:
    """Median over the probes of the least CPU time of five passes, microseconds a comparison."""
    out = []
    for k, form in enumerate(forms):
        out.append(least_us(form, pack([forms[j] for j in others(k, len(forms))]), 500))
    return statistics.median(out)


SIZES = ((10, 40), (20, 20), (20, 40), (40, 40), (40, 60), (60, 60), (64, 64))
"""Minutiae of the probe and of the rows."""


def central(template: fp.Template, wanted: int) -> fp.Template:
    """The minutiae in the middle of a print."""
    xy = template.xy.astype(np.int64)
    far = ((xy - np.median(xy, axis=0)) ** 2).sum(axis=1)
    keep = np.sort(np.argsort(far, kind="stable")[:wanted])
    columns = {name: getattr(template, name)[keep] for name in ("xy", "angle", "kind", "quality")}
    return dataclasses.replace(template, **columns)


def large_prints() -> dict[str, fp.Template]:
    """Templates of the learned extractor, by finger and impression; the bundled prints at least."""
    data = Path(os.environ.get("FPMATCH_DATA", ROOT / ".." / "shared" / "data")).resolve()
    found = []
    for folder in ("fvc2002/DB1_B", "fvc2000/DB1_B", "sd4"):
        found += sorted((data / folder).glob("*.[tp][in][fg]"))[:120]
    made = {}
    for path in found or paths():
        try:
            made[f"{path.parent}/{path.stem}"] = fp.extract(
                fp.read_image(path, ppi=500), extractor="neural"
            )
        except ExtractionError:
            continue
    return made


def test_compare_by_size(capsys):
    """Non-mated comparisons of prints of so many minutiae: 5 passes of 400, least CPU time."""
    prints = large_prints()
    owners = [name.rsplit("_", 1)[0] for name in prints]
    with capsys.disabled():
        print("\nminutiae of the probe, of the rows; us a comparison, median of 40 probes")
        for mine, theirs in SIZES:
            sides = [[encode(central(t, n)) for t in prints.values()] for n in (mine, theirs)]
            there = [[k for k, f in enumerate(side) if len(f) == n] for side, n in
                     zip(sides, (mine, theirs), strict=True)]  # fmt: skip
            out = []
            for k in there[0][:40]:
                rest = [sides[1][j] for j in there[1] if owners[j] != owners[k]]
                if rest:
                    out.append(least_us(sides[0][k], pack(rest), 400))
            print(f"{mine:4} {theirs:4}  " + (f"{statistics.median(out):.1f}" if out else "none"))


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
