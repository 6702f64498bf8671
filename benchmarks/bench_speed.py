"""Extraction and comparison under pytest-benchmark, on the committed synthetic prints.

pytest benchmarks/bench_speed.py --benchmark-enable
"""

from __future__ import annotations

import pytest


@pytest.mark.benchmark(group="extract")
def test_extract_one_print(benchmark, prints, one_thread):
    import fpmatch as fp

    images = [fp.read_image(str(p), ppi=500) for p in prints[:10]]
    for image in images:
        fp.extract(image)
    state = iter(range(10**9))
    benchmark(lambda: fp.extract(images[next(state) % len(images)]))


@pytest.mark.benchmark(group="read")
def test_read_one_png(benchmark, prints):
    import fpmatch as fp

    data = prints[0].read_bytes()
    benchmark(lambda: fp.read_image(data, ppi=500))


@pytest.mark.benchmark(group="compare")
@pytest.mark.parametrize("kind", ["mated", "nonmated"])
def test_compare_a_thousand(benchmark, prints, one_thread, kind):
    import numpy as np

    import fpmatch as fp
    from fpmatch.descriptor import encode, pack
    from fpmatch.matcher import compare_many

    chosen = [p for p in prints if p.stem.split("_")[0] in ("1", "2", "3")]
    forms = [encode(fp.extract(fp.read_image(str(p), ppi=500))) for p in chosen]
    finger = [p.stem.split("_")[0] for p in chosen]
    mates = [i for i in range(1, len(forms)) if (finger[i] == finger[0]) == (kind == "mated")]
    rows = np.resize(np.array(mates, np.int64), 1000)
    packed = pack(forms)
    compare_many(forms[0], packed, rows)
    benchmark(lambda: compare_many(forms[0], packed, rows))


@pytest.mark.benchmark(group="start")
def test_import_fpmatch(benchmark):
    import subprocess
    import sys

    command = [sys.executable, "-c", "import fpmatch"]
    benchmark.pedantic(lambda: subprocess.run(command, check=True), rounds=5, warmup_rounds=1)
