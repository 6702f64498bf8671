from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from audit_helpers import CRI, Clock, intent, outcome, search

from fpmatch.audit import (
    AuditLog,
    IntentRecord,
    PartitionIntent,
    PartitionOutcome,
    duration_bucket,
    probe_digest,
    store,
)
from fpmatch.audit.keys import key_path
from fpmatch.errors import AuditError, InputError, ReadOnlyError
from fpmatch.types import (
    Candidate,
    Decision,
    Outcome,
    PartitionDecision,
    PartitionResult,
    Permission,
    Reason,
    SearchCost,
    SearchRequest,
)


@pytest.fixture
def log(tmp_path):
    with AuditLog.create(tmp_path / "audit.db", clock=Clock(), durability="off") as log:
        yield log


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


def test_create_does_not_overwrite(log):
    with pytest.raises(AuditError, match="exists"):
        AuditLog.create(log.path)


def test_what_is_no_log_is_refused(tmp_path):
    with pytest.raises(AuditError, match="no audit log"):
        AuditLog.open(tmp_path / "absent.db")
    (tmp_path / "text").write_text("no database" * 400)
    with pytest.raises(AuditError):
        AuditLog.open(tmp_path / "text")


def test_writing_needs_the_key_and_reading_does_not(log):
    search(log, "T1")
    key_path(log.path).unlink()
    with pytest.raises(AuditError, match="key"):
        AuditLog.open(log.path, "rw")
    with AuditLog.open(log.path) as reader:
        assert reader.verify().ok
        with pytest.raises(ReadOnlyError):
            reader.probe_digest([b"x"])


def test_the_key_file_is_private_and_damage_is_named(log):
    path = key_path(log.path)
    assert path.stat().st_mode & 0o077 == 0
    path.write_text("ab")
    with pytest.raises(AuditError, match="1 bytes"):
        AuditLog.open(log.path, "rw")


@pytest.mark.parametrize(("mode", "durability"), [("w", "full"), ("rw", "fast")])
def test_unknown_modes_are_refused(log, mode, durability):
    with pytest.raises(InputError):
        AuditLog.open(log.path, mode, durability=durability)


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1), ("off", 0)])
def test_durability_sets_how_sqlite_syncs(log, durability, level):
    with AuditLog.open(log.path, "rw", durability=durability) as other:
        database = other._writer._database
        assert database.execute("PRAGMA synchronous").fetchone()[0] == level
        assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_reads_are_themselves_recorded_when_the_log_is_writable(log):
    search(log, "T1")
    with AuditLog.open(log.path, "rw", actor="auditor-7", clock=Clock()) as writable:
        list(writable.records(tcn="T1"))
    with AuditLog.open(log.path) as reader:
        reads = list(reader.records(kind="AUDIT_READ"))
        assert [r.fields["actor"] for r in reads] == ["auditor-7"]
        assert reads[0].fields["asked"] == {"tcn": "T1"}
        assert len(list(reader.records(kind="AUDIT_READ"))) == 1


def test_records_are_selected_by_number_kind_transaction_and_time(log):
    for tcn in ("T1", "T2", "T3"):
        search(log, tcn)
    with AuditLog.open(log.path) as reader:
        every = list(reader.records())
        assert [r.seq for r in every] == list(range(1, 8))
        assert [r.seq for r in reader.records(first=3, last=4)] == [3, 4]
        assert [r.tcn for r in reader.records(kind="INTENT")] == ["T1", "T2", "T3"]
        assert [r.seq for r in reader.records(tcn="T2")] == [4, 5]
        since = datetime.fromisoformat(every[2].time_utc)
        until = datetime.fromisoformat(every[4].time_utc)
        assert [r.seq for r in reader.records(since=since, until=until)] == [3, 4]


def test_times_come_from_the_given_clock(log):
    first = next(log.records())
    assert first.time_utc == "2026-01-01T00:00:01.000000Z"


