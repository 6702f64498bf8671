"""Every kind of damage is named with what to do; what is derived is made anew, the rest is not."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_helpers import KEEPS, ON, POLICY, Clock, folder, print_of, record, request

from fpmatch import upkeep
from fpmatch.cli.app import run
from fpmatch.descriptor import encode, pack
from fpmatch.errors import LockedError, StorageError
from fpmatch.gallery import Gallery, snapshot
from fpmatch.index import PartitionIndex, manifest
from fpmatch.index.segment import Segment
from fpmatch.index.segment_format import write_segment
from fpmatch.policy import Policy
from fpmatch.search import Engine

OPTIONS = {"clock": Clock(), "durability": "off"}


def made() -> Path:
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, **OPTIONS) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.enrol("criminal", [record(f"C-{n}", n) for n in range(1, 5)])
        e.enrol("immigration", [record("I-1", 1, protected=True), record("I-2", 2)])
        e.seal("C-4", order="o", authority="a")
        e.publish(Policy.parse(POLICY))
        e.search(request(KEEPS, 1, retain=True))
        e.search(request(ON, 1))
        e.expunge("C-3", order="o", authority="a")
    return path


@pytest.fixture(scope="module")
def sound() -> Iterator[Path]:
    path = made()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def place(sound, tmp_path) -> Path:
    return shutil.copytree(sound, tmp_path / "g.fpm")


def sql(place: Path, text: str, file: str = "gallery.sqlite", *values: object) -> None:
    with sqlite3.connect(place / file) as database:
        database.execute(text, values)
    database.close()


def test_a_sound_gallery_has_no_findings(place):
    before = {p: p.read_bytes() for p in place.rglob("*") if p.suffix in (".seg", ".col", ".json")}
    assert upkeep.check(place, deep=True) == ()
    assert {p: p.read_bytes() for p in before} == before
    assert upkeep.repair(place, **OPTIONS) == ((), ())


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def other_template(place: Path) -> None:
    sql(place, "UPDATE template SET bytes = ? WHERE id = 1", "gallery.sqlite", b"FPT")


def other_row(place: Path) -> None:
    """An index that is sound in itself, and of another template."""
    shutil.rmtree(place / "index" / "immigration")
    with PartitionIndex.create(place / "index" / "immigration", expected_fingers=100) as index:
        forms = pack([encode(print_of(1)), encode(print_of(7))])
        index.add(np.array([0, 1]), forms, np.array([2, 2], np.uint8))


def other_position(place: Path) -> None:
    shutil.rmtree(place / "index" / "immigration")
    with PartitionIndex.create(place / "index" / "immigration", expected_fingers=100) as index:
        forms = pack([encode(print_of(1)), encode(print_of(2))])
        index.add(np.array([0, 1]), forms, np.array([2, 3], np.uint8))


def too_few_rows(place: Path) -> None:
    shutil.rmtree(place / "index" / "immigration")
    with PartitionIndex.create(place / "index" / "immigration", expected_fingers=100) as index:
        index.add(np.array([0]), pack([encode(print_of(1))]), np.array([2], np.uint8))


def columns_that_lie(place: Path) -> None:
    """A copy of the columns in which nothing is sealed, under a digest of its own."""
    gallery = Gallery.open(place)
    stamp = gallery.stamps.now()[1]
    found = snapshot.read(place, 1, stamp)
    assert found is not None
    arrays = {**found.arrays, "sealed": np.zeros_like(found.arrays["sealed"])}
    gallery.close()
    snapshot.write(place, 1, stamp, snapshot.Snapshot(arrays, found.bans))


DERIVED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a block of a segment": (
        lambda p: flip(next((p / "index/criminal").glob("*.seg")), -3),
        "checksum",
    ),
    "the manifest": (lambda p: flip(p / "index/criminal/index.json", 60), "index.json"),
    "an index is gone": (lambda p: shutil.rmtree(p / "index/criminal"), "no index"),
    "an index lacks rows": (too_few_rows, "lacks 1"),
    "an index has another position": (other_position, "position"),
    "columns that lie": (columns_that_lie, "does not show it"),
    "a root": (
        lambda p: sql(p, "UPDATE partition SET sum = zeroblob(2048) WHERE id = 1"),
        "root",
    ),
    "half a file": (lambda p: (p / "columns-1.col.part").write_bytes(b"x"), "refers"),
    "an index of no partition": (lambda p: (p / "index" / "ghost").mkdir(), "refers"),
    "a change that was not logged": (
        lambda p: sql(
            p, "INSERT INTO journal VALUES ('x', 'ENROL', '{\"partition\": \"criminal\"}')"
        ),
        "not in the log",
    ),
}
LOST: dict[str, tuple[Callable[[Path], object], str]] = {
    "a template": (other_template, "SHA-256"),
    "a template that is gone": (
        lambda p: sql(p, "DELETE FROM template WHERE id = 2"),
        "no template",
    ),
    "an identity": (lambda p: sql(p, "UPDATE record SET identity = 'X' WHERE id = 1"), "digest"),
    "a seal": (lambda p: sql(p, "UPDATE record SET sealed = 0 WHERE record = 'C-4'"), "digest"),
    "bans": (lambda p: sql(p, "UPDATE record SET banned = '{' WHERE id = 1"), "digest"),
    "a position": (lambda p: sql(p, "UPDATE finger SET position = 3 WHERE record = 1"), "position"),
    "fingers that are gone": (lambda p: sql(p, "DELETE FROM held"), "no finger"),
    "the next row": (
        lambda p: sql(p, "UPDATE partition SET next_row = 1 WHERE id = 1"),
        "numbered",
    ),
    "a reference": (lambda p: sql(p, "UPDATE event SET record = 99 WHERE id = 1"), "refers to no"),
    "a policy": (
        lambda p: sql(p, "UPDATE policy SET document = replace(document, 'DHS', 'DHT')"),
        "not the one that was published",
    ),
    "a message": (
        lambda p: sql(p, "UPDATE notification SET body = '['", "ledger.sqlite"),
        "damaged",
    ),
    "a kept probe": (
        lambda p: sql(p, "UPDATE probe SET templates = '[77]'", "ledger.sqlite"),
        "probe",
    ),
    "the log": (
        lambda p: (
            sql(p, "DROP TRIGGER records_no_update", "audit.sqlite")
            or sql(p, "UPDATE records SET tcn = 'T' WHERE seq = 3", "audit.sqlite")
        ),
        "",
    ),
    "the log's key": (lambda p: (p / "audit.sqlite.key").unlink(), "key"),
    "the ledger": (lambda p: (p / "ledger.sqlite").unlink(), "missing"),
    "a page": (lambda p: flip(p / "gallery.sqlite", 4096 * 4 + 9), ""),
}


@pytest.mark.parametrize("name", DERIVED)
def test_what_is_derived_is_found_and_made_anew(place, name):
    damage, said = DERIVED[name]
    damage(place)
    found = upkeep.check(place)
    assert found
    assert all(f.repairable for f in found)
    assert any(said in f"{f.where} {f.what}" for f in found), found
    before, after = upkeep.repair(place, **OPTIONS)
    assert before == found
    assert after == ()
    with Engine.open(place, "rw", **OPTIONS) as e:
        assert [c.record for c in e.search(request(ON, 1))["criminal"].candidates][:1] == ["C-1"]
        assert not e.search(request(ON, 4, threshold=30))["criminal"].candidates  # sealed
        assert [c.record for c in e.search(request(ON, 2))["immigration"].candidates][:1] == ["I-2"]
        assert e.audit.verify().ok


@pytest.mark.parametrize("name", LOST)
def test_what_nothing_else_can_tell_is_found_and_left(place, name):
    damage, said = LOST[name]
    damage(place)
    found = upkeep.check(place)
    mine = [f for f in found if not f.repairable]
    assert mine
    assert any(said in f"{f.where} {f.what}" for f in mine), found
    assert all(f.do for f in mine)


def test_a_search_form_of_another_template_is_found_by_the_deep_check(place):
    other_row(place)
    assert upkeep.check(place) == ()
    (found,) = upkeep.check(place, deep=True)
    assert "search form" in found.what
    assert upkeep.repair(place, deep=True, **OPTIONS)[1] == ()


@pytest.mark.parametrize("name", ["list_sketches", "list_owners", "list_starts", "row_bytes"])
def test_lists_and_sketches_that_hide_a_finger_are_found_by_the_deep_check(place, name):
    """Whole by every checksum, with the right forms: only made anew it is seen."""
    folder = next(p for p in sorted(place.glob("index/*")) if list(p.glob("*.seg")))
    path = next(folder.glob("*.seg"))
    held = Segment(path)
    arrays = {n: np.array(a) for n, a in held.arrays.items()}
    if name == "row_bytes":
        arrays[name][int(arrays["row_starts"][0]) + 1 + int(arrays["offsets"][1])] ^= 1
    elif name == "list_starts":
        arrays[name][1:-1] = arrays[name][-1]
    else:
        arrays[name][0] ^= 1
    digest = write_segment(path, held.layout.attributes, arrays)
    said = manifest.read(folder)
    entries = tuple((n, digest if n == path.name else d, r) for n, d, r in said.segments)
    manifest.write(folder, dataclasses.replace(said, segments=entries))
    assert upkeep.check(place) == ()
    (found,) = upkeep.check(place, deep=True)
    assert found.what.startswith(f"{name} is not what its rows give")
    assert upkeep.repair(place, deep=True, **OPTIONS)[1] == ()


def test_a_gallery_that_is_being_written_is_not_checked(place):
    with Engine.open(place, "rw", **OPTIONS), pytest.raises(LockedError):
        upkeep.check(place)
    with Engine.open(place, "r", **OPTIONS):
        assert upkeep.check(place) == ()


def test_what_is_no_gallery_is_refused(tmp_path):
    with pytest.raises(StorageError):
        upkeep.check(tmp_path)
    with pytest.raises(StorageError):
        upkeep.repair(tmp_path / "nowhere")


def test_the_command_says_what_to_do_and_mends(place, monkeypatch, capsys):
    def fpm(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["fpmatch", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            run()
        return int(stopped.value.code or 0), capsys.readouterr().out

    assert fpm("check", place)[0] == 0
    shutil.rmtree(place / "index" / "criminal")
    code, said = fpm("check", place, "--json", "-")
    assert code == 1
    (finding,) = json.loads(said)["findings"]
    assert finding["where"] == "index/criminal"
    assert finding["repairable"]
    code, said = fpm("check", place, "--repair")
    assert code == 0, said
    assert "mended" in said
    assert "Everything fits" in said
