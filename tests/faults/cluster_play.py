# ruff: noqa: T201
"""Faults of a cluster, each many times, and what a search saw: run as a script.

``python tests/faults/cluster_play.py --each 20 --seed 1`` with hosts that are processes, each in a
network namespace where such can be made; ``--ray`` has Ray run the hosts, on several of its
machines here. Prints a table and, on any wrong answer, what was wrong.

Two kinds of trials. Hosts are killed, stopped and cut off in the middle of searches: each answer
has to be, to the byte, that of an engine with an index of its own, or has to say that it is
incomplete. The coordinator is killed at a step of the engine, or when it is about to send one more
call: what was acknowledged has to be there afterwards, what was removed may not come back, and the
next coordinator's answers have to be those of an engine with an index of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE.parent)]

from engine_helpers import (  # noqa: E402
    ON,
    POLICY,
    Clock,
    folder,
    print_of,
    record,
    request,
    told,
)

from fpmatch.parameters import ASKING  # noqa: E402

CUT = "host cut off (link down)"
HOSTS = ("h1", "h2", "h3", "h4")
BUCKETS = 8
PEOPLE = 12
NUMBERS = itertools.count()
ORDER = {"order": "o", "authority": "a"}


def asked(person: int) -> Any:
    """A search for a person, under a control number that no other process gives."""
    return request(ON, person, tcn=f"T{os.getpid()}-{next(NUMBERS)}")


# -- the world -------------------------------------------------------------------------------------


def make(place: Path) -> None:
    """A gallery of two partitions, and a cluster's folder beside it."""
    from fpmatch.policy import Policy
    from fpmatch.search import Engine

    with Engine.create(place / "g.fpm", clock=Clock(), durability="off") as engine:
        engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        engine.add_partition("immigration", 9, "DHS", expected_fingers=100)
        engine.enrol("criminal", [record(f"C-{n}", n) for n in range(PEOPLE)])
        engine.enrol("immigration", [record(f"I-{n}", n, touch=1) for n in range(0, PEOPLE, 2)])
        engine.publish(Policy.parse(POLICY))


@contextlib.contextmanager
def opened(place: Path, transport: Any) -> Any:
    """An engine over the hosts, and its cluster."""
    from fpmatch.cluster import Cluster

    cluster = Cluster.start(
        place / "cluster", HOSTS, replicas=2, buckets=BUCKETS, transport=transport
    )
    with opened_over(place, cluster) as engine:
        yield engine, cluster


@contextlib.contextmanager
def opened_over(place: Path, cluster: Any) -> Any:
    """An engine over a cluster; both are closed."""
    from fpmatch.search import Engine

    path, how = place / "g.fpm", {"clock": Clock(), "durability": "full"}
    with cluster, Engine.open(path, "rw", shards=cluster, **how) as engine:
        yield engine


def alone(place: Path) -> dict[int, bytes]:
    """What an engine with an index of its own answers, for each person."""
    from fpmatch.search import Engine

    copy = folder()
    shutil.rmtree(copy)
    shutil.copytree(place / "g.fpm", copy, ignore=shutil.ignore_patterns("living"))
    try:
        with Engine.open(copy, "rw", clock=Clock(), durability="off") as engine:
            return {person: told(engine.search(asked(person))) for person in range(PEOPLE + 8)}
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def alone_at(place: Path, roots: list[str]) -> dict[int, bytes]:
    """The same, kept for as long as the gallery holds what it held."""
    kept = place / "alone.json"
    if kept.exists():
        was, answers = json.loads(kept.read_text())
        if was == roots:
            return {int(person): bytes.fromhex(answer) for person, answer in answers.items()}
    made = alone(place)
    kept.write_text(json.dumps([roots, {p: answer.hex() for p, answer in made.items()}]))
    return made


