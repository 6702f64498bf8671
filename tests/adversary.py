# ruff: noqa: T201
"""Random sequences of public calls, from three threads and two processes, against a plain model.

Run ``python tests/adversary.py --sequences 10000 --seed 1 --jobs 2``. A sequence is 10 to 50 calls
over a random policy that may change: one process writes, from up to three threads at once, two
read, or one writes while the other reads. After each step what was answered is compared with
`adversary_model`, and what the gallery holds with what it should hold; at the end the log with
both. Calls of one thread are the same for the same seed; what threads and processes make of each
other is not, so a failing sequence may need repeating.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import policy_cases as cases
from adversary_actor import Actor, Answer, Call, Peer, Seen
from adversary_model import NUMBERS, Model
from adversary_steps import Steps, Violation
from engine_helpers import folder
from remembering import remembered

from fpmatch.search import Engine

CHUNK = 100
CHANGES = ("enrol", "update", "seal", "unseal", "expunge", "publish")
SEARCHED = ("SEARCHED_DISCLOSED", "SEARCHED_WITHHELD", "FAILED")


@dataclass
class Tally:
    """What was done and what came of it."""

    sequences: int = 0
    calls: Counter = field(default_factory=Counter)
    outcomes: Counter = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        self.sequences += other.sequences
        self.calls += other.calls
        self.outcomes += other.outcomes
        self.violations += other.violations
        self.seconds += other.seconds


class Stage:
    """Two processes, and an empty gallery to copy."""

    def __init__(self) -> None:
        self.blank = folder() / "blank"
        with Engine.create(self.blank, durability="off") as engine:
            for name, owner in cases.OWNERS.items():
                engine.add_partition(name, NUMBERS[name], owner, expected_fingers=100)
            self.key = engine._state.opaque_key
        self.here, self.there = Actor(), Peer()

    def close(self) -> None:
        self.here.pool.shutdown()
        self.there.stop()
        shutil.rmtree(self.blank.parent, ignore_errors=True)


class Play:
    """One sequence."""

    def __init__(
        self, stage: Stage, seed: int, number: int, last: int | None, without: frozenset[str]
    ) -> None:
        self.stage = stage
        self.rng = random.Random(f"{seed}/{number}")
        self.place = folder() / "g"
        shutil.copytree(stage.blank, self.place)
        self.left = self.rng.randint(10, 50)
        self.last = last
        self.step = 0
        self.tally = Tally(sequences=1)
        self.model = Model(stage.key, cases.day(self.rng))
        self.steps = Steps(self.rng, self.model, self.place, self.tally.outcomes, without)
        self.open: list[Actor | Peer] = []

    def run(self) -> None:
        """Play all phases; Violation says what went wrong."""
        try:
            self._write(self.steps.opening())
            while self.left > 0 and not self._over():
                chance = self.rng.random()
                if chance < 0.3:
                    self._read()
                elif chance < 0.6:
                    self._beside()
                else:
                    self._write()
        finally:
            for actor in (self.stage.here, self.stage.there):
                actor.close()
            shutil.rmtree(self.place.parent, ignore_errors=True)

    def _over(self) -> bool:
        return self.last is not None and self.step >= self.last

    def _write(self, first: Sequence[Callable] = ()) -> None:
        writer = self.rng.choice((self.stage.here, self.stage.there))
        self._phase([writer], "rw", first)

    def _read(self) -> None:
        self._phase([self.stage.here, self.stage.there], "r")

    def _beside(self) -> None:
        """One process writes while the other reads."""
        both = [self.stage.here, self.stage.there]
        self.rng.shuffle(both)
        self._phase(both, "beside")

    def _phase(self, actors: list, mode: str, first: Sequence[Callable] = ()) -> None:
        for actor in actors:
            writes = mode != "r" and actor is actors[0]
            actor.open(self.place, "rw" if writes else "r", self.model.now)
        self.open = actors
        for make in first:
            self._do(make)
        for _ in range(self.rng.randint(2, 9)):
            if self.left <= 0 or self._over():
                break
            self._do(self.steps.pick(mode))
        self._check_log(actors[0])
        for actor in actors:
            actor.close()

    def _do(self, make: Callable) -> None:
        self.step += 1
        calls, check = make()
        self.left -= len(calls)
        self.tally.calls.update(call.kind for call in calls)
        if len(calls) > 1:
            self.tally.calls["from threads at once"] += len(calls)
        answers = self._make(calls)
        for call, answer in zip(calls, answers, strict=True):
            if not answer.ours:
                raise Violation(f"{call.kind} raised {answer.error}: {answer.text[:200]}")
            self.tally.outcomes[answer.error or "returned"] += 1
        check(answers)
        for actor in self.open:
            self._check_state(actor.look())

    def _make(self, calls: list[Call]) -> list[Answer]:
        """In the one open process, or divided between the two."""
        now = self.model.now
        if len(self.open) == 1:
            return self.open[0].run(now, calls)
        writer = self.open[0] if self.steps.mode == "beside" else None
        who = [
            writer if writer is not None and call.kind in CHANGES else self.rng.choice(self.open)
            for call in calls
        ]
        theirs = [n for n, one in enumerate(who) if one is self.stage.there]
        mine = [n for n, one in enumerate(who) if one is self.stage.here]
        self.stage.there.begin("run", now, [calls[n] for n in theirs])
        here = self.stage.here.run(now, [calls[n] for n in mine]) if mine else []
        answers = dict(zip((*theirs, *mine), [*self.stage.there.end(), *here], strict=True))
        return [answers[n] for n in range(len(calls))]

    def _check_state(self, seen: Seen) -> None:
        model = self.model
        for name, root in seen.roots.items():
            if root != model.root(name):
                raise Violation(f"the root of {name} is not that of what it should hold")
        if seen.rows_differ:
            raise Violation(f"index and gallery differ in {', '.join(seen.rows_differ)}")
        live = set(model.live())
        extra = seen.deferred - set(model.tokens) - model.loose
        if live - seen.deferred or extra:
            raise Violation(f"deferred probes: {len(live - seen.deferred)} lost, {len(extra)} more")
        if Counter(seen.retained) != Counter(model.retained.keys()):
            raise Violation("the retained probes are not those that were asked for and granted")
        if seen.pending:
            raise Violation("messages are neither shown nor dropped after their search")
        told = Counter(m.key for m in seen.messages)
        for key in told.keys() | model.messages.keys():
            least, most = model.messages.get(key, (0, 0))
            if not least <= told[key] <= most:
                raise Violation(f"{told[key]} messages for {key}; {least} to {most} expected")
        if {m.id for m in seen.messages if m.delivered} != model.delivered:
            raise Violation("the delivered messages are not those that were delivered")
        self.steps.waiting = [m for m in seen.messages if not m.delivered]

    def _check_log(self, actor: Actor | Peer) -> None:
        good, records = actor.log()
        if not good:
            raise Violation("the log does not verify, or has a search without an outcome")
        journal = Counter(f["journal"] for _, _, f, _ in records if f.get("journal"))
        twice = [name for name, count in journal.items() if count > 1]
        if twice:
            raise Violation(f"{len(twice)} journal entries are in the log twice")
        intents = {seq for seq, kind, _, _ in records if kind == "INTENT"}
        answered = Counter(intent for _, kind, _, intent in records if kind == "OUTCOME")
        if intents != set(answered) or max(answered.values(), default=1) > 1:
            raise Violation("a search has no outcome in the log, or two")
        for _, kind, fields, _ in records:
            for name, said in (fields.get("partitions") or {}).items() if kind == "OUTCOME" else ():
                compared = any(said.get(c) for c in ("codes", "stage1", "stage2"))
                if compared and said["outcome"] not in SEARCHED:
                    raise Violation(f"{name} was compared with and is said not to be searched")


def play(
    stage: Stage,
    seed: int,
    number: int,
    last: int | None = None,
    without: frozenset[str] = frozenset(),
) -> Tally:
    """One sequence and what came of it."""
    start = time.process_time()
    game = Play(stage, seed, number, last, without)
    try:
        game.run()
    except Violation as found:
        again = f"python tests/adversary.py --seed {seed} --only {number} --steps {game.step}"
        game.tally.violations.append(
            f"sequence {number} step {game.step}: {found}\n  repeat with: {again}"
        )
    except Exception:
        game.tally.violations.append(
            f"sequence {number} step {game.step}: {traceback.format_exc()}"
        )
    game.tally.seconds = time.process_time() - start
    return game.tally


def several(
    seed: int,
    numbers: Sequence[int],
    last: int | None = None,
    without: frozenset[str] = frozenset(),
) -> Tally:
    """Some sequences on one stage, ended after a number of steps, or without some kinds of them."""
    total = Tally()
    stage = Stage()
    try:
        with remembered():
            for number in numbers:
                total.add(play(stage, seed, number, last, without))
    finally:
        stage.close()
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int, help="play this sequence alone")
    parser.add_argument("--steps", type=int, help="and end after so many steps")
    parser.add_argument("--without", default="", help="kinds of steps to leave out, by comma")
    asked = parser.parse_args()
    without = frozenset(filter(None, asked.without.split(",")))
    numbers = range(asked.sequences) if asked.only is None else [asked.only]
    size = min(CHUNK, -(-len(numbers) // asked.jobs))
    chunks = [numbers[i : i + size] for i in range(0, len(numbers), size)]
    total, start = Tally(), time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(asked.jobs, mp_context=context) as pool:
        waiting = [
            pool.submit(several, asked.seed, chunk, asked.steps, without) for chunk in chunks
        ]
        for done in as_completed(waiting):
            part = done.result()
            total.add(part)
            for text in part.violations:
                print(f"VIOLATION {text}", flush=True)
            passed = time.monotonic() - start
            print(
                f"{total.sequences}/{len(numbers)} sequences, {len(total.violations)} violations, "
                f"{passed:.0f} s",
                flush=True,
            )
    summary(total, asked.seed)
    return 1 if total.violations else 0


def summary(total: Tally, seed: int) -> None:
    """What a run amounts to."""
    print(f"\nsequences   {total.sequences} (seed {seed})")
    at_once = total.calls.pop("from threads at once", 0)
    print(f"calls       {total.calls.total()}, of them {at_once} from several threads at once")
    for title, counts in (("calls by kind", total.calls), ("outcomes", total.outcomes)):
        print(f"{title}:")
        for name, count in sorted(counts.items()):
            print(f"  {name:24} {count}")
    each = total.seconds / max(1, total.sequences)
    print(f"processor time of the first process {each:.3f} s a sequence")
    print(f"violations  {len(total.violations)}")


if __name__ == "__main__":
    sys.exit(main())
