"""Generated galleries, policies and layouts, searched by one process and through a cluster.

Response, log and comparison counters must be equal byte for byte. Run as a script it tries as many
cases as it is told (`PYTHONPATH=.:tests python tests/cluster_cases.py 1000 7`).
"""

from __future__ import annotations

import dataclasses
import logging
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import policy_cases as policies
from engine_helpers import Clock, again, folder, print_of, told
from shard_cases import low_bounds

from fpmatch.cluster import Cluster
from fpmatch.errors import InputError
from fpmatch.policy import Policy
from fpmatch.policy import model as m
from fpmatch.search import Engine
from fpmatch.types import FingerPosition, Record, SearchRequest

log = logging.getLogger(__name__)
EFFORTS = ("fast", "balanced", "balanced", "scan", "exhaustive")
POSITIONS = (FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX, FingerPosition.UNKNOWN)
USES = ("CAR", "CNA", "purpose:F", "role:officer")
PEOPLE = 24
CASES_A_WORLD = 25
COUNTED = ("live", "codes", "stage1", "stage2", "complete", "gallery_root", "candidate_digest",
           "n_candidates", "paired", "outcome", "reason")  # fmt: skip


def finger(rng: random.Random, person: int) -> Any:
    """A touch of one of a person's fingers, sometimes under another label."""
    place = rng.choice(POSITIONS[:2])
    made = print_of(person, rng.randrange(6), place, minutiae=rng.choice((8, 16)))
    if rng.random() < 0.15:
        return dataclasses.replace(made, position=rng.choice(POSITIONS))
    return made


def record(rng: random.Random, name: str) -> Record:
    """A record of a person, of whom there may be others."""
    person = rng.randrange(PEOPLE)
    return Record(
        name,
        [finger(rng, person) for _ in range(rng.choice((1, 1, 2, 3)))],
        protected=rng.random() < 0.2,
        banned_uses=frozenset(rng.sample(USES, rng.choice((0, 0, 0, 1, 2)))),
    )


def permissive(rng: random.Random) -> Policy:
    """A policy that lets every agency search, and see what it finds in most partitions."""
    return Policy(
        policies.world(
            rules=tuple(
                m.Rule(
                    f"all-{partition}", m.Effect.PERMIT, ("*",), (partition,),
                    m.ALL if rng.random() < 0.8 else m.ALL & ~m.VIEW, owner, m.Authority.OWNER,
                )
                for partition, owner in policies.OWNERS.items()
            ),
            activations=(
                m.Activation(
                    "*", "immigration", m.ActivationState.ACTIVE, "DHS", m.Authority.OWNER
                ),
            ),
        )
    )  # fmt: skip


def search_of(rng: random.Random) -> SearchRequest:
    """Any search, of one finger or of several."""
    facts = policies.facts(rng)
    if rng.random() < 0.6:
        facts = dataclasses.replace(facts, requested=None, protected=False)
    person = rng.randrange(PEOPLE)
    several = rng.choice((1, 1, 1, 2, 3, 5))
    return SearchRequest.of(
        facts,
        [finger(rng, person) for _ in range(several)],
        tcn="",
        effort=rng.choice(EFFORTS),
        rotation=rng.choice(("upright", "upright", "upright", "any")),
        scale=rng.choice(("stated", "stated", "stated", "any")),
        positions=rng.choice(("labelled", "labelled", "any")),
        max_candidates=rng.choice((1, 5, 20)),
        threshold=rng.choice((None, 0.0, -100.0)),
        minutiae=rng.random() < 0.1,
        deadline_ms=rng.choice((None, None, 1e8)),
    )


