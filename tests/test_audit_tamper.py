"""Flip, delete, reorder, truncate, crash and crowd: what the log finds and survives."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from audit_helpers import Clock, intent, outcome, search, tamper
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.audit import AuditLog
from fpmatch.audit.verify import verify_log
from fpmatch.errors import AuditError, FpmatchError

HERE = Path(__file__).parent


@pytest.fixture
def path(tmp_path):
    with AuditLog.create(tmp_path / "audit.db", clock=Clock(), durability="off") as log:
        for i in range(6):
            search(log, f"T{i}")
        log.event("SEAL", {"partition": "criminal"})
    return log.path


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("body", "{}"),
        ("body", '{"/tcn":"T9"}'),
        ("body", "x"),
        ("body", '{"/a":1.5}'),
        ("body", b"\xff\xfe"),
        ("body", "[" * 9000),
        ("nonce", b"\x00" * 32),
        ("nonce", "text"),
        ("hash", "0" * 64),
        ("hash", "no hash"),
        ("prev", "0" * 64),
        ("time", "2027-01-01T00:00:00.000000Z"),
        ("kind", "SEAL"),
        ("tcn", "T9"),
        ("intent_seq", 99),
        ("seq", 99),
    ],
)
def test_any_changed_column_is_found_where_it_is(path, column, value):
    tamper(path, (f"UPDATE records SET {column} = ? WHERE seq = 5", (value,)))
    report = verify_log(path)
    assert not report.ok
    assert report.bad_seq in (5, 6)
    assert report.why


def test_a_changed_record_with_its_own_hash_redone_breaks_the_next_link(path):
    from fpmatch.audit import canonical, hashing, store

    with store.reading(path) as database:
        row = next(store.rows(database, "seq = 5"))
    body = row.body.replace("NOT_SEARCHED", "SEARCHED_WITHHELD")
    assert body != row.body
    committed = hashing.commitments(row.nonce, canonical.parse_body(body))
    digest = hashing.record_hash(committed, row.kind, row.prev, row.seq, row.time)
    tamper(path, ("UPDATE records SET body = ?, hash = ? WHERE seq = 5", (body, digest)))
    report = verify_log(path)
    assert (report.ok, report.bad_seq) == (False, 6)
    assert "previous hash" in report.why


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_of_a_row_is_found(data, tmp_path_factory):
    master = _master(tmp_path_factory)
    copy = tmp_path_factory.mktemp("flip") / "audit.db"
    shutil.copy(master, copy)
    seq = data.draw(st.integers(1, 6))
    column = data.draw(st.sampled_from(["body", "nonce", "hash", "prev", "time", "kind"]))
    with sqlite3.connect(copy) as database:
        query = f"SELECT CAST({column} AS BLOB), typeof({column}) FROM records WHERE seq = ?"
        content, kind = database.execute(query, (seq,)).fetchone()
    database.close()
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = bytearray(content)
    flipped[place] ^= data.draw(st.integers(1, 255))
    cast = "CAST(? AS TEXT)" if kind == "text" else "?"
    tamper(copy, (f"UPDATE records SET {column} = {cast} WHERE seq = ?", (bytes(flipped), seq)))
    report = verify_log(copy)
    assert not report.ok
    assert report.bad_seq in (seq, seq + 1)


_MASTER: list[Path] = []


def _master(factory):
    if not _MASTER:
        with AuditLog.create(factory.mktemp("m") / "audit.db", durability="off") as log:
            for i in range(3):
                search(log, f"T{i}")
        with sqlite3.connect(log.path) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        _MASTER.append(log.path)
    return _MASTER[0]


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_damage_anywhere_in_the_file_never_passes_as_another_content(data, tmp_path_factory):
    master = _master(tmp_path_factory)
    good = verify_log(master)
    content = bytearray(master.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    copy = tmp_path_factory.mktemp("damage") / "audit.db"
    copy.write_bytes(content)
    try:
        report = verify_log(copy)
    except FpmatchError:
        return
    # A flip in unused space of the file changes nothing that the log says.
    assert not report.ok or (report.head, report.root) == (good.head, good.root)


def test_a_deleted_record_is_found(path):
    tamper(path, ("DELETE FROM records WHERE seq = 5", ()))
    report = verify_log(path)
    assert (report.ok, report.bad_seq) == (False, 6)
    assert "missing" in report.why


def test_a_deleted_first_record_and_an_emptied_log_are_found(path):
    tamper(path, ("DELETE FROM records WHERE seq = 1", ()))
    assert not verify_log(path).ok
    tamper(path, ("DELETE FROM records", ()))
    report = verify_log(path)
    assert not report.ok
    assert "empty" in report.why


def test_swapped_records_are_found(path):
    tamper(
        path,
        ("UPDATE records SET seq = -1 WHERE seq = 4", ()),
        ("UPDATE records SET seq = 4 WHERE seq = 6", ()),
        ("UPDATE records SET seq = 6 WHERE seq = -1", ()),
    )
    report = verify_log(path)
    assert (report.ok, report.bad_seq) == (False, 4)


def test_a_cut_tail_is_found_with_a_checkpoint_and_only_then(path):
    with AuditLog.open(path) as log:
        checkpoint = log.checkpoint()
    assert checkpoint.size == 14
    assert verify_log(path, checkpoint).checkpoint_checked
    tamper(path, ("DELETE FROM records WHERE seq > 10", ()))
    assert verify_log(path).ok
    report = verify_log(path, checkpoint)
    assert (report.ok, report.bad_seq) == (False, 11)
    assert "cut off" in report.why


def test_a_log_regrown_after_a_cut_is_not_the_one_the_witness_saw(path):
    with AuditLog.open(path) as log:
        checkpoint = log.checkpoint()
    tamper(path, ("DELETE FROM records WHERE seq > 10", ()))
    with AuditLog.open(path, "rw") as log:
        for i in range(4):
            search(log, f"X{i}")
    assert verify_log(path).ok
    report = verify_log(path, checkpoint)
    assert (report.ok, report.bad_seq) == (False, 14)


def test_a_checkpoint_covers_a_log_that_grew_and_no_other_log(path, tmp_path):
    with AuditLog.open(path, "rw") as log:
        checkpoint = log.checkpoint()
        search(log, "T9")
        assert log.verify(checkpoint).checkpoint_checked
    with AuditLog.create(tmp_path / "other.db") as other:
        for i in range(20):
            search(other, f"T{i}")
        report = other.verify(checkpoint)
    assert not report.ok
    assert "of log" in report.why


@pytest.mark.parametrize("name", ["root", "head", "time_utc"])
def test_every_part_of_a_checkpoint_counts(path, name):
    with AuditLog.open(path) as log:
        checkpoint = log.checkpoint()
    report = verify_log(path, replace(checkpoint, **{name: "0" * 64}))
    assert (report.ok, report.bad_seq) == (False, 14)


def test_no_checkpoint_is_given_of_a_damaged_log(path):
    tamper(path, ("UPDATE records SET kind = 'SEAL' WHERE seq = 5", ()))
    with AuditLog.open(path) as log, pytest.raises(AuditError, match="does not verify at 5"):
        log.checkpoint()


def test_rows_cannot_be_changed_by_accident(path):
    with sqlite3.connect(path) as database:
        for statement in ("UPDATE records SET kind = 'X'", "DELETE FROM records"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                database.execute(statement)
    database.close()
    assert verify_log(path).ok


def test_an_outcome_that_contradicts_its_intent_is_named(tmp_path):
    with AuditLog.create(tmp_path / "a.db", durability="off") as log:
        search(log, "T1", counts=(0, 0, 0, 1))
        seq = log.intent(intent("T2"))
        log.outcome(seq, outcome("T2", "SEARCHED_WITHHELD"))
        search(log, "T3", "SEARCHED_WITHHELD")
        report = log.verify()
    assert report.ok
    assert [(c.tcn, c.partition) for c in report.contradictions] == [
        ("T1", "immigration"),
        ("T2", "immigration"),
    ]
    assert "comparisons were counted" in report.contradictions[0].why
    assert "did not grant" in report.contradictions[1].why


def test_a_clock_that_went_back_is_counted(tmp_path):
    clock = Clock()
    with AuditLog.create(tmp_path / "a.db", clock=clock, durability="off") as log:
        clock.time = clock.time.replace(year=2025)
        search(log, "T1")
        assert log.verify().clock_reversals == 1


CRASH = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from audit_helpers import intent, outcome, search
from fpmatch.audit import AuditLog
log = AuditLog.open(sys.argv[2], "rw")
search(log, "BEFORE")
step = sys.argv[3]
if step == "in-transaction":
    def die(database):
        from fpmatch.audit.writer import search_entry
        log._writer.place(database, [search_entry("INTENT", intent("CRASH"))])
        os.kill(os.getpid(), signal.SIGKILL)
    log._writer.transaction(die)
seq = log.intent(intent("CRASH"))
if step == "after-intent":
    os.kill(os.getpid(), signal.SIGKILL)
log.outcome(seq, outcome("CRASH"))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("step", "records", "dangling"),
    [("in-transaction", 3, []), ("after-intent", 4, ["CRASH"]), ("after-outcome", 5, [])],
)
def test_a_killed_process_loses_nothing_and_leaves_its_intent_named(
    tmp_path, step, records, dangling
):
    path = tmp_path / "audit.db"
    AuditLog.create(path).close()
    died = subprocess.run(
        [sys.executable, "-c", CRASH, str(HERE), str(path), step], check=False, timeout=120
    )
    assert died.returncode == -signal.SIGKILL
    with AuditLog.open(path, "rw") as log:
        report = log.verify()
        assert report.ok
        assert report.records == records
        assert [d.tcn for d in report.dangling] == dangling
        search(log, "AFTER")
        assert log.verify().ok


APPEND = """
import sys
sys.path.insert(0, sys.argv[1])
from audit_helpers import search
from fpmatch.audit import AuditLog
with AuditLog.open(sys.argv[2], "rw", durability="off") as log:
    for i in range(60):
        search(log, f"{sys.argv[3]}-{i}")
"""


def test_two_processes_append_to_one_chain(tmp_path):
    path = tmp_path / "audit.db"
    AuditLog.create(path).close()
    workers = [
        subprocess.Popen([sys.executable, "-c", APPEND, str(HERE), str(path), name])
        for name in ("A", "B")
    ]
    assert [w.wait(timeout=120) for w in workers] == [0, 0]
    report = verify_log(path)
    assert report.ok
    assert report.records == 1 + 2 * 2 * 60
    assert report.dangling == ()
    with AuditLog.open(path) as log:
        tcns = [r.tcn for r in log.records(kind="INTENT")]
    assert [t for t in tcns if t[0] == "A"] == [f"A-{i}" for i in range(60)]
