"""Cut off between commit, journal, log, index and ledger: the next call ends what was begun."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_helpers import (
    KEEPS,
    LATER,
    POLICY,
    Clock,
    engine,
    folder,
    print_of,
    record,
    request,
    world,
)

from fpmatch.descriptor import encode, pack
from fpmatch.errors import AuditError, InputError, LockedError, RefusedError, StorageError
from fpmatch.gallery import Gallery
from fpmatch.gallery.digest import Sum
from fpmatch.gallery.gallery import FILE
from fpmatch.ledger import FILE as LEDGER
from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points
from fpmatch.types import SearchRequest

ORDER = {"order": "court order 17-1", "authority": "CA0380000"}


@pytest.fixture(autouse=True)
def no_hook():
    yield
    crash_points.hook = None


@pytest.fixture
def place():
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, clock=Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        for name, records in world().items():
            e.enrol(name, records)
        e.publish(Policy.parse(POLICY))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def opened(place: Path, mode: str = "rw") -> Engine:
    return Engine.open(place, mode, clock=Clock(), durability="off")


def found(e: Engine, person: int, partition: str = "criminal") -> list[str]:
    answer = e.search(request(KEEPS, person))[partition]
    return [c.record for c in answer.candidates or () if c.score > 40]


def agrees(e: Engine) -> None:
    """Database, journal, log, index and root say the same."""
    state = e._state
    assert state.gallery.unlogged() == []
    assert state.gallery.unfinished() == []
    assert not state.behind
    logged = Counter(r.fields.get("journal") for r in e.audit.records() if "journal" in r.fields)
    assert set(logged.values()) <= {1}
    for info in e.partitions:
        rows = state.gallery.columns(info.name).row_record
        assert state.indexes[info.name].row_ids().tolist() == [
            i for i, owner in enumerate(rows) if owner >= 0
        ]
        total = Sum()
        key = state.gallery.key_of(info.name)
        for (item,) in state.gallery.database.execute(
            "SELECT item FROM record WHERE partition = ?", (key,)
        ):
            total.add(bytes(item))
        assert state.gallery.root(info.name) == total.root()
    assert e.audit.verify().ok


def fails_at(step: str, error: Exception, times: int = 1) -> None:
    """Raise once at a step."""
    left = [times]

    def hook(name: str) -> None:
        if name == step and left[0]:
            left[0] -= 1
            raise error

    crash_points.hook = hook


# -- enrolment ---------------------------------------------------------------------------------


def test_a_busy_log_hides_no_record(place, monkeypatch):
    with opened(place) as e:
        with monkeypatch.context() as patch:
            patch.setattr(
                type(e._state.audit), "events", lambda *a: (_ for _ in ()).throw(AuditError("busy"))
            )
            with pytest.raises(AuditError):
                e.enrol("criminal", [record("N-1", 50)])
        assert found(e, 50) == ["N-1"]
        agrees(e)
        assert e.enrol("criminal", [record("N-1", 50)]).fingers == 0
        assert sum(1 for _ in e.audit.records(kind="ENROL")) == 4


@pytest.mark.parametrize("step", crash_points.ENROL)
@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt(), sqlite3.Error("x")])
def test_an_enrolment_cut_off_anywhere_is_whole_for_the_next_search(place, step, error):
    with opened(place) as e:
        fails_at(step, error)
        with pytest.raises(type(error)):
            e.enrol("criminal", [record("N-1", 50), record("N-2", 51)])
        committed = step != "enrol.checked"
        assert found(e, 50) == (["N-1"] if committed else [])
        assert found(e, 51) == (["N-2"] if committed else [])
        agrees(e)


def test_an_index_that_takes_nothing_is_level_when_it_does(place, monkeypatch):
    with opened(place) as e:
        index = type(e._state.indexes["criminal"])
        with monkeypatch.context() as patch:
            for name in ("add", "add_part"):
                patch.setattr(index, name, lambda *a: (_ for _ in ()).throw(OSError(5, "i/o")))
            with pytest.raises(OSError, match="i/o"):
                e.enrol("criminal", [record("N-1", 50)])
            with pytest.raises(StorageError):
                e.search(request(KEEPS, 50))
        assert found(e, 50) == ["N-1"]
        agrees(e)


def test_columns_that_missed_a_record_are_read_anew(place, monkeypatch):
    from fpmatch.gallery.columns import Columns

    with opened(place) as e:
        with monkeypatch.context() as patch:
            patch.setattr(Columns, "put_row", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.enrol("criminal", [record("N-1", 50)])
        assert found(e, 50) == ["N-1"]
        agrees(e)


def test_the_journal_is_logged_once_by_many_threads(place):
    with opened(place) as e:
        before = sum(1 for _ in e.audit.records(kind="ENROL"))

        def work(first: int) -> None:
            for i in range(first, first + 15):
                e.enrol("criminal" if i % 2 else "immigration", [record(f"T-{i}", 100 + i)])

        threads = [threading.Thread(target=work, args=(n * 15,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(1 for _ in e.audit.records(kind="ENROL")) == before + 60
        agrees(e)


def test_an_entry_that_was_logged_and_not_forgotten_is_not_logged_again(place, monkeypatch):
    with opened(place) as e:
        with monkeypatch.context() as patch:
            patch.setattr(Gallery, "logged", lambda *a: (_ for _ in ()).throw(OSError(5, "i/o")))
            with pytest.raises(OSError, match="i/o"):
                e.enrol("criminal", [record("N-1", 50)])
        e.seal("C-1", **ORDER)
        agrees(e)
    with opened(place) as e:
        agrees(e)


def test_nor_by_the_next_opening(place, monkeypatch):
    with opened(place) as e, monkeypatch.context() as patch:
        patch.setattr(Gallery, "logged", lambda *a: (_ for _ in ()).throw(OSError(5, "i/o")))
        with pytest.raises(OSError, match="i/o"):
            e.enrol("criminal", [record("N-1", 50)])
    with opened(place) as e:
        agrees(e)
        assert sum(1 for _ in e.audit.records(kind="ENROL")) == 3


def test_seals_report_their_own_record(place):
    with opened(place) as e:
        seqs: dict[str, int] = {}

        def work(name: str) -> None:
            seqs[name] = e.seal(name, **ORDER)

        threads = [threading.Thread(target=work, args=(f"C-{i}",)) for i in (1, 2, 3, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seqs.values()) == [r.seq for r in e.audit.records(kind="SEAL")]


# -- what is stored can be opened --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ndr", "owner", "expected"),
    [
        ("\U00010330" * 64, 3, "X", 10),
        ("", 3, "X", 10),
        (None, 3, "X", 10),
        ("a/b", 3, "X", 10),
        ("..", 3, "X", 10),
        ("x" * 65, 3, "X", 10),
        ("x", "3", "X", 10),
        ("x", True, "X", 10),
        ("x", 2**63, "X", 10),
        ("x", -1, "X", 10),
        ("x", 3, None, 10),
        ("x", 3, "", 10),
        ("x", 3, "\ud800", 10),
        ("x", 3, "a\x00b", 10),
        ("x", 3, "X" * 256, 10),
        ("x", 3, "X", "x"),
        ("x", 3, "X", 0),
        ("x", 3, "X", 1.5),
        ("x", 3, "X", 10**30),
    ],
)
def test_a_partition_that_could_not_be_opened_again_is_not_stored(
    place, name, ndr, owner, expected
):
    with opened(place) as e:
        with pytest.raises(InputError):
            e.add_partition(name, ndr, owner, expected_fingers=expected)
        assert len(e.partitions) == 2
    with opened(place) as e:
        assert found(e, 1) == ["C-1"]


def test_the_longest_names_can_be_opened_again(place):
    names = ("\U00010330" * 50, "\u00e9" * 64, "Z" * 64)
    with opened(place) as e:
        for i, name in enumerate(names):
            e.add_partition(name, 20 + i, "DHS", expected_fingers=10)
            e.enrol(name, [record("R-1", 1)])
    with opened(place) as e:
        assert [p.name for p in e.partitions][2:] == list(names)
        agrees(e)


def test_galleries_that_took_such_things_before_open_again(place):
    with sqlite3.connect(place / FILE) as database:
        database.execute("UPDATE partition SET expected = 'x' WHERE id = 1")
        database.execute("UPDATE partition SET name = ? WHERE id = 2", ("\U00010330" * 64,))
    database.close()
    shutil.rmtree(place / "index")
    with opened(place) as e:
        agrees(e)
        assert found(e, 1) == ["C-1"]


def test_a_partition_whose_index_cannot_be_made_has_one_later(place, monkeypatch):
    from fpmatch.index import placing

    with opened(place) as e:
        with monkeypatch.context() as patch:
            patch.setattr(
                placing, "make", lambda *a, **k: (_ for _ in ()).throw(OSError(28, "full"))
            )
            with pytest.raises(OSError, match="full"):
                e.add_partition("later", 5, "DHS", expected_fingers=10)
        assert e.enrol("later", [record("L-1", 3)]).accepted == 1
        agrees(e)


def test_an_index_of_a_later_time_than_its_gallery_takes_the_rows_that_are_given_again(place):
    """A gallery restored from a backup gives numbers again whose rows the index saw expunged."""
    from fpmatch.index import PartitionIndex

    with opened(place) as e:
        following = e._state.gallery.next_row("criminal")
    with PartitionIndex.open(place / "index" / "criminal", "rw") as index:
        form = pack([encode(print_of(7))])
        index.add(np.array([following]), form, np.array([0], np.uint8))
        index.tombstone(np.array([following]))
        index.compact()
        assert not len(index.missing(np.array([following])))
    with opened(place) as e:
        assert e.enrol("criminal", [record("C-9", 9)]).accepted == 1
        assert found(e, 9) == ["C-9"]
        agrees(e)


# -- roots -------------------------------------------------------------------------------------


def spoil(place: Path) -> None:
    with sqlite3.connect(place / FILE) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("DELETE FROM record WHERE record = 'C-2'")
    database.close()


def test_a_root_that_does_not_fit_is_found_at_opening(place):
    spoil(place)
    with pytest.raises(StorageError, match="root"):
        opened(place, "r")
    with opened(place) as e:
        said = [r.fields for r in e.audit.records(kind="ENGINE")]
        assert [s["what"] for s in said if "root" in s["what"]] == ["root computed anew"]
        agrees(e)
    with opened(place, "r") as e:
        assert found(e, 2) == []


def test_records_are_read_for_a_root_only_where_another_hand_was_at_work(place, monkeypatch):
    monkeypatch.setattr(Sum, "add", lambda *a: 1 / 0)
    opened(place).close()
    opened(place, "r").close()


def test_a_false_sum_alone_is_not_believed(place):
    with sqlite3.connect(place / FILE) as database:
        database.execute("UPDATE partition SET sum = ?, sum_stamp = ''", (bytes(2048),))
    database.close()
    with opened(place) as e:
        agrees(e)


# -- expungement -------------------------------------------------------------------------------


def with_probes(e: Engine) -> None:
    """Deferred and retained probes of the identity whose record is C-1."""
    for ori, more in ((LATER, {}), (KEEPS, {"retain": True})):
        e.search(
            SearchRequest(
                fingers=[print_of(1, 9)],
                booking_ori=ori,
                attributes={"identity": "P-1"},
                **more,
            )
        )
    e.enrol("criminal", [record("P-9", 60, identity="P-1")])


def residue(place: Path) -> list[str]:
    """Files that still hold a template of the record or of the probes."""
    secrets = [print_of(60).to_bytes()[12:80], print_of(1, 9).to_bytes()[12:80]]
    return [
        p.name
        for p in sorted(place.rglob("*"))
        if p.is_file() and any(s in p.read_bytes() for s in secrets)
    ]


def gone(place: Path, e: Engine) -> None:
    agrees(e)
    ledger = e._state.ledger
    assert [*ledger.kept("deferred"), *ledger.kept("retained")] == []
    assert residue(place) == []
    assert sum(1 for _ in e.audit.records(kind="EXPUNGE")) == 1


@pytest.mark.parametrize("step", crash_points.EXPUNGE)
@pytest.mark.parametrize("then", ["repeat", "another call", "open again", "open and repeat"])
def test_an_expungement_cut_off_anywhere_is_finished(place, step, then):
    with opened(place) as e:
        with_probes(e)
        fails_at(step, OSError(5, "i/o"))
        with pytest.raises(OSError, match="i/o"):
            e.expunge("P-1", level="identity", **ORDER)
        assert found(e, 60) == []
        if then == "repeat":
            receipt = e.expunge("P-1", level="identity", **ORDER)
            assert (receipt.level, receipt.records, receipt.fingers) == ("identity", 1, 1)
            assert receipt.probes == 2
            assert e.audit.records(first=receipt.audit_seq).__next__().kind == "EXPUNGE"
            gone(place, e)
            with pytest.raises(RefusedError):
                e.expunge("P-1", level="identity", **ORDER)
        elif then == "another call":
            e.seal("C-2", **ORDER)
            gone(place, e)
    if then.startswith("open"):
        with opened(place) as e:
            gone(place, e)
            if then == "open and repeat":
                assert e.expunge("P-1", level="identity", **ORDER).probes == 2
            with pytest.raises(RefusedError):
                e.expunge("P-1", level="identity", partition="immigration", **ORDER)


def test_a_held_log_only_delays_an_expungement(place, monkeypatch):
    from fpmatch import database as files

    with opened(place) as e:
        with_probes(e)
        real = files.scrub
        held = [True]

        def scrub(database: Any, *, wait: bool = True) -> None:
            if held[0]:
                raise LockedError("the write-ahead log is in use by another process")
            real(database, wait=wait)

        monkeypatch.setattr(files, "scrub", scrub)
        for _ in range(2):
            with pytest.raises(LockedError):
                e.expunge("P-1", level="identity", **ORDER)
            assert found(e, 60) == []
        assert e.enrol("criminal", [record("N-1", 50)]).accepted == 1
        held[0] = False
        assert e.expunge("P-1", level="identity", **ORDER).records == 1
        gone(place, e)


@pytest.mark.parametrize("how_long", ["a moment", "longer"])
def test_no_reader_keeps_the_name_of_whom_was_expunged(place, monkeypatch, how_long):
    """Another process reads just as the note of a removal, which names the record, is dropped."""
    name = "a name that nobody may find"
    with opened(place) as e:
        e.enrol("criminal", [record(name, 60)])
        reader = sqlite3.connect(place / FILE, check_same_thread=False, isolation_level=None)
        real, released = e._state.gallery.end_removals, threading.Timer(0.3, reader.close)

        def read_meanwhile(*arguments: Any, **more: Any) -> None:
            reader.execute("BEGIN")
            reader.execute("SELECT COUNT(*) FROM record").fetchone()
            real(*arguments, **more)
            if how_long == "a moment":
                released.start()

        monkeypatch.setattr(e._state.gallery, "end_removals", read_meanwhile)
        if how_long == "longer":
            e._state.gallery.database.execute("PRAGMA busy_timeout = 100")
        assert e.expunge(name, **ORDER).records == 1
        if how_long == "a moment":
            released.join()
        else:
            reader.close()
            found(e, 2)
        kept = [p.name for p in place.rglob("*") if p.is_file() and name.encode() in p.read_bytes()]
        assert kept == []


def test_a_reader_uses_no_probe_of_an_identity_that_is_being_removed(place):
    with opened(place) as e:
        with_probes(e)
        fails_at("expunge.indexed", OSError(5, "i/o"))
        with pytest.raises(OSError, match="i/o"):
            e.expunge("P-1", level="identity", **ORDER)
        e._state.unfinished = False  # as in a process that ended there
    with opened(place, "r") as e:
        assert e.cascade("immigration") == []
        assert list(e._state.ledger.kept("deferred")) == []
    with opened(place) as e:
        gone(place, e)


def test_enrolled_again_after_a_cut_off_expungement(place):
    with opened(place) as e:
        with_probes(e)
        fails_at("expunge.indexed", OSError(5, "i/o"))
        with pytest.raises(OSError, match="i/o"):
            e.expunge("P-9", **ORDER)
        e.enrol("criminal", [record("P-9", 61)])
        assert found(e, 61) == ["P-9"]
        receipt = e.expunge("P-9", **ORDER)
        assert receipt.records == 1
        assert found(e, 61) == found(e, 60) == []
        agrees(e)


def test_an_event_cut_off_is_finished_as_an_event(place):
    with opened(place) as e:
        e.enrol("criminal", [record("E-1", 70, event="one"), record("E-1", 71, event="two")])
        fails_at("expunge.committed", OSError(5, "i/o"))
        with pytest.raises(OSError, match="i/o"):
            e.expunge("E-1", level="event", event="one", **ORDER)
        receipt = e.expunge("E-1", level="event", event="one", **ORDER)
        assert (receipt.events, receipt.records) == (1, 0)
        assert found(e, 70) == []
        assert found(e, 71) == ["E-1"]
        agrees(e)


def test_galleries_without_notes_of_removals_open(place):
    with sqlite3.connect(place / FILE) as database:
        database.execute("DROP TABLE unfinished")
        database.execute("ALTER TABLE partition DROP COLUMN sum_stamp")
    database.close()
    with opened(place, "r") as e:
        assert found(e, 1) == ["C-1"]
    with opened(place) as e:
        agrees(e)
        e.expunge("C-1", **ORDER)
        agrees(e)
    assert (place / LEDGER).exists()


def test_the_engine_helper_makes_engines_that_agree():
    with engine() as e:
        agrees(e)