class World:
    """One gallery opened twice: by an engine of one process, and over hosts."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.place = folder()
        self.hosts = rng.randint(1, 8)
        self.replicas = rng.randint(1, 3)
        self.buckets = rng.choice((1, 3, 8, 16))
        self.number = 0
        self.policy: Any = None
        most = rng.choice((0, 3, 25, 60))
        options: dict[str, Any] = {"durability": "off", "clock": Clock()}
        with Engine.create(self.place / "one", **options) as made:
            for partition, owner in policies.OWNERS.items():
                ndr = next(p.ndr for p in policies.world().partitions if p.name == partition)
                made.add_partition(partition, ndr, owner, expected_fingers=100)
                made.enrol(partition, [self.new() for _ in range(rng.randint(0, most))])
        # The same secrets, so that opaque names and keyed digests are equal too.
        shutil.copytree(self.place / "one", self.place / "many")
        names = [f"h{n}" for n in range(self.hosts)]
        self.cluster = Cluster.start(
            self.place / "cluster", names, replicas=self.replicas, buckets=self.buckets
        )
        self.one = Engine.open(self.place / "one", "rw", **options)
        self.many = Engine.open(self.place / "many", "rw", shards=self.cluster, **options)

    def new(self) -> Record:
        """A record of a new name."""
        self.number += 1
        return record(self.rng, f"R-{self.number}")

    def both(self, act: Callable[[Engine], Any]) -> list[Any]:
        """What an act gives in both, or how it fails."""
        out = []
        for engine in (self.one, self.many):
            try:
                out.append(act(engine))
            except (PermissionError, InputError) as error:
                out.append(type(error).__name__)
        # Whatever comes of it comes of it in both.
        assert isinstance(out[0], str) == isinstance(out[1], str), out
        return out

    def change(self) -> str:
        """Something happens to the records, or to the hosts; what."""
        rng = self.rng
        partition = rng.choice(list(policies.OWNERS))
        name = f"R-{rng.randint(1, max(1, self.number))}"
        what = rng.choice(("enrol", "enrol", "add", "expunge", "seal", "unseal", "update", "hosts"))
        ordered = {"order": "o", "authority": "a", "partition": partition}
        if what == "enrol":
            several = [self.new() for _ in range(rng.randint(1, 4))]
            self.both(lambda e: e.enrol(partition, several))
        elif what == "add":
            more = dataclasses.replace(record(rng, name), event=f"E-{rng.random()}")
            self.both(lambda e: e.enrol(partition, [more]))
        elif what == "expunge":
            self.both(lambda e: e.expunge(name, **ordered))
        elif what == "seal":
            self.both(lambda e: e.seal(name, **ordered))
        elif what == "unseal":
            self.both(lambda e: e.unseal(name, **ordered))
        elif what == "update":
            new = record(rng, name)
            said = {"fingers": new.fingers, "protected": new.protected, "order": "o"}
            self.both(lambda e: e.update(partition, name, authority="a", **said))
        else:
            self.hosts = rng.randint(1, 8)
            names = [f"h{rng.randint(0, 9)}" for n in range(self.hosts)]
            self.cluster.rebalance(sorted(set(names)), copy=rng.random() < 0.7)
        return what

    def check(self, met: Counter[str]) -> None:
        """One search; response and log of both must be equal."""
        rng = self.rng
        if self.policy is None or rng.random() < 0.4:
            self.policy = policies.policy(rng) if rng.random() < 0.5 else permissive(rng)
        for engine in (self.one, self.many):
            # Random policies hold void rules, which `publish` refuses; decisions ignore them.
            engine._state.policy = self.policy
        asked = search_of(rng)
        if rng.random() < 0.2:
            pairs = [self._several(e, asked) for e in (self.one, self.many)]
        else:
            pairs = [[e.search(asked)] for e in (self.one, self.many)]
        for a, b in zip(*pairs, strict=True):
            assert plain(a) == plain(b), (plain(a), plain(b))
            logs = [
                outcome(engine, response) for engine, response in ((self.one, a), (self.many, b))
            ]
            assert logs[0] == logs[1], logs
            met["compared"] += sum(said["live"] for said in logs[0].values())
            met["searches"] += 1
            covered = [s.coverage for s in b.sections if s.candidates is not None]
            assert all(c is not None and c.whole for c in covered)
            met["disclosed"] += len(covered)
            met["candidates"] += sum(len(s.candidates or ()) for s in b.sections)
        met[asked.effort] += 1
        met[f"{asked.scale} scale"] += 1
        met["several fingers" if len(asked.fingers) > 1 else "one finger"] += 1
        met[f"{len(self.cluster.layout.hosts)} hosts"] += 1

    def _several(self, engine: Engine, asked: SearchRequest) -> list[Any]:
        return engine.search_many([asked, again(asked)])

    def close(self) -> None:
        """Let go of everything."""
        self.one.close()
        self.many.close()
        self.cluster.close()
        shutil.rmtree(self.place, ignore_errors=True)


def plain(response: Any) -> bytes:
    """What a response says, its number and its random tokens aside."""
    sections = tuple(dataclasses.replace(s, token="") for s in response.sections)
    return told(dataclasses.replace(response, sections=sections))


def outcome(engine: Engine, response: Any) -> dict[str, dict[str, Any]]:
    """What the log says of each partition that a search was about."""
    (found,) = [
        r
        for r in engine.audit.records(kind="OUTCOME", first=response.audit_seq)
        if r.intent_seq == response.audit_seq
    ]
    return {
        name: {field: said[field] for field in COUNTED} for name, said in found.partitions.items()
    }


@contextmanager
def world(rng: random.Random) -> Iterator[World]:
    """A world, and its end."""
    made = World(rng)
    try:
        yield made
    finally:
        made.close()


def try_cases(cases: int, seed: int, put: Callable[[Any, str, Any], None]) -> Counter[str]:
    """So many cases; what they met."""
    met: Counter[str] = Counter()
    for number in range(cases):
        if number % CASES_A_WORLD == 0:
            log.info("%d cases equal", number)
            rng = random.Random(f"{seed}-{number}")
            manager = world(rng)
            here = manager.__enter__()
        try:
            low_bounds(put, np.random.default_rng([seed, number]))
            if rng.random() < 0.5:
                met[here.change()] += 1
            here.check(met)
        except BaseException:
            sys.stderr.write(f"case {number} of seed {seed}\n")
            raise
        if number % CASES_A_WORLD == CASES_A_WORLD - 1 or number == cases - 1:
            manager.__exit__(None, None, None)
    return met


def main(cases: int, seed: int) -> None:
    """Try so many cases, and print what they met."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("fpmatch").setLevel(logging.WARNING)
    begun = time.process_time()
    met = try_cases(cases, seed, setattr)
    told_of = ", ".join(f"{what} {count}" for what, count in sorted(met.items()))
    seconds = time.process_time() - begun
    sys.stdout.write(f"{cases} cases equal, {seconds:.0f} s of processor time: {told_of}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