def test_many_records_are_written_together_or_not_at_all(log):
    seqs = log.intents([intent("T1"), intent("T2")])
    assert seqs == [2, 3]
    with pytest.raises(AuditError):
        log.outcomes([(2, outcome("T1")), (2, outcome("T1"))])
    with pytest.raises(AuditError):
        log.outcomes([(2, outcome("T1")), (77, outcome("T2"))])
    assert log.verify().records == 3
    assert log.outcomes([(2, outcome("T1")), (3, outcome("T2"))]) == [4, 5]
    assert log.intents([]) == []


def test_events_have_a_name_of_their_own(log):
    assert log.event("ENROL", {"partition": "criminal", "records": 3}) == 2
    for kind in ("INTENT", "OUTCOME", "GENESIS", "PRUNE", "enrol", "", "A B"):
        with pytest.raises(InputError):
            log.event(kind, {})
    with pytest.raises(InputError, match="tcn"):
        log.event("ENROL", {"tcn": 7})


def test_threads_share_one_commit(tmp_path):
    counted = []
    with AuditLog.create(tmp_path / "a.db", durability="off", gather_seconds=0.05) as log:
        log._writer._database.set_trace_callback(
            lambda sql: counted.append(sql) if sql == "COMMIT" else None
        )
        seqs = []

        def work(i):
            seqs.append(log.intent(intent(f"T{i}")))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(seqs) == list(range(2, 14))
        assert 1 <= len(counted) < 12
        assert log.verify().ok