@dataclass
class Seen:
    """What searches saw under one fault."""

    fault: str
    trials: int = 0
    equal: int = 0
    incomplete: int = 0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Of each answer that said that it was incomplete: what it covered."""
    during: list[float] = field(default_factory=list)
    """Milliseconds of each search from the fault on, while it lasted."""
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    """Of each search from the end of the fault on, until hosts were well again."""
    hedged: list[float] = field(default_factory=list)
    """Of each search from the fault on that asked another replica as one was silent."""
    late: list[list[int]] = field(default_factory=lambda: [[0, 0], [0, 0]])
    """Searches before, and from the fault on: over the bound of `HostFaults.trial`; all."""

    def row(self) -> str:
        """One line of the table."""
        cells = [
            self.fault, self.trials, self.equal, self.incomplete, len(self.wrong),
            *(told_ms(some) for some in (self.before, self.during, self.after, self.hedged)),
            *(f"{over} of {of}" for over, of in self.late),
        ]  # fmt: skip
        return f"| {' | '.join(map(str, cells))} |"


def told_ms(some: list[float]) -> str:
    """Median and worst."""
    return f"{statistics.median(some):.0f}, {max(some):.0f}" if some else ""


HEAD = (
    "| fault | trials | equal | incomplete, stated | wrong | ms before: median, worst | ms | "
    "ms afterwards | ms where hedged | late before | late |\n|" + "---|" * 11
)


# -- hosts fail ------------------------------------------------------------------------------------


class HostFaults:
    """Searches, one after the other, while hosts fail.

    Parameters
    ----------
    engine, cluster
        Open over the hosts.
    truth : dict of int to bytes
        What an engine with an index of its own answers.
    """

    def __init__(self, engine: Any, cluster: Any, truth: dict[int, bytes], seed: int) -> None:
        self.engine, self.cluster, self.truth = engine, cluster, truth
        self.rng = random.Random(seed)
        self.minutes = 1e9
        """After which no further trial of a fault is begun."""

    def trials(self, each: int) -> Iterator[int]:
        """So many, or fewer where there is no time left."""
        until = time.monotonic() + 60 * self.minutes
        return itertools.takewhile(lambda _: time.monotonic() < until, range(each))

    def search(self, seen: Seen, into: list[float]) -> bool:
        """One search, judged; whether it was whole."""
        person = self.rng.randrange(PEOPLE + 8)
        hedges, begun = self.cluster.counts.hedges, time.perf_counter()
        response = self.engine.search(asked(person))
        into.append(1e3 * (time.perf_counter() - begun))
        if into is seen.during and self.cluster.counts.hedges > hedges:
            seen.hedged.append(into[-1])
        sections = [section for section in response.sections if section.coverage is not None]
        whole = all(section.complete and section.coverage.whole for section in sections)
        if not whole:
            seen.incomplete += 1
            covered = "; ".join(section.coverage.text for section in sections)
            seen.notes.append(f"{seen.fault}, trial {seen.trials}: {covered}")
        elif told(response) == self.truth[person]:
            seen.equal += 1
        else:
            seen.wrong.append(f"{seen.fault}: person {person}: {response}")
        return whole

    def trial(
        self, seen: Seen, begin: Callable[[], Any], end: Callable[[Any], None], searches: int = 6
    ) -> None:
        """A fault in the middle of a search, some searches under it, and again without it.

        A search is late that takes over twice the median of those before this trial's fault, and a
        hedge. Those before the fault are counted too: what is late there, the machine's load made.
        """
        done = len(seen.before), len(seen.during)
        for _ in range(searches + 1):
            self.search(seen, seen.before)
        median = statistics.median(seen.before[done[0] :]) / 1e3
        made: list[Any] = []
        fault = threading.Timer(self.rng.uniform(0, median), lambda: made.append(begin()))
        fault.start()
        for _ in range(searches):
            self.search(seen, seen.during)
        fault.join()
        self.search(seen, seen.during)
        bound = 1e3 * (2 * median + ASKING.hedge_after)
        for late, times in zip(
            seen.late, (seen.before[done[0] :], seen.during[done[1] :]), strict=True
        ):
            late[0] += sum(time > bound for time in times)
            late[1] += len(times)
        end(made[0])
        seen.trials += 1
        until = time.monotonic() + 120
        while not self.well() and time.monotonic() < until:
            self.search(seen, seen.after)
            time.sleep(0.05)

    def well(self) -> bool:
        """Whether every host answers and shows the gallery as it is."""
        levels = () if self.cluster.asking.suspects else self.cluster.status()
        return bool(levels) and all(one.answers and one.level == one.buckets for one in levels)

    def pair(self) -> tuple[str, str]:
        """Two hosts that hold the same buckets."""
        (held, _) = self.rng.choice(self.cluster.layout.sets())
        return held[0], held[1]


def of_processes(place: Path, each: int, seed: int, faults: set[str], minutes: float) -> list[Seen]:
    """Faults of hosts that are processes of this machine."""
    from namespaces import Namespaces
    from socket_hosts import Processes, SocketHosts

    from fpmatch.cluster import Cluster

    truth = alone(place)
    Cluster.start(place / "cluster", HOSTS, replicas=2, buckets=BUCKETS).close()
    key = (place / "cluster" / "key").read_bytes()
    processes = Processes(place, key, apart=True)
    space, out = processes.namespaces, []
    try:
        processes.start(*HOSTS)
        transport = SocketHosts({name: processes.socket(name) for name in HOSTS})
        with opened(place, transport) as (engine, cluster):
            play = HostFaults(engine, cluster, truth, seed)
            play.minutes = minutes

            def kill(*names: str) -> tuple[str, ...]:
                for name in names:
                    processes.kill(name)
                return names

            def stop() -> str:
                name = play.rng.choice(HOSTS)
                os.kill(processes.running[name], signal.SIGSTOP)
                return name

            def go_on(name: str) -> None:
                os.kill(processes.running[name], signal.SIGCONT)

            def new(names: tuple[str, ...]) -> None:
                for name in names:
                    processes.forget(name)
                processes.start(*names)

            def cut() -> str:
                assert space is not None
                address = processes.machines[play.rng.choice(HOSTS)]
                space.link(address, "down")
                return address

            def mend(address: str) -> None:
                assert space is not None
                space.link(address, "up")

            kinds: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
                "none": (lambda: None, lambda _: None),
                "host killed": (
                    lambda: kill(play.rng.choice(HOSTS)), lambda names: processes.start(*names)
                ),
                "host stopped (SIGSTOP)": (stop, go_on),
                CUT: (cut, mend),
                "host removed, another there with nothing": (
                    lambda: kill(play.rng.choice(HOSTS)), new
                ),
                "both replicas killed": (
                    lambda: kill(*play.pair()), lambda names: processes.start(*names)
                ),
            }  # fmt: skip
            if space is None:
                del kinds[CUT]
                print(f"no host is cut off: {Namespaces.why_not()}")
            for name, (begin, end) in kinds.items():
                if faults and name not in faults:
                    continue
                seen = Seen(name)
                for _ in play.trials(each):
                    play.trial(seen, begin, end)
                out.append(seen)
                print(seen.row(), flush=True)
    finally:
        processes.end()
    return out


# -- the coordinator fails -------------------------------------------------------------------------


@dataclass
class Truth:
    """What a gallery must hold, may hold, and must not hold."""

    there: dict[str, int] = field(default_factory=lambda: {f"C-{n}": n for n in range(PEOPLE)})
    perhaps: dict[str, int] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)


class Counted:
    """A transport that kills this process when it is about to send its n-th call."""

    def __init__(self, inner: Any, at: int) -> None:
        self.inner, self.left = inner, at

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.inner.hosts

    def submit(self, host: str, call: bytes) -> Any:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.inner.submit(host, call)

    def close(self) -> None:
        self.inner.close()


def acts(rng: random.Random, truth: Truth, trial: int) -> dict[str, tuple[Any, Any]]:
    """What a coordinator does in a trial: how, and what it comes to if it is done."""
    new, person = f"N-{trial}", rng.randrange(PEOPLE, PEOPLE + 8)
    old, other = rng.sample(sorted(truth.there), 2)
    hosts = rng.sample(HOSTS, rng.randint(2, 4))

    def enrolled(done: bool) -> None:
        (truth.there if done else truth.perhaps)[new] = person

    def expunged(done: bool) -> None:
        owner = truth.there.pop(old)
        (truth.gone if done else truth.perhaps)[old] = owner

    def both_expunged(done: bool) -> None:
        for name in (old, other):
            owner = truth.there.pop(name)
            (truth.gone if done else truth.perhaps)[name] = owner

    return {
        "search": (lambda e, c: e.search(asked(rng.randrange(PEOPLE))), lambda done: None),
        "enrol": (lambda e, c: e.enrol("criminal", [record(new, person)]), enrolled),
        "expunge": (lambda e, c: e.expunge(old, **ORDER), expunged),
        "expunge_many": (lambda e, c: e.expunge_many([old, other], **ORDER), both_expunged),
        "rebalance": (lambda e, c: c.rebalance(sorted(hosts)), lambda done: None),
    }


def forked(do: Callable[[Callable[[Any], None]], None]) -> tuple[int, list[Any]]:
    """Signal that ended a child, and what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            do(lambda said: os.write(writer, json.dumps(said).encode() + b"\n") and None)
            code = 0
        except BaseException:
            import traceback

            os.write(writer, json.dumps(["error", traceback.format_exc()[-400:]]).encode() + b"\n")
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = [json.loads(line) for line in pipe]
    return os.waitpid(child, 0)[1] & 127, said


