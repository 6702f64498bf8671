# ruff: noqa: T201
"""Four processes on one gallery for an hour: nothing is lost, nothing leaks, nothing grows.

``python tests/mixed_load.py --minutes 60``. The writer enrols, seals, unseals, expunges and
publishes; it says of each record, in memory that all share, what has been acknowledged. A keeper
makes backups beside it and delivers messages. Readers look there before and after each search: what
was there all the time must be found, what was sealed, expunged or not yet enrolled all the time
must not, and an agency that may not search immigration is shown nothing of it. At the end the log
is verified, the gallery checked and searched for every record, the last backup restored, and the
first third of the time compared with the last: latency, memory and open files must not have grown.

A line a minute is printed as it comes, and what there is by then is judged however the run ends:
at its time, by Ctrl-C, by SIGTERM or with one of the processes. ``--pause 0.05`` lets every process
wait between two acts, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import random
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine_helpers import HELD, OFF, ON, POLICY, SHM, Clock, record, request
from processes import processes

from fpmatch import upkeep
from fpmatch.policy import Policy
from fpmatch.search import Engine

ABSENT, LIVE, SEALED, GONE, CHANGING = range(5)
BY = {"order": "o", "authority": "a"}
PROCESSES = processes()
FIRST_PERSON = 1000
PARTITIONS = ("criminal", "immigration")


class Shared(NamedTuple):
    """What all processes see."""

    place: Path
    states: Any
    changes: Any
    """How often each record has changed: one that has not since a backup must be in it."""
    begin: Any
    stop: Any
    out: Any
    seed: int
    pause: float


class Minute(NamedTuple):
    """What one process did since it last told, and how large it is."""

    who: str
    acts: Counter
    took: array
    """Milliseconds of each search (or change, or backup) by the clock."""
    worked: array
    """The same in processor time: on a busy machine the clock tells of others."""
    kib: int
    files: int
    wrong: list[str]
    last: bool


@dataclass
class Told:
    """What was told so far, by process."""

    minutes: dict[str, list[Minute]] = field(default_factory=dict)

    def take(self, one: Minute) -> None:
        self.minutes.setdefault(one.who, []).append(one)

    def wrong(self) -> list[str]:
        return [w for every in self.minutes.values() for one in every for w in one.wrong]

    def ended(self) -> set[str]:
        return {who for who, every in self.minutes.items() if every[-1].last}


def opened(place: Path, mode: str) -> Engine:
    return Engine.open(place, mode, clock=Clock(), durability="off")


def partition_of(n: int) -> str:
    return PARTITIONS[n % 2]


def repeat(
    shared: Shared, who: str, mode: str, act: Callable[[Engine, Counter, list], Any]
) -> None:
    """One act after the other until told to stop, telling once a minute what came of them."""
    acts, took, worked, wrong = Counter(), array("f"), array("f"), []

    def tell(last: bool = False) -> None:
        said = Counter(acts), took[:], worked[:], memory(), files(), wrong[:]
        shared.out.put(Minute(who, *said, last))
        acts.clear()
        del took[:], worked[:], wrong[:]

    # The one who started them decides when all end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with opened(shared.place, mode) as engine:
            shared.out.put(who)
            shared.begin.wait()
            told = time.monotonic()
            while not shared.stop.is_set():
                began = time.process_time()
                ms = act(engine, acts, wrong)
                if ms is not None:
                    took.append(ms)
                    worked.append(1000 * (time.process_time() - began))
                if time.monotonic() - told > 60:
                    told = time.monotonic()
                    tell()
                shared.stop.wait(shared.pause)
    except Exception as error:
        # Also what is none of our errors: it is the finding then.
        wrong.append(f"{who}: {type(error).__name__}: {error}")
    tell(last=True)


def write(shared: Shared) -> None:
    """Change the gallery; each record is announced before and after."""
    rng = random.Random(shared.seed)
    states = shared.states

    def act(engine: Engine, acts: Counter, wrong: list[str]) -> float:
        n = rng.randrange(len(states))
        state = states[n]
        if state in (ABSENT, GONE):
            # One that is gone comes again: nobody may take it for the one before.
            act, new = "enrol", LIVE
        elif state == SEALED:
            act, new = rng.choice((("unseal", LIVE), ("expunge", GONE)))
        else:
            act, new = rng.choice((("seal", SEALED), ("expunge", GONE)))
        states[n] = CHANGING
        shared.changes[n] += 1
        began = time.monotonic()
        if act == "enrol":
            engine.enrol(partition_of(n), [record(f"R-{n}", FIRST_PERSON + n)])
        else:
            getattr(engine, act)(f"R-{n}", **BY)
        ms = 1000 * (time.monotonic() - began)
        states[n] = new
        acts[act] += 1
        if rng.random() < 0.01:
            engine.publish(Policy.parse(POLICY))
            acts["publish"] += 1
        return ms

    repeat(shared, "writer", "rw", act)


def keep(shared: Shared, every: float) -> None:
    """Backups while the others go on, and messages delivered; a reader otherwise."""
    done, due = 0, 0.0

    def act(engine: Engine, acts: Counter, wrong: list[str]) -> float | None:
        nonlocal done, due
        for message in engine.notifications():
            acts["deliver"] += engine.deliver(message.id)
        if time.monotonic() < due:
            shared.stop.wait(min(0.5, every / 4))
            return None
        fresh = shared.place.parent / f"backup-{done}"
        before = list(shared.changes)
        began = time.monotonic()
        upkeep.backup(shared.place, fresh)
        ms = 1000 * (time.monotonic() - began)
        (fresh.parent / f"changes-{done}").write_text("\n".join(map(str, before)))
        for old in (f"backup-{done - 1}", f"changes-{done - 1}"):
            shutil.rmtree(fresh.parent / old, ignore_errors=True)
            if done and (fresh.parent / old).exists():
                (fresh.parent / old).unlink()
        done, due = done + 1, time.monotonic() + every
        acts["backup"] += 1
        return ms

    repeat(shared, "keeper", "r", act)


def read(shared: Shared, number: int) -> None:
    """Search, and compare with what was acknowledged."""
    rng = random.Random(shared.seed + number)
    states = shared.states
    searched = 0

    def act(engine: Engine, acts: Counter, wrong: list[str]) -> float:
        nonlocal searched
        searched += 1
        n = rng.randrange(len(states))
        partition = partition_of(n)
        ori = rng.choice((ON, ON, HELD, OFF))
        asked = request(ori, FIRST_PERSON + n, tcn=f"{number}-{searched}", threshold=30)
        before, changes = states[n], shared.changes[n]
        began = time.monotonic()
        response = engine.search(asked)
        ms = 1000 * (time.monotonic() - began)
        after = states[n]
        acts["search"] += 1
        shown = response[partition].candidates
        if partition == "immigration" and ori != ON:
            if shown:
                wrong.append(f"{ori} was shown {shown}")
            return ms
        if before != after or changes != shared.changes[n]:
            return ms
        found = f"R-{n}" in {c.record for c in shown or ()}
        if before == LIVE and not found:
            wrong.append(f"R-{n} was there and was not found")
        if before in (ABSENT, SEALED, GONE) and found:
            wrong.append(f"R-{n} was {('absent', '', 'sealed', 'gone')[before]} and found")
        return ms

    repeat(shared, f"reader {number}", "r", act)


def memory() -> int:
    """Memory of this process that no file is behind, KiB; the most it has had where unknown."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def files() -> int:
    """Files and maps that this process holds open; 0 where the system does not say."""
    try:
        maps = Path("/proc/self/maps").read_text().count(".fpm")
        return len(os.listdir("/proc/self/fd")) + maps
    except OSError:
        return 0


