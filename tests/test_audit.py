from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fpmatch.audit import AuditLog, IntentRecord, OutcomeRecord, PartitionIntent, PartitionOutcome
from fpmatch.errors import AuditError, InputError, ReadOnlyError


class Clock:
    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        self.time += timedelta(seconds=1)
        return self.time


def intent(tcn, cri="CA0380100", **more):
    parts = (
        PartitionIntent("criminal", "ACCEPT+PROBE+VIEW", "GRANTED", ("r1",), "LOCAL"),
        PartitionIntent("immigration", "", "ORI_DEACTIVATED", ("r2",), "LOCAL"),
    )
    return IntentRecord(tcn, cri, 3, "ab" * 32, more.pop("partitions", parts), **more)


def outcome(tcn, **more):
    parts = (
        PartitionOutcome("criminal", "SEARCHED_DISCLOSED", "GRANTED", 10, 1000, 10, 4),
        PartitionOutcome("immigration", "NOT_SEARCHED", "ORI_DEACTIVATED"),
    )
    return OutcomeRecord(tcn, more.pop("partitions", parts), **more)


@pytest.fixture
def log(tmp_path):
    with AuditLog.create(tmp_path / "audit.db", clock=Clock(), durability="off") as log:
        yield log


def search(log, tcn, **more):
    seq = log.intent(intent(tcn, **more))
    return seq, log.outcome(seq, outcome(tcn))


def test_one_search_is_two_chained_records(log):
    seq, done = search(log, "T1")
    assert (seq, done) == (2, 3)
    genesis, first, second = log.records(last=3)
    assert genesis.kind == "GENESIS"
    assert genesis.prev_hash == "0" * 64
    assert first.prev_hash == genesis.hash
    assert second.prev_hash == first.hash
    assert first.fields["cri"] == "CA0380100"
    assert second.intent_seq == seq
    assert second.partitions["criminal"]["stage2"] == 4
    report = log.verify()
    assert report.ok
    assert report.dangling == ()


def test_an_intent_without_outcome_is_named(log):
    search(log, "T1")
    seq = log.intent(intent("T2"))
    report = log.verify()
    assert report.ok
    assert [(d.seq, d.tcn) for d in report.dangling] == [(seq, "T2")]


def test_an_outcome_needs_its_own_open_intent(log):
    seq, _ = search(log, "T1")
    with pytest.raises(AuditError, match="already"):
        log.outcome(seq, outcome("T1"))
    with pytest.raises(AuditError, match="no intent"):
        log.outcome(99, outcome("T1"))
    other = log.intent(intent("T2"))
    with pytest.raises(AuditError, match="TCN"):
        log.outcome(other, outcome("T3"))
    assert log.verify().records == 4


def test_floats_and_bytes_are_refused(log):
    for bad in (1.5, b"template", {"a": [b""]}, [[1]], 2**53, "x" * 5000, "\ud800"):
        with pytest.raises(InputError):
            log.event("ENROL", {"value": bad})
    assert log.verify().records == 1


def test_read_only_and_closed_logs_refuse_to_append(log):
    with AuditLog.open(log.path) as reader, pytest.raises(ReadOnlyError):
        reader.intent(intent("T1"))
    log.close()
    with pytest.raises(AuditError):
        log.intent(intent("T1"))
