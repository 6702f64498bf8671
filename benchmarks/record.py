"""Append ratios of this commit to `benchmarks/history.jsonl`, and draw all of them.

    make bench-record                       # or: python -m benchmarks.record [--draw]

Only ratios are kept: of fpmatch's processor time to that of something else that does comparable
work in the same run, turn by turn, so that lines of one machine can be put beside each other and
those of several nearly so. What is at hand is measured; without nbis-py its ratio is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import fpmatch as fp
from fpmatch import reference
from fpmatch.descriptor import encode, pack
from fpmatch.evaluate import conditions
from fpmatch.matcher import compare_many
from fpmatch.synthetic import templates

ROOT = Path(__file__).resolve().parent.parent
HISTORY = ROOT / "benchmarks" / "history.jsonl"
PICTURE = ROOT / "docs" / "images" / "history.svg"
RATIOS = {
    "compare_by_reference": "comparison by the plain-NumPy reference's",
    "encode_by_reference": "encoding by the plain-NumPy reference's",
    "compare_by_nbis": "comparison by Bozorth3's of nbis-py",
    "compare_by_reading": "comparison by reading the rows once from memory",
    "enrol_by_sqlite": "Engine.enrol by bare SQLite inserts of the same bytes, as durable",
}
"""What a line may hold: the numerator by the denominator, each a processor time."""
SEED = 20260801
TURNS = 5


def ratio(ours: Callable[[], object], theirs: Callable[[], object], times: float = 1) -> float:
    """Median over turns of our processor time by theirs.

    Parameters
    ----------
    ours, theirs : callable
        Called in turn; the first of each warms up.
    times : float
        Pieces of work that `ours` does for each that `theirs` does.
    """
    ours()
    theirs()
    out = []
    for _ in range(TURNS):
        start = time.process_time()
        ours()
        middle = time.process_time()
        theirs()
        out.append((middle - start) / times / (time.process_time() - middle))
    return statistics.median(out)


def measure() -> dict[str, float]:
    """All ratios that can be had here."""
    people = list(templates(400, SEED))
    forms = [encode(t) for t in people]
    gallery = pack(forms)
    rows = np.resize(np.arange(1, len(forms)), 2000)
    few = [reference.encode(t) for t in people[:4]]
    out = {
        "compare_by_reference": ratio(
            lambda: compare_many(forms[0], gallery, rows),
            lambda: [reference.compare(few[0], other) for other in few[1:]],
            len(rows) / 3,
        ),
        "encode_by_reference": ratio(
            lambda: [encode(t) for t in people[:200]],
            lambda: [reference.encode(t) for t in people[:2]],
            100,
        ),
        "compare_by_reading": _by_reading(forms[0]),
        "enrol_by_sqlite": _by_sqlite(people),
    }
    beside = _by_nbis()
    if beside is not None:
        out["compare_by_nbis"] = beside
    return {name: float(f"{value:.3g}") for name, value in out.items()}


def _by_reading(probe: Any) -> float:
    """Of rows that no cache holds, against a sum over the bytes of their columns."""
    forms = [encode(t) for t in templates(2000, SEED + 1)]
    gallery = pack(forms * 4)
    rows = np.arange(len(gallery))
    columns = [gallery.codes, gallery.texture]
    repeats = 20
    return ratio(
        lambda: compare_many(probe, gallery, rows),
        lambda: [int(c.sum()) for c in columns for _ in range(repeats)],
        1 / repeats,
    )


def _by_sqlite(people: Sequence[fp.Template]) -> float:
    """Records of one finger, against rows of one table; both wait for the disk every 256 rows."""
    stored = [t.to_bytes() for t in people]
    with tempfile.TemporaryDirectory() as folder, fp.Engine.create(Path(folder) / "g") as engine:
        engine.add_partition("one", 1, "OWNER", expected_fingers=10_000)
        bare = sqlite3.connect(Path(folder) / "bare.sqlite", isolation_level=None)
        bare.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
            "CREATE TABLE t (record TEXT UNIQUE, bytes BLOB NOT NULL)"
        )
        turn = iter(range(10**6))

        def ours() -> None:
            n = next(turn)
            engine.enrol("one", [fp.Record(f"R-{n}-{k}", [t]) for k, t in enumerate(people)])

        def theirs() -> None:
            n = next(turn)
            for first in range(0, len(stored), 256):
                bare.execute("BEGIN IMMEDIATE")
                for k, content in enumerate(stored[first : first + 256]):
                    bare.execute("INSERT INTO t VALUES (?, ?)", (f"R-{n}-{first + k}", content))
                bare.execute("COMMIT")

        try:
            return ratio(ours, theirs)
        finally:
            bare.close()


def _by_nbis() -> float | None:
    """On bundled synthetic prints, one against the others; None without nbis-py."""
    from fpmatch.errors import MissingExtra
    from fpmatch.evaluate.nbis_matcher import Nbis

    try:
        peer = Nbis()
    except MissingExtra:
        return None
    paths = sorted((ROOT / "data" / "synthetic" / "optical").glob("*_1.png"))
    images = [fp.read_image(path, ppi=500) for path in paths]
    sets = [peer.minutiae(image.pixels) for image in images]
    forms = [encode(fp.extract(image)) for image in images]
    gallery = pack(forms)
    rows = np.resize(np.arange(1, len(forms)), 2000)
    return ratio(
        lambda: compare_many(forms[0], gallery, rows),
        lambda: [sets[0].compare(other) for other in sets[1:]],
        len(rows) / (len(sets) - 1),
    )


def line_of(ratios: dict[str, float]) -> dict[str, Any]:
    """A line of the history: what was measured, of which commit, where and when."""
    machine = conditions.machine()
    return {
        "date": conditions.now(),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--", "fpmatch")),
        "machine": machine["processor"],
        "cores": machine["cores"],
        "load": round(os.getloadavg()[0], 1),
        "ratios": ratios,
    }


def _git(*args: str) -> str:
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def read(text: str) -> list[dict[str, Any]]:
    """The lines of a history.

    Raises
    ------
    ValueError
        If one is not as `line_of` makes it.
    """
    lines = []
    for number, row in enumerate(text.splitlines(), 1):
        line = json.loads(row)
        kinds = {k: type(v) for k, v in line.items()} if isinstance(line, dict) else {}
        wanted = dict.fromkeys(("date", "commit", "machine"), str)
        wanted |= {"changed": bool, "cores": int, "load": float, "ratios": dict}
        if kinds != wanted:
            raise ValueError(f"line {number}: fields or their types are not those of a line")
        time.strptime(line["date"], "%Y-%m-%dT%H:%M:%SZ")
        int(line["commit"], 16)
        if "/" in line["machine"] or "\\" in line["machine"]:
            raise ValueError(f"line {number}: a machine is a processor's name, not a path")
        for name, value in line["ratios"].items():
            if name not in RATIOS or not isinstance(value, float) or not 0 < value < 1e9:
                raise ValueError(f"line {number}: {name} is no ratio that is known")
        lines.append(line)
    return lines


def drawn(lines: Sequence[dict[str, Any]]) -> str:
    """An SVG of all ratios, a strip each: line by line, by the first of the same machine.

    Higher is slower. Each machine has its own row of dots, which are joined.
    """
    width, strip, left = 720, 96, 20
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{strip * len(RATIOS)}" font-family="sans-serif" font-size="12">'
    ]
    step = (width - 2 * left) / max(1, len(lines) - 1)
    for place, (name, words) in enumerate(RATIOS.items()):
        top = place * strip
        out.append(f'<text x="{left}" y="{top + 16}">{words}</text>')
        middle = top + 60
        out.append(
            f'<path d="M{left} {middle}H{width - left}" stroke="#bbb" stroke-dasharray="3"/>'
        )
        for machine in sorted({line["machine"] for line in lines}):
            had = [
                (left + n * step, line["ratios"][name], line["commit"])
                for n, line in enumerate(lines)
                if line["machine"] == machine and name in line["ratios"]
            ]
            # Twice the time is 25 pixels up, half of it as many down.
            at = [
                (x, middle - 25 * float(np.clip(np.log2(v / had[0][1]), -1, 1)), v, commit)
                for x, v, commit in had
            ]
            if len(at) > 1:
                points = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in at)
                out.append(f'<polyline points="{points}" fill="none" stroke="#36c"/>')
            out += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#36c">'
                f"<title>{commit}: {v:g}</title></circle>"
                for x, y, v, commit in at
            ]
            if at:
                x, _, v, _ = at[-1]
                out.append(
                    f'<text x="{max(x, left + 40):.1f}" y="{top + 34}" '
                    f'text-anchor="end">{v:g}</text>'
                )
    return "\n".join([*out, "</svg>"]) + "\n"


def main() -> None:
    """Measure, append, draw; or only draw."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--draw", action="store_true", help="only draw what is there")
    asked = words.parse_args()
    if not asked.draw:
        line = json.dumps(line_of(measure()))
        with HISTORY.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line)
    PICTURE.write_text(drawn(read(HISTORY.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
