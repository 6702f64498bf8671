"""Bulk enrolment of many synthetic templates, killed three times and gone on with.

``python benchmarks/bulk_resumed.py --fingers 100000 --folder FOLDER``. A Parquet file of templates
is made first (about 2 ms a finger), in pieces, and kept in the folder. A process then enrols it and
is killed by signal 9 after a quarter, a half and three quarters; a fourth goes on to the end. What
is there is compared with the source: every record, none twice, and the log verifies. Rate, memory
and size on disk are printed as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fpmatch import bulk
from fpmatch.bench.leakage import POLICY
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.synthetic import templates

SEED = 11
PIECE = 4096


def make(source: Path, fingers: int) -> None:
    """Templates as a table; nothing of it stays in memory."""
    import pyarrow
    from pyarrow import parquet

    part = source.with_suffix(".part")
    schema = pyarrow.schema([("record", pyarrow.string()), ("template", pyarrow.binary())])
    stream = enumerate(templates(fingers, SEED))
    with parquet.ParquetWriter(part, schema) as out:
        done = 0
        while done < fingers:
            some = [next(stream) for _ in range(min(PIECE, fingers - done))]
            done += len(some)
            names = [f"R-{n:07d}" for n, _ in some]
            table = {"record": names, "template": [t.to_bytes() for _, t in some]}
            out.write_table(pyarrow.table(table, schema=schema))
            print(f"made {done}", file=sys.stderr, flush=True)
    part.rename(source)


def enrol(place: Path, source: Path, durability: str) -> None:
    """In a process of its own: until the end, telling how far it is."""
    with Engine.open(place, "rw", durability=durability) as engine:
        report = bulk.enrol(
            engine,
            "criminal",
            source,
            workers=0,
            progress=lambda p: print(json.dumps({"stored": p.stored}), flush=True),
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
    child = subprocess.Popen(
        [*command, "--durability", given.durability], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        last = json.loads(line)
        if until is not None and last.get("stored", 0) >= until:
            os.kill(child.pid, signal.SIGKILL)
            break
    killed = child.wait() == -signal.SIGKILL
    return {**last, "killed": killed, "seconds": round(time.monotonic() - began, 1)}


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
    seconds = sum(one["seconds"] for one in tries)
    out["fingers_a_second"] = round(given.fingers / seconds, 1)
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
