# ruff: noqa: T201
"""Four processes on one gallery for an hour: nothing is lost, nothing leaks, nothing grows.

``python tests/mixed_load.py --minutes 60``. The writer enrols, seals, unseals, expunges, publishes
and makes backups; it says of each record, in memory that all share, what has been acknowledged. A
reader looks there before and after each search: what was there all the time must be found, what was
sealed, expunged or not yet enrolled all the time must not, and an agency that may not search
immigration is shown nothing of it. At the end the log is verified, the gallery checked, the last
backup restored, and the first third of the time compared with the last: latency and memory must not
have grown.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine_helpers import HELD, OFF, ON, POLICY, SHM, Clock, record, request

from fpmatch import upkeep
from fpmatch.errors import FpmatchError
from fpmatch.policy import Policy
from fpmatch.search import Engine

ABSENT, LIVE, SEALED, GONE, CHANGING = range(5)
BY = {"order": "o", "authority": "a"}
SPAWN = multiprocessing.get_context("spawn")
FIRST_PERSON = 1000


def opened(place: Path, mode: str) -> Engine:
    return Engine.open(place, mode, clock=Clock(), durability="off")


def write(place: Path, states: Any, stop: Any, out: Any, seed: int, backup_every: float) -> None:
    """Change the gallery until told to stop; each record is announced before and after."""
    rng = random.Random(seed)
    acts = {"enrol": 0, "seal": 0, "unseal": 0, "expunge": 0, "publish": 0, "backup": 0}
    wrong: list[str] = []
    last, backed = time.monotonic(), None
    try:
        with opened(place, "rw") as engine:
            out.put("ready")
            while not stop.is_set():
                n = rng.randrange(len(states))
                state = states[n]
                if state in (ABSENT, GONE):
                    # One that is gone comes again: nobody may take it for the one before.
                    act, new = "enrol", LIVE
                elif state == SEALED:
                    act, new = "unseal", LIVE
                else:
                    act, new = rng.choice((("seal", SEALED), ("expunge", GONE)))
                states[n] = CHANGING
                if act == "enrol":
                    place_of = ("criminal", "immigration")[n % 2]
                    engine.enrol(place_of, [record(f"R-{n}", FIRST_PERSON + n)])
                else:
                    getattr(engine, act)(f"R-{n}", **BY)
                states[n] = new
                acts[act] += 1
                if rng.random() < 0.01:
                    engine.publish(Policy.parse(POLICY))
                    acts["publish"] += 1
                if time.monotonic() - last > backup_every:
                    fresh = place.parent / f"backup-{acts['backup']}"
                    upkeep.backup(place, fresh)
                    if backed is not None:
                        shutil.rmtree(backed)
                    backed, last = fresh, time.monotonic()
                    acts["backup"] += 1
    except FpmatchError as error:
        wrong.append(f"writer: {type(error).__name__}: {error}")
    out.put(("writer", acts, wrong, [], memory()))


def read(place: Path, states: Any, stop: Any, out: Any, seed: int) -> None:
    """Search until told to stop, and compare with what was acknowledged."""
    rng = random.Random(seed)
    wrong: list[str] = []
    took: list[tuple[float, float, int]] = []
    number = 0
    with opened(place, "r") as engine:
        out.put("ready")
        begun = time.monotonic()
        while not stop.is_set():
            number += 1
            n = rng.randrange(len(states))
            partition = ("criminal", "immigration")[n % 2]
            ori = rng.choice((ON, ON, HELD, OFF))
            asked = request(ori, FIRST_PERSON + n, tcn=f"{seed}-{number}", threshold=30)
            before = states[n]
            started = time.monotonic()
            try:
                response = engine.search(asked)
            except FpmatchError as error:
                wrong.append(f"reader: {type(error).__name__}: {error}")
                break
            ended = time.monotonic()
            after = states[n]
            took.append((started - begun, ended - started, memory()))
            shown = response[partition].candidates
            if partition == "immigration" and ori != ON:
                if shown:
                    wrong.append(f"{ori} was shown {shown}")
                continue
            found = f"R-{n}" in {c.record for c in shown or ()}
            if before == after == LIVE and not found:
                wrong.append(f"R-{n} was there and was not found")
            if before == after and before in (ABSENT, SEALED, GONE) and found:
                wrong.append(f"R-{n} was {('absent', '', 'sealed', 'gone')[before]} and found")
    out.put(("reader", {"search": number}, wrong, took, memory()))


def memory() -> int:
    """Most memory that this process has had, KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def play(minutes: float, records: int, readers: int, seed: int) -> list[str]:
    """Run everything and print a table; what was wrong."""
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        place = Path(folder) / "g.fpm"
        with Engine.create(place, clock=Clock(), durability="off") as engine:
            engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=1000)
            engine.add_partition("immigration", 9, "DHS", expected_fingers=1000)
            engine.publish(Policy.parse(POLICY))
        states, stop, out = SPAWN.Array("b", records), SPAWN.Event(), SPAWN.Queue()
        work = [
            SPAWN.Process(
                target=write, args=(place, states, stop, out, seed, max(2.0, 6 * minutes))
            )
        ]
        work += [
            SPAWN.Process(target=read, args=(place, states, stop, out, seed + n))
            for n in range(1, readers + 1)
        ]
        for process in work:
            process.start()
            assert out.get(timeout=300) == "ready"
        time.sleep(60 * minutes)
        stop.set()
        said = [out.get(timeout=300) for _ in work]
        for process in work:
            process.join()
        wrong = [w for _, _, each, _, _ in said for w in each]
        searches = sorted(t for *_, took, _ in said for t in took)
        print(f"{minutes:g} minutes, {readers} readers beside a writer, {records} records")
        for who, acts, _, _, most in said:
            print(f"  {who}: " + ", ".join(f"{v} {k}" for k, v in acts.items()) + f"; {most} KiB")
        wrong += grown(searches, readers)
        wrong += at_the_end(place, states)
    return wrong


