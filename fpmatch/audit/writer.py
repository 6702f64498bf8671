"""Appending: one transaction a batch, and callers that arrive meanwhile share the next one."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fpmatch import database
from fpmatch.audit import canonical, hashing, store
from fpmatch.audit.records import IntentRecord, Kind, OutcomeRecord, search_items, time_text
from fpmatch.errors import AuditError, InputError, StorageError
from fpmatch.parameters import DATABASE

_INTENT_OF = (
    "SELECT kind, tcn, (SELECT seq FROM records WHERE tcn = :tcn AND intent_seq = :seq) "
    "FROM records WHERE seq = :seq"
)


@dataclass(slots=True)
class Entry:
    """A record on its way into the log: all that does not depend on its place there."""

    kind: str
    tcn: str
    body: str
    nonce: bytes
    committed: str
    intent_seq: int | None = None
    once: bool = False
    seq: int = 0
    error: AuditError | InputError | None = None
    done: bool = False


@dataclass(slots=True, eq=False)
class _Group:
    """Records that one caller writes together, and how far they have come."""

    entries: Sequence[Entry]
    begun: bool = False
    withdrawn: bool = False


def entry(kind: str, fields: Mapping[str, Any], intent_seq: int | None = None) -> Entry:
    """Bring fields into canonical form and commit to them; `InputError` if they do not fit.

    Parameters
    ----------
    kind : str
        Of the record.
    fields : Mapping[str, Any]
        Of the record.
    intent_seq : int or None
        Number of the intent that an outcome answers.
    """
    tcn = fields.get("tcn", "")
    if not isinstance(tcn, str):
        raise InputError("tcn must be text")
    return _committed(kind, tcn, canonical.items(fields), intent_seq)


def search_entry(
    kind: str, record: IntentRecord | OutcomeRecord, intent_seq: int | None = None
) -> Entry:
    """The same for one half of a search.

    Parameters
    ----------
    kind : str
        Of the record.
    record : IntentRecord or OutcomeRecord
        One half of a search.
    intent_seq : int or None
        Number of the intent that an outcome answers.
    """
    more = None if intent_seq is None else {"intent_seq": intent_seq}
    return _committed(kind, record.tcn, search_items(record, more), intent_seq)


def _committed(kind: str, tcn: str, items: list[canonical.Item], intent_seq: int | None) -> Entry:
    nonce = os.urandom(hashing.NONCE_BYTES)
    committed = hashing.commitments(nonce, items)
    return Entry(kind, tcn, canonical.body(items), nonce, committed, intent_seq)


class Writer:
    """The one writing connection of a process; threads may share it.

    Whoever holds the lock commits everything that is waiting, in one transaction with one
    fsync; `gather_seconds` makes it wait a little for more. Other processes take turns by
    SQLite's own lock, and the head of the chain is read inside the transaction.

    Parameters
    ----------
    database : sqlite3.Connection
        Open for writing.
    clock : callable
        Gives the time of a record, with an offset.
    gather_seconds : float
        How long an append waits for others to share its sync.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        clock: Callable[[], datetime],
        gather_seconds: float = 0.0,
    ) -> None:
        self._database = database
        self.clock = clock
        self._gather = gather_seconds
        self._write_lock = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Group] = []

    def append(self, entries: Sequence[Entry], deadline: float | None = None) -> list[int]:
        """Write records together or not at all, and return their numbers once they are durable.

        Parameters
        ----------
        entries : sequence of Entry
        deadline : float, optional
            `time.monotonic` until which to wait for others, in this process or another. What has
            been begun by then is carried through.

        Raises
        ------
        AuditError
            If they could not be written; then none of them is in the log.
        InputError
            If one that may be there once is there; then too.
        """
        if not entries:
            return []
        group = _Group(entries)
        with self._queue_lock:
            self._queue.append(group)
        if not self._write_lock.acquire(timeout=_left(deadline, -1)):
            self._withdraw(group)
            self._write_lock.acquire()
        try:
            if not entries[0].done:
                if self._gather:
                    time.sleep(self._gather)
                self._commit(group, deadline)
        finally:
            self._write_lock.release()
        if entries[0].error is not None:
            raise entries[0].error
        return [e.seq for e in entries]

    def _withdraw(self, group: _Group) -> None:
        """Take a group back; nothing is done if whoever writes has begun with it."""
        with self._queue_lock:
            if group.begun:
                return
            group.withdrawn = True
            self._queue = [g for g in self._queue if g is not group]
        raise AuditError("the audit log was busy until the deadline; nothing was searched")

    def transaction(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Run other work on the file in one transaction, between appends."""
        with self._write_lock:
            self._run(work)

    def truncate_journal(self) -> None:
        """Empty the write-ahead file, so that pruned records do not linger in it."""
        # Another reader may hold it.
        with self._write_lock, contextlib.suppress(StorageError):
            database.scrub(self._database)

    def place(self, database: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        """Chain and insert records inside an open transaction."""
        seq, prev = store.head(database)
        for e in entries:
            seq += 1
            moment = time_text(self.clock())
            digest = hashing.record_hash(e.committed, e.kind, prev, seq, moment)
            row = (seq, prev, moment, e.kind, e.tcn, e.intent_seq, e.body, e.nonce, digest)
            store.insert(database, row)
            e.seq, prev = seq, digest

    def close(self) -> None:
        """Close the connection; later appends raise `AuditError`."""
        with self._write_lock:
            self._database.close()

    def _commit(self, own: _Group, deadline: float | None) -> None:
        """Everything that waits, in one transaction; late for one, the others try themselves."""
        with self._queue_lock:
            groups, self._queue = self._queue, []

        def work(database: sqlite3.Connection) -> None:
            with self._queue_lock:
                live = [g for g in groups if not g.withdrawn]
                for g in live:
                    g.begun = True
            self._place_all(database, [g.entries for g in live])

        ended = groups
        try:
            self._run(work, _left(deadline, DATABASE.busy_seconds))
        except AuditError as error:
            if deadline is not None and not own.begun:
                ended = [own]
                with self._queue_lock:
                    self._queue[:0] = [g for g in groups if g is not own and not g.withdrawn]
            _fail(ended, error)
        except BaseException as error:
            # The others wait in their own threads: each must learn that nothing was written.
            _fail(ended, AuditError(f"the audit log was not written: {error!r}"))
            raise
        finally:
            for e in (e for g in ended for e in g.entries):
                e.done = True

    def _place_all(self, database: sqlite3.Connection, groups: list[Sequence[Entry]]) -> None:
        for group in groups:
            reason = _misfit(database, group)
            used = _used_before(database, group)
            if reason is not None or used is not None:
                for e in group:
                    e.error = InputError(used) if used is not None else AuditError(reason)
            else:
                self.place(database, group)

    def _run(
        self, work: Callable[[sqlite3.Connection], None], patience: float = DATABASE.busy_seconds
    ) -> None:
        try:
            self._database.execute(f"PRAGMA busy_timeout = {math.ceil(1000 * patience)}")
            with database.transaction(self._database):
                work(self._database)
        except store.DATABASE_ERRORS as error:
            raise AuditError(
                f"the audit log cannot be written ({error}); nothing may be searched without it"
            ) from error


def _left(deadline: float | None, otherwise: float) -> float:
    """Seconds until a deadline."""
    return otherwise if deadline is None else max(0.0, deadline - time.monotonic())


def _fail(groups: Sequence[_Group], error: AuditError) -> None:
    for e in (e for g in groups for e in g.entries):
        e.error = e.error or error


def _misfit(database: sqlite3.Connection, group: Sequence[Entry]) -> str | None:
    """Why an outcome has no place: its intent is missing, answered, or another search's."""
    answered: set[int] = set()
    for e in group:
        if e.intent_seq is None:
            continue
        found = database.execute(_INTENT_OF, {"seq": e.intent_seq, "tcn": e.tcn}).fetchone()
        if found is None or found[0] != Kind.INTENT:
            return f"record {e.intent_seq} is no intent; an outcome needs the intent it answers"
        if found[1] != e.tcn:
            return f"the intent {e.intent_seq} has TCN {found[1]!r}, the outcome {e.tcn!r}"
        if found[2] is not None or e.intent_seq in answered:
            return f"the intent {e.intent_seq} has an outcome already"
        answered.add(e.intent_seq)
    return None


def _used_before(database: sqlite3.Connection, group: Sequence[Entry]) -> str | None:
    """Why a search may not begin: its agency used the control number before."""
    seen: set[tuple[str, str]] = set()
    for e in group:
        if not e.once:
            continue
        agency = _agency(e.body)
        earlier = database.execute(
            "SELECT body FROM records WHERE tcn = ? AND kind = ?", (e.tcn, Kind.INTENT)
        )
        if (agency, e.tcn) in seen or any(_agency(body) == agency for (body,) in earlier):
            return (
                f"the agency {agency} has used the control number {e.tcn[:128]!r} before; a "
                "submission needs a number of its own (and may name that one as tcr)"
            )
        seen.add((agency, e.tcn))
    return None


def _agency(body: str) -> str:
    return str(json.loads(body).get("/cri", ""))
