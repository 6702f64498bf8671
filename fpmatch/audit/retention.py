"""Pruning: old records go, their Merkle subtrees and a PRUNE record stay in their place."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from typing import Any

from fpmatch.audit import store
from fpmatch.audit.records import Kind, time_text
from fpmatch.audit.verify import AuditReport
from fpmatch.audit.writer import Writer, entry
from fpmatch.errors import AuditError, InputError
from fpmatch.parameters import AUDIT


def check_age(before: datetime, now: datetime) -> None:
    """`InputError` if records before that time are too young to be pruned."""
    limit = now - timedelta(days=AUDIT.retention_days)
    if before > limit:
        raise InputError(
            f"records are kept for {AUDIT.retention_days} days; nothing after "
            f"{time_text(limit)} can be pruned"
        )


def prune(writer: Writer, before: datetime, authority: str, report: AuditReport) -> int:
    """Remove records older than `before`, in one transaction with the record of it.

    Parameters
    ----------
    writer : Writer
        None where the log is open for reading only.
    before : datetime
        Records of before this time go.
    authority : str
        Who ordered it.
    report : AuditReport
        Of the verification just made.

    Returns
    -------
    int
        How many were removed. The last record always stays.

    Raises
    ------
    AuditError
        If the log does not verify: pruning would hide it.
    """
    if not report.ok:
        raise AuditError(f"the log does not verify at {report.bad_seq}: {report.why}")
    removed = 0

    def work(database: sqlite3.Connection) -> None:
        nonlocal removed
        base, _, peaks = store.base(database)
        query = "SELECT min(seq) FROM records WHERE time >= ?"
        kept = database.execute(query, (time_text(before),)).fetchone()[0]
        cut = (report.last_seq if kept is None else kept) - 1
        if cut <= base:
            return
        query = "SELECT hash FROM records WHERE seq <= ? ORDER BY seq"
        found = [h for (h,) in database.execute(query, (cut,))]
        for digest in found:
            peaks.append(bytes.fromhex(digest))
        said: dict[str, Any] = {
            "through_seq": cut,
            "root": peaks.root(),
            "before": time_text(before),
            "authority": authority,
            "unanswered": [d.seq for d in report.dangling if d.seq <= cut],
        }
        writer.place(database, [entry(Kind.PRUNE, said)])
        store.delete_through(database, cut)
        state = {"base_seq": str(cut), "base_hash": found[-1]}
        store.set_meta(database, {**state, "base_peaks": " ".join(peaks.to_text())})
        removed = len(found)

    writer.transaction(work)
    writer.truncate_journal()
    return removed
