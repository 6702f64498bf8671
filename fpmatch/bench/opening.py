"""Opening a whole gallery folder: system of record, log and index."""

from __future__ import annotations

import shutil
import time
from itertools import islice
from pathlib import Path
from typing import Any

from fpmatch.bench.measure import quantiles
from fpmatch.gallery import Gallery
from fpmatch.gallery.gallery import ROW_BITS
from fpmatch.search import Engine

PARTITION = "background"
_BATCH = 10_000
_TEMPLATE = bytes(300)
"""In place of a template: opening reads none."""


def make_gallery(folder: Path, index: Path, fingers: int) -> None:
    """A gallery of records of one finger each, around an index that holds rows 0, 1, ...

    The tables are filled directly, which takes seconds where enrolment takes minutes a million.
    Digests are left empty: nothing here asks for the partition's root.

    Parameters
    ----------
    folder : path
        To be made.
    index : path
        Folder of an index of rows 0 to fingers - 1; moved into the gallery.
    fingers : int
        Records; rows of the index.
    """
    with Engine.create(folder, durability="off") as engine:
        engine.add_partition(PARTITION, 1, "synthetic", expected_fingers=fingers)
    shutil.rmtree(folder / "index" / PARTITION)
    shutil.move(index, folder / "index" / PARTITION)
    gallery = Gallery.open(folder, "rw", durability="off")
    key = gallery.key_of(PARTITION)
    rows = iter(range(fingers))
    while some := list(islice(rows, _BATCH)):
        _fill(gallery, key, some)
    gallery.scrub()
    gallery.close()


def _fill(gallery: Gallery, key: int, rows: list[int]) -> None:
    first = key << ROW_BITS
    tables: dict[str, list[tuple[object, ...]]] = {
        "record": [(r + 1, key, f"R-{r:08d}", f"R-{r:08d}", "", 0, 0, "[]", b"") for r in rows],
        "event": [(r + 1, r + 1, "") for r in rows],
        "template": [(r + 1, _TEMPLATE) for r in rows],
        "finger": [(first + r, r + 1, 0, r + 1, r.to_bytes(32, "little")) for r in rows],
        "held": [(r + 1, first + r) for r in rows],
    }
    with gallery.transaction() as database:
        for table, values in tables.items():
            marks = ", ".join("?" * len(values[0]))
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
        database.execute("UPDATE partition SET next_row = ? WHERE id = ?", (rows[-1] + 1, key))


def time_openings(folder: Path, repeats: int = 5) -> dict[str, Any]:
    """Milliseconds of `Engine.open`: the first for writing, then for reading and for writing."""
    first, _ = _opened(folder, "rw")
    times = {mode: [_opened(folder, mode) for _ in range(repeats)] for mode in ("r", "rw")}
    return {
        "engine_open_ms_first": first,
        "engine_open_ms_median": quantiles([wall for wall, _ in times["r"]]).median,
        "engine_open_cpu_ms_median": quantiles([cpu for _, cpu in times["r"]]).median,
        "engine_open_rw_ms_median": quantiles([wall for wall, _ in times["rw"]]).median,
        "engine_open_rw_cpu_ms_median": quantiles([cpu for _, cpu in times["rw"]]).median,
    }


def _opened(folder: Path, mode: str) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    engine = Engine.open(folder, mode, durability="off")  # type: ignore[arg-type]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    engine.close()
    return 1e3 * wall, 1e3 * cpu
