"""Bulk enrolment of many synthetic templates, killed three times and gone on with.

``python benchmarks/bulk_resumed.py --fingers 100000 --folder FOLDER``. A Parquet file of templates
is made first, in pieces, and kept in the folder (0.4 ms a finger): one synthetic finger in eight,
and seven invented ones that have its flow but minutiae moved so far that they match it no better
than any other finger does. A process then enrols it and is killed by signal 9 after a quarter, a
half and three quarters; a fourth goes on to the end. What is there is compared with the source:
every record, none twice, and the log verifies. Rate, by the clock and by processor time in ten
steps, memory and size on disk are printed as JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fpmatch import bulk
from fpmatch.bench.leakage import POLICY
from fpmatch.parameters import TEMPLATE
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.synthetic import templates
from fpmatch.template import Template

SEED = 11
PIECE = 4096
COPIES = 8
MOVED = 220.0
"""How far an invented finger's minutiae lie from those of the finger that it is made of: standard
deviation in units of a template. With three in ten turned about, the comparison of two of one
finger scores 2.7 in the median and 21 at most of 300, as of two that have nothing to do with each
other (1.3 and 18)."""
TURNED = 0.3


def fingers_of(count: int) -> Iterator[Template]:
    """Synthetic fingers, and invented ones with their flow."""
    made = 0
    for number, one in enumerate(templates(-(-count // COPIES), SEED)):
        rng = np.random.default_rng([SEED, number])
        for copy in range(min(COPIES, count - made)):
            yield one if copy == 0 else _invented(one, rng)
            made += 1


def _invented(one: Template, rng: np.random.Generator) -> Template:
    count = len(one.angle)
    limit = np.array([one.width, one.height]) * TEMPLATE.subpixel - 1
    xy = one.xy + np.rint(rng.normal(0, MOVED, (count, 2))).astype(np.int64)
    xy = np.abs(xy)
    xy = limit - np.abs(limit - xy)
    about = (rng.random(count) < TURNED).astype(np.uint16) * 32768
    return Template(
        xy=np.clip(xy, 0, limit).astype(np.uint16),
        angle=one.angle + about,
        kind=one.kind,
        quality=one.quality,
        width=one.width,
        height=one.height,
        position=one.position,
        impression=one.impression,
        image_quality=one.image_quality,
        extractor=one.extractor,
        orientation=one.orientation,
    )


def make(source: Path, fingers: int) -> None:
    """Templates as a table; nothing of it stays in memory."""
    import pyarrow
    from pyarrow import parquet

    part = source.with_suffix(".part")
    schema = pyarrow.schema([("record", pyarrow.string()), ("template", pyarrow.binary())])
    stream = enumerate(fingers_of(fingers))
    with parquet.ParquetWriter(part, schema) as out:
        done = 0
        while done < fingers:
            some = [next(stream) for _ in range(min(PIECE, fingers - done))]
            done += len(some)
            names = [f"R-{n:07d}" for n, _ in some]
            table = {"record": names, "template": [t.to_bytes() for _, t in some]}
            out.write_table(pyarrow.table(table, schema=schema))
            if done % (PIECE * 16) == 0:
                print(f"made {done}", file=sys.stderr, flush=True)
    part.rename(source)


def enrol(place: Path, source: Path, durability: str) -> None:
    """In a process of its own: until the end, telling how far it is."""

    def tell(now: bulk.Progress) -> None:
        said = {"stored": now.stored, "cpu": time.process_time(), "skipped": now.skipped}
        print(json.dumps(said), flush=True)

    with Engine.open(place, "rw", durability=durability) as engine:
        print(json.dumps({"opened": time.process_time()}), flush=True)
        report = bulk.enrol(
            engine,
            "criminal",
            source,
            workers=0,
            progress=tell,
        )
        most = resource.getrusage(resource.RUSAGE_SELF)
        said = {
            "accepted": report.accepted,
            "skipped": report.skipped,
            "failed": report.failed,
            "most_kib": most.ru_maxrss,
            "cpu_seconds": round(most.ru_utime + most.ru_stime, 1),
        }
        print(json.dumps(said), flush=True)


def attempt(given: argparse.Namespace, place: Path, source: Path, until: int | None) -> Any:
    """One process, killed once it has stored so many; what it said last, and how long it took."""
    command = [sys.executable, __file__, "--enrol", str(place), "--source", str(source)]
    began = time.monotonic()
    last: dict[str, Any] = {}
    steps: list[tuple[int, float]] = []
    child = subprocess.Popen(
        [*command, "--durability", given.durability], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        said = json.loads(line)
        last |= said
        # Processor time of what was stored anew; the first of it comes after what was left out.
        stored = said.get("stored", 0)
        if stored > last.get("skipped", 0):
            if not steps:
                last["cpu_until_new"] = round(said["cpu"], 1)
                print(f"{last['skipped']} left out", file=sys.stderr, flush=True)
            if not steps or stored - steps[-1][0] >= given.fingers / 10:
                steps.append((stored, said["cpu"]))
                print(f"stored {stored}", file=sys.stderr, flush=True)
        if until is not None and stored >= until:
            last["kib"] = _memory(child.pid)
            os.kill(child.pid, signal.SIGKILL)
            break
    killed = child.wait() == -signal.SIGKILL
    pairs = itertools.pairwise(steps)
    last["ms_a_finger"] = {to: round(1000 * (d - b) / (to - a), 3) for (a, b), (to, d) in pairs}
    return {**last, "killed": killed, "seconds": round(time.monotonic() - began, 1)}


def _memory(process: int) -> int:
    """Memory of a process that no file is behind, KiB; 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    except (OSError, StopIteration):
        return 0


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingers", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("bulk-resumed"))
    parser.add_argument("--durability", choices=("full", "off"), default="full")
    parser.add_argument("--enrol", type=Path, help="used by the script itself")
    parser.add_argument("--source", type=Path, help="used by the script itself")
    given = parser.parse_args()
    if given.enrol is not None:
        enrol(given.enrol, given.source, given.durability)
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    source = given.folder / f"{given.fingers}.parquet"
    place = given.folder / "g.fpm"
    if not source.exists():
        make(source, given.fingers)
    shutil.rmtree(place, ignore_errors=True)
    with Engine.create(place, durability="off") as engine:
        engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=given.fingers)
        engine.publish(Policy.parse(POLICY))
    steps = [given.fingers * n // 4 for n in (1, 2, 3)]
    tries = [attempt(given, place, source, until) for until in (*steps, None)]
    out: dict[str, Any] = {"fingers": given.fingers, "attempts": tries}
    out["fingers_a_second"] = round(given.fingers / sum(one["seconds"] for one in tries), 1)
    out["cpu_ms_a_finger"] = round(
        sum(1000 * one.get("cpu_seconds", one.get("cpu", 0)) for one in tries) / given.fingers, 3
    )
    with Engine.open(place, "rw", durability=given.durability) as engine:
        gallery = engine._state.gallery.database
        out["records"] = gallery.execute("SELECT COUNT(*) FROM record").fetchone()[0]
        out["rows"] = gallery.execute("SELECT COUNT(*) FROM finger").fetchone()[0]
        out["indexed"] = engine._state.indexes["criminal"].rows
        out["segments"] = len(engine._state.indexes["criminal"].parts())
        out["log_verifies"] = engine.audit.verify().ok
    out["bytes_a_finger"] = {
        path.name: round(_size(path) / given.fingers)
        for path in sorted(place.iterdir())
        if _size(path) > given.fingers
    }
    print(json.dumps(out, indent=1))
    assert out["records"] == out["rows"] == out["indexed"] == given.fingers
    assert out["log_verifies"]
    assert [one["killed"] for one in tries] == [True, True, True, False]


def _size(path: Path) -> int:
    every = path.rglob("*") if path.is_dir() else [path]
    return sum(one.stat().st_size for one in every if one.is_file())


if __name__ == "__main__":
    main()