def sizes(place: Path) -> dict[str, int]:
    """KiB on disk, the log apart: it grows with every search, and says so."""
    out = Counter()
    for path in place.rglob("*"):
        try:
            part = "log" if path.name.startswith("audit") else "other"
            out[part] += path.stat().st_size // 1024 if path.is_file() else 0
        except OSError:  # a segment that went meanwhile
            continue
    return out


def play(minutes: float, records: int, readers: int, seed: int, pause: float = 0.0) -> list[str]:
    """Run everything and print a table; what was wrong."""
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        place = Path(folder) / "g.fpm"
        with Engine.create(place, clock=Clock(), durability="off") as engine:
            engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=1000)
            engine.add_partition("immigration", 9, "DHS", expected_fingers=1000)
            engine.publish(Policy.parse(POLICY))
        states, changes = PROCESSES.Array("b", records), PROCESSES.Array("i", records)
        flags = PROCESSES.Event(), PROCESSES.Event()
        shared = Shared(place, states, changes, *flags, PROCESSES.Queue(), seed, pause)
        work = {"writer": PROCESSES.Process(target=write, args=(shared,))}
        every = max(1.0, min(60.0, 10 * minutes))
        work["keeper"] = PROCESSES.Process(target=keep, args=(shared, every))
        for n in range(1, readers + 1):
            work[f"reader {n}"] = PROCESSES.Process(target=read, args=(shared, n))
        for process in work.values():
            process.daemon = True  # Or they would outlive this one, if it is killed.
        with asked_to_stop() as asked:
            for process in work.values():
                process.start()
                shared.out.get(timeout=300)
            shared.begin.set()
            print("all have begun", flush=True)
            told, seconds = watch(shared, work, minutes, asked)
        print(
            f"{seconds / 60:.1f} minutes, {readers} readers and a keeper beside a writer, "
            f"{records} records, {pause:g} s between acts",
            flush=True,
        )
        for who, each in told.minutes.items():
            acts = sum((one.acts for one in each), Counter())
            print(
                f"  {who}: " + ", ".join(f"{v} {k}" for k, v in sorted(acts.items())) + "; "
                f"{times(each)}; {each[-1].kib} KiB, {each[-1].files} files",
                flush=True,
            )
        wrong = [f"{who} ended early" for who in work.keys() - told.ended()]
        wrong += told.wrong()
        wrong += grown(told.minutes)
        wrong += at_the_end(place, list(states), list(changes))
    return wrong


