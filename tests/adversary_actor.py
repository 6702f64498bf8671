"""A process that does what it is told to an engine, several things at once; see `adversary`."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from engine_helpers import Clock

from fpmatch.errors import FpmatchError
from fpmatch.search import Engine
from fpmatch.types import SearchResponse

THREADS = 3
HELD_MS = 0.01
ORDER = {"order": "an order", "authority": "AASIR0000"}


@dataclass(frozen=True)
class Call:
    """One public call: its name and what it is given."""

    kind: str
    given: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """A search's answer as plain data; tokens apart, for no other engine could guess them."""

    tcn: str
    content: bytes
    tokens: dict[str, str]
    outcomes: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What a call returned or raised."""

    value: Any = None
    error: str = ""
    text: str = ""
    ours: bool = True


@dataclass(frozen=True)
class Message:
    """A message to an owner: of which submission, of whom, and whether it was delivered."""

    key: tuple[str, str, str]
    id: str
    delivered: bool


@dataclass(frozen=True)
class Seen:
    """What an engine holds, looked at from inside between two steps."""

    roots: dict[str, str]
    rows_differ: tuple[str, ...]
    deferred: frozenset[str]
    retained: tuple[tuple[str, str, str], ...]
    pending: int
    messages: tuple[Message, ...]


def reply(response: SearchResponse) -> Reply:
    bare = tuple(dataclasses.replace(s, token="") for s in response.sections)
    return Reply(
        response.tcn,
        dataclasses.replace(response, tcn="", sections=bare).to_bytes(),
        {s.partition: s.token for s in response if s.token},
        {s.partition: s.outcome.value for s in response},
    )


class Stopped:
    """A cancel that is set."""

    def is_set(self) -> bool:
        return True


class Actor:
    """Holds at most one engine and calls it."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.clock = Clock()
        self.pool = ThreadPoolExecutor(THREADS)

    def open(self, place: Path, mode: str, now: datetime) -> None:
        self.clock.now = now
        self.engine = Engine.open(
            place, mode, durability="off", clock=self.clock, withheld_ms=HELD_MS
        )

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def run(self, now: datetime, calls: Sequence[Call]) -> list[Answer]:
        """Make the calls, all at once, each from its own thread."""
        self.clock.now = now
        if len(calls) == 1:
            return [self._make(calls[0])]
        ready = threading.Barrier(len(calls))

        def together(call: Call) -> Answer:
            ready.wait()
            return self._make(call)

        return list(self.pool.map(together, calls))

    def _make(self, call: Call) -> Answer:
        try:
            return Answer(getattr(self, f"_{call.kind}")(**call.given))
        except Exception as error:
            ours = isinstance(error, FpmatchError)
            return Answer(None, type(error).__name__, str(error), ours)

    def _search(self, request: Any) -> Reply:
        return reply(self.engine.search(request))

    def _cancelled(self, request: Any) -> Reply:
        return reply(self.engine.search(request, cancel=Stopped()))

    def _many(self, requests: Any) -> list[Reply]:
        return [reply(r) for r in self.engine.search_many(requests)]

    def _event(self, token: str, event: str, everywhere: bool) -> Reply:
        return reply(self.engine.report_event(token, event, everywhere=everywhere))

    def _cancel(self, token: str) -> None:
        self.engine.cancel(token)

    def _copy(self, tcn: str, ori: str, booking: str | None = None) -> Reply:
        return reply(self.engine.copy(tcn, ori, booking_ori=booking))

    def _cascade(self, partition: str) -> list[Reply]:
        return [reply(r) for r in self.engine.cascade(partition)]

    def _enrol(self, partition: str, records: Any) -> bool:
        return self.engine.enrol(partition, records).ok

    def _seal(self, partition: str, record: str) -> None:
        self.engine.seal(record, partition=partition, **ORDER)

    def _unseal(self, partition: str, record: str) -> None:
        self.engine.unseal(record, partition=partition, **ORDER)

    def _expunge(self, partition: str, record: str) -> None:
        self.engine.expunge(record, partition=partition, **ORDER)

    def _update(self, partition: str, record: str, **wanted: Any) -> None:
        self.engine.update(partition, record, **wanted, **ORDER)

    def _publish(self, policy: Any) -> int:
        return self.engine.publish(policy)

    def _deliver(self, name: str) -> bool:
        return self.engine.deliver(name)

    def _envelope(self, name: str, owner: str) -> int:
        return len(self.engine.envelope(name, owner))

    def _visit(self, place: Path, mode: str) -> None:
        Engine.open(place, mode, durability="off", clock=self.clock, withheld_ms=HELD_MS).close()

    def look(self) -> Seen:
        state = self.engine._state
        differ = []
        for info in self.engine.partitions:
            columns = state.gallery.columns(info.name)
            stored = np.flatnonzero(columns.row_record >= 0)
            if not np.array_equal(np.sort(state.indexes[info.name].row_ids()), stored):
                differ.append(info.name)
        ledger = state.ledger
        return Seen(
            {info.name: state.gallery.root(info.name) for info in self.engine.partitions},
            tuple(differ),
            frozenset(k.token for k in ledger.kept("deferred")),
            tuple(
                (k.request["tcn"], k.request["booking_ori"], k.partition)
                for k in ledger.kept("retained")
            ),
            len(ledger.pending()),
            tuple(
                Message((m.tcn, m.booking_ori, m.partition), m.id, done)
                for done in (False, True)
                for m in self.engine.notifications(delivered=done)
            ),
        )

    def log(self) -> tuple[bool, list[tuple[int, str, Any, int | None]]]:
        """Whether the log verifies with nothing dangling, and its records."""
        report = self.engine.audit.verify()
        records = [
            (r.seq, r.kind, _plain(r.fields), r.intent_seq) for r in self.engine.audit.records()
        ]
        return report.ok and not report.dangling, records


def _plain(value: Any) -> Any:
    if hasattr(value, "items"):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def serve(pipe: Connection) -> None:
    """Be told by another process until it is gone."""
    actor = Actor()
    with contextlib.suppress(EOFError):
        while True:
            name, given = pipe.recv()
            try:
                pipe.send((True, getattr(actor, name)(*given)))
            except Exception as error:
                pipe.send((False, f"{type(error).__name__}: {error}"))
    actor.close()


class Peer:
    """An actor in a process of its own; what it is told may go on while this one works."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def begin(self, name: str, *given: Any) -> None:
        self.pipe.send((name, given))

    def end(self) -> Any:
        good, value = self.pipe.recv()
        if not good:
            raise RuntimeError(value)
        return value

    def open(self, place: Path, mode: str, now: datetime) -> None:
        self.begin("open", place, mode, now)
        self.end()

    def close(self) -> None:
        self.begin("close")
        self.end()

    def run(self, now: datetime, calls: Sequence[Call]) -> list[Answer]:
        self.begin("run", now, calls)
        return self.end()

    def look(self) -> Seen:
        self.begin("look")
        return self.end()

    def log(self) -> Any:
        self.begin("log")
        return self.end()

    def stop(self) -> None:
        self.pipe.close()
        self.process.join(10)
