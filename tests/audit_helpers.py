"""Small searches for the audit tests."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from fpmatch.audit import IntentRecord, OutcomeRecord, PartitionIntent, PartitionOutcome

CRI = "CA0380100"


class Clock:
    def __init__(self, time=datetime(2026, 1, 1, tzinfo=UTC)):
        self.time = time

    def __call__(self):
        self.time += timedelta(seconds=1)
        return self.time


def intent(tcn, cri=CRI, immigration="", **more):
    parts = (
        PartitionIntent("criminal", "ACCEPT+PROBE+VIEW", "GRANTED", ("r1",), "LOCAL"),
        PartitionIntent(
            "immigration",
            immigration,
            "GRANTED" if immigration else "ORI_DEACTIVATED",
            ("r2",),
            more.pop("authority", "LOCAL"),
            acknowledged=more.pop("acknowledged", False),
        ),
    )
    more.setdefault("max_candidates", 20)
    return IntentRecord(tcn, cri, 3, "ab" * 32, more.pop("partitions", parts), **more)


def outcome(
    tcn, immigration="NOT_SEARCHED", hits=0, criminal_hits=1, counts=None, complete=True, **more
):
    if counts is None:
        counts = (0, 0, 0, 0) if immigration == "NOT_SEARCHED" else (50, 2000, 50, 9)
    parts = (
        PartitionOutcome(
            "criminal",
            "SEARCHED_DISCLOSED",
            "GRANTED",
            10,
            1000,
            10,
            4,
            gallery_root="cd" * 32,
            candidate_digest="ef" * 32,
            n_candidates=criminal_hits,
            complete=complete,
        ),
        PartitionOutcome("immigration", immigration, "ORI_DEACTIVATED", *counts, n_candidates=hits),
    )
    return OutcomeRecord(tcn, parts, **more)


def search(
    log,
    tcn,
    immigration="NOT_SEARCHED",
    *,
    hits=0,
    criminal_hits=1,
    counts=None,
    complete=True,
    **more,
):
    """One search that leaves the immigration partition alone, or searches it."""
    granted = {"SEARCHED_WITHHELD": "ACCEPT+PROBE", "SEARCHED_DISCLOSED": "ACCEPT+PROBE+VIEW"}
    seq = log.intent(intent(tcn, immigration=granted.get(immigration, ""), **more))
    done = outcome(tcn, immigration, hits, criminal_hits, counts, complete)
    return seq, log.outcome(seq, done)


def tamper(path, *statements):
    """Change the file behind the log's back, as who holds it could."""
    with sqlite3.connect(path) as database:
        database.execute("DROP TRIGGER IF EXISTS records_no_update")
        database.execute("DROP TRIGGER IF EXISTS records_no_delete")
        for statement, values in statements:
            assert database.execute(statement, values).rowcount > 0
    database.close()
