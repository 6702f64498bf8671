"""What a newcomer waits for: cold starts, alone and four together, and the command line, warm.

    python benchmarks/first_minute.py [--runs 5] [--only cold,four,cli] [--against TREE]

Each cold run has a cache of kernels of its own. ``--against`` names another source tree, which is
measured in turn with this one, run by run, so that a change of the machine's load touches both.
Printed are CPU seconds of all processes of a run (user and system) and, in brackets, seconds by the
clock: min and median of the runs.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fpmatch.evaluate.conditions import one_line

ROOT = Path(__file__).resolve().parent.parent
PRINTS = ROOT / "data" / "synthetic" / "optical"
_TWO = """
import sys, time
import fpmatch as fp
read = lambda k: fp.extract(fp.read_image(f"{sys.argv[1]}/1_{k}.png", ppi=500))
probe, mate = read(2), read(1)
began = time.process_time(), time.perf_counter()
fp.compare(probe, mate)
print(time.process_time() - began[0], time.perf_counter() - began[1])
"""
_SEARCH = """
import tempfile
from pathlib import Path
policy = Path(fp.__file__).parent / "cli" / "demo_policy.toml"
with tempfile.TemporaryDirectory() as folder, fp.Engine.create(f"{folder}/g.fpm") as engine:
    engine.add_partition("criminal", ndr=1, owner="DOJ-FBI")
    engine.add_partition("immigration", ndr=9, owner="DHS")
    engine.enrol("criminal", [fp.Record("C-17", [mate])])
    engine.publish(fp.Policy.load(policy))
    began = time.process_time(), time.perf_counter()
    engine.search(fp.SearchRequest(fingers=[probe], booking_ori="CS0010200", chain=["CSSIR0000"],
                                   transaction="CAR", max_candidates=20))
    print(time.process_time() - began[0], time.perf_counter() - began[1])
"""
_COMMANDS = {
    "fpmatch --version": ("--version",),
    "fpmatch info": ("info",),
    "fpmatch info GALLERY": ("info", "GALLERY"),
    "fpmatch extract, warm": ("extract", str(PRINTS / "1_1.png"), "--ppi", "500"),
    "fpmatch compare, warm": (
        "compare", str(PRINTS / "1_1.png"), str(PRINTS / "1_2.png"), "--ppi", "500",
    ),
}  # fmt: skip

Times = tuple[float, float]
"""CPU seconds, and seconds by the clock."""


def environment(tree: Path, cache: Path) -> dict[str, str]:
    """Of a process that runs one tree with one cache of kernels; bytecode is kept apart."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "PYTHON"))}
    return kept | {
        "PYTHONPATH": str(tree),
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / f"first-minute-{tree.name}"),
    }


def timed(commands: list[list[str]], tree: Path, cache: Path) -> tuple[Times, list[str]]:
    """Commands started together: their times in all, and what each printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    running = [
        subprocess.Popen(
            command, cwd=tree, env=environment(tree, cache), stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]  # fmt: skip
    out = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise SystemExit(f"{commands[0][:4]} failed in {tree}")
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (cpu, ended - began), out


def cold(tree: Path) -> Iterator[tuple[str, Times]]:
    """Import to the first search, with nothing compiled."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", _TWO + _SEARCH, str(PRINTS)]
        whole, (said,) = timed([command], tree, Path(cache))
        first, search = (tuple(map(float, line.split())) for line in said.splitlines())
        yield "first comparison, cold", (first[0], first[1])
        yield "first search after it, cold", (search[0], search[1])
        yield "import to first search, cold", whole


def four(tree: Path) -> Iterator[tuple[str, Times]]:
    """Four workers started together, with nothing compiled."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", _TWO, str(PRINTS)]
        whole, _ = timed([command] * 4, tree, Path(cache))
        yield "four workers compare, cold", whole


def cli(tree: Path) -> Iterator[tuple[str, Times]]:
    """The command line with everything compiled."""
    cache = Path(tempfile.gettempdir()) / f"first-minute-kernels-{tree.name}"
    gallery = cache / "g.fpm"
    program = [sys.executable, "-m", "fpmatch.cli"]
    if not gallery.exists():
        cache.mkdir(exist_ok=True)
        timed([[*program, "init", str(gallery), "--partition", "criminal:1:A"]], tree, cache)
        for words in _COMMANDS.values():
            timed([[*program, *named(words, gallery)]], tree, cache)
    for name, words in _COMMANDS.items():
        command = [*program, *named(words, gallery)]
        yield name, timed([command], tree, cache)[0]


def named(words: tuple[str, ...], gallery: Path) -> list[str]:
    """A command line with its gallery."""
    return [str(gallery) if word == "GALLERY" else word for word in words]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="cold,four,cli")
    parser.add_argument("--against", type=Path)
    wanted = parser.parse_args()
    trees = [t.resolve() for t in (wanted.against, ROOT) if t is not None]
    kinds = [{"cold": cold, "four": four, "cli": cli}[k] for k in wanted.only.split(",")]
    found: dict[str, dict[Path, list[Times]]] = {}
    for _ in range(wanted.runs):
        for kind in kinds:
            for tree in trees:
                for name, times in kind(tree):
                    print(f"{tree.name}: {name}: {times[0]:.2f}", file=sys.stderr, flush=True)
                    found.setdefault(name, {}).setdefault(tree, []).append(times)
    print(f"{one_line()}; {wanted.runs} runs; CPU seconds min / median (by the clock)")
    for name, by_tree in found.items():
        print(f"{name:30s}", *(figures(by_tree[tree]) for tree in trees), sep="   ")


def figures(times: list[Times]) -> str:
    """Min and median of CPU and clock."""
    cpu, clock = ([t[k] for t in times] for k in (0, 1))
    low, middle = min(cpu), statistics.median(cpu)
    return f"{low:6.2f} / {middle:6.2f} ({min(clock):5.1f} / {statistics.median(clock):5.1f})"


if __name__ == "__main__":
    main()