@contextlib.contextmanager
def asked_to_stop() -> Iterator[list]:
    """A list that is no longer empty once Ctrl-C or SIGTERM has come, neither of which ends us."""
    asked: list[int] = []
    stops = (signal.SIGINT, signal.SIGTERM)
    before = {one: signal.signal(one, lambda number, _: asked.append(number)) for one in stops}
    try:
        yield asked
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def watch(shared: Shared, work: dict, minutes: float, asked: list) -> tuple[Told, float]:
    """Print what is told until the time is over, somebody asks to stop, or a process has ended."""
    told, began = Told(), time.monotonic()
    until, stopped = began + 60 * minutes, None
    try:
        while len(told.ended()) < len(work):
            over = time.monotonic() > until or asked or told.ended()
            over = over or not all(process.is_alive() for process in work.values())
            if over and stopped is None:
                shared.stop.set()
                stopped = time.monotonic()
            if stopped is not None and time.monotonic() - stopped > 300:
                break
            try:
                one = shared.out.get(timeout=0.2)
            except queue.Empty:
                if stopped is not None and not any(p.is_alive() for p in work.values()):
                    break
                continue
            told.take(one)
            if one.who == "writer" or one.wrong:
                line(told, time.monotonic() - began, sizes(shared.place))
    finally:
        for process in work.values():
            process.join(timeout=10)
            if process.is_alive():
                process.kill()
    return told, (stopped or time.monotonic()) - began


def times(minutes: list[Minute]) -> str:
    """How many acts, and their milliseconds: median and 99th percentile, clock and processor."""
    said = []
    for each in ("took", "worked"):
        ms = sorted(t for one in minutes for t in getattr(one, each)) or [0.0]
        said.append(f"{statistics.median(ms):.1f}/{ms[len(ms) * 99 // 100]:.1f}")
    return f"{sum(len(one.took) for one in minutes)} in {said[0]} ms, CPU {said[1]}"


