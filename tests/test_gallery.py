"""The system of record: roots, columns, sources, transactions, files."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from engine_helpers import folder, print_of, record
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.errors import CorruptError, InputError, ReadOnlyError, RefusedError, StorageError
from fpmatch.gallery import Columns, Gallery, records, removal, sealing
from fpmatch.gallery.digest import EMPTY, Sum, record_item
from fpmatch.gallery.loading import from_tables
from fpmatch.gallery.removing import Wanted
from fpmatch.ledger import KeptProbe, Ledger, Notification
from fpmatch.types import PartitionInfo


@pytest.fixture
def gallery():
    place = folder()
    made = Gallery.create(place, durability="off")
    made.add_partition(PartitionInfo("a", 1, "A"), 100)
    made.add_partition(PartitionInfo("b", 2, "B"), 100)
    yield made
    made.close()
    shutil.rmtree(place)


def put(gallery, partition, *items):
    done = records.enrol(gallery, partition, list(enumerate(items)))
    records.show(gallery, partition, done)
    assert not done.errors
    return [r.row for r in done.rows]


def expunge(gallery, *wanted):
    removal.show(gallery, removal.expunge(gallery, wanted, order="o", authority="x"))


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=12), st.randoms())
@settings(max_examples=100, deadline=None)
def test_the_root_depends_on_contents_and_on_nothing_else(items, rng):
    one, two = Sum(), Sum()
    for item in items:
        one.add(item)
    for item in rng.sample(items, len(items)):
        two.add(item)
        two.add(b"x" * 32)
        two.remove(b"x" * 32)
    assert one.root() == two.root()
    assert Sum(one.state()).root() == one.root()
    if items:
        one.remove(items[0])
        assert one.root() != two.root()
        copy = one.copy()
        copy.add(items[0])
        assert copy.root() == two.root() != one.root()


def test_every_field_of_a_record_is_in_its_digest():
    base = ("r", "i", "c", (False, False), ["x"], [("e", 2, "aa")])
    changes = [
        ("R", "i", "c", (False, False), ["x"], [("e", 2, "aa")]),
        ("r", "I", "c", (False, False), ["x"], [("e", 2, "aa")]),
        ("r", "i", "C", (False, False), ["x"], [("e", 2, "aa")]),
        ("r", "i", "c", (True, False), ["x"], [("e", 2, "aa")]),
        ("r", "i", "c", (False, True), ["x"], [("e", 2, "aa")]),
        ("r", "i", "c", (False, False), ["y"], [("e", 2, "aa")]),
        ("r", "i", "c", (False, False), ["x"], [("f", 2, "aa")]),
        ("r", "i", "c", (False, False), ["x"], [("e", 3, "aa")]),
        ("r", "i", "c", (False, False), ["x"], [("e", 2, "ab")]),
        ("r", "i", "c", (False, False), ["x"], []),
    ]
    assert len({record_item(*f) for f in (base, *changes)}) == len(changes) + 1
    assert record_item("r", "i", "c", (False, False), ["b", "a"], []) == record_item(
        "r", "i", "c", (False, False), ["a", "b"], []
    )


def test_rows_are_numbered_within_a_partition_and_never_used_twice(gallery):
    assert put(gallery, "a", record("r1", 1), record("r2", 2)) == [0, 1]
    assert put(gallery, "b", record("r1", 1)) == [0]
    expunge(gallery, Wanted("record", "r2", "", "a"))
    assert put(gallery, "a", record("r3", 3)) == [2]
    assert [t for _, t in gallery.templates("a", [0, 1, 2])] == [print_of(1), print_of(3)]


def test_a_refused_record_leaves_nothing_behind(gallery):
    broken = record("r1", 1)
    object.__setattr__(broken, "fingers", [print_of(1), "x"])
    done = records.enrol(gallery, "a", [(0, broken), (1, record("r2", 2))])
    assert [e.item for e in done.errors] == [0]
    assert [r.row for r in done.rows] == [0]
    names = gallery.database.execute("SELECT record FROM record").fetchall()
    assert names == [("r2",)]


def test_flags_only_tighten_by_enrolment(gallery):
    put(gallery, "a", record("r", 1, protected=True, banned_uses=frozenset({"X"})))
    put(gallery, "a", record("r", 1, touch=1, event="2", banned_uses=frozenset({"Y"})))
    columns = gallery.columns("a")
    assert columns.protected[0]
    assert columns.bans[columns.ban[0]] == {"X", "Y"}


@pytest.mark.parametrize("seed", range(20))
def test_columns_follow_the_file(gallery, seed):
    rng = random.Random(seed)
    for i in range(25):
        name = f"r{rng.randrange(8)}"
        try:
            if rng.random() < 0.6:
                put(
                    gallery, "a", record(name, rng.randrange(9), rng.randrange(2), event=str(i % 2))
                )
            elif rng.random() < 0.5:
                expunge(gallery, Wanted("event", name, str(i % 2), "a"))
            else:
                sealing.seal(
                    gallery,
                    name,
                    sealed=rng.random() < 0.5,
                    order="o",
                    authority="x",
                    partition="a",
                )
        except RefusedError:
            continue
    now = gallery.columns("a")
    fresh = from_tables(gallery.database, gallery.key_of("a"))
    for uses in (frozenset(), frozenset({"X"})):
        mine = now.allowed(sees_protected=False, uses=uses)
        other = fresh.allowed(sees_protected=False, uses=uses)
        rows = np.flatnonzero(fresh.row_record >= 0)
        seen = [
            {c.names[c.row_record[r]]: bool(m is None or m[r]) for r in rows}
            for c, m in ((now, mine), (fresh, other))
        ]
        assert seen[0] == seen[1]
    assert set(np.flatnonzero(now.row_record >= 0)) == set(np.flatnonzero(fresh.row_record >= 0))
    total = Sum(EMPTY)
    for (item,) in gallery.database.execute("SELECT item FROM record"):
        total.add(item)
    assert total.root() == gallery.root("a")


def test_columns_made_at_once_equal_those_made_one_by_one():
    rng = random.Random(4)
    for _ in range(200):
        keys = rng.sample(range(1, 1000), rng.randrange(0, 9))
        barred = {
            key: (rng.random() < 0.5, rng.random() < 0.5, frozenset(rng.sample("XYZ", 2)))
            for key in keys
            if rng.random() < 0.5
        }
        owners = [rng.choice(keys) for _ in range(rng.randrange(0, 20) if keys else 0)]
        rows = rng.sample(range(50), len(owners))
        positions = [rng.randrange(11) for _ in owners]
        one = Columns.of(
            [(key, f"r{key}") for key in keys],
            barred,
            np.array(rows, np.int64),
            np.array(owners, np.int64),
            np.array(positions, np.uint8),
        )
        each = Columns()
        for key in sorted(keys):
            protected, sealed, banned = barred.get(key, (False, False, frozenset()))
            each.put_record(key, f"r{key}", protected=protected, sealed=sealed, banned=banned)
        for row, key, position in zip(rows, owners, positions, strict=True):
            each.put_row(row, key, position)
        # Columns that were grown have room at their end: what lies in it belongs to no record.
        count, used = len(keys), len(one.row_record)
        assert list(one.names) == list(each.names)
        assert [one.names.ordinal(k) for k in keys] == [each.names.ordinal(k) for k in keys]
        assert one.sealed.tolist() == each.sealed[:count].tolist()
        assert one.protected.tolist() == each.protected[:count].tolist()
        assert [one.bans[b] for b in one.ban] == [each.bans[b] for b in each.ban[:count]]
        assert one.row_record.tolist() == each.row_record[:used].tolist()
        assert one.row_position.tolist() == each.row_position[:used].tolist()
        assert (each.row_record[used:] == -1).all()
        one.put_record(1000, "last", protected=False, sealed=False, banned=frozenset())
        one.put_row(used, 1000, 3)
        assert one.row_record[used] == count


@pytest.mark.parametrize("owner", [0, 2, 4])
def test_a_finger_without_its_record_is_no_one_elses(owner):
    records = [(1, "a"), (3, "b")]
    owners = np.array([1, owner], np.int64)
    with pytest.raises(CorruptError):
        Columns.of(records, {}, np.arange(2), owners, np.zeros(2, np.uint8))
    with pytest.raises(CorruptError):
        Columns.of([], {}, np.arange(2), owners, np.zeros(2, np.uint8))


def test_rows_of_records_are_all_their_rows():
    columns = Columns()
    for key in range(5):
        columns.put_record(key, str(key), protected=False, sealed=False, banned=frozenset())
    for row in range(200):
        columns.put_row(row, row % 5, 2)
    assert columns.rows_of(np.array([1, 3])).tolist() == [r for r in range(200) if r % 5 in (1, 3)]
    columns.drop_rows([1, 3])
    assert 1 not in columns.rows_of(np.array([1, 3]))
    mask = columns.allowed(sees_protected=False, uses=frozenset())
    assert mask is not None
    assert np.flatnonzero(~mask[:200]).tolist() == [1, 3], "whatever an index still holds"


def test_names_and_numbers_are_checked(gallery):
    for info in (
        PartitionInfo("a", 7, "X"),
        PartitionInfo("c", 1, "X"),
        PartitionInfo("", 7, "X"),
        PartitionInfo("../x", 7, "X"),
    ):
        with pytest.raises(InputError):
            gallery.add_partition(info, 10)
    with pytest.raises(InputError, match="no partition"):
        gallery.root("nowhere")


def test_a_failed_transaction_changes_nothing(gallery):
    def fails():
        with gallery.transaction() as database:
            database.execute("INSERT INTO policy VALUES (1, 'd', 't', 'x')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert gallery.policy() is None


def test_the_journal_keeps_events_until_they_are_logged(gallery):
    waiting = gallery.unlogged()
    assert [kind for _, kind, _ in waiting] == ["PARTITION", "PARTITION"]
    gallery.logged({waiting[0][0]: 1})
    assert len(gallery.unlogged()) == 1


def test_files_that_are_no_galleries_are_refused(tmp_path):
    with pytest.raises(StorageError):
        Gallery.open(tmp_path)
    (tmp_path / "gallery.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(CorruptError):
        Gallery.open(tmp_path)
    other = tmp_path / "later"
    other.mkdir()
    Gallery.create(other).close()
    with pytest.raises(StorageError):
        Gallery.create(other)
    database = sqlite3.connect(other / "gallery.sqlite")
    database.execute("UPDATE meta SET value = 99 WHERE key = 'format'")
    database.commit()
    database.close()
    with pytest.raises(StorageError, match="format 99"):
        Gallery.open(other)


def test_reading_does_not_write(gallery):
    path = gallery.database.execute("PRAGMA database_list").fetchone()[2]
    gallery.close()
    again = Gallery.open(Path(path).parent, "r")
    with pytest.raises(ReadOnlyError), again.transaction():
        pass
    assert again.partitions[0].name == "a"
    gallery.database = again.database


def message(name: str, intent: int) -> Notification:
    return Notification(
        name, "p", "o", "off", "t", "CA0380100", "CAR", "GRANTED", False, intent, ""
    )


def test_the_ledger_shows_released_messages_only():
    place = folder()
    ledger = Ledger.create(place, durability="off")
    ledger.prepare([(message("m1", 1), b"e"), (message("m2", 2), None)], [message("d", 1)])
    assert ledger.notifications() == []
    assert ledger.envelope("m1") is None
    assert not ledger.delivered("m1")
    assert [intent for intent, _ in ledger.pending()] == [1, 2]
    ledger.release(1)
    ledger.discard(2)
    assert [m.id for m in ledger.notifications()] == ["m1"]
    assert ledger.envelope("m1") == b"e"
    assert ledger.pending() == []
    ledger.close()
    shutil.rmtree(place)


def test_a_destroyed_probe_is_overwritten():
    place = folder()
    ledger = Ledger.create(place, durability="off")
    content = random.Random(1).randbytes(300)
    ledger.keep(KeptProbe("t", "deferred", "p", "E", "", "", {"tcn": "T", "intent": 1}), [content])
    assert ledger.contents("t") == [content]
    assert ledger.find("t").event == "E"
    assert ledger.destroy("t")
    assert not ledger.destroy("t")
    assert ledger.contents("t") == []
    assert not any(content[20:60] in p.read_bytes() for p in place.iterdir())
    ledger.close()
    shutil.rmtree(place)
