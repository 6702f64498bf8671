"""Columns in a file: believed where they fit exactly, never where they do not."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from engine_helpers import Clock, engine, folder, record, request

from fpmatch.errors import RefusedError
from fpmatch.gallery import Columns, Gallery, loading, records, removal, sealing, snapshot
from fpmatch.gallery.gallery import FILE
from fpmatch.gallery.loading import from_tables
from fpmatch.gallery.names import Names
from fpmatch.gallery.removing import Wanted
from fpmatch.search import Engine
from fpmatch.types import PartitionInfo, Record

GOLDEN = Path(__file__).parent / "golden" / "columns-1.col"
STAMP = bytes(range(16))
ORDER = {"order": "o", "authority": "x"}


@pytest.fixture
def place():
    made = folder()
    gallery = Gallery.create(made, durability="off")
    gallery.add_partition(PartitionInfo("a", 1, "A"), 100)
    put(gallery, *(record(f"r{i}", i, protected=i == 2) for i in range(5)))
    put(gallery, record("r3", 3, 1, event="2", banned_uses=frozenset({"X", "Y"})))
    gallery.close()
    yield made
    shutil.rmtree(made)


def put(gallery, *items):
    done = records.enrol(gallery, "a", list(enumerate(items)))
    records.show(gallery, "a", done)
    assert not done.errors
    return done.rows


def seal(gallery, name, sealed=True):
    sealing.seal(gallery, name, sealed=sealed, partition="a", **ORDER)


def expunge(gallery, name):
    wanted = Wanted("record", name, partition="a")
    removal.show(gallery, removal.expunge(gallery, [wanted], **ORDER))


def shown(columns: Columns) -> dict:
    """Everything that a search can ask of columns, by name and row."""
    rows = np.flatnonzero(columns.row_record >= 0).tolist()
    masks = {}
    for sees in (False, True):
        for use in ("", "X", "Z"):
            mask = columns.allowed(sees_protected=sees, uses=frozenset({use}))
            masks[sees, use] = [bool(mask is None or mask[r]) for r in rows]
    owners = [(columns.names[columns.row_record[r]], int(columns.row_position[r])) for r in rows]
    return {"rows": rows, "owners": owners, "masks": masks}


def opened(place, mode="r", monkeypatch=None):
    """What a newly opened gallery shows, and whether it read a snapshot for it."""
    gallery = Gallery.open(place, mode, durability="off")
    used = []
    real = snapshot.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "read", lambda *a: used.append(real(*a)) or used[-1])
        columns = gallery.columns("a")
    truth = from_tables(gallery.database, gallery.key_of("a"))
    assert shown(columns) == shown(truth)
    assert same(columns.snapshot(), truth.snapshot())
    gallery.close()
    return any(found is not None for found in used)


def same(one, other) -> bool:
    return one.bans == other.bans and all(
        one.arrays[k].dtype == other.arrays[k].dtype
        and one.arrays[k].tobytes() == other.arrays[k].tobytes()
        for k in one.arrays | other.arrays
    )


def sql(place, *statements):
    """What a hand in the database, or another release, does."""
    with sqlite3.connect(place / FILE) as database:
        for statement in statements:
            database.execute(statement)
    database.close()


def test_it_is_used_at_the_next_opening(place):
    assert opened(place)
    assert opened(place, "rw")
    assert opened(place)


@pytest.mark.parametrize("seed", range(8))
def test_it_holds_what_the_tables_hold(place, seed):
    rng = random.Random(seed)
    for _ in range(4):
        gallery = Gallery.open(place, "rw", durability="off")
        for i in range(8):
            name = f"r{rng.randrange(9)}"
            try:
                if rng.random() < 0.5:
                    bans = frozenset(rng.sample("XYZ", rng.randrange(3)))
                    one = record(name, rng.randrange(9), rng.randrange(3), banned_uses=bans)
                    put(gallery, one)
                elif rng.random() < 0.5:
                    expunge(gallery, name)
                else:
                    seal(gallery, name, rng.random() < 0.6)
            except RefusedError:
                continue
            if i == 4:
                gallery.keep_columns()
        columns = gallery.columns("a")
        truth = from_tables(gallery.database, gallery.key_of("a"))
        assert same(columns.snapshot(), truth.snapshot())
        gallery.close()
        assert opened(place)


def test_a_crash_leaves_a_stale_one_and_it_is_passed_over(place, tmp_path):
    gallery = Gallery.open(place, "rw", durability="off")
    seal(gallery, "r1")
    shutil.copytree(place, tmp_path / "crashed")
    assert not opened(tmp_path / "crashed")
    assert not opened(tmp_path / "crashed", "rw")
    assert opened(tmp_path / "crashed")
    gallery.close()


def test_an_old_file_put_back_is_passed_over(place, tmp_path):
    old = (place / "columns-1.col").read_bytes()
    for change in (
        lambda g: seal(g, "r1"),
        lambda g: seal(g, "r1", False),
        lambda g: expunge(g, "r0"),
    ):
        gallery = Gallery.open(place, "rw", durability="off")
        change(gallery)
        gallery.close()
        (place / "columns-1.col").write_bytes(old)
        assert not opened(place)


def test_an_older_database_that_went_another_way_is_not_taken_for_this_one(place, tmp_path):
    shutil.copy(place / FILE, tmp_path / "backup")
    gallery = Gallery.open(place, "rw", durability="off")
    seal(gallery, "r1")
    gallery.close()
    shutil.copy(tmp_path / "backup", place / FILE)
    assert not opened(place)
    gallery = Gallery.open(place, "rw", durability="off")
    after = (place / "columns-1.col").read_bytes()
    seal(gallery, "r2")
    shutil.copytree(place, tmp_path / "other")
    (tmp_path / "other" / "columns-1.col").write_bytes(after)
    assert not opened(tmp_path / "other")
    gallery.close()


CHANGES = [
    "UPDATE record SET sealed = 1 WHERE record = 'r1'",
    "UPDATE record SET protected = 1 WHERE record = 'r1'",
    "UPDATE record SET banned = '[\"Z\"]' WHERE record = 'r1'",
    "UPDATE record SET record = 'other' WHERE record = 'r1'",
    "UPDATE OR IGNORE record SET sealed = 1 WHERE record = 'r4'",
    "DELETE FROM finger WHERE record = (SELECT id FROM record WHERE record = 'r1')",
    "UPDATE finger SET position = 7 WHERE key & 255 = 1",
    "UPDATE finger SET record = 1 WHERE key & 255 = 1",
    "INSERT OR IGNORE INTO record SELECT 50, 1, 'n', 'n', '', 0, 1, '[]', X''",
    "INSERT OR REPLACE INTO record SELECT id, 1, record, identity, '', 0, 1, '[]', X'' "
    "FROM record WHERE record = 'r1'",
    "INSERT OR REPLACE INTO finger SELECT key + 50, 1, 3, template, X'00' FROM finger LIMIT 1",
]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_by_other_hands_are_noticed(place, change):
    sql(place, change)
    assert not opened(place)


def test_other_tables_do_not_matter(place):
    sql(place, "UPDATE record SET item = X'01'", "INSERT INTO policy VALUES (9, 'd', 't', 'x')")
    assert opened(place)


def test_a_gallery_of_an_older_release_gets_stamps_when_it_is_written(place):
    names = [n for n, in sqlite3.connect(place / FILE).execute(
        "SELECT name FROM sqlite_master WHERE name LIKE 'stamp%' AND type = 'trigger'"
    )]  # fmt: skip
    assert len(names) == 7
    sql(place, *(f"DROP TRIGGER {name}" for name in names), "DROP TABLE stamp")
    assert not opened(place), "without stamps nothing is believed"
    assert not opened(place, "rw")
    assert opened(place)


@pytest.mark.parametrize("fault", ["flip", "cut", "grow", "empty", "gone", "version"])
def test_a_damaged_file_is_passed_over(place, fault, monkeypatch):
    path = place / "columns-1.col"
    content = path.read_bytes()
    assert len(content) < 2000
    if fault in ("flip", "cut"):
        key = Gallery.open(place).stamps.now()[1]
        for at in range(len(content)):
            broken = bytearray(content)
            if fault == "flip":
                broken[at] ^= 1 << at % 8
            else:
                broken = broken[:at]
            path.write_bytes(broken)
            assert snapshot.read(place, 1, key) is None, at
    if fault == "grow":
        path.write_bytes(content + b"\0")
    if fault == "empty":
        path.write_bytes(b"")
    if fault == "gone":
        path.unlink()
    if fault == "version":
        monkeypatch.setattr(snapshot, "VERSION", 2)
    assert not opened(place)
    assert not opened(place, "rw")
    assert opened(place), "it was written anew"


def test_nothing_is_written_of_columns_that_may_differ_from_the_tables(place, monkeypatch):
    def fails(*_, **__):
        raise KeyboardInterrupt

    gallery = Gallery.open(place, "rw", durability="off")
    gallery.columns("a")
    with monkeypatch.context() as patch:
        patch.setattr(Columns, "set_sealed", fails)
        with pytest.raises(KeyboardInterrupt):
            seal(gallery, "r1")
    assert gallery.columns("a").sealed.sum() == 1, "read anew from the tables"
    seal(gallery, "r2")
    assert gallery.columns("a").sealed.sum() == 2
    gallery.close()
    assert opened(place)


@pytest.mark.parametrize("then", ["refused", "nothing"])
def test_columns_that_missed_a_seal_are_never_kept(monkeypatch, then):
    """Cut off after its commit, then a transaction that leaves the stamp as it is."""
    with engine({"criminal": [record("C-1", 1), record("C-2", 2)]}) as e:
        home = e._state.folder
        with monkeypatch.context() as patch:
            patch.setattr(Columns, "set_sealed", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.seal("C-1", order="o", authority="a")
        if then == "refused":
            assert e.enrol("criminal", [Record("", [])]).errors
        else:
            records.enrol(e._state.gallery, "criminal", [])
        e.close()
        for mode in ("r", "rw"):
            with Engine.open(home, mode, clock=Clock(), durability="off") as again:
                gallery = again._state.gallery
                assert from_tables(gallery.database, 1).sealed[:2].tolist() == [True, False]
                assert gallery.columns("criminal").sealed[:2].tolist() == [True, False]


def test_a_database_that_lost_a_trigger_gets_new_stamps(place):
    gallery = Gallery.open(place, "rw", durability="off")
    before = loading.Stamps(gallery.database).now()
    gallery.database.execute("DROP TRIGGER stamp_record_update")
    gallery.close()
    again = Gallery.open(place, "rw", durability="off")
    after = loading.Stamps(again.database).now()
    again.close()
    assert before.keys() == after.keys()
    assert all(before[k] != after[k] for k in before)


def test_nothing_is_written_after_a_change_by_another_hand(place):
    for ours in (False, True):
        gallery = Gallery.open(place, "rw", durability="off")
        gallery.columns("a")
        sql(place, f"UPDATE record SET sealed = {int(not ours)} WHERE record = 'r1'")
        if ours:
            seal(gallery, "r2")
        gallery.close()
        assert not opened(place)


def test_reading_writes_no_file(place):
    before = {p.name: p.stat().st_mtime_ns for p in place.glob("columns-*")}
    (place / "columns-1.col").write_bytes(b"x")
    gallery = Gallery.open(place)
    gallery.columns("a")
    gallery.close()
    assert (place / "columns-1.col").read_bytes() == b"x"
    assert {p.name for p in place.glob("columns-*")} == set(before)


def test_a_file_that_cannot_be_written_stops_nothing(place, monkeypatch):
    def fails(*_):
        raise OSError(28, "no space left")

    gallery = Gallery.open(place, "rw", durability="off")
    seal(gallery, "r1")
    monkeypatch.setattr("fpmatch.durable.os.replace", fails)
    gallery.close()
    assert not list(place.glob("*.part"))
    assert not opened(place)


def test_expunged_names_are_in_no_file(place):
    with engine({"criminal": [record("SECRET-NAME", 1), record("C-2", 2)]}) as e:
        home = e._state.folder
        e._state.gallery.keep_columns()
        assert b"SECRET-NAME" in (home / "columns-1.col").read_bytes()
        (home / "columns-1.col.part").write_bytes(b"SECRET-NAME")
        e.expunge("SECRET-NAME", order="o", authority="CA")
        for path in home.glob("columns-*"):
            assert b"SECRET-NAME" not in path.read_bytes()
        e._state.gallery.keep_columns()
        assert b"SECRET-NAME" not in (home / "columns-1.col").read_bytes()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loading, "from_tables", lambda *_: pytest.fail("not from the snapshot"))
            e.close()
            with Engine.open(home, clock=Clock()) as again:
                found = again.search(request(person=2))["criminal"].candidates
                assert [c.record for c in found if c.score > 50] == ["C-2"]


def test_names_by_key_and_ordinal():
    names = Names.of([(3, "drei"), (5, "fünf"), (9, "neun")])
    assert [names.ordinal(k) for k in (3, 5, 9, 4, 10)] == [0, 1, 2, None, None]
    assert names.drop(9) == 2
    assert names.ordinal(9) is None
    assert names.add(9, "wieder neun") == 3
    assert names.add(12, "") == 4
    assert list(names) == ["drei", "fünf", "", "wieder neun", ""]
    with pytest.raises(KeyError):
        names.drop(4)
    with pytest.raises(IndexError):
        names[-1]
    kept, keys, ends, text = names.pack()
    assert kept.tolist() == [0, 1, 3, 4]
    assert list(Names(keys, ends, text)) == ["drei", "fünf", "wieder neun", ""]
    assert names.drop(12) == 4
    assert names.pack()[1].tolist() == [3, 5, 9]


def test_the_golden_file_of_version_1_is_still_read():
    """Written once by ``write_golden``."""
    found = snapshot.read(GOLDEN.parent, 1, STAMP)
    assert found is not None
    assert same(found, golden().snapshot())


def golden() -> Columns:
    return Columns.of(
        [(4, "vier"), (7, "sieben"), (8, "acht")],
        {7: (True, False, frozenset({"X", "Y"})), 8: (False, True, frozenset())},
        np.array([0, 2, 3]),
        np.array([7, 4, 8]),
        np.array([2, 0, 10], np.uint8),
    )


def write_golden() -> None:
    """Make the golden file of the current version; run by hand when the version changes."""
    snapshot.write(GOLDEN.parent, 1, STAMP, golden().snapshot())


def test_what_was_dropped_costs_a_search_nothing():
    """A service that expunges for months must not look through all of it for each row."""
    took = []
    for dropped in (10, 200_000):
        names = Names.of([(key, "") for key in range(1, 11)])
        for key in range(11, 11 + dropped):
            names.add(key, "later")
        for key in range(11, 11 + dropped):
            names.drop(key)
        asked = np.array([1, 5, 11, 10 + dropped, 10**9])
        assert names.ordinals_of(asked).tolist() == [0, 4, -1, -1, -1]
        assert names.there().sum() == 10
        assert (names[0], names[10], names.ordinal(5), names.ordinal(12)) == ("", "", 4, None)
        calls = []
        for _ in range(20):
            began = time.process_time()
            names.ordinals_of(asked)
            calls.append(time.process_time() - began)
        took.append(min(calls))
    assert took[1] < 10 * took[0] + 1e-4, took