def test_one_callers_misfit_does_not_fail_the_others_in_the_same_commit(tmp_path):
    with AuditLog.create(tmp_path / "a.db", durability="off", gather_seconds=0.05) as log:
        good = log.intent(intent("T1"))
        failed, done = [], []

        def wrong():
            try:
                log.outcome(999, outcome("T9"))
            except AuditError as error:
                failed.append(error)

        def right():
            done.append(log.outcome(good, outcome("T1")))

        threads = [threading.Thread(target=f) for f in (wrong, right)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(failed) == 1
        assert len(done) == 1
        assert log.verify().dangling == ()


def test_a_clock_that_fails_fails_every_waiting_caller(tmp_path):
    broken = threading.Event()

    def clock():
        if broken.is_set():
            raise OSError("no clock")
        return datetime(2026, 1, 1, tzinfo=UTC)

    path = tmp_path / "a.db"
    with AuditLog.create(path, clock=clock, durability="off", gather_seconds=0.05) as log:
        broken.set()
        failed = []

        def work(i):
            try:
                log.intent(intent(f"T{i}"))
            except (AuditError, OSError) as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(failed) == 6
        broken.clear()
        assert log.intent(intent("AFTER")) == 2


def test_a_time_without_a_zone_is_refused(tmp_path):
    with pytest.raises(InputError, match="time zone"):
        AuditLog.create(tmp_path / "a.db", clock=lambda: datetime(2026, 1, 1))


def test_an_opt_out_has_one_of_three_states(log):
    with pytest.raises(InputError, match="open, accepted, refused"):
        log.event("OPT_OUT", {"request": "R1", "status": "maybe"})


def test_a_failed_commit_is_an_error_and_leaves_nothing(log, monkeypatch):
    search(log, "T1")
    log._writer._database.execute("PRAGMA max_page_count = 1")
    many = [intent(f"F{i}", user="u" * 900) for i in range(50)]
    with pytest.raises(AuditError, match="nothing may be searched"):
        log.intents(many)
    log._writer._database.execute("PRAGMA max_page_count = 1000000")
    before = log.verify()
    assert before.ok
    assert log.intent(intent("T2")) == before.last_seq + 1


def test_records_are_built_from_what_the_policy_and_the_search_hand_over():
    decision = Decision(
        4,
        "aa" * 32,
        datetime(2026, 1, 1, tzinfo=UTC),
        False,
        Reason.GRANTED,
        (
            PartitionDecision(
                "criminal",
                Permission.ACCEPT | Permission.PROBE,
                Reason.RESULTS_WITHHELD,
                rules=("r9",),
                authority="MANDATE",
                agreement="MOA-1",
                legal_basis="statute",
                consent_overridden=True,
                acknowledged=True,
            ),
        ),
    )
    request = SearchRequest(
        [object(), object()],
        CRI,
        chain=["CASIR0000"],
        tcn="T1",
        charge="felony",
        attributes={"declared_citizen": "yes"},
        threshold=40.5,
        partitions=["criminal", 9],
        copies_to=["CA0010000"],
    )
    record = IntentRecord.of(request, decision, user="badge-1", probe_digest="p")
    assert (record.cri, record.ori, record.chain) == (CRI, "CASIR0000", (CRI, "CASIR0000"))
    assert (record.fingers, record.threshold, record.declared_citizen) == (2, 4050, True)
    assert (record.requested, record.copies_to) == (("criminal", "9"), ("CA0010000",))
    assert record.user == "badge-1"
    assert record.partitions == (
        PartitionIntent(
            "criminal",
            "ACCEPT+PROBE",
            "RESULTS_WITHHELD",
            ("r9",),
            "MANDATE",
            "MOA-1",
            "statute",
            True,
            True,
        ),
    )
    assert IntentRecord.of(replace(request, partitions=None), decision, tcn="T2").tcn == "T2"


def test_counters_come_from_the_cost_of_the_search():
    cost = SearchCost(live_fingers=7, codes_scanned=280, fingers_scanned=7, fingers_verified=2)
    result = PartitionResult(
        "criminal",
        Outcome.SEARCHED_DISCLOSED,
        Reason.GRANTED,
        (Candidate("C1", 50.0, 1e-5),),
        cost=cost,
    )
    assert PartitionOutcome.of(result, recipients=("CA0380100",)) == PartitionOutcome(
        "criminal",
        "SEARCHED_DISCLOSED",
        "GRANTED",
        7,
        280,
        7,
        2,
        n_candidates=1,
        recipients=("CA0380100",),
    )
    untouched = PartitionResult("immigration", Outcome.NOT_SEARCHED, Reason.NO_GRANT)
    assert PartitionOutcome.of(untouched).live == 0


def test_digests_depend_on_key_order_and_content(log, tmp_path):
    digest = log.probe_digest([b"one", b"two"])
    assert digest == log.probe_digest([b"one", b"two"])
    others = {
        log.probe_digest([b"two", b"one"]),
        log.probe_digest([b"onetwo"]),
        log.probe_digest([b"on", b"etwo"]),
        probe_digest(b"another key", [b"one", b"two"]),
    }
    assert digest not in others
    assert len(others) == 4
    hits = [Candidate("C1", 50.0, 1e-5), Candidate("C2", 40.0, 1e-4)]
    assert log.candidate_digest(hits) != log.candidate_digest(hits[::-1])
    assert log.candidate_digest(hits) != log.candidate_digest([hits[0]])
    with AuditLog.create(tmp_path / "other.db") as other:
        assert other.candidate_digest(hits) != log.candidate_digest(hits)


def test_durations_are_coarse():
    assert [duration_bucket(x) for x in (0.5, 12, 99.9, 100, 1e6)] == [
        "<1ms",
        "<30ms",
        "<100ms",
        "<300ms",
        ">=10000ms",
    ]


def test_the_file_holds_no_template_and_no_name(tmp_path):
    template, name = b"\x17TEMPLATE-BYTES-0123456789", "Ana Example"
    with AuditLog.create(tmp_path / "a.db") as log:
        digest = log.probe_digest([template])
        for i in range(5):
            search(log, f"T{i}", probe_digest=digest)
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert template not in content
        assert name.encode() not in content
        assert template.hex().encode() not in content
        if file.suffix != ".key":
            assert key_path(log.path).read_bytes().strip() not in content
    with pytest.raises(InputError, match="templates"):
        AuditLog.open(log.path, "rw").event("ENROL", {"template": template.hex() * 100})


def test_a_transaction_is_found_without_reading_the_whole_log(log):
    with store.reading(log.path) as database:
        query = "EXPLAIN QUERY PLAN SELECT * FROM records WHERE tcn = ? ORDER BY seq"
        plan = " ".join(str(step) for step in database.execute(query, ("T1",)))
    assert "USING INDEX" in plan
