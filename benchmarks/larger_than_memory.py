"""Open a gallery that `make` made, search it, and say what memory that took.

    python benchmarks/larger_than_memory.py make FOLDER --fingers 1000000 [--cache DIR]
    python benchmarks/larger_than_memory.py search FOLDER [--probes 20]

Run ``search`` with less memory than the gallery has bytes, for instance as root in a control group
(``memory.limit_in_bytes`` of version 1, ``memory.max`` of version 2), and compare ``digest`` with
that of a run without a limit. docs/indexing.md has the figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import time
from pathlib import Path

import numpy as np

from fpmatch.bench.gallery import build_index, probe_set
from fpmatch.bench.measure import quantiles
from fpmatch.bench.opening import PARTITION, make_gallery
from fpmatch.search import Engine


def make(folder: Path, fingers: int, cache: Path | None) -> None:
    """A gallery of synthetic fingers."""
    index = folder.with_suffix(".index")
    build_index(index, fingers, probe_set((), synthetic=200), cache=cache).close()
    make_gallery(folder, index, fingers)
    Engine.open(folder, "rw").close()


def search(folder: Path, probes: int) -> dict[str, object]:
    """Times, memory and a digest of all answers."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    stored = sum(p.stat().st_size for p in files) / 2**20
    for path in files:
        _forget(path)
    before = _memory()
    start = time.perf_counter()
    engine = Engine.open(folder)
    opened = time.perf_counter() - start
    index = engine._state.indexes[PARTITION]
    answers = hashlib.sha256()
    own = probe_set((), synthetic=200)
    times = []
    for probe in own.probes[:probes]:
        assert probe is not None
        start = time.perf_counter()
        found = index.shortlist(probe)
        scores = index.verify(probe, found.row_ids)
        times.append(1e3 * (time.perf_counter() - start))
        answers.update(found.row_ids.tobytes() + np.ascontiguousarray(scores).tobytes())
    after = _memory()
    engine.close()
    return {
        "gallery_mb": stored,
        "limit_mb": _limit(),
        "open_ms": 1e3 * opened,
        "search_ms_median": quantiles(times).median,
        "search_ms_worst": max(times),
        "anonymous_mb": after["RssAnon"],
        "anonymous_before_mb": before["RssAnon"],
        "mapped_mb": after["RssFile"],
        "major_faults": resource.getrusage(resource.RUSAGE_SELF).ru_majflt,
        "digest": answers.hexdigest()[:16],
    }


def _forget(path: Path) -> None:
    """Have the system drop a file's pages, so that they are read, and charged, anew."""
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


def _memory() -> dict[str, float]:
    lines = Path("/proc/self/status").read_text().splitlines()
    found = (line.split() for line in lines if line.startswith("Rss"))
    return {name.rstrip(":"): int(kilobytes) / 1024 for name, kilobytes, _ in found}


def _limit() -> float | None:
    """Of the control group that this process is in, MiB."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, at = line.split(":", 2)
        place = Path("/sys/fs/cgroup") / ("memory" if kinds == "memory" else "") / at.lstrip("/")
        for name in ("memory.limit_in_bytes", "memory.max"):
            path = place / name
            text = path.read_text().strip() if path.exists() else ""
            # Version 1 says "none" by a number that no machine has.
            if text.isdigit() and int(text) < 2**60:
                return int(text) / 2**20
    return None


def main() -> None:
    """The two commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("make", "search"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fingers", type=int, default=1_000_000)
    parser.add_argument("--probes", type=int, default=20)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    if given.what == "make":
        make(given.folder, given.fingers, given.cache)
    else:
        print(json.dumps(search(given.folder, given.probes), indent=1))


if __name__ == "__main__":
    main()
