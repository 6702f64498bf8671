"""One thing that is damaged stops nothing else, and can be taken out by the advice of the check."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_helpers import KEEPS, LATER, ON, POLICY, Clock, folder, record, request

from fpmatch import upkeep
from fpmatch.errors import CorruptError, FpmatchError, InputError, RefusedError
from fpmatch.gallery.items import unnamed
from fpmatch.policy import Policy
from fpmatch.search import Engine

pytest.importorskip("cryptography")
KEYS = {"test": bytes(range(32))}
BY = {"order": "o", "authority": "a"}
PLAIN: dict[str, Any] = {"clock": Clock(), "durability": "off"}
OPTIONS = {**PLAIN, "keys": KEYS}


WORLDS = {"plain": PLAIN, "encrypted": OPTIONS, "less": OPTIONS}


def made(**options: Any) -> Path:
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, **options) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.enrol("criminal", [record(f"C-{n}", n) for n in range(1, 4)])
        e.enrol("immigration", [record("I-1", 1)])
        e.publish(Policy.parse(POLICY))
        e.search(request(KEEPS, 1, retain=True, attributes={"identity": "X"}))
    return path


@pytest.fixture(scope="module")
def sound() -> Iterator[dict[str, Path]]:
    paths = {name: made(**options) for name, options in WORLDS.items()}
    # A third, from which the record went while it was sound.
    with Engine.open(paths["less"], "rw", **OPTIONS) as e:
        e.expunge("C-1", **BY)
    yield paths
    for path in paths.values():
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def place(sound, tmp_path) -> Path:
    return shutil.copytree(sound["encrypted"], tmp_path / "g.fpm")


def sql(place: Path, text: str, file: str = "gallery.sqlite") -> list[Any]:
    database = sqlite3.connect(place / file)
    found = database.execute(text).fetchall()
    database.commit()
    database.close()
    return found


def said(found: tuple[upkeep.Finding, ...]) -> str:
    return " ".join(f"{f.where} {f.what}" for f in found)


KEY = "(SELECT key FROM record_facts WHERE record = 1)"
RECORD = {
    "facts": "UPDATE record_facts SET facts = x'00' WHERE record = 1",
    "no facts": "DELETE FROM record_facts WHERE record = 1",
    "key": f"UPDATE data_key SET wrapped = x'0102' WHERE id = {KEY}",
    "key's number": "UPDATE record_facts SET key = 'x' WHERE record = 1",
    "digest": "UPDATE record SET item = 'x' WHERE id = 1",
    "other digest": "UPDATE record SET item = zeroblob(32) WHERE id = 1",
    "digest of a finger": "UPDATE finger SET sha256 = x'00' WHERE record = 1",
    "event": "UPDATE event SET event = x'00' WHERE record = 1",
    "no event": "DELETE FROM event WHERE record = 1",
}
NAMELESS = ("facts", "no facts", "key", "key's number")


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("what", RECORD)
def test_a_damaged_record_is_named_and_expunged_and_the_rest_is_searched(sound, place, what, copy):
    with Engine.open(place, **OPTIONS) as e:
        before = e.search(request(ON, 2))["criminal"].candidates
    templates = sql(place, "SELECT template FROM finger WHERE record = 1")
    sql(place, RECORD[what])
    if not copy:
        for path in place.glob("*.col"):
            path.unlink()
    called = unnamed(1) if what in NAMELESS else "C-1"
    found = upkeep.check(place, keys=KEYS)
    assert called in said(found)
    with Engine.open(place, "rw", **OPTIONS) as e:
        assert e.search(request(ON, 2))["criminal"].candidates == before
        receipt = e.expunge("C-1", **BY)
        assert (receipt.records, receipt.fingers) == (1, 1)
        (entry,) = e.audit.records(kind="EXPUNGE")
        expected = ["digest", "facts"] if what in NAMELESS else ["digest"]
        assert entry.fields["unread"] == expected
        assert not e.search(request(ON, 1, threshold=30))["criminal"].candidates
        assert e.search(request(ON, 2))["criminal"].candidates == before
        with pytest.raises(RefusedError):
            e.expunge("C-1", **BY)
        assert e.audit.verify().ok
    assert upkeep.check(place, keys=KEYS) == ()
    for (number,) in templates:
        ((content,),) = sql(place, f"SELECT bytes FROM template WHERE id = {number}")
        ((wrapped,),) = sql(place, f"SELECT wrapped FROM data_key WHERE id = {number}")
        assert not any(content)
        assert not any(wrapped)
    (sums,) = {
        tuple(sql(path, "SELECT sum FROM partition WHERE id = 1"))
        for path in (place, sound["less"])
    }
    assert any(sums[0][0])


@pytest.mark.parametrize("what", RECORD)
def test_damaged_records_go_among_many(sound, place, what, tmp_path):
    less = shutil.copytree(sound["less"], tmp_path / "less.fpm")
    with Engine.open(less, "rw", **OPTIONS) as e:
        e.expunge_many(["C-3", "C-2"], **BY)
    sql(place, RECORD[what])
    sql(place, RECORD[what].replace("record = 1", "record = 2").replace("id = 1", "id = 2"))
    with Engine.open(place, "rw", **OPTIONS) as e:
        if what in NAMELESS:
            with pytest.raises(InputError, match="one record"):
                e.expunge_many(["C-3", "C-1", unnamed(1)], **BY)
        names = ["C-3", "C-1", unnamed(2) if what in NAMELESS else "C-2"]
        assert [r.records for r in e.expunge_many(names, **BY)] == [1, 1, 1]
        sound_one, *others = e.audit.records(kind="EXPUNGE")
        expected = ["digest", "facts"] if what in NAMELESS else ["digest"]
        assert "unread" not in sound_one.fields
        assert [one.fields["unread"] for one in others] == [expected, expected]
        roots = [one.fields["roots"]["criminal"] for one in (sound_one, *others)]
        assert roots[0]["after"] == roots[1]["before"]
        assert roots[1]["after"] == roots[2]["before"]
        assert not e.search(request(ON, 1, threshold=30))["criminal"].candidates
    assert upkeep.check(place, keys=KEYS) == ()
    sums = {path: sql(path, "SELECT sum FROM partition WHERE id = 1") for path in (place, less)}
    assert sums[place] == sums[less]


@pytest.mark.parametrize("copy", [True, False])
def test_a_record_whose_name_nobody_knows_goes_by_what_the_check_calls_it(place, copy, caplog):
    sql(place, RECORD["key"])
    if not copy:
        for path in place.glob("*.col"):
            path.unlink()
    with caplog.at_level(logging.WARNING), Engine.open(place, "rw", **OPTIONS) as e:
        assert (unnamed(1) in caplog.text) is not copy
        with pytest.raises(RefusedError):
            e.expunge(unnamed(2), **BY)  # That one is sound, and has a name.
        with pytest.raises(CorruptError, match="all of it"):
            e.expunge("C-1", level="event", event="E", **BY)
        assert e.expunge(unnamed(1), **BY).records == 1
    assert upkeep.check(place, keys=KEYS) == ()


def test_a_finger_that_is_damaged_with_its_digest_is_counted(place):
    ((number,),) = sql(place, "SELECT template FROM finger WHERE record = 1")
    sql(place, "UPDATE finger SET sha256 = x'00' WHERE record = 1")
    sql(place, f"UPDATE template SET bytes = x'00' WHERE id = {number}")
    with Engine.open(place, "rw", **OPTIONS) as e:
        receipt = e.expunge("C-1", **BY)
        assert (receipt.fingers, receipt.removed) == (1, ("",))
        (entry,) = e.audit.records(kind="EXPUNGE")
        assert entry.fields["unread"] == ["digest", "fingers"]
    assert upkeep.check(place, keys=KEYS) == ()


def test_an_expunged_identity_takes_its_damaged_records_along(place):
    ((identity,),) = sql(place, "SELECT identity FROM record WHERE id = 1")
    sql(place, RECORD["facts"])
    with Engine.open(place, "rw", **OPTIONS) as e:
        named = e.expunge("C-1", level="identity", **BY)
    assert named.records == 1
    assert not sql(place, f"SELECT 1 FROM record WHERE identity = '{identity}'")
    assert upkeep.check(place, keys=KEYS) == ()


PROBE = {
    "request": "UPDATE probe SET request = x'00'",
    "other request": "UPDATE probe SET request = '[]'",
    "empty request": "UPDATE probe SET request = '{}'",
    "huge numbers": "UPDATE probe SET templates = '[1%s]'" % ("0" * 30),
    "huge names": """UPDATE probe SET templates = '{"key": 1%s, "templates": []}'""" % ("0" * 30),
    "names": "UPDATE probe SET templates = 'x'",
    "identity": "UPDATE probe SET identity = x'00'",
    "owner": "UPDATE probe SET owner = x'00'",
    "kind": "UPDATE probe SET kind = 'other'",
    "token": "UPDATE probe SET token = x'00'",
}


@pytest.mark.parametrize("how", ["plain", "encrypted"])
@pytest.mark.parametrize("what", [*PROBE, "key"])
def test_a_damaged_probe_keeps_nothing_from_opening_and_is_cancelled(
    sound, tmp_path, what, how, caplog
):
    if what == "key" and how == "plain":
        pytest.skip("has no key")
    options, keys = (PLAIN, None) if how == "plain" else (OPTIONS, KEYS)
    place = shutil.copytree(sound[how], tmp_path / "g.fpm")
    with Engine.open(place, "rw", **options) as e:
        later = e.search(request(LATER, 2))
        (token,) = [s.token for p in ("criminal", "immigration") if (s := later[p]).token]
    retained = "kind = 'retained'"
    if what == "key":
        sql(place, "UPDATE data_key SET wrapped = x'01' WHERE id = 1", "ledger.sqlite")
    else:
        sql(place, f"{PROBE[what]} WHERE {retained}", "ledger.sqlite")
    with caplog.at_level(logging.WARNING), Engine.open(place, "rw", **options) as e:
        (line,) = [r.getMessage() for r in caplog.records if "kept probe" in r.getMessage()]
        assert e.cascade("immigration") == []
        name = line.split()[3]
        assert len(name) == 24
    assert name in said(upkeep.check(place, keys=keys))
    with Engine.open(place, "r", **options):
        pass
    with Engine.open(place, "rw", **options) as e:
        e.cancel(name, why="damaged")
        assert e.cascade("immigration") == []
        (entry,) = e.audit.records(kind="DEFER_CANCELLED")
        assert (entry.fields["token"], entry.fields["why"]) == (name, "damaged")
        with pytest.raises(RefusedError):
            e.cancel(name)
        # The other one waits as it did.
        assert e.report_event(token, "CONVICTION")["immigration"].token in (None, "")
    assert upkeep.check(place, keys=keys) == ()
    assert not any(any(b) for (b,) in sql(place, "SELECT bytes FROM template", "ledger.sqlite"))


def test_a_damaged_probe_goes_by_its_token_and_is_not_searched(place):
    with Engine.open(place, "rw", **OPTIONS) as e:
        later = e.search(request(LATER, 2))
        (token,) = [s.token for p in ("criminal", "immigration") if (s := later[p]).token]
    sql(place, "UPDATE probe SET request = x'00' WHERE kind = 'deferred'", "ledger.sqlite")
    with Engine.open(place, "rw", **OPTIONS) as e:
        with pytest.raises(FpmatchError):
            e.report_event(token, "CONVICTION")
        e.cancel(token)
    assert upkeep.check(place, keys=KEYS) == ()


def test_an_expunged_identity_takes_its_damaged_probe_along(place):
    with Engine.open(place, "rw", **OPTIONS) as e:
        e.enrol("criminal", [record("C-9", 9, identity="X")])
    sql(place, "UPDATE probe SET request = x'00'", "ledger.sqlite")
    with Engine.open(place, "rw", **OPTIONS) as e:
        assert e.expunge("X", level="identity", **BY).probes == 1
    assert upkeep.check(place, keys=KEYS) == ()


def test_a_name_that_could_not_be_read_goes_into_no_file(place):
    ((whole,),) = sql(place, "SELECT hex(facts) FROM record_facts WHERE record = 1")
    sql(place, RECORD["facts"])
    (place / "columns-1.col").unlink()
    with Engine.open(place, "rw", **OPTIONS) as e:
        assert next(c.record for c in e.search(request(ON, 1))["criminal"].candidates) == unnamed(1)
    sql(place, f"UPDATE record_facts SET facts = x'{whole}' WHERE record = 1")
    with Engine.open(place, "rw", **OPTIONS) as e:
        assert next(c.record for c in e.search(request(ON, 1))["criminal"].candidates) == "C-1"
    assert upkeep.check(place, keys=KEYS) == ()