def grown(searches: list[tuple[float, float, int]], readers: int) -> list[str]:
    """Latency and memory, the first third against the last; what grew more than noise does."""
    if len(searches) < 30 * readers:
        return ["too few searches to say anything"]
    third = searches[-1][0] / 3
    early = [s for s in searches if third / 3 < s[0] < third]
    late = [s for s in searches if s[0] > 2 * third]
    ms = [1000 * statistics.median(t for _, t, _ in part) for part in (early, late)]
    kib = [max(m for *_, m in part) for part in (early, late)]
    tail = [1000 * sorted(t for _, t, _ in part)[len(part) * 99 // 100] for part in (early, late)]
    print(f"  median {ms[0]:.1f} then {ms[1]:.1f} ms, 99 % {tail[0]:.1f} then {tail[1]:.1f} ms")
    print(f"  a reader's most memory {kib[0]} then {kib[1]} KiB")
    out = []
    if ms[1] > 2 * ms[0]:
        out.append("searches became slower")
    if kib[1] > 1.25 * kib[0]:
        out.append("readers grew")
    return out


def at_the_end(place: Path, states: Any) -> list[str]:
    """What is left: everything acknowledged, a log that verifies, a backup that can be restored."""
    out = [f"check: {finding.where}: {finding.what}" for finding in upkeep.check(place, deep=True)]
    with opened(place, "rw") as engine:
        if not engine.audit.verify().ok:
            out.append("the log does not verify")
    listed = upkeep.removals(place)
    (made,) = place.parent.glob("backup-*")
    new = place.parent / "restored"
    upkeep.restore(made, new, removals=listed, clock=Clock(), durability="off")
    with opened(new, "r") as engine:
        for n, state in enumerate(states):
            if state in (SEALED, GONE):
                partition = ("criminal", "immigration")[n % 2]
                asked = request(ON, FIRST_PERSON + n, tcn=f"end-{n}", threshold=30)
                found = {c.record for c in engine.search(asked)[partition].candidates or ()}
                if f"R-{n}" in found:
                    out.append(f"R-{n} came back with the backup")
    return out


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--records", type=int, default=400)
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    wrong = play(given.minutes, given.records, given.readers, given.seed)
    for one in wrong[:50]:
        print(f"WRONG: {one}")
    print(f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
