"""Reports and retention."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from audit_helpers import CRI, Clock, intent, outcome, search, tamper
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.audit import (
    AuditLog,
    AuditRecord,
    reports,
    store,
    verify_export,
    verify_proof,
)
from fpmatch.audit.merkle import Peaks
from fpmatch.audit.reports import Aggregate, ByAuthority, Difference, OptOut
from fpmatch.errors import AuditError, InputError, ReadOnlyError
from fpmatch.parameters import AUDIT

OTHER_CRI = "TX2270000"


@pytest.fixture
def log(tmp_path):
    with AuditLog.create(tmp_path / "a.db", clock=Clock(), durability="off") as log:
        yield log


def test_unknowing_agencies_are_those_searched_without_acknowledgement(log):
    search(log, "T1", "SEARCHED_WITHHELD", authority="SIB-MOA")
    search(log, "T2", "SEARCHED_DISCLOSED", authority="MANDATE")
    search(log, "T3", "SEARCHED_DISCLOSED", cri=OTHER_CRI, acknowledged=True)
    search(log, "T4", cri="NY0010000")
    log.intent(intent("T5", immigration="ACCEPT+PROBE", cri="NY0020000"))
    (found,) = log.unknowing("immigration")
    assert (found.cri, found.searches) == (CRI, 2)
    assert found.authorities == ("MANDATE", "SIB-MOA")
    assert found.first_time < found.last_time
    assert {u.cri for u in log.unknowing("criminal")} == {CRI, OTHER_CRI, "NY0010000"}


def opt_out(log, request, status, cri=CRI):
    said = {"request": request, "cri": cri, "partition": "immigration", "status": status}
    log.event("OPT_OUT", said)


def test_opt_outs_that_are_not_in_effect_are_listed(log):
    search(log, "T0", "SEARCHED_WITHHELD")
    opt_out(log, "open", "open")
    opt_out(log, "kept", "open")
    opt_out(log, "broken", "open")
    opt_out(log, "refused", "refused", OTHER_CRI)
    search(log, "T1", "SEARCHED_WITHHELD")
    opt_out(log, "kept", "accepted")
    search(log, "T2")
    assert [r.request for r in log.ineffective_opt_outs()] == ["open", "broken", "refused"]
    opt_out(log, "broken", "accepted")
    search(log, "T3", "SEARCHED_DISCLOSED")
    found = {r.request: r for r in log.ineffective_opt_outs()}
    assert {n: (r.status, r.searches_since) for n, r in found.items()} == {
        "open": ("open", 2),
        "kept": ("accepted", 1),
        "broken": ("accepted", 1),
        "refused": ("refused", 0),
    }
    assert isinstance(found["open"], OptOut)
    assert (found["refused"].cri, found["refused"].partition) == (OTHER_CRI, "immigration")


def test_searches_are_counted_by_authority(log):
    search(log, "T1", "SEARCHED_WITHHELD", authority="MANDATE")
    search(log, "T2", "SEARCHED_WITHHELD", authority="MANDATE")
    search(log, "T3")
    assert log.by_authority("immigration") == [
        ByAuthority("immigration", "LOCAL", "NOT_SEARCHED", False, 1),
        ByAuthority("immigration", "MANDATE", "SEARCHED_WITHHELD", False, 2),
    ]
    every = log.by_authority()
    assert ByAuthority("criminal", "LOCAL", "SEARCHED_DISCLOSED", False, 3) in every
    assert len(every) == 3


def test_what_was_stated_is_held_against_what_was_done(log):
    search(log, "T1")
    search(log, "T2", "SEARCHED_WITHHELD")
    search(log, "T3", cri=OTHER_CRI)
    stated = {(CRI, "immigration"): False, (OTHER_CRI, "immigration"): False}
    assert log.stated_against_effective(stated) == [
        Difference(CRI, "immigration", False, 1, 1, "T2")
    ]
    stated = {(OTHER_CRI, "immigration"): True, (OTHER_CRI, "criminal"): True}
    assert log.stated_against_effective(stated) == [
        Difference(OTHER_CRI, "immigration", True, 0, 1, "T3")
    ]


def test_declared_citizens_searched_are_counted(log):
    search(log, "T1", "SEARCHED_WITHHELD", declared_citizen=True)
    search(log, "T2", "SEARCHED_WITHHELD", declared_citizen=False)
    search(log, "T3", "SEARCHED_WITHHELD")
    search(log, "T4", declared_citizen=True)
    assert log.declared_citizens("immigration") == {CRI: 1}
    assert log.declared_citizens("criminal") == {CRI: 2}


@pytest.mark.parametrize(
    "partly", [{"complete": False}, {"record_digest": "ab" * 32}, {"max_candidates": 0}]
)
def test_what_was_not_all_compared_is_counted_as_no_miss(log, partly):
    search(log, "T1", "SEARCHED_WITHHELD", hits=1, criminal_hits=0)
    search(log, "T2", "SEARCHED_WITHHELD", hits=1, criminal_hits=0, **partly)
    search(log, "T3", "SEARCHED_WITHHELD", hits=1, criminal_hits=1, complete=False)
    for asked in ({"no_hit_in": "criminal"}, {"hit_in": "immigration", "no_hit_in": "criminal"}):
        (cell,) = log.aggregate(k=1, **asked)
        assert (cell.searches, cell.hits) == (3, 1)


def test_small_cells_of_an_aggregate_are_merged(log):
    for i in range(9):
        search(log, f"F{i}", charge="felony")
    for i in range(6):
        search(log, f"M{i}", charge="misdemeanor")
    for i in range(2):
        search(log, f"V{i}", charge="traffic")
    search(log, "U")
    assert log.aggregate(k=3) == [
        Aggregate(CRI, "(other)", 3, None),
        Aggregate(CRI, "felony", 9, None),
        Aggregate(CRI, "misdemeanor", 6, None),
    ]
    assert log.aggregate(k=1) == [
        Aggregate(CRI, "felony", 9, None),
        Aggregate(CRI, "misdemeanor", 6, None),
        Aggregate(CRI, "traffic", 2, None),
        Aggregate(CRI, "unknown", 1, None),
    ]
    assert [(a.charge, a.searches) for a in log.aggregate(k=5)] == [("(other)", 9), ("felony", 9)]
    assert log.aggregate(k=19) == []
    assert AUDIT.k_anonymity == 5
    assert log.aggregate() == log.aggregate(k=5)
    with pytest.raises(InputError):
        log.aggregate(k=0)


def test_hits_in_one_partition_and_not_in_the_other(log):
    for i in range(10):
        search(log, f"T{i}", "SEARCHED_WITHHELD", hits=int(i < 4), criminal_hits=int(i == 0))
    (cell,) = log.aggregate(hit_in="immigration", no_hit_in="criminal", k=2)
    assert (cell.charge, cell.searches, cell.hits) == ("unknown", 10, 3)
    (cell,) = log.aggregate(hit_in="immigration", k=2)
    assert cell.hits == 4
    (cell,) = log.aggregate(no_hit_in="criminal", k=1)
    assert cell.hits == 9
    (cell,) = log.aggregate(hit_in="immigration", no_hit_in="criminal", k=4)
    assert cell.hits is None


@settings(max_examples=300, deadline=None)
@given(
    cells=st.dictionaries(
        st.tuples(st.sampled_from("ABC"), st.sampled_from("wxyz")), st.integers(0, 9)
    ),
    k=st.integers(1, 6),
)
def test_no_published_cell_is_below_k_and_nothing_is_counted_twice(cells, k):
    records = []
    seq = 0
    for (cri, charge), n in cells.items():
        for _ in range(n):
            records += [_record(seq + 1, "INTENT", {"cri": cri, "charge": charge})]
            records += [_record(seq + 2, "OUTCOME", {}, seq + 1)]
            seq += 2
    found = reports.aggregate(records, k=k)
    assert all(a.searches >= k for a in found)
    total = sum(cells.values())
    assert sum(a.searches for a in found) in range(max(0, total - k + 1), total + 1)
    for cri in "ABC":
        own = sum(n for (c, _), n in cells.items() if c == cri)
        shown = sum(a.searches for a in found if a.cri == cri)
        assert shown == (own if own >= k else 0)


def _record(seq, kind, fields, intent_seq=None):
    return AuditRecord(seq, "", "t", kind, fields, "", intent_seq)


YEAR = timedelta(days=AUDIT.retention_days)


@pytest.fixture
def old(tmp_path):
    """A log whose first nine records are old: four searches after the first record."""
    clock = Clock(datetime(2024, 1, 1, tzinfo=UTC))
    with AuditLog.create(tmp_path / "old.db", clock=clock, durability="off") as log:
        for i in range(4):
            search(log, f"OLD{i}")
        clock.time += YEAR + timedelta(days=30)
        for i in range(3):
            search(log, f"NEW{i}")
        yield log, clock


def test_pruning_keeps_what_is_left_verifiable(old, tmp_path):
    log, clock = old
    whole = log.checkpoint()
    assert log.prune(clock.time - YEAR, "records officer") == 9
    report = log.verify(whole)
    assert report.ok, report.why
    assert report.checkpoint_checked
    assert (report.first_seq, report.last_seq) == (10, 16)
    (said,) = [r.fields for r in log.records(kind="PRUNE")]
    assert (said["through_seq"], said["authority"]) == (9, "records officer")
    proof = log.prove_not_searched("NEW1", "immigration", whole)
    assert verify_proof(proof, whole).ok
    log.export(tmp_path / "out")
    assert verify_export(tmp_path / "out", whole).ok
    with pytest.raises(AuditError, match="may have been pruned"):
        log.prove_not_searched("OLD1", "immigration", whole)


def test_pruned_records_are_gone_from_the_files(old):
    log, clock = old
    files = lambda: b"".join(p.read_bytes() for p in Path(log.path.parent).iterdir())  # noqa: E731
    assert b"OLD2" in files()
    log.prune(clock.time - YEAR, "officer")
    assert b"OLD2" not in files()
    assert b"NEW2" in files()


def test_young_records_cannot_be_pruned(old):
    log, clock = old
    with pytest.raises(InputError, match="365 days"):
        log.prune(clock.time - YEAR + timedelta(days=1), "officer")
    assert log.verify().first_seq == 1
    with AuditLog.open(log.path) as reader, pytest.raises(ReadOnlyError):
        reader.prune(clock.time - YEAR, "officer")


def test_pruning_nothing_changes_nothing(old):
    log, clock = old
    before = log.verify()
    assert log.prune(clock.time - 2 * YEAR - timedelta(days=200), "officer") == 0
    assert log.verify() == before


def test_pruning_twice_and_going_on_still_verifies(old):
    log, clock = old
    log.prune(clock.time - YEAR, "officer")
    clock.time += 2 * YEAR
    assert log.prune(clock.time - YEAR, "officer") == 6
    search(log, "T9")
    report = log.verify(log.checkpoint())
    assert report.ok, report.why
    assert report.first_seq == 16


def test_an_old_checkpoint_says_nothing_after_pruning(old):
    log, clock = old
    early = log.verify()
    with AuditLog.open(log.path) as reader:
        checkpoint = reader.checkpoint()
    log.prune(clock.time - YEAR, "officer")
    assert early.ok
    with pytest.raises(InputError, match="use a later checkpoint"):
        log.verify(replace(checkpoint, size=3))


def test_records_removed_by_hand_do_not_pass_as_pruned(old):
    log, _ = old
    peaks, head = _state_after(log, 5)
    tamper(
        log.path,
        ("DELETE FROM records WHERE seq <= 5", ()),
        ("UPDATE meta SET value = '5' WHERE key = 'base_seq'", ()),
        ("UPDATE meta SET value = ? WHERE key = 'base_hash'", (head,)),
        ("UPDATE meta SET value = ? WHERE key = 'base_peaks'", (peaks,)),
    )
    report = log.verify()
    assert not report.ok
    assert "no record says they were pruned" in report.why


def _state_after(log, size):
    peaks = Peaks()
    with AuditLog.open(log.path) as reader:
        for record in reader.records(last=size):
            peaks.append(bytes.fromhex(record.hash))
    return " ".join(peaks.to_text()), record.hash


def test_what_stands_for_pruned_records_cannot_be_changed(old):
    log, clock = old
    log.prune(clock.time - YEAR, "officer")
    for key, value in (("base_peaks", "00" * 32), ("base_hash", "00" * 32), ("base_seq", "8")):
        with AuditLog.open(log.path) as reader:
            good = _meta(log.path, key)
            bad = " ".join([value] * len(good.split())) if key == "base_peaks" else value
            change = "UPDATE meta SET value = ? WHERE key = ?"
            tamper(log.path, (change, (bad, key)))
            assert not reader.verify().ok
            tamper(log.path, (change, (good, key)))
            assert reader.verify().ok


def _meta(path, key):
    with store.reading(path) as database:
        return store.meta(database, key)


def test_a_damaged_log_is_not_pruned(old):
    log, clock = old
    tamper(log.path, ("UPDATE records SET kind = 'SEAL' WHERE seq = 12", ()))
    with pytest.raises(AuditError, match="does not verify"):
        log.prune(clock.time - YEAR, "officer")


def test_pruned_searches_without_an_outcome_stay_named(tmp_path):
    clock = Clock(datetime(2024, 1, 1, tzinfo=UTC))
    with AuditLog.create(tmp_path / "a.db", clock=clock, durability="off") as log:
        lost = log.intent(intent("LOST"))
        late = log.intent(intent("LATE"))
        clock.time += YEAR + timedelta(days=1)
        log.outcome(late, outcome("LATE"))
        log.prune(clock.time - YEAR, "officer")
        (said,) = [r.fields for r in log.records(kind="PRUNE")]
        assert said["unanswered"] == [lost]
        report = log.verify()
    assert report.ok
    assert report.contradictions == ()


def test_a_search_that_failed_after_comparing_was_a_search(log):
    """Its results reached nobody, and yet the probe was compared there."""
    search(log, "T1", "FAILED", counts=(50, 2000, 50, 9))
    search(log, "T2", "FAILED", counts=(0, 0, 0, 0))
    stated = {(CRI, "immigration"): False}
    (found,) = log.stated_against_effective(stated)
    assert (found.searched, found.not_searched, found.example_tcn) == (1, 1, "T1")
    (unknowing,) = log.unknowing("immigration")
    assert unknowing.searches == 1
    (cell,) = log.aggregate(no_hit_in="immigration", k=1)
    assert not cell.hits