def enrol(place: Path, sockets: Any, names: dict[str, int]) -> None:
    """Enrol more people, where few are left."""
    from socket_hosts import SocketHosts

    with opened(place, SocketHosts(sockets)) as (engine, _):
        engine.enrol("criminal", [record(name, person) for name, person in names.items()])


def judge(place: Path, sockets: Any, truth: Truth, say: Callable[[Any], None]) -> None:
    """The next coordinator: everything against the truth, and against an engine of its own."""
    from socket_hosts import SocketHosts

    with opened(place, SocketHosts(sockets)) as (engine, cluster):
        wrong = []
        levels = cluster.status()
        if not all(one.answers and one.level == one.buckets for one in levels):
            wrong.append(f"not level: {levels}")
        if not engine.audit.verify().ok:
            wrong.append("the log does not verify")
        answers, found, spent = {}, {}, []
        for person in range(PEOPLE + 8):
            begun = time.perf_counter()
            response = engine.search(asked(person))
            spent.append(1e3 * (time.perf_counter() - begun))
            answers[person] = told(response)
            if not response["criminal"].coverage.whole:
                wrong.append(f"person {person}: {response['criminal'].coverage.text}")
            names = {c.record for c in response["criminal"].candidates if c.score >= 50}
            found |= dict.fromkeys(names, person)
        wrong += [f"lost: {name}" for name in truth.there if name not in found]
        wrong += [f"revived: {name}" for name in truth.gone if name in found]
        say(["found", sorted(n for n in truth.perhaps if n in found)])
        roots = [engine._state.gallery.root(name) for name in ("criminal", "immigration")]
    reference = alone_at(place, roots)
    wrong += [f"person {p} differs" for p in answers if answers[p] != reference[p]]
    say(["wrong", wrong])
    say(["spent", spent])


