"""Checking a log from its first record to its last."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpmatch.audit import canonical, hashing, merkle, store
from fpmatch.audit.checkpoint import Checkpoint
from fpmatch.audit.records import COUNTERS, NOT_SEARCHED_OUTCOMES, Kind
from fpmatch.errors import AuditError, InputError


@dataclass(frozen=True, slots=True)
class Dangling:
    """An intent without an outcome: a search that was allowed to start and never accounted for."""

    seq: int
    tcn: str
    time_utc: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An outcome that disagrees with itself or with its intent."""

    seq: int
    tcn: str
    partition: str
    why: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of the whole log found.

    ``ok`` says that chain, tree and checkpoint hold: nothing was altered, removed or reordered.
    ``dangling`` and ``contradictions`` are findings in an intact log. Without a checkpoint from
    outside, records cut off at the end go unnoticed.
    """

    ok: bool
    records: int
    first_seq: int
    last_seq: int
    head: str
    root: str
    bad_seq: int | None = None
    why: str = ""
    dangling: tuple[Dangling, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    clock_reversals: int = 0
    checkpoint_checked: bool = False


@dataclass(slots=True)
class _Walk:
    """State of the walk: where the chain stands and what is still open."""

    seq: int
    prev: str
    peaks: merkle.Peaks
    base: int
    log_id: str
    first: int = 0
    records: int = 0
    time: str = ""
    reversals: int = 0
    open: dict[int, tuple[str, str, dict[str, str]]] = field(default_factory=dict)
    found: list[Contradiction] = field(default_factory=list)
    base_state: tuple[int, str] = (0, "")
    pruned: bool = False


def verify_log(path: Path, checkpoint: Checkpoint | None = None) -> AuditReport:
    """Check every record; O(n) time, O(open intents) memory, some 10 000 records a second.

    Parameters
    ----------
    path : Path
        The log.
    checkpoint : Checkpoint, optional
        One kept outside: shows also that nothing was cut off before it, and that the log is the
        one that the witness saw.

    Raises
    ------
    AuditError
        If the file is missing or is no audit log at all.
    InputError
        If the checkpoint is older than what was pruned, so that nothing can be said.
    """
    database = store.connect(path, write=False)
    walk: _Walk | None = None
    try:
        database.execute("BEGIN")
        walk = _start(database)
        if checkpoint is not None and checkpoint.size < walk.base:
            raise InputError(
                f"the checkpoint covers {checkpoint.size} records; the log was pruned up to "
                f"{walk.base}: use a later checkpoint"
            )
        return _walk_all(database, walk, checkpoint)
    except (*store.DATABASE_ERRORS, AuditError) as error:
        return _report(walk, f"the file cannot be read further: {error}")
    finally:
        database.close()


def _start(database: sqlite3.Connection) -> _Walk:
    base, head, peaks = store.base(database)
    return _Walk(
        base,
        head,
        peaks,
        base,
        store.meta(database, "log_id"),
        base_state=(base, peaks.root()),
    )


def _walk_all(
    database: sqlite3.Connection, walk: _Walk, checkpoint: Checkpoint | None
) -> AuditReport:
    if checkpoint is not None and checkpoint.log_id != walk.log_id:
        return _report(walk, f"the checkpoint is of log {checkpoint.log_id}, this is {walk.log_id}")
    checked = False
    if checkpoint is not None and checkpoint.size == walk.base:
        if not checkpoint.fits(walk.peaks.root(), walk.prev, None):
            return _report(walk, "what stands for the pruned records is not what the witness saw")
        checked = True
    for row in store.rows(database):
        why = _check_row(walk, row)
        if why:
            return _report(walk, why, row.seq if isinstance(row.seq, int) else walk.seq + 1)
        if checkpoint is not None and checkpoint.size == walk.seq:
            if not checkpoint.fits(walk.peaks.root(), walk.prev, row.time):
                return _report(
                    walk, "the records up to here are not those the witness saw", row.seq
                )
            checked = True
    if checkpoint is not None and not checked:
        return _report(
            walk,
            f"cut off: the log ends at record {walk.seq}, the witness saw {checkpoint.size}",
            walk.seq + 1,
        )
    if walk.records == 0:
        return _report(walk, "the log is empty: even its first record is gone", walk.seq + 1)
    if walk.base and not walk.pruned:
        return _report(walk, "records are missing at the start and no record says they were pruned")
    return _report(walk, "", checked=checked)


def _check_row(walk: _Walk, row: store.Row) -> str:
    """Why a row does not continue the chain; empty if it does."""
    if row.seq != walk.seq + 1:
        return f"expected record {walk.seq + 1}, found {row.seq}: records are missing"
    texts = (row.prev, row.time, row.kind, row.tcn, row.body, row.hash)
    if not all(isinstance(t, str) for t in texts) or not isinstance(row.nonce, bytes):
        return "a column holds another type of value"
    if row.prev != walk.prev:
        return "its previous hash is not the hash of the record before it"
    try:
        items = canonical.parse_body(row.body)
        committed = hashing.commitments(row.nonce, items)
        digest = hashing.record_hash(committed, row.kind, row.prev, row.seq, row.time)
    except (InputError, UnicodeError) as error:
        return f"its body is damaged: {error}"
    if digest != row.hash:
        return "its hash does not fit its contents"
    fields = canonical.flat_fields(row.body)
    answers = fields.get("/intent_seq") if row.kind == Kind.OUTCOME else None
    if row.tcn != fields.get("/tcn", "") or row.intent_seq != answers:
        return "its look-up columns differ from its contents"
    if row.seq == 1 and (row.kind != Kind.GENESIS or fields.get("/log_id") != walk.log_id):
        return "the log does not start with its own first record"
    _account(walk, row, fields)
    walk.seq, walk.prev = row.seq, row.hash
    walk.first = walk.first or row.seq
    walk.records += 1
    walk.reversals += row.time < walk.time
    walk.time = row.time
    walk.peaks.append(bytes.fromhex(row.hash))
    return ""


def _account(walk: _Walk, row: store.Row, fields: dict[str, Any]) -> None:
    """Match outcomes with intents and note what contradicts."""
    if row.kind == Kind.INTENT:
        parts = partitions_of(fields).items()
        granted = {name: str(said.get("permissions", "")) for name, said in parts}
        walk.open[row.seq] = (row.tcn, row.time, granted)
    elif row.kind == Kind.OUTCOME:
        intent = walk.open.pop(row.intent_seq or 0, None)
        if intent is None:
            if (row.intent_seq or 0) > walk.base:
                walk.found.append(Contradiction(row.seq, row.tcn, "", "it answers no open intent"))
            return
        for name, said in partitions_of(fields).items():
            why = contradiction(said, intent[2].get(name))
            if why:
                walk.found.append(Contradiction(row.seq, row.tcn, name, why))
    elif row.kind == Kind.PRUNE:
        walk.pruned |= (fields.get("/through_seq"), fields.get("/root")) == walk.base_state


def partitions_of(fields: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What flat fields say of each partition, by name; whatever has another shape is left out."""
    out: dict[str, dict[str, Any]] = {}
    for path, value in fields.items():
        keys = path.split("/")
        if len(keys) == 4 and keys[1] == "partitions":
            name = keys[2].replace("~1", "/").replace("~0", "~")
            out.setdefault(name, {})[keys[3]] = value
    return out


