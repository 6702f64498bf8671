"""A gallery out to a portable file and in again: the same to the last fact, or nothing."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_helpers import ON, POLICY, Clock, folder, record, request

from fpmatch import upkeep
from fpmatch.errors import CorruptError, FpmatchError, InputError, StorageError
from fpmatch.gallery import facts, opt_outs, origins
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.types import SourcedRecord
from fpmatch.upkeep import archive_file

pytest.importorskip("pyarrow")
OPTIONS: dict[str, Any] = {"clock": Clock(), "durability": "off"}
BY = {"order": "o", "authority": "a"}
SHA = bytes(range(32))


@pytest.fixture(scope="module")
def place():
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, **OPTIONS) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=200)
        people = [record(f"C-{n}", n, identity=f"person {n}") for n in range(1, 6)]
        e.enrol("criminal", [*people, record("C-1", 11, event="later", identity="person 1")])
        plain = record("I-1", 1, event="é", contributor="CA0380777", protected=True)
        e.enrol(
            "immigration",
            [
                SourcedRecord(
                    record=plain.record, fingers=plain.fingers, event=plain.event,
                    contributor=plain.contributor, protected=True,
                    banned_uses=frozenset({"CAR", "retained"}), item=SHA, sources=(SHA,),
                ),
                record("I-2", 2),
            ],
        )  # fmt: skip
        e.seal("C-5", **BY)
        e.expunge("C-4", **BY)
        e.publish(Policy.parse(POLICY))
        e.publish(Policy.parse(POLICY.replace('"CNA"]', '"CNA", "RISC"]')))
        asked = e.request_opt_out(ON, "immigration", reason="a vote")
        e.answer_opt_out(asked.request, "refused", authority="DHS")
    yield path
    shutil.rmtree(path, ignore_errors=True)


def state_of(path: Path, **more: Any) -> dict[str, Any]:
    with Engine.open(path, **OPTIONS, **more) as e:
        gallery = e._state.gallery
        out: dict[str, Any] = {"partitions": e.partitions, "policy": e.policy}
        for info in e.partitions:
            every = list(facts.names(gallery, info.name))
            out[info.name] = [
                (facts.facts(gallery, key), gallery.root(info.name)) for key, _ in every
            ]
            out[f"{info.name} expected"] = gallery.expected(info.name)
        out["policies"] = [gallery.policy(n) for n in (1, 2, 3)]
        out["asked"] = opt_outs.listed(gallery)
        out["taken"] = origins.taken(gallery, "immigration", "I-1", "é")
        out["found"] = [
            [c.record for c in e.search(request(ON, n, threshold=30))["criminal"].candidates]
            for n in range(1, 7)
        ]
        assert e.audit.verify().ok
    return out


def test_what_was_exported_is_imported_to_the_last_fact(place, tmp_path):
    before = (place / "gallery.sqlite").read_bytes()
    done = upkeep.export_archive(place, tmp_path / "a.zip", actor="operator", clock=Clock())
    assert before == (place / "gallery.sqlite").read_bytes()
    assert done.records == {"criminal": 4, "immigration": 2}
    assert (done.impressions, done.policies) == (7, 2)
    again = upkeep.import_archive(tmp_path / "a.zip", tmp_path / "new", **OPTIONS)
    assert again == done
    assert state_of(tmp_path / "new") == state_of(place)
    assert upkeep.check(tmp_path / "new", deep=True) == ()
    with Engine.open(place, **OPTIONS) as e:
        said = [r.fields for r in e.audit.records(kind="ENGINE")]
        assert {"what": "archive exported", "by": "operator"}.items() <= said[-1].items()
    # And out again: the same rows.
    upkeep.export_archive(tmp_path / "new", tmp_path / "b.zip", clock=Clock())
    with zipfile.ZipFile(tmp_path / "a.zip") as a, zipfile.ZipFile(tmp_path / "b.zip") as b:
        for member in (archive_file.RECORDS, archive_file.GALLERY, archive_file.POLICIES):
            assert a.read(member) == b.read(member), member


def test_other_programs_can_read_it(place, tmp_path):
    import io

    import pyarrow.parquet as parquet

    upkeep.export_archive(place, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        table = parquet.read_table(io.BytesIO(archive.read("records.parquet")))
        listed = json.loads(archive.read("archive.json"))
    assert table.column_names == list(archive_file.COLUMNS)
    assert set(table["record"].to_pylist()) == {"C-1", "C-2", "C-3", "C-5", "I-1", "I-2"}
    assert listed["format"] == 1


def test_a_plain_gallery_becomes_an_encrypted_one(place, tmp_path):
    pytest.importorskip("cryptography")
    keys = {"k": bytes(32)}
    upkeep.export_archive(place, tmp_path / "a.zip")
    upkeep.import_archive(tmp_path / "a.zip", tmp_path / "new", keys=keys, **OPTIONS)
    assert state_of(tmp_path / "new", keys=keys) == state_of(place)
    content = b"".join(p.read_bytes() for p in (tmp_path / "new").rglob("*") if p.is_file())
    assert b"person 2" not in content
    upkeep.export_archive(tmp_path / "new", tmp_path / "b.zip", keys=keys)
    upkeep.import_archive(tmp_path / "b.zip", tmp_path / "plain", **OPTIONS)
    assert state_of(tmp_path / "plain") == state_of(place)


def written_again(source: Path, to: Path, **changed: Any) -> None:
    """An archive with other members and the digests that fit them."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    table = changed.pop("rows", None)
    with archive_file.writing(to) as writer:
        if table is None:
            with writer._member(archive_file.RECORDS) as member:
                member.write(changed.pop("parquet", members[archive_file.RECORDS]))
        else:
            writer.rows(iter(table))
        for name in (archive_file.GALLERY, archive_file.POLICIES):
            said = json.loads(members[name])
            change = changed.get(name.split(".")[0])
            writer.json(name, change(said) if change else said)
        writer.end(changed.get("said", {}))