def line(told: Told, seconds: float, size: dict[str, int]) -> None:
    """How things stand, in one line."""
    said = [f"{seconds / 60:5.1f} min"]
    for who, each in sorted(told.minutes.items()):
        said.append(f"{who} {times(each[-1:])}, {each[-1].kib >> 10} MiB")
    said.append(f"gallery {size['other']} KiB, log {size['log']} KiB")
    print("; ".join([*said, *(f"WRONG: {w}" for w in told.wrong()[:3])]), flush=True)


def grown(minutes: dict[str, list[Minute]]) -> list[str]:
    """Latency, memory and files, the first third against the last; what grew more than noise."""
    out = []
    for who, every in minutes.items():
        each = [one for one in every if not one.last] or every
        third = len(each) // 3
        if not third:
            print(f"  {who}: too short a time to say anything of growth")
            continue
        # The first minute opens, compiles and fills caches.
        parts = each[1 : third + 1], each[-third:]
        kib = [max(one.kib for one in part) for part in parts]
        held = [max(one.files for one in part) for part in parts]
        print(f"  {who}: {times(parts[0])}; {kib[0]} KiB; {held[0]} files at first")
        print(f"  {who}: {times(parts[1])}; {kib[1]} KiB; {held[1]} files at last", flush=True)
        worked = [[t for one in part for t in one.worked] for part in parts]
        if who == "keeper":
            # A backup copies the log, which every search makes longer.
            worked = [[]]
        if all(worked) and statistics.median(worked[1]) > 1.5 * statistics.median(worked[0]):
            out.append(f"{who} became slower")
        if kib[1] > 1.25 * kib[0]:
            out.append(f"{who} grew")
        if held[1] > held[0] + 10:
            out.append(f"{who} keeps files open")
    return out


def at_the_end(place: Path, states: list[int], changes: list[int]) -> list[str]:
    """What is left: everything acknowledged, a log that verifies, a backup that can be restored."""
    out = [f"check: {finding.where}: {finding.what}" for finding in upkeep.check(place, deep=True)]
    with opened(place, "rw") as engine:
        if not engine.audit.verify().ok:
            out.append("the log does not verify")
        out += judged(engine, "", {n: state == LIVE for n, state in enumerate(states)})
    living = [p.name for p in (place / "living").iterdir()]
    if living:
        out.append(f"openings that are over are still named: {len(living)}")
    made = sorted(place.parent.glob("backup-*"), key=lambda p: int(p.name.split("-")[1]))
    if not made:
        return [*out, "no backup was made"]
    new = place.parent / "restored"
    upkeep.restore(made[-1], new, removals=upkeep.removals(place), clock=Clock(), durability="off")
    kept = made[-1].with_name(made[-1].name.replace("backup", "changes"))
    before = [int(word) for word in kept.read_text().split()] if kept.exists() else []
    sure = {n for n, count in enumerate(before) if count == changes[n]}
    with opened(new, "r") as engine:
        out += judged(
            engine,
            "restored: ",
            {n: s == LIVE for n, s in enumerate(states) if n in sure or s in (SEALED, GONE)},
        )
    return out


def judged(engine: Engine, where: str, there: dict[int, bool]) -> list[str]:
    """Records that are found and should not be, or the other way."""
    out = []
    for n, expected in there.items():
        asked = request(ON, FIRST_PERSON + n, tcn=f"end-{n}", threshold=30)
        section = engine.search(asked)[partition_of(n)]
        found = f"R-{n}" in {c.record for c in section.candidates or ()}
        if found != expected:
            out.append(f"{where}R-{n} was {'not ' * expected}found at the end")
    print(
        f"  {where or 'at the end: '}{len(there)} records asked for, {len(out)} wrong", flush=True
    )
    return out


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--records", type=int, default=400)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two acts")
    given = parser.parse_args()
    wrong = play(given.minutes, given.records, given.readers, given.seed, given.pause)
    for one in wrong[:50]:
        print(f"WRONG: {one}")
    print(f"{len(wrong)} wrong", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
