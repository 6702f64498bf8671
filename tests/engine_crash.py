"""Run as a script: kill a child process at a step, reopen, and print what is left as JSON.

A process of its own that forks before any thread exists, so that fifteen kills cost one start.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from engine_helpers import HELD, KEEPS, LATER, POLICY, Clock, folder, print_of, record, request

from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points
from fpmatch.types import Outcome

FULL = {"durability": "full"}
NARROW = POLICY.replace('transactions = ["CAR", "CNA"]', 'transactions = ["CAR"]')


def make(place: Path) -> None:
    with Engine.create(place, clock=Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
        e.enrol("immigration", [record("I-1", 1, touch=1), record("I-2", 2)])
        e.publish(Policy.parse(POLICY))


def enrol(e: Engine, say) -> None:
    say(e.enrol("criminal", [record("N-1", 11)]).accepted)


def search(e: Engine, say) -> None:
    say(e.search(request(HELD, tcn="killed")).tcn)


def defer(e: Engine, say) -> None:
    say(e.search(request(LATER, tcn="killed")).tcn)


def retain(e: Engine, say) -> None:
    say(e.search(request(KEEPS, tcn="killed", retain=True)).tcn)


def expunge(e: Engine, say) -> None:
    say(e.expunge("C-1", order="o", authority="CA").fingers)


KEYED = {
    "enrol with a key": lambda e: e.enrol("criminal", [record("C-2", 50, event="2")], key="k"),
    "seal": lambda e: e.seal("C-1", order="o", authority="CA", key="k"),
    "publish": lambda e: e.publish(Policy.parse(NARROW), key="k"),
    "expunge with a key": lambda e: e.expunge("C-1", order="o", authority="CA", key="k"),
    "expunge many": lambda e: e.expunge_many(["I-2", "C-1"], order="o", authority="CA", key="k"),
    "update": lambda e: e.update(
        "criminal",
        "C-1",
        fingers=[print_of(40)],
        identity="P",
        order="o",
        authority="CA",
        key="k",
    ),
}
"""Acts under a key: each can be repeated, whenever it was killed, and is then done once."""


def partition(e: Engine, say) -> None:
    e.add_partition("third", 3, "DOJ-FBI", expected_fingers=100)
    say("added")


def keyed(name: str):
    return lambda e, say: say(repr(KEYED[name](e)))


ACTS = {
    "enrol": (enrol, crash_points.ENROL),
    "search": (search, crash_points.SEARCH),
    "defer": (defer, crash_points.SEARCH),
    "retain": (retain, crash_points.SEARCH),
    "expunge": (expunge, crash_points.EXPUNGE),
    "partition": (partition, crash_points.PARTITION),
    "enrol with a key": (keyed("enrol with a key"), (*crash_points.ENROL, "enrol.compared")),
    "seal": (keyed("seal"), crash_points.SEAL),
    "publish": (keyed("publish"), crash_points.PUBLISH),
    "expunge with a key": (keyed("expunge with a key"), ("log.appended", *crash_points.EXPUNGE)),
    "expunge many": (keyed("expunge many"), ("log.appended", *crash_points.EXPUNGE)),
    "update": (
        keyed("update"),
        (*crash_points.UPDATE, *(s for s in crash_points.EXPUNGE if s != "expunge.committed")),
    ),
}


def kill_at(place: Path, act: str, step: str) -> tuple[int, str]:
    """(signal that ended the child, what it acknowledged)."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:

        def hook(name: str) -> None:
            if name == step:
                os.kill(os.getpid(), signal.SIGKILL)

        with Engine.open(place, "rw", clock=Clock(), **FULL) as e:
            crash_points.hook = hook
            ACTS[act][0](e, lambda said: os.write(writer, json.dumps(said).encode()))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    return os.waitpid(child, 0)[1] & 127, said


def left(place: Path, act: str) -> dict:
    """What a reopened engine holds, and what its log says."""
    with Engine.open(place, "rw", clock=Clock(), **FULL) as e:
        report = e.audit.verify()
        found = {
            name: [
                c.record
                for c in e.search(request(fingers=[print_of(p, 5)], tcn=f"after-{p}"))[
                    "criminal"
                ].candidates
                if c.score >= 50
            ]
            for name, p in (("C-1", 1), ("C-2", 2), ("N-1", 11))
        }
        outcomes = list(e.audit.records(kind="OUTCOME", tcn="killed"))
        answered = bool(outcomes) and outcomes[0].partitions["immigration"]["outcome"] not in (
            Outcome.FAILED,
        )
        state = e._state
        out = {
            "verifies": report.ok,
            "dangling": [d.tcn for d in report.dangling],
            "found": found,
            "answered": answered,
            "told": sorted(m.partition for m in e.notifications() if m.tcn == "killed"),
            "kept": len([*state.ledger.kept("deferred"), *state.ledger.kept("retained")]),
            "enrolments": sum(1 for _ in e.audit.records(kind="ENROL")),
            "expungements": sum(1 for _ in e.audit.records(kind="EXPUNGE")),
        }
        out["partitions"] = [p.name for p in e.partitions]
        out["kinds"] = [r.kind for r in e.audit.records() if r.fields.get("journal")]
        if act in KEYED:
            out |= repeated(e, act)
    residue = print_of(1).to_bytes()[12:80]
    out["residue"] = [
        str(p.relative_to(place))
        for p in sorted(place.rglob("*"))
        if p.is_file() and residue in p.read_bytes()
    ]
    return out


def repeated(e: Engine, act: str) -> dict:
    """The act under its key again, twice; what it then comes to."""
    answers = [repr(KEYED[act](e)) for _ in range(2)]
    gallery = e._state.gallery
    return {
        "answers": answers,
        "policy": e.policy.version,
        "roots": {p.name: gallery.root(p.name) for p in e.partitions},
        "kinds_then": [r.kind for r in e.audit.records() if r.fields.get("journal")],
        "unfinished": len(gallery.unfinished()) + len(gallery.unlogged()),
        "verifies_then": e.audit.verify().ok,
    }


def unkilled(ready: Path) -> dict:
    """What each act under a key comes to where nothing is killed."""
    out = {}
    for act, call in KEYED.items():
        place = folder()
        shutil.rmtree(place)
        shutil.copytree(ready, place)
        with Engine.open(place, "rw", clock=Clock(), **FULL) as e:
            call(e)
            out[act] = {p.name: e._state.gallery.root(p.name) for p in e.partitions}
        shutil.rmtree(place)
    return out


def main() -> None:
    ready = folder()
    make(ready)
    results = []
    for act, (_, names) in ACTS.items():
        for step in names:
            place = folder()
            shutil.rmtree(place)
            shutil.copytree(ready, place)
            ended, said = kill_at(place, act, step)
            results.append(
                {"act": act, "step": step, "signal": ended, "said": said, **left(place, act)}
            )
            shutil.rmtree(place)
    roots = unkilled(ready)
    shutil.rmtree(ready)
    json.dump({"results": results, "unkilled": roots}, sys.stdout)


if __name__ == "__main__":
    main()