def rows_of(source: Path) -> list[dict[str, Any]]:
    with archive_file.reading(source) as archive:
        return list(archive.rows())


def change(rows: list[dict[str, Any]], at: int = 0, **values: Any) -> list[dict[str, Any]]:
    return [{**row, **values} if n == at else row for n, row in enumerate(rows)]


LIES: dict[str, Any] = {
    "another name": lambda r: {"rows": change(r, record="C-9")},
    "another identity": lambda r: {"rows": change(r, 3, identity="X")},
    "a protection that is gone": lambda r: {"rows": change(r, 5, protected=False)},
    "a ban that is gone": lambda r: {"rows": change(r, 5, banned_uses=["CAR"])},
    "a seal that is gone": lambda r: {"rows": [{**row, "sealed": False} for row in r]},
    "a row that is gone": lambda r: {"rows": r[1:]},
    "no rows": lambda r: {"rows": []},
    "another position": lambda r: {"rows": change(r, position=5)},
    "no template": lambda r: {"rows": change(r, template=b"")},
    "another template": lambda r: {"rows": change(r, template=r[-1]["template"])},
    "a value that is missing": lambda r: {"rows": change(r, identity=None)},
    "a partition that is not listed": lambda r: {"rows": change(r, partition="x")},
    "a name that cannot be stored": lambda r: {"rows": change(r, record="\x00")},
    "a ban that is none": lambda r: {"rows": change(r, banned_uses=["no such use"])},
    "no table": lambda r: {"parquet": b"PAR1" + bytes(100) + b"PAR1"},
    "no partitions": lambda r: {"gallery": lambda g: {**g, "partitions": []}},
    "partitions of another kind": lambda r: {"gallery": lambda g: {**g, "partitions": 3}},
    "a partition without owner": lambda r: {
        "gallery": lambda g: {**g, "partitions": [{"name": "a", "ndr": 1, "root": ""}]}
    },
    "a number that is none": lambda r: {
        "gallery": lambda g: {**g, "partitions": [{**p, "ndr": "1"} for p in g["partitions"]]}
    },
    "a request of other fields": lambda r: {"gallery": lambda g: {**g, "opt_outs": [{"x": 1}]}},
    "a request of other values": lambda r: {
        "gallery": lambda g: {**g, "opt_outs": [{k: [] for k in o} for o in g["opt_outs"]]}
    },
    "no policies": lambda r: {"policies": lambda p: {}},
    "another policy": lambda r: {
        "policies": lambda p: {
            "policies": [
                {**one, "document": one["document"].replace("advocate", "solicitor")}
                for one in p["policies"]
            ]
        }
    },
    "a policy that is none": lambda r: {
        "policies": lambda p: {"policies": [{"version": 1, "digest": "", "document": "["}]}
    },
    "a policy without version": lambda r: {
        "policies": lambda p: {"policies": [{"version": "x", "digest": "", "document": ""}]}
    },
}


@pytest.mark.parametrize("name", LIES)
def test_an_archive_that_says_something_else_leaves_nothing(place, tmp_path, name):
    upkeep.export_archive(place, tmp_path / "a.zip")
    written_again(tmp_path / "a.zip", tmp_path / "b.zip", **LIES[name](rows_of(tmp_path / "a.zip")))
    with pytest.raises((CorruptError, InputError)):
        upkeep.import_archive(tmp_path / "b.zip", tmp_path / "new", **OPTIONS)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "b.zip"]


def test_damaged_archives_are_refused_by_errors_of_ours(place, tmp_path):
    upkeep.export_archive(place, tmp_path / "a.zip")
    whole = (tmp_path / "a.zip").read_bytes()
    rng = np.random.default_rng(5)
    given = tmp_path / "given"
    contents = [b"", b"PK", b"not a zip" * 20, whole[:-22], whole[200:]]
    contents += [whole[: int(at)] for at in rng.integers(0, len(whole), 30)]
    for at in rng.integers(0, len(whole), 120).tolist():
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        contents.append(bytes(changed))
    refused = 0
    for content in contents:
        given.write_bytes(content)
        try:
            with archive_file.reading(given) as archive:
                list(archive.rows())
        except FpmatchError:
            refused += 1
    # What is left: bits of a ZIP file that say nothing of its members.
    assert refused >= len(contents) - 12


def test_what_cannot_be_done_is_refused_and_leaves_nothing(place, tmp_path):
    upkeep.export_archive(place, tmp_path / "a.zip")
    with pytest.raises(StorageError, match="exists already"):
        upkeep.export_archive(place, tmp_path / "a.zip")
    (tmp_path / "there").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        upkeep.import_archive(tmp_path / "a.zip", tmp_path / "there", **OPTIONS)
    for name in ("nothing", "there"):
        with pytest.raises(InputError):
            upkeep.import_archive(tmp_path / name, tmp_path / "new", **OPTIONS)
    with pytest.raises(StorageError):
        upkeep.export_archive(tmp_path / "there", tmp_path / "b.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "there"]


def test_a_later_format_is_refused_with_its_number(place, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_file, "FORMAT", 7)
    upkeep.export_archive(place, tmp_path / "a.zip")
    monkeypatch.undo()
    with pytest.raises(InputError, match="format 7"):
        upkeep.import_archive(tmp_path / "a.zip", tmp_path / "new", **OPTIONS)