def contradiction(said: dict[str, Any], granted: str | None) -> str:
    """Why one partition's outcome contradicts itself or the decision; empty if it does not."""
    compared = any(said.get(name) for name in COUNTERS)
    if said.get("outcome") in NOT_SEARCHED_OUTCOMES and compared:
        return f"{said['outcome']}, yet comparisons were counted"
    may = granted is not None and "PROBE" in granted.split("+")
    if not may and (compared or str(said.get("outcome", "")).startswith("SEARCHED")):
        return "searched, though the decision did not grant it"
    return ""


def _report(
    walk: _Walk | None, why: str, bad_seq: int | None = None, *, checked: bool = False
) -> AuditReport:
    if walk is None:
        return AuditReport(False, 0, 0, 0, hashing.ZERO, merkle.EMPTY_ROOT, None, why)
    if why and bad_seq is None:
        bad_seq = walk.seq + 1
    dangling = tuple(Dangling(seq, tcn, time) for seq, (tcn, time, _) in walk.open.items())
    return AuditReport(
        ok=not why,
        records=walk.records,
        first_seq=walk.first,
        last_seq=walk.seq,
        head=walk.prev,
        root=walk.peaks.root(),
        bad_seq=bad_seq,
        why=why,
        dangling=dangling,
        contradictions=tuple(walk.found),
        clock_reversals=walk.reversals,
        checkpoint_checked=checked,
    )
