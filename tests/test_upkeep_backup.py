"""Backups of galleries in use, and restorations that revive nothing."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_helpers import HELD, KEEPS, ON, POLICY, Clock, folder, found, print_of, record, request

from fpmatch import upkeep
from fpmatch.errors import CorruptError, FpmatchError, InputError, StorageError
from fpmatch.gallery import facts
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.upkeep.removals import _digest

OPTIONS = {"clock": Clock(), "durability": "off"}
BY = {"order": "o", "authority": "a"}


@pytest.fixture
def place() -> Iterator[Path]:
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, **OPTIONS) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        people = [record(f"C-{n}", n, identity=f"person {n}") for n in range(1, 7)]
        e.enrol("criminal", [*people, record("C-1", 11, event="later", identity="person 1")])
        e.enrol("immigration", [record("I-1", 1, identity="person 1"), record("I-2", 2)])
        e.seal("C-5", **BY)
        e.publish(Policy.parse(POLICY))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_what_was_backed_up_is_restored(place, tmp_path, name):
    with Engine.open(place, "rw", **OPTIONS) as e:  # in use, and written
        made = upkeep.backup(place, tmp_path / name, actor="operator")
        assert made.records == {"criminal": 6, "immigration": 2}
        before = {n: found(e, n) for n in range(1, 7)}
        assert any(r.fields.get("what") == "backup" for r in e.audit.records(kind="ENGINE"))
    done = upkeep.restore(
        tmp_path / name, tmp_path / "new", removals=upkeep.removals(place), **OPTIONS
    )
    assert (done.expunged, done.sealed, done.unsealed, done.probes) == (0, 0, 0, 0)
    assert upkeep.check(tmp_path / "new", deep=True) == ()
    with Engine.open(tmp_path / "new", **OPTIONS) as e:
        assert {n: found(e, n) for n in range(1, 7)} == before
        assert before[5] == []  # sealed before
        roots = {p.name: e._state.gallery.root(p.name) for p in e.partitions}
        assert roots == made.roots
        assert e.audit.verify().ok


def test_nothing_comes_back_that_was_withdrawn_after_the_backup(place, tmp_path):
    with Engine.open(place, "rw", **OPTIONS) as e:
        e.search(request(KEEPS, 3, retain=True, attributes={"identity": "person 3"}))
        e.enrol("criminal", [record("C-9", 9)])
        e.expunge("C-9", **BY)
        e.enrol("criminal", [record("C-9", 9)])  # expunged before, and there again
        upkeep.backup(place, tmp_path / "copy")
        e.expunge("C-2", **BY)
        e.expunge("C-1", level="event", event="later", **BY)
        e.expunge("person 3", level="identity", **BY)
        e.seal("C-4", **BY)
        e.unseal("C-5", **BY)
        e.seal("C-6", **BY)
        e.unseal("C-6", **BY)
        e.publish(Policy.parse(POLICY.replace(f'who = "{HELD}"', f'who = "{ON}"', 0)))
        version = e.policy.version
        listed = upkeep.removals(place)
        people = (*range(1, 7), 9, 11)
        now = {n: found(e, n) for n in people}
        roots = {p.name: e._state.gallery.root(p.name) for p in e.partitions}
    for name in ("C-", "person", "I-"):
        assert name.encode() not in listed.replace(POLICY.encode(), b"").split(b'"policy"')[0]
    done = upkeep.restore(tmp_path / "copy", tmp_path / "new", removals=listed, **OPTIONS)
    assert (done.expunged, done.sealed, done.unsealed, done.probes) == (3, 1, 2, 1)
    assert done.policy == version
    with Engine.open(tmp_path / "new", **OPTIONS) as e:
        assert {n: found(e, n) for n in people} == now
        assert now[9] == ["C-9"]
        assert {p.name: e._state.gallery.root(p.name) for p in e.partitions} == roots
        assert e.audit.verify().ok
        events = [r.fields for r in e.audit.records(kind="ENGINE")]
        assert any(f.get("what") == "restored from a backup" for f in events)
    gone = print_of(3).to_bytes()
    for path in (tmp_path / "new").rglob("*"):
        assert path.is_dir() or gone not in path.read_bytes(), path
    assert upkeep.check(tmp_path / "new") == ()


def test_protection_and_bans_are_as_they_were_last(place, tmp_path):
    """Also a ban that the policy in force does not know, and one that an enrolment added."""
    with Engine.open(place, "rw", **OPTIONS) as e:
        e.update("criminal", "C-2", protected=True, banned_uses={"CAR"}, **BY)
        upkeep.backup(place, tmp_path / "copy")
        e.update("criminal", "C-1", protected=True, **BY)
        e.update("criminal", "C-2", protected=False, banned_uses=(), **BY)
        e.update("criminal", "C-3", banned_uses={"CAR"}, **BY)
        e.update("criminal", "C-3", banned_uses={"CNA"}, **BY)
        e.enrol("criminal", [record("C-4", 4, banned_uses={"CAR"}, identity="person 4")])
        e.enrol("criminal", [record("C-4", 4, event="e", protected=True, identity="person 4")])
        e.update("criminal", "C-6", protected=True, **BY)
        e.update("criminal", "C-6", protected=False, **BY)
        e.update("criminal", "C-6", contributor="CA0190000", **BY)
        other = POLICY.replace('["CAR", "CNA"]', '["CAR"]')
        assert other != POLICY
        e.publish(Policy.parse(other))
        listed = upkeep.removals(place)
        now = _bars(e)
    assert json.loads(listed)["format"] == 2
    done = upkeep.restore(tmp_path / "copy", tmp_path / "new", removals=listed, **OPTIONS)
    assert done.barred == 4
    with Engine.open(tmp_path / "new", **OPTIONS) as e:
        assert _bars(e) == now
        assert now["C-1"] == (True, frozenset())
        assert now["C-2"] == (False, frozenset())
        assert now["C-3"] == (False, {"CNA"})
        assert now["C-4"] == (True, {"CAR"})
        assert e.audit.verify().ok
        (said,) = [r.fields for r in e.audit.records(kind="ENGINE") if "barred" in r.fields]
        assert said["barred"] == 4
        orders = [r.fields["order"] for r in e.audit.records(kind="UPDATE")]
        assert orders.count("restored from a backup") == 4
    assert upkeep.check(tmp_path / "new") == ()
    spoilt = json.loads(listed)
    spoilt["removals"]["marks"][-1][1] = "bars 7"
    spoilt["sha256"] = _digest(spoilt["removals"])
    with pytest.raises(CorruptError):
        upkeep.restore(
            tmp_path / "copy",
            tmp_path / "other",
            removals=json.dumps(spoilt).encode(),
            **OPTIONS,
        )


def _bars(e: Engine) -> dict[str, tuple[bool, frozenset[str]]]:
    gallery = e._state.gallery
    every = (facts.facts(gallery, key) for key, _ in facts.names(gallery, "criminal"))
    return {one.record: (one.protected, one.banned_uses) for one in every if one is not None}


def test_a_list_without_bars_can_be_read_by_earlier_releases(place):
    assert json.loads(upkeep.removals(place))["format"] == 1


def test_without_a_list_of_removals_it_is_refused_or_said(place, tmp_path):
    upkeep.backup(place, tmp_path / "copy")
    with pytest.raises(InputError, match="removals"):
        upkeep.restore(tmp_path / "copy", tmp_path / "new", **OPTIONS)
    assert not (tmp_path / "new").exists()
    upkeep.restore(tmp_path / "copy", tmp_path / "new", without_removals=True, **OPTIONS)
    with Engine.open(tmp_path / "new", **OPTIONS) as e:
        (said,) = [
            r.fields
            for r in e.audit.records(kind="ENGINE")
            if r.fields.get("what") == "restored from a backup"
        ]
        assert said["removals"] is False


def test_a_list_that_cannot_be_believed_is_refused(place, tmp_path):
    early = upkeep.removals(place)
    with Engine.open(place, "rw", **OPTIONS) as e:
        e.expunge("C-2", **BY)
    upkeep.backup(place, tmp_path / "copy")
    other = tmp_path / "other"
    Engine.create(other, **OPTIONS).close()
    damaged = upkeep.removals(place).replace(b'"last": 2', b'"last": 3')
    for listed, error in (
        (early, InputError),
        (upkeep.removals(other), InputError),
        (damaged, CorruptError),
        (b"{}", CorruptError),
        (tmp_path / "nowhere", InputError),
    ):
        with pytest.raises(error):
            upkeep.restore(tmp_path / "copy", tmp_path / "new", removals=listed, **OPTIONS)
        assert not (tmp_path / "new").exists()
        assert not (tmp_path / "new.making").exists()


def damage(copy: Path, how: str) -> None:
    if how == "a byte":
        content = bytearray((copy / "gallery.sqlite").read_bytes())
        content[5000] ^= 1
        (copy / "gallery.sqlite").write_bytes(content)
    elif how == "a file less":
        next((copy / "index").rglob("*.json")).unlink()
    elif how == "a file more":
        (copy / "index" / "more").write_bytes(b"")
    elif how == "the list":
        (copy / "backup.json").write_text("{")
    elif how == "no list":
        (copy / "backup.json").unlink()
    else:
        stored = json.loads((copy / "backup.json").read_text())
        (copy / "backup.json").write_text(json.dumps({**stored, "format": 99}))


@pytest.mark.parametrize(
    "how", ["a byte", "a file less", "a file more", "the list", "no list", "a later release"]
)
def test_a_damaged_backup_is_refused(place, tmp_path, how):
    upkeep.backup(place, tmp_path / "copy")
    damage(tmp_path / "copy", how)
    with pytest.raises(StorageError):
        upkeep.restore(tmp_path / "copy", tmp_path / "new", without_removals=True, **OPTIONS)
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(place, tmp_path):
    upkeep.backup(place, tmp_path / "copy")
    with pytest.raises(StorageError):
        upkeep.backup(place, tmp_path / "copy")
    with pytest.raises(StorageError):
        upkeep.restore(tmp_path / "copy", place, without_removals=True, **OPTIONS)
    with pytest.raises(StorageError):
        upkeep.backup(tmp_path / "nowhere", tmp_path / "again")
    with pytest.raises(StorageError):
        upkeep.restore(tmp_path / "nowhere", tmp_path / "new", without_removals=True, **OPTIONS)
    (tmp_path / "x.tar").write_bytes(b"no tar")
    with pytest.raises(StorageError):
        upkeep.restore(tmp_path / "x.tar", tmp_path / "new", without_removals=True, **OPTIONS)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy", "x.tar"]


@pytest.mark.slow
def test_backups_taken_while_records_come_and_go_are_whole(place, tmp_path):
    """Each is sound in itself, and holds what was acknowledged before it began."""
    stop, wrong = threading.Event(), []
    done: list[int] = []

    def change() -> None:
        try:
            with Engine.open(place, "rw", **OPTIONS) as e:
                number = 0
                while not stop.is_set() and number < 400:
                    number += 1
                    e.enrol("criminal", [record(f"N-{number}", 20 + number % 5)])
                    if number % 3 == 0:
                        e.expunge(f"N-{number - 1}", **BY)
                    if number % 5 == 0:
                        e._state.indexes["criminal"].flush()
                    done.append(number)
        except FpmatchError as error:
            wrong.append(error)

    writer = threading.Thread(target=change)
    writer.start()
    try:
        for number in range(4):
            while len(done) < 4 * (number + 1) and writer.is_alive():
                stop.wait(0.01)
            acknowledged = len(done)
            upkeep.backup(place, tmp_path / f"copy{number}")
            new = tmp_path / f"new{number}"
            upkeep.restore(tmp_path / f"copy{number}", new, without_removals=True, **OPTIONS)
            with Engine.open(new, "rw", **OPTIONS) as e:
                names = {
                    n for (n,) in e._state.gallery.database.execute("SELECT record FROM record")
                }
                assert f"N-{acknowledged}" in names or acknowledged % 3 == 2
                assert e.audit.verify().ok
            assert upkeep.check(new, deep=True) == ()
    finally:
        stop.set()
        writer.join()
    assert not wrong


def test_the_commands(place, tmp_path, monkeypatch, capsys):
    from fpmatch.cli.app import run

    def fpm(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["fpmatch", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            run()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out + said.err

    code, said = fpm("backup", place, tmp_path / "copy.tar", "--actor", "operator")
    assert code == 0, said
    assert fpm("removals", place, "--out", tmp_path / "list.json")[0] == 0
    code, said = fpm("restore", tmp_path / "copy.tar", tmp_path / "new")
    assert code == 2
    assert said.count("\n") == 1
    code, said = fpm(
        "restore", tmp_path / "copy.tar", tmp_path / "new", "--removals", tmp_path / "list.json"
    )
    assert code == 0, said
    assert fpm("check", tmp_path / "new")[0] == 0
