# ruff: noqa: T201
"""Faults at random calls on a gallery's files, and what is left: run as a script.

``python tests/faults/play.py --trials 2000 --seed 1``. Each trial copies a gallery, arms one fault
(`interpose.c`, preloaded), lets a forked process open it, enrol, seal, expunge, search, publish and
deliver, and then opens what is left without faults and compares it with what was acknowledged:
nothing acknowledged may be lost, nothing expunged may come back or be left in any file, no error
may be another's than ours, and no signal but the one that was sent may end the process. What was
under way when the fault came may have happened or not, as a whole; an enrolment that was not
acknowledged is repeated under its key, and is there once then.

``--encrypted`` plays on an encrypted gallery, whose keys are renewed too. The table is printed
however the run ends.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import errno
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

FAIL, SHORT, KILL, TORN = range(4)
WRITES, SYNCS, NAMES, READS, ROOM = 1, 2, 4, 8, 16
CHANGING = WRITES | SYNCS | NAMES | ROOM
FAULTS: dict[str, tuple[int, int, int]] = {
    "EIO when written": (FAIL, errno.EIO, CHANGING),
    "EIO when synced": (FAIL, errno.EIO, SYNCS),
    "EIO when read": (FAIL, errno.EIO, READS),
    "ENOSPC": (FAIL, errno.ENOSPC, CHANGING),
    "EDQUOT": (FAIL, errno.EDQUOT, WRITES | ROOM),
    "EROFS": (FAIL, errno.EROFS, NAMES),
    "short write": (SHORT, 0, WRITES),
    "kill": (KILL, 0, CHANGING | READS),
    "kill in a write": (TORN, 0, WRITES),
    "power cut": (KILL, 0, CHANGING),
}
LONGEST = 120.0
IMMIGRANTS = {1: 1, 2: 0}
"""Persons in the other partition, and which touch of theirs."""
PEOPLE = 8
KINDS = (
    "enrol", "enrol", "search", "seal", "expunge", "expunge_many", "update", "publish", "deliver",
)  # fmt: skip


@dataclass
class Truth:
    """What a gallery must hold, may hold, and must not hold; of records, whose they may be."""

    there: dict[str, set[int]] = field(default_factory=dict)
    perhaps: dict[str, set[int]] = field(default_factory=dict)
    sealed: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    gone: dict[str, set[int]] = field(default_factory=dict)
    again: list[dict[str, int]] = field(default_factory=list)
    """Enrolments that were not acknowledged."""
    together: list[set[str]] = field(default_factory=list)
    """What was to be expunged in one call that was not acknowledged: all of it is gone, or none."""

    def settle(self, act: tuple[str, Any], how: str) -> None:
        """Take in an act that was acknowledged (done) or not (error, cut off)."""
        kind, what = act
        done = how == "done"
        if kind == "enrol":
            (self.there if done else self.perhaps).update({n: {p} for n, p in what.items()})
            if not done:
                self.again.append(what)
        elif kind in ("seal", "unseal"):
            if not done:
                self.unsure.add(what)
            elif kind == "seal":
                self.sealed.add(what)
            else:
                self.sealed.discard(what)
        elif kind == "expunge":
            people = self.there.pop(what, None)
            if done:
                self.gone[what] = (people or set()) | self.perhaps.pop(what, set())
                self.again = [each for each in self.again if what not in each]
            elif people is not None:
                self.perhaps[what] = people
        elif kind == "expunge_many":
            if how == "refused":
                return  # One of them is not there: its enrolment failed. Nothing was done.
            if not done:
                self.together.append({name for name in what if name in self.there})
            for name in what:
                self.settle(("expunge", name), how)
        elif kind == "update":
            name, person = what
            for held in (self.there, self.perhaps):
                if name in held:
                    # A refusal is acknowledged too: of a record whose enrolment failed.
                    sure = done and held is self.there
                    held[name] = {person} if sure else held[name] | {person}


def acts(rng: random.Random, trial: int) -> list[tuple[str, Any]]:
    """What a trial does, in order."""
    out: list[tuple[str, Any]] = []
    names = {"C-1": 1, "C-2": 2}
    for n in range(rng.randint(4, 8)):
        kind = rng.choice(KINDS + ("rekey",) * encrypted())
        if kind == "enrol":
            new = {f"N-{trial}-{n}-{k}": rng.randrange(1, PEOPLE) for k in range(rng.randint(1, 3))}
            names |= new
            out.append((kind, new))
        elif kind in ("seal", "expunge") and names:
            name = rng.choice(sorted(names))
            if kind == "expunge":
                del names[name]
            out.append((kind, name))
        elif kind == "expunge_many" and names:
            several = rng.sample(sorted(names), rng.randint(1, len(names)))
            for name in several:
                del names[name]
            out.append((kind, several))
        elif kind == "update" and names:
            out.append((kind, (rng.choice(sorted(names)), rng.randrange(1, PEOPLE))))
        elif kind == "search":
            out.append((kind, rng.randrange(1, PEOPLE)))
        elif kind in ("publish", "deliver", "rekey"):
            out.append((kind, None))
    return out


def encrypted() -> bool:
    """Whether galleries are made with keys, and opened with them (`encrypted_everywhere`)."""
    return bool(os.environ.get("FPMATCH_TEST_KEYS"))


class Faults:
    """The interposed library, loaded already: this process was started with it."""

    def __init__(self, library: str, place: Path, shadow: Path) -> None:
        self._c = ctypes.CDLL(library)
        self._c.fault_arm.argtypes = [ctypes.c_int] * 3 + [ctypes.c_long] * 2
        self._c.fault_hits.restype = self._c.fault_count.restype = ctypes.c_long
        self._c.fault_root(os.fsencode(place), os.fsencode(shadow))

    def arm(self, what: str, first: int, calls: int) -> None:
        kind, number, on = FAULTS[what]
        self._c.fault_arm(kind, number, on, first, calls)

    def disarm(self) -> tuple[int, int]:
        """Stop; how many calls were counted, and how many met the fault."""
        self._c.fault_disarm()
        return self._c.fault_count(), self._c.fault_hits()


def do(engine: Any, act: tuple[str, Any], number: int) -> None:
    """One act."""
    from engine_helpers import HELD, POLICY, print_of, request

    from fpmatch.errors import RefusedError
    from fpmatch.policy import Policy

    kind, what = act
    order = {"order": "o", "authority": "a"}
    try:
        if kind == "enrol":
            enrol(engine, what)
        elif kind == "search":
            engine.search(request(HELD, what, tcn=f"T{os.getpid()}-{number}"))
        elif kind == "update":
            name, person = what
            engine.update("criminal", name, fingers=[print_of(person)], **order)
        elif kind == "rekey":
            engine.rekey(renew=True)
        elif kind == "publish":
            engine.publish(Policy.parse(POLICY))
        elif kind == "deliver":
            for message in engine.notifications():
                engine.deliver(message.id)
        else:
            getattr(engine, kind)(what, **order)
    except RefusedError:
        # Of a record whose enrolment failed, for instance.
        if kind == "expunge_many":
            raise


def enrol(engine: Any, what: dict[str, int]) -> None:
    """Some records, under a key of their own."""
    from engine_helpers import record

    records = [record(name, person) for name, person in what.items()]
    report = engine.enrol("criminal", records, key=" ".join(what))
    assert report.accepted == len(what), report


def child(
    place: Path, plan: list[tuple[str, Any]], faults: Faults, arming: tuple, say: Any
) -> None:
    """Open, act, and say what came of it; the fault may end the process anywhere."""
    from engine_helpers import Clock

    from fpmatch.errors import FpmatchError
    from fpmatch.search import Engine

    what, first, calls, early = arming
    engine = None

    def tried(name: str, act: Any) -> Any:
        say(["begin", name])
        try:
            out = act()
        except FpmatchError as error:
            say(["error", name, type(error).__name__, str(error)[:300]])
        except Exception as error:
            import traceback

            say(["foreign", name, type(error).__name__, traceback.format_exc()[-1500:]])
        else:
            say(["done", name])
            return out
        return None

    def opened() -> Any:
        return Engine.open(place, "rw", clock=Clock(), durability="full")

    if early:
        faults.arm(what, first, calls)
    engine = tried("open", opened)
    if not early:
        faults.arm(what, first, calls)
    for number, act in enumerate(plan):
        if engine is not None:
            tried(str(number), lambda act=act, number=number: do(engine, act, number))
    say(["counts", *faults.disarm()])
    # The fault is over: nothing may be stuck.
    if engine is None:
        engine = tried("open again", opened)
    if engine is not None:
        for number, act in enumerate(AFTER, 100):
            tried(f"after {number}", lambda act=act, number=number: do(engine, act, number))
        tried("close", engine.close)


AFTER: list[tuple[str, Any]] = [
    ("enrol", {"A-1": 7}),
    ("search", 7),
    ("seal", "A-1"),
    ("unseal", "A-1"),
]


def left(place: Path, truth: Truth) -> list[str]:
    """What is wrong with what is left; opens the gallery for writing."""
    from engine_helpers import ON, Clock, request

    from fpmatch.search import Engine
    from fpmatch.types import RecordsRequest

    wrong = []
    with Engine.open(place, "rw", clock=Clock(), durability="off") as engine:
        if not engine.audit.verify().ok:
            wrong.append("the log does not verify")
        owner = RecordsRequest(owner="DOJ-FBI")
        page = engine.records("criminal", owner, limit=10_000)
        held = {one.record for one in page.records}
        if len(held) != len(page.records) or len(held) != count(engine):
            wrong.append(f"{len(page.records)} records are listed, {count(engine)} stored")
        for name in truth.there.keys() - held:
            wrong.append(f"lost: {name}")
        for name in held & truth.gone.keys():
            wrong.append(f"revived: {name}")
        for name in held - truth.there.keys() - truth.perhaps.keys():
            wrong.append(f"never enrolled: {name}")
        for names in truth.together:
            if names & held and names - held:
                wrong.append(f"half expunged: {sorted(names & held)} of {sorted(names)}")
        people = {**truth.perhaps, **truth.there}
        once = {p for each in (*people.values(), *truth.gone.values()) for p in each}
        for person in sorted(once | {0}):
            asked = request(ON, person, threshold=30, max_candidates=100)
            section = engine.search(asked)["criminal"]
            found = {c.record for c in section.candidates or ()}
            mine = {n for n in held if person in people.get(n, ())}
            sure = {n for n in mine if len(people[n]) == 1} - truth.sealed - truth.unsure
            if not (sure <= found <= mine - (truth.sealed - truth.unsure)):
                wrong.append(f"person {person}: {sorted(found)} found, {sorted(mine)} there")
        for what in truth.again:
            enrol(engine, what)
            held |= what.keys()
            if count(engine) != len(held):
                wrong.append(f"repeated under its key, {sorted(what)} is not there once")
        enrol(engine, {"after all": 7})
    return wrong + left_behind(place, truth)


def count(engine: Any) -> int:
    """Records of the first partition that are stored, whoever may see them."""
    asked = "SELECT COUNT(*) FROM record WHERE partition = 1"
    return int(engine._state.gallery.database.execute(asked).fetchone()[0])


def left_behind(place: Path, truth: Truth) -> list[str]:
    """Files that show names or prints of records whose expungement was acknowledged."""
    from engine_helpers import print_of
    from packed_rows import pieces_of_codes

    from fpmatch.descriptor import encode

    held = {p for each in (*truth.there.values(), *truth.perhaps.values()) for p in each}
    held |= set(IMMIGRANTS) | {p for what in truth.again for p in what.values()} | {7}
    wanted = {name: [name.encode()] for name in truth.gone if len(name) > 5}
    for person in {p for people in truth.gone.values() for p in people} - held:
        print_ = print_of(person)
        form = encode(print_)
        plain = (code.tobytes() for code in form.codes)
        codes = [*pieces_of_codes(form), *(c for c in plain if any(c))]
        wanted[f"person {person}"] = [print_.to_bytes()[12:80], *codes]
    out = []
    for path in sorted(p for p in place.rglob("*") if p.is_file()):
        content = path.read_bytes()
        out += [
            f"left behind: {what} in {path.relative_to(place)}"
            for what, pieces in wanted.items()
            if any(piece in content for piece in pieces)
        ]
    return out


def cut_power(place: Path, shadow: Path, rng: random.Random) -> None:
    """Make a folder what a disk may hold after a power cut: what was synced, some of the rest."""
    made = Path(tempfile.mkdtemp(dir=place.parent))

    def names(folder: Path) -> list[tuple[int, str]]:
        now = [(p.stat().st_ino, p.name) for p in folder.iterdir()]
        kept = shadow / f"names-{folder.stat().st_ino}"
        if rng.random() < 0.5 or not kept.exists():
            return now
        return [
            (int(i), n) for i, n in (line.split(" ", 1) for line in kept.read_text().splitlines())
        ]

    inodes = {p.stat().st_ino: p for p in place.rglob("*")}

    def build(folder: Path, to: Path) -> None:
        for inode, name in names(folder):
            if name.endswith("-shm"):
                continue
            now = inodes.get(inode)
            if now is not None and now.is_dir():
                (to / name).mkdir()
                build(now, to / name)
                continue
            kept = shadow / str(inode)
            synced = kept.read_bytes() if kept.exists() else b""
            (to / name).write_bytes(torn(synced, now.read_bytes() if now else synced, rng))

    build(place, made)
    shutil.rmtree(place)
    made.rename(place)


def torn(synced: bytes, now: bytes, rng: random.Random) -> bytes:
    """Bytes of a file of which not all writes have come to the disk."""
    chance = rng.random()
    if chance < 0.4:
        return synced
    if chance < 0.6:
        return now
    size = len(now) if rng.random() < 0.5 else len(synced)
    out = bytearray()
    for first in range(0, size, 4096):
        from_ = rng.choice((synced, now))[first : first + 4096]
        out += from_.ljust(min(4096, size - first), b"\0")[: min(4096, size - first)]
    return bytes(out)


def keep_all(place: Path, shadow: Path) -> None:
    """What is there is on the disk."""
    for path in (place, *place.rglob("*")):
        inode = path.stat().st_ino
        if path.is_dir():
            rows = [f"{p.stat().st_ino} {p.name}" for p in path.iterdir()]
            (shadow / f"names-{inode}").write_text("\n".join(rows))
        else:
            shutil.copyfile(path, shadow / str(inode))


def trial(number: int, seed: int, work: Path, faults: Faults, what: str, most: int | None) -> dict:
    """One fault and what came of it; None of `most` calls meets it where that is None."""
    rng = random.Random(f"{seed}-{number}")
    place, shadow = work / "county.fpm", work / "shadow"
    for folder in (place, shadow):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(work / "base", place)
    shadow.mkdir()
    if what == "power cut":
        keep_all(place, shadow)
    plan = acts(rng, number)
    calls = rng.choice((1, 1, 3, 10**9))
    first = 10**9 if most is None else rng.randrange(most)
    arming = (what, first, calls, rng.random() < 0.5)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as out:
            child(
                place,
                plan,
                faults,
                arming,
                lambda said: print(json.dumps(said), file=out, flush=True),
            )
        os._exit(0)
    os.close(writer)
    said, ended = listen(reader, pid)
    truth = Truth(there={"C-1": {1}, "C-2": {2}})
    result: dict[str, Any] = {"what": what, "wrong": [], "hit": False, "foreign": []}
    begun = None
    for kind, name, *more in said:
        if kind == "counts":
            result["hit"] = more[0] > 0
            result["count"] = name
            continue
        if kind == "begin":
            begun = name
            continue
        begun = None
        if kind == "foreign":
            result["foreign"].append((name, *more))
        if (kind != "done" and name.startswith(("after", "open again"))) or (
            name == "close" and kind != "done" and calls < 10**9
        ):
            result["wrong"].append(f"stuck: {name} {more}")
        act = AFTER[int(name.split()[1]) - 100] if name.startswith("after") else None
        if name.isdigit():
            act = plan[int(name)]
        if act is not None:
            truth.settle(act, "refused" if more[:1] == ["RefusedError"] else kind)
    if most is None:
        return result  # only its calls were to be counted
    if begun is not None and begun.isdigit():
        truth.settle(plan[int(begun)], "cut off")
    elif begun is not None and begun.startswith("after"):
        truth.settle(AFTER[int(begun.split()[1]) - 100], "cut off")
    killed = ended == -signal.SIGKILL
    result["hit"] = result["hit"] or killed
    if ended == "hangs" or (killed and FAULTS[what][0] not in (KILL, TORN)) or ended not in (0, -9):
        result["wrong"].append(f"the process ended with {ended} in {begun}")
    if what == "power cut" and killed:
        cut_power(place, shadow, rng)
    try:
        result["wrong"] += left(place, truth)
    except Exception as error:
        import traceback

        result["wrong"].append(f"cannot be opened: {error!r} {traceback.format_exc()[-1500:]}")
    result["plan"] = [plan, arming]
    return result


def listen(reader: int, pid: int) -> tuple[list[list[Any]], Any]:
    """What the child said, and how it ended: its exit status, minus a signal, or "hangs"."""
    text, until = b"", time.monotonic() + LONGEST
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            os.kill(pid, signal.SIGKILL)
            break
        piece = os.read(reader, 65536)
        if not piece:
            break
        text += piece
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    said = [json.loads(line) for line in text.decode().splitlines() if line.endswith("]")]
    return said, os.waitstatus_to_exitcode(status) if ready else "hangs"


def make(base: Path) -> None:
    """The gallery that every trial begins with."""
    from engine_helpers import POLICY, Clock, record

    from fpmatch.policy import Policy
    from fpmatch.search import Engine

    with Engine.create(base, clock=Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
        e.enrol("immigration", [record(f"I-{p}", p, touch) for p, touch in IMMIGRANTS.items()])
        e.publish(Policy.parse(POLICY))


def play(trials: int, seed: int, only: str = "", first: int = 0) -> int:
    """All trials and a table of them; how many things were wrong."""
    from engine_helpers import SHM

    from fpmatch.index import announcing

    # Or the small batches of these trials would write no files for readers.
    announcing.SEGMENTS = dataclasses.replace(announcing.SEGMENTS, tail_least=1)
    library = os.environ["LD_PRELOAD"]
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        work = Path(folder).resolve()
        faults = Faults(library, work / "county.fpm", work / "shadow")
        make(work / "base")
        calls = {
            what: max(trial(n, seed, work, faults, what, None)["count"] for n in range(3))
            for what in ([only] if only else FAULTS)
        }
        table: dict[str, Counter] = {}
        try:
            for number in range(first, first + trials):
                what = only or list(FAULTS)[number % len(FAULTS)]
                one = trial(number, seed, work, faults, what, calls[what])
                note(table, number, one)
                if not one["hit"] and one.get("count"):
                    # It made fewer calls than most do: the same once more, within those it makes.
                    note(table, number, trial(number, seed, work, faults, what, one["count"]))
                if (number + 1) % 100 == 0:
                    done = sum(table.values(), Counter())
                    print(f"{done['trials']} trials, {done['hit']} met", flush=True)
        finally:
            told = show(table)
    return told["foreign"] + told["wrong"]


def note(table: dict[str, Counter], number: int, one: dict[str, Any]) -> None:
    """Count what came of a trial, and print it where something is wrong."""
    row = table.setdefault(one["what"], Counter())
    row.update(trials=1, hit=one["hit"], foreign=len(one["foreign"]), wrong=len(one["wrong"]))
    for kind in ("lost", "revived", "left behind", "stuck"):
        row[kind] += sum(w.startswith(kind) for w in one["wrong"])
    if one["foreign"] or one["wrong"]:
        print(json.dumps({"trial": number, **one}, default=str), flush=True)


def show(table: dict[str, Counter]) -> Counter:
    """Print a table of trials, and what all of them come to."""
    keys = ("trials", "hit", "lost", "revived", "left behind", "stuck", "foreign", "wrong")
    print("| fault | " + " | ".join(keys) + " |\n|---|" + "---|" * len(keys))
    total: Counter = sum(table.values(), Counter())
    for what, row in (*sorted(table.items()), ("all", total)):
        print(f"| {what} | " + " | ".join(str(row[k]) for k in keys) + " |", flush=True)
    return total


def build() -> str | None:
    """The interposed library, compiled; None where there is no compiler for it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        return None
    out = Path(tempfile.mkdtemp()) / "interpose.so"
    command = [
        compiler,
        "-shared",
        "-fPIC",
        "-O1",
        "-o",
        str(out),
        str(HERE / "interpose.c"),
        "-ldl",
    ]
    return str(out) if subprocess.run(command, check=False).returncode == 0 else None


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--only", choices=sorted(FAULTS), default="")
    parser.add_argument("--encrypted", action="store_true", help="a gallery with keys")
    given = parser.parse_args()
    if given.encrypted:
        os.environ["FPMATCH_TEST_KEYS"] = "1"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if "interpose" not in os.environ.get("LD_PRELOAD", ""):
        library = build()
        if library is None:
            print("no C compiler: nothing was tried")
            return 2
        env = {**os.environ, "LD_PRELOAD": library}
        os.execve(sys.executable, [sys.executable, *sys.argv], env)
    return 1 if play(given.trials, given.seed, given.only, given.first) else 0


if __name__ == "__main__":
    sys.exit(main())