def killed(
    place: Path, sockets: Any, do: Any, step: str, calls: int
) -> Callable[[Callable[[Any], None]], None]:
    """A coordinator that opens, acts, and is killed at a step, or before one of its calls."""
    from socket_hosts import SocketHosts

    from fpmatch.search import crash_points

    def hook(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def child(say: Callable[[Any], None]) -> None:
        transport = Counted(SocketHosts(sockets), 0)
        with opened(place, transport) as (engine, cluster):
            crash_points.hook = hook
            transport.left = calls if step == "a call" else 0
            do(engine, cluster)
            transport.left = 0
            say("done")

    return child


CALLS = {"search": 30, "enrol": 8, "expunge": 16, "expunge_many": 16, "rebalance": 80}
"""About as many as an act sends, so that most trials end in one of them."""


def of_coordinator(
    place: Path, each: int, seed: int, faults: set[str], minutes: float
) -> list[Seen]:
    """The coordinator is killed, at each step of the engine and at calls."""
    from socket_hosts import Processes

    from fpmatch.cluster import Cluster
    from fpmatch.search import crash_points

    Cluster.start(place / "cluster", HOSTS, replicas=2, buckets=BUCKETS).close()
    processes = Processes(place, (place / "cluster" / "key").read_bytes())
    # What a search needs is in memory before the first coordinator is forked.
    alone(place)
    rng, truth, trial = random.Random(seed), Truth(), 0
    steps = {
        "search": crash_points.SEARCH, "enrol": crash_points.ENROL,
        "expunge": crash_points.EXPUNGE, "rebalance": (),
        "expunge_many": crash_points.EXPUNGE,
    }  # fmt: skip
    sockets = {name: processes.socket(name) for name in HOSTS}
    out = []
    try:
        processes.start(*HOSTS)
        forked(lambda say: judge(place, sockets, truth, say))
        for act, names in steps.items():
            for step in (*names, "a call"):
                fault = f"coordinator killed: {act}, at {step}"
                if faults and fault not in faults and act not in faults:
                    continue
                seen, missed = Seen(fault), 0
                until = time.monotonic() + 60 * minutes
                while seen.trials < each and missed < 3 * each and time.monotonic() < until:
                    trial += 1
                    if len(truth.there) < PEOPLE // 2:
                        more = {f"R-{trial}-{n}": n for n in range(PEOPLE)}
                        forked(lambda say, more=more: enrol(place, sockets, more))
                        truth.there |= more
                    do, settle = acts(rng, truth, trial)[act]
                    calls = rng.randint(1, CALLS[act])

                    ended, said = forked(killed(place, sockets, do, step, calls))
                    settle("done" in said)
                    errors = [s for s in said if s[0] == "error"]
                    seen.wrong += [f"{fault}: {error}" for error in errors]
                    _, told_by = forked(lambda say: judge(place, sockets, truth, say))
                    verdict = dict(s for s in told_by if isinstance(s, list))
                    if "wrong" not in verdict:
                        seen.wrong.append(f"{fault}: the next coordinator failed: {told_by}")
                        verdict = {"found": [], "wrong": [], "spent": []}
                    seen.wrong += [f"{fault}: {what}" for what in verdict["wrong"]]
                    # What was under way happened as a whole, or not at all; from here on it is so.
                    for name in tuple(truth.perhaps):
                        kept = name in verdict["found"]
                        owner = truth.perhaps.pop(name)
                        (truth.there if kept else truth.gone)[name] = owner
                    seen.during += verdict["spent"]
                    seen.equal += len(verdict["spent"]) if not verdict["wrong"] else 0
                    if ended == signal.SIGKILL:
                        seen.trials += 1
                    else:
                        missed += 1
                out.append(seen)
                print(seen.row(), flush=True)
    finally:
        processes.end()
    return out


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ray", action="store_true", help="hosts that Ray runs")
    parser.add_argument("--only", action="append", default=[], help="a fault, or an act")
    parser.add_argument("--notes", action="store_true", help="what incomplete answers covered")
    parser.add_argument(
        "--minutes", type=float, default=1e9, help="of each fault of hosts, at most"
    )
    parser.add_argument("--part", choices=("hosts", "coordinator", "all"), default="all")
    given = parser.parse_args()
    print(HEAD)
    seen: list[Seen] = []
    parts: dict[str, Callable[..., list[Seen]]] = {}
    if given.ray:
        from ray_faults import of_ray

        parts["hosts"] = of_ray
    else:
        parts["hosts"], parts["coordinator"] = of_processes, of_coordinator
    for name, part in parts.items():
        if given.part not in (name, "all"):
            continue
        place = folder()
        try:
            make(place)
            seen += part(place, given.each, given.seed, set(given.only), given.minutes)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    wrong = [what for one in seen for what in one.wrong]
    for note in [note for one in seen for note in one.notes] if given.notes else ():
        print(note)
    for what in wrong[:20]:
        print(what[:600])
    print(f"| all | {sum(s.trials for s in seen)} | {len(wrong)} wrong |")
    return 1 if wrong else 0


if __name__ == "__main__":
    print_of(0)
    sys.exit(main())
