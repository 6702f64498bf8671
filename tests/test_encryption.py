"""Encrypted galleries: nothing readable in any file, nothing that can be moved, clear errors."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_helpers import (
    HELD,
    KEEPS,
    LATER,
    POLICY,
    Clock,
    folder,
    found,
    print_of,
    record,
    request,
)
from packed_rows import pieces_of_codes

from fpmatch import upkeep
from fpmatch.encryption import Chest, EncryptedFiles
from fpmatch.encryption.files import PIECE
from fpmatch.encryption.ring import ring_of
from fpmatch.errors import (
    ConflictError,
    CorruptError,
    FpmatchError,
    InputError,
    KeysError,
    RefusedError,
    StorageError,
)
from fpmatch.gallery.items import unnamed
from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points
from fpmatch.types import SourcedRecord

pytest.importorskip("cryptography")
KEYS = {"2026": bytes(range(32))}
OTHER = {"2026": bytes(32)}
OPTIONS: dict[str, Any] = {"clock": Clock(), "durability": "off"}
BY = {"order": "o", "authority": "a"}
NAMES = ("Quill-", "Zacharias", "arrest no ", "CA0380777")


def sourced(name: str, person: int, **more: Any) -> SourcedRecord:
    plain = record(name, person, contributor="CA0380777", **more)
    sha = bytes([person]) * 32
    return SourcedRecord(
        record=plain.record,
        fingers=plain.fingers,
        identity=plain.identity,
        event=plain.event,
        contributor=plain.contributor,
        item=sha,
        sources=(sha,) * len(plain.fingers),
    )


def made(**options: Any) -> Path:
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, **{**OPTIONS, "keys": KEYS, **options}) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        people = [
            sourced(f"Quill-{n}", n, identity=f"Zacharias {n}", event="arrest no 1")
            for n in range(1, 7)
        ]
        e.enrol("criminal", people)
        e.enrol("criminal", [record("Quill-1", 11, event="arrest no 2")], key="k")
        e.enrol("immigration", [record("Quill-1", 1, identity="Zacharias 1")])
        e.publish(Policy.parse(POLICY))
        e.search(request(KEEPS, 3, retain=True, attributes={"identity": "Zacharias 3"}))
        e.search(request(LATER, 4, attributes={"identity": "Zacharias 4"}))
        e.search(request(HELD, 1))
    return path


@pytest.fixture
def place() -> Iterator[Path]:
    path = made()
    yield path
    shutil.rmtree(path, ignore_errors=True)


def opened(path: Path, mode: str = "rw", keys: Any = KEYS) -> Engine:
    return Engine.open(path, mode, keys=keys, **OPTIONS)  # type: ignore[arg-type]


def pieces_of(person: int) -> list[bytes]:
    """Parts of a template, of its search form, and of a probe of the same person."""
    from fpmatch.descriptor import encode

    out = []
    for template in (print_of(person), print_of(person, 5)):
        whole = template.to_bytes()
        out += [whole[i : i + 16] for i in range(12, len(whole) - 16, 16)]
        form = encode(template)
        out += [code.tobytes() for code in form.codes if any(code.tobytes())]
        out += pieces_of_codes(form)
    return out


def readable(path: Path) -> list[tuple[str, str]]:
    """What of the people in the gallery can be read in any file of a folder."""
    wanted = {name: [name.encode()] for name in NAMES}
    wanted |= {f"print {n}": pieces_of(n) for n in (1, 3, 4, 11)}
    wanted |= {f"digest {n}": [bytes([n]) * 16] for n in (1, 6)}
    out = []
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        content = file.read_bytes()
        out += [(file.name, what) for what, p in wanted.items() if any(x in content for x in p)]
    return out


def sql(path: Path, *statements: str, file: str = "gallery.sqlite") -> None:
    with contextlib.closing(sqlite3.connect(path / file, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


# -- what can be read ------------------------------------------------------------------------------


def test_the_scan_finds_what_a_plain_gallery_holds():
    plain = made(keys=None)
    what = {what for _, what in readable(plain)}
    assert what >= {*NAMES, "print 1", "print 3", "print 4", "digest 1"}
    shutil.rmtree(plain)


def test_nothing_can_be_read_in_any_file_at_any_time(place):
    assert readable(place) == []
    with opened(place) as e:
        assert found(e, 3) == ["Quill-3"]
        e.enrol("criminal", [record("Quill-9", 9, event="arrest no 3")])
        assert readable(place) == [], "while it is open, the write-ahead log too"
        e.update("criminal", "Quill-4", identity="Zacharias the other", **BY)
        e.expunge("Quill-2", **BY)
        e.expunge("Zacharias 3", level="identity", **BY)
        e.seal("Quill-5", **BY)
        assert readable(place) == []
        with opened(place, "r") as reader:
            assert found(reader, 4) == ["Quill-4"]
    assert readable(place) == []
    assert upkeep.check(place, deep=True, keys=KEYS) == ()


def test_nothing_can_be_read_while_a_removal_is_half_done(place):
    class Stopped(Exception):
        pass

    def hook(name: str) -> None:
        if name == "expunge.committed":
            raise Stopped

    with opened(place) as e:
        crash_points.hook = hook
        try:
            with pytest.raises(Stopped):
                e.expunge("Zacharias 1", level="identity", **BY)
        finally:
            crash_points.hook = None
        assert e._state.gallery.unfinished()[0][1]["name"] in ("Quill-1", "Zacharias 1")
        assert readable(place) == []


def test_the_key_of_a_removed_records_facts_is_destroyed(place):
    """Else an older copy of the facts could be read with it."""

    def rows(query: str) -> dict[int, object]:
        database = sqlite3.connect(place / "gallery.sqlite")
        try:
            return dict(database.execute(query).fetchall())
        finally:
            database.close()

    before = rows("SELECT record, key FROM record_facts")
    with opened(place) as e:
        e.expunge("Quill-2", **BY)
    left = rows("SELECT record, key FROM record_facts")
    wrapped = rows("SELECT id, wrapped FROM data_key")
    (gone,) = set(before) - set(left)
    assert not any(wrapped[before[gone]])
    assert left
    assert all(any(wrapped[key]) for key in left.values())


def test_keys_are_in_no_file_and_no_representation(place):
    with opened(place) as e:
        said = repr(e) + repr(e._state.chest) + repr(ring_of(KEYS)) + repr(e._state)
        secrets = [*KEYS.values(), *e._state.chest._bare().values()]
    assert all(s.hex() not in said and repr(s)[2:-1] not in said for s in secrets)
    for file in place.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(s in content or s.hex().encode() in content for s in secrets), file


def test_equal_names_are_told_from_others_and_no_more(place):
    with contextlib.closing(sqlite3.connect(place / "gallery.sqlite")) as database:
        rows = database.execute("SELECT partition, record, identity FROM record").fetchall()
        events = database.execute("SELECT event FROM event").fetchall()
    first, same = rows[0], rows[-1]
    assert first[1] != same[1], "one name in two partitions"
    assert first[2] == same[2], "an order names an identity wherever it is"
    assert len({event for (event,) in events}) == len(events), "one name in several records"


def test_a_gallery_that_is_not_encrypted_has_nothing_of_it():
    plain = made(keys=None)
    with contextlib.closing(sqlite3.connect(plain / "gallery.sqlite")) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        assert not tables & {"data_key", "record_facts"}
        assert database.execute("SELECT value FROM meta WHERE key='format'").fetchone() == (1,)
    assert not (plain / "keys.json").exists()
    with pytest.raises(InputError, match="not encrypted"):
        opened(plain)
    with Engine.open(plain, "rw", **OPTIONS) as e, pytest.raises(InputError, match="encrypted"):
        e.rekey()
    shutil.rmtree(plain)


def test_an_earlier_release_refuses_an_encrypted_gallery(place):
    for name in ("gallery.sqlite", "ledger.sqlite"):
        with contextlib.closing(sqlite3.connect(place / name)) as database:
            found = database.execute("SELECT value FROM meta WHERE key='format'").fetchone()[0]
        assert int(found) == 2, "earlier ones read up to 1"


# -- keys ------------------------------------------------------------------------------------------


def test_keys_come_from_a_file_a_variable_a_mapping_or_a_callable(place, tmp_path, monkeypatch):
    import base64

    file = tmp_path / "keys"
    text = f"# ours\nold {bytes(32).hex()}\n2026 {KEYS['2026'].hex()}\n"
    file.write_text(text)
    file.chmod(0o600)
    monkeypatch.setenv("OURS", text)
    monkeypatch.setenv("ONE", "2026 " + base64.b64encode(KEYS["2026"]).decode())
    for source in (file, str(file), "env:OURS", "env:ONE", KEYS, lambda: KEYS):
        with opened(place, "r", source) as e:
            assert found(e, 3) == ["Quill-3"]


WRONG_KEYS: dict[str, tuple[Any, type[FpmatchError], str]] = {
    "none": (None, KeysError, "is encrypted: name its keys"),
    "another of that name": (OTHER, KeysError, "does not open this gallery"),
    "another name": ({"2027": KEYS["2026"]}, KeysError, "not among the keys given"),
    "no file": ("/nowhere/keys", KeysError, "cannot be read"),
    "a folder": ("/", KeysError, "may be used by others|cannot be read"),
    "no variable": ("env:FPMATCH_NOWHERE", KeysError, "is not set"),
    "an empty mapping": ({}, KeysError, "at least one"),
    "a short key": ({"2026": b"short"}, InputError, "32 bytes"),
    "text for a key": ({"2026": "0" * 32}, InputError, "32 bytes"),
    "a bad name": ({"a b": bytes(32)}, InputError, "name"),
    "a number": (7, InputError, "keys must be"),
    "a callable that fails": (lambda: 1 / 0, KeysError, "ZeroDivisionError"),
    "a callable of nothing": (lambda: None, InputError, "keys must be"),
}


@pytest.mark.parametrize("name", WRONG_KEYS)
def test_keys_that_cannot_be_used_are_refused_and_never_shown(place, name):
    source, kind, said = WRONG_KEYS[name]
    for call in (
        lambda: opened(place, "r", source),
        lambda: opened(place, "rw", source),
        lambda: upkeep.check(place, keys=source),
        lambda: upkeep.removals(place, keys=source),
        lambda: upkeep.backup(place, place.parent / "never", keys=source, item_keys="never"),
    ):
        with pytest.raises(kind, match=said) as error:
            call()
        assert KEYS["2026"].hex() not in str(error.value)
    assert not (place.parent / "never").exists()
    with opened(place) as e:  # and nothing stays locked
        assert found(e, 3) == ["Quill-3"]


def test_a_new_gallery_is_not_begun_with_keys_that_cannot_be_used(tmp_path):
    for name, (source, kind, _) in WRONG_KEYS.items():
        if source is not None and not name.startswith("another"):
            with pytest.raises(kind):
                Engine.create(tmp_path / "new", keys=source, **OPTIONS)
            assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o601])
def test_a_key_file_that_others_may_use_is_refused(place, tmp_path, mode):
    file = tmp_path / "keys"
    file.write_text(f"2026 {KEYS['2026'].hex()}\n")
    file.chmod(mode)
    with pytest.raises(KeysError, match="chmod 600"):
        opened(place, "r", file)


@pytest.mark.parametrize(
    "text",
    ["2026", "2026 00", "2026 " + "g" * 64, "2026 " + "0" * 64 + " more", "a b\na b", "\xff", ""],
)
def test_a_key_file_that_says_something_else_is_refused(place, tmp_path, text):
    file = tmp_path / "keys"
    file.write_bytes(text.encode("latin-1"))
    file.chmod(0o600)
    with pytest.raises((InputError, KeysError)) as error:
        opened(place, "r", file)
    assert "g" * 64 not in str(error.value)
    assert "0" * 64 not in str(error.value)


def test_keys_of_the_gallery_that_are_gone_or_anothers(place):
    kept = (place / "keys.json").read_bytes()
    another = made()
    for content in (b"", b"{}", b"[]", b"\xff", b'{"format": 1, "gallery": "x", "keys": []}', None):
        if content is None:
            (place / "keys.json").write_bytes((another / "keys.json").read_bytes())
        else:
            (place / "keys.json").write_bytes(content)
        with pytest.raises((KeysError, CorruptError)):
            opened(place, "r")
    (place / "keys.json").unlink()
    with pytest.raises(KeysError):
        Engine.open(place, "r", **OPTIONS)
    (place / "keys.json").write_bytes(kept.replace(b'"format": 1', b'"format": 9'))
    with pytest.raises(StorageError, match="format 9"):
        opened(place, "r")
    (place / "keys.json").write_bytes(kept)
    (place / "ledger.sqlite").write_bytes((another / "ledger.sqlite").read_bytes())
    with pytest.raises(KeysError, match="ledger"):
        opened(place, "r")
    shutil.rmtree(another)


def test_without_the_library_it_says_which_extra(place, monkeypatch):
    import builtins

    real = builtins.__import__

    def missing(name: str, *more: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match="encryption") as error:
        opened(place, "r")
    assert isinstance(error.value, FpmatchError)


# -- what is moved or damaged ----------------------------------------------------------------------

SWAP = "UPDATE {t} SET {c} = (SELECT {c} FROM {t} WHERE {k} = {b}) WHERE {k} = {a}"
MOVED = {
    "a template of another record": SWAP.format(t="template", c="bytes", k="id", a=2, b=4),
    "a template's key": SWAP.format(t="data_key", c="wrapped", k="id", a=2, b=4),
    "the facts of another record": SWAP.format(t="record_facts", c="facts", k="record", a=1, b=2),
    "facts and key of another": "UPDATE record_facts SET key = 3, facts = (SELECT facts FROM "
    "record_facts WHERE record = 2) WHERE record = 1",
    "an event of another record": SWAP.format(t="event", c="event", k="id", a=1, b=2),
    "a digest of another finger": "UPDATE finger SET sha256 = (SELECT sha256 FROM finger WHERE "
    "record = 2) WHERE record = 3",
    "an event for a digest": "UPDATE finger SET sha256 = (SELECT event FROM event WHERE "
    "record = 3) WHERE record = 3",
    "text in the place of facts": "UPDATE record_facts SET facts = 'Quill-1' WHERE record = 1",
    "nothing in the place of facts": "DELETE FROM record_facts WHERE record = 1",
    "a name in the place of its digest": "UPDATE record SET record = 'Quill-1' WHERE id = 1",
    "another's digest of an identity": "UPDATE record SET identity = (SELECT identity FROM record "
    "WHERE id = 2) WHERE id = 1",
    "a template of the same record": "UPDATE template SET bytes = (SELECT t.bytes FROM template t "
    "JOIN finger f ON f.template = t.id WHERE f.record = 1 ORDER BY t.id DESC) WHERE id = 2",
}


@pytest.mark.parametrize("name", MOVED)
def test_what_was_moved_in_the_database_is_found_and_never_believed(place, name):
    sql(place, MOVED[name])
    (place / "columns-1.col").unlink()
    shutil.rmtree(place / "index")
    findings = upkeep.check(place, keys=KEYS)
    assert any("record" in f.where for f in findings), findings
    with contextlib.suppress(FpmatchError), opened(place) as e:
        assert found(e, 1) in ([], ["Quill-1"], [unnamed(1)])
        assert found(e, 2) in ([], ["Quill-2"])


def test_a_whole_record_of_before_is_told_by_the_root(place):
    """Facts and key put back together: encryption cannot tell, the logged root can."""
    with contextlib.closing(sqlite3.connect(place / "gallery.sqlite")) as database:
        old = database.execute("SELECT facts FROM record_facts WHERE record = 4").fetchone()[0]
    with opened(place) as e:
        e.update("criminal", "Quill-4", identity="somebody else", **BY)
    with contextlib.closing(sqlite3.connect(place / "gallery.sqlite")) as database:
        database.execute("UPDATE record_facts SET facts = ? WHERE record = 4", (old,))
        database.commit()
    assert any("Quill-4" in f.where + f.what for f in upkeep.check(place, keys=KEYS))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_values_give_errors_of_ours_and_no_wrong_answer(place, seed):
    rng = np.random.default_rng(seed)
    columns = [
        ("gallery.sqlite", "template", "bytes"),
        ("gallery.sqlite", "data_key", "wrapped"),
        ("gallery.sqlite", "record_facts", "facts"),
        ("gallery.sqlite", "event", "event"),
        ("gallery.sqlite", "finger", "sha256"),
        ("gallery.sqlite", "origin", "source"),
        ("gallery.sqlite", "item", "digest"),
        ("gallery.sqlite", "meta", "value"),
        ("ledger.sqlite", "probe", "request"),
        ("ledger.sqlite", "probe", "identity"),
        ("ledger.sqlite", "probe", "templates"),
        ("ledger.sqlite", "template", "bytes"),
        ("ledger.sqlite", "notification", "body"),
    ]
    for name, table, column in columns:
        copy = place.with_name(place.name + "-copy")
        shutil.copytree(place, copy)
        with contextlib.closing(sqlite3.connect(copy / name)) as database:
            where = "WHERE typeof(value) = 'blob'" if table == "meta" else ""
            rows = database.execute(f"SELECT {column} FROM {table} {where}").fetchall()
            (value,) = rows[int(rng.integers(len(rows)))]
            changed = bytearray(value if isinstance(value, bytes) else str(value).encode())
            changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
            database.execute(
                f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (bytes(changed), value)
            )
            database.commit()
        (copy / "columns-1.col").unlink()
        with contextlib.suppress(FpmatchError):
            assert upkeep.check(copy, keys=KEYS) != ()
        with contextlib.suppress(FpmatchError), opened(copy) as e:
            for act in (
                lambda e=e: found(e, 1),
                lambda e=e: e.notifications(),
                lambda e=e: e.cascade("immigration"),
                lambda e=e: e.expunge("Zacharias 3", level="identity", **BY),
                lambda e=e: e.enrol("criminal", [record("Quill-1", 13)]),
                lambda e=e: e.rekey(renew=True),
            ):
                with contextlib.suppress(FpmatchError):
                    act()
        shutil.rmtree(copy)


def test_files_that_are_damaged_or_moved_are_made_anew(place):
    rng = np.random.default_rng(8)
    with opened(place, "r") as e:
        true = [found(e, n) for n in range(1, 7)]
    segment = next((place / "index/criminal").glob("*.seg"))
    other = next((place / "index/immigration").glob("*.seg"))
    whole = segment.read_bytes()
    damages = [
        bytes(b ^ (1 if i == at else 0) for i, b in enumerate(whole))
        for at in rng.integers(0, len(whole), 8).tolist()
    ]
    damages += [whole[:-1], whole[:30], b"", whole + b"x", other.read_bytes(), whole[:70]]
    for content in damages:
        segment.write_bytes(content)
        assert any(f.repairable for f in upkeep.check(place, keys=KEYS))
        with pytest.raises(FpmatchError), opened(place, "r"):
            pass
        with opened(place) as e:
            assert [found(e, n) for n in range(1, 7)] == true
        segment = next((place / "index/criminal").glob("*.seg"))
        assert upkeep.check(place, deep=True, keys=KEYS) == ()
        whole = segment.read_bytes()


def test_copies_of_columns_that_are_damaged_or_moved_are_passed_over(place):
    with opened(place, "r") as e:
        true = [found(e, n) for n in range(1, 7)]
    first, second = place / "columns-1.col", place / "columns-2.col"
    for content in (first.read_bytes()[:-1], second.read_bytes(), b"", first.read_bytes()[::-1]):
        first.write_bytes(content)
        with opened(place, "r") as e:
            assert [found(e, n) for n in range(1, 7)] == true


def test_a_file_of_several_pieces_is_read_as_it_was_written(tmp_path):
    files = EncryptedFiles(tmp_path, Chest.create(tmp_path, KEYS))
    rng = np.random.default_rng(3)
    for size in (1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 77):
        content = rng.integers(0, 256, size, np.uint8)
        path = tmp_path / "file"
        filling = files.fill(tmp_path / "file.part", path, size)
        filling.array[:] = content
        filling.finish()
        os.replace(tmp_path / "file.part", path)
        assert np.array_equal(np.frombuffer(files.load(path), np.uint8), content)
        assert np.array_equal(files.read(path, 1)[:1], content[:1])
        first = path.read_bytes()
        files.renew(path)
        assert path.read_bytes()[:60] != first[:60], "a new salt, so a new key"
        assert np.array_equal(files.read(path), content)
        stored = bytearray(path.read_bytes())
        if size > PIECE + 1:  # pieces in another order
            at, step = 60, PIECE + 16
            stored[at : at + 2 * step] = stored[at + step : at + 2 * step] + stored[at : at + step]
            path.write_bytes(stored)
            with pytest.raises(CorruptError, match="piece 0"):
                files.load(path)
        os.replace(path, tmp_path / "moved")
        with pytest.raises(CorruptError):
            files.load(tmp_path / "moved")


# -- other keys ------------------------------------------------------------------------------------


def test_the_callers_key_is_exchanged_without_touching_data(place):
    both = {**KEYS, "2027": bytes(31) + b"\x01"}
    new = {"2027": both["2027"]}
    before = (place / "gallery.sqlite").read_bytes()
    with opened(place, "rw", lambda: both) as e, opened(place, "r", lambda: both) as reader:
        done = e.rekey()
        assert (done.under, done.generation, done.records) == ("2027", 1, 0)
        assert found(reader, 3) == ["Quill-3"]
        e.enrol("criminal", [record("Quill-9", 9)])
        assert found(reader, 9) == ["Quill-9"]
    assert before
    with pytest.raises(KeysError, match="not among"):
        opened(place, "r", KEYS)
    with opened(place, "r", new) as e:
        assert found(e, 9) == ["Quill-9"]


def values_of(path: Path) -> set[bytes]:
    """Every encrypted value in the databases."""
    out: set[bytes] = set()
    for name, queries in {
        "gallery.sqlite": (
            "SELECT bytes FROM template",
            "SELECT wrapped FROM data_key",
            "SELECT facts FROM record_facts",
            "SELECT event FROM event",
            "SELECT sha256 FROM finger",
            "SELECT digest FROM item",
            "SELECT source FROM origin",
            "SELECT answer FROM answered",
            "SELECT value FROM meta WHERE typeof(value) = 'blob'",
        ),
        "ledger.sqlite": (
            "SELECT bytes FROM template",
            "SELECT wrapped FROM data_key",
            "SELECT request FROM probe",
            "SELECT identity FROM probe",
            "SELECT body FROM notification",
        ),
    }.items():
        with contextlib.closing(sqlite3.connect(path / name)) as database:
            for query in queries:
                found = {bytes(v) for (v,) in database.execute(query) if any(bytes(v))}
                assert found, query
                out |= found
    return out


def test_everything_is_encrypted_anew_beside_a_reader(place):
    old = values_of(place)
    files = {p.name: p.read_bytes() for p in place.rglob("*.seg")}
    with opened(place) as e, opened(place, "r") as reader:
        answered = [found(reader, n) for n in range(1, 7)]
        seen: list[int] = []
        done = e.rekey(renew=True, progress=seen.append)
        assert (done.records, done.probes, done.generation) == (7, 2, 2)
        assert done.files >= 3
        assert seen[-1] == 7
        assert [found(reader, n) for n in range(1, 7)] == answered
        # What the reader writes from here on is under the new key.
        reader.search(request(LATER, 5, attributes={"identity": "Zacharias 5"}))
        roots = e._state.gallery.root("criminal")
    left = values_of(place) & old
    assert left == set()
    with contextlib.closing(sqlite3.connect(place / "ledger.sqlite")) as database:
        wrapped = [bytes(w) for (w,) in database.execute("SELECT wrapped FROM data_key")]
    assert {w[0] for w in wrapped if any(w)} == {2}
    for path in place.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(value in content for value in old), path
        assert path.name not in files or content != files[path.name]
    assert (place / "audit.sqlite.key").stat().st_mode & 0o077 == 0
    assert upkeep.check(place, deep=True, keys=KEYS) == ()
    with opened(place) as e:
        assert e._state.gallery.root("criminal") == roots
        assert [found(e, n) for n in range(1, 7)] == answered
        assert e.rekey(renew=True).generation == 3
        assert e._state.chest.generations == (2, 3), "the one before the last is forgotten"
        assert e.expunge("Zacharias 3", level="identity", **BY).probes == 1
        assert (
            e.enrol("criminal", [record("Quill-1", 11, event="arrest no 2")], key="k").fingers == 1
        )
        with pytest.raises(ConflictError):
            e.enrol("criminal", [record("Quill-1", 12, event="arrest no 2")], key="k")


def test_a_renewal_waits_for_who_reads_just_then(place):
    old = values_of(place)
    readers: list[threading.Timer] = []

    def hook(name: str) -> None:
        if name == "rekey.renewed":
            for file in ("gallery.sqlite", "ledger.sqlite"):
                base = sqlite3.connect(place / file, check_same_thread=False, isolation_level=None)
                base.execute("BEGIN")
                base.execute("SELECT COUNT(*) FROM data_key").fetchone()
                readers.append(threading.Timer(0.3, base.close))
                readers[-1].start()

    with opened(place) as e:
        crash_points.hook = hook
        try:
            assert e.rekey(renew=True).generation == 2
        finally:
            crash_points.hook = None
            for reader in readers:
                reader.join()
        for path in place.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert not any(value in content for value in old), path


@pytest.mark.parametrize("step", crash_points.REKEY)
def test_a_renewal_that_was_cut_off_goes_on(place, step):
    class Stopped(BaseException):
        pass

    def hook(name: str) -> None:
        if name == step:
            raise Stopped

    old = values_of(place)
    with opened(place) as e:
        crash_points.hook = hook
        try:
            with pytest.raises(Stopped):
                e.rekey(renew=True)
        finally:
            crash_points.hook = None
        assert found(e, 3) == ["Quill-3"]
    with opened(place) as e:
        assert found(e, 3) == ["Quill-3"]
        e.rekey(renew=True)
    assert values_of(place) & old == set()
    assert upkeep.check(place, keys=KEYS) == ()


# -- backups, and keys that are destroyed ----------------------------------------------------------


def test_a_backup_opens_nothing_without_the_item_keys(place, tmp_path):
    with pytest.raises(InputError, match="item-keys"):
        upkeep.backup(place, tmp_path / "copy", keys=KEYS)
    with opened(place) as e:
        upkeep.backup(place, tmp_path / "copy", keys=KEYS, item_keys=tmp_path / "items")
        true = [found(e, n) for n in range(1, 7)]
        roots = [e._state.gallery.root(p.name) for p in e.partitions]
    listed = upkeep.removals(place, keys=KEYS)
    assert readable(tmp_path) == []
    with contextlib.closing(sqlite3.connect(place / "gallery.sqlite")) as database:
        keys = [bytes(w) for (w,) in database.execute("SELECT wrapped FROM data_key")]
    inside = b"".join(p.read_bytes() for p in (tmp_path / "copy").rglob("*") if p.is_file())
    assert not any(key in inside for key in keys)
    for more in ({}, {"keys": KEYS}, {"item_keys": tmp_path / "items"}):
        with pytest.raises((InputError, KeysError)):
            upkeep.restore(tmp_path / "copy", tmp_path / "new", removals=listed, **more, **OPTIONS)
        assert not (tmp_path / "new").exists()
    upkeep.restore(
        tmp_path / "copy",
        tmp_path / "new",
        removals=listed,
        keys=KEYS,
        item_keys=tmp_path / "items",
        **OPTIONS,
    )
    assert upkeep.check(tmp_path / "new", deep=True, keys=KEYS) == ()
    with opened(tmp_path / "new") as e:
        assert [found(e, n) for n in range(1, 7)] == true
        assert [e._state.gallery.root(p.name) for p in e.partitions] == roots
        assert e.cascade("immigration")
    assert readable(tmp_path) == []


def test_destroying_keys_empties_every_backup_of_whom_they_were(place, tmp_path):
    options = {"keys": KEYS, "without_removals": True, **OPTIONS}
    with opened(place) as e:
        upkeep.backup(place, tmp_path / "copy", keys=KEYS, item_keys=tmp_path / "old")
        e.expunge("Quill-2", **BY)
        e.expunge("Zacharias 3", level="identity", **BY)
        e.expunge("Quill-1", level="event", event="arrest no 2", partition="criminal", **BY)
        e.enrol("criminal", [record("Quill-9", 9)])
        upkeep.item_keys(place, tmp_path / "new keys", keys=KEYS, actor="operator")
        now = [found(e, n) for n in (*range(1, 7), 11)]
    done = upkeep.restore(
        tmp_path / "copy", tmp_path / "new", item_keys=tmp_path / "new keys", **options
    )
    assert done.expunged == 3
    with opened(tmp_path / "new") as e:
        assert [found(e, n) for n in (*range(1, 7), 11)] == now
        assert e.cascade("immigration") == []
        assert e.audit.verify().ok
    assert upkeep.check(tmp_path / "new", deep=True, keys=KEYS) == ()
    # What holds, and no more: whoever kept the older file of keys can read the older backup.
    upkeep.restore(tmp_path / "copy", tmp_path / "again", item_keys=tmp_path / "old", **options)
    with opened(tmp_path / "again") as e:
        assert found(e, 2) == ["Quill-2"]


def test_item_keys_that_do_not_fit_are_refused(place, tmp_path):
    another = made()
    upkeep.item_keys(place, tmp_path / "early", keys=KEYS)
    upkeep.item_keys(another, tmp_path / "another", keys=KEYS)
    with opened(place) as e:
        e.enrol("criminal", [record("Quill-9", 9)])
        upkeep.backup(place, tmp_path / "copy", keys=KEYS, item_keys=tmp_path / "items")
        e.rekey(renew=True)
        upkeep.item_keys(place, tmp_path / "late", keys=KEYS)
    whole = (tmp_path / "items").read_bytes()
    rng = np.random.default_rng(1)
    wrong: dict[str, bytes] = {
        "early": (tmp_path / "early").read_bytes(),
        "another": (tmp_path / "another").read_bytes(),
        "late": (tmp_path / "late").read_bytes(),
        "nothing": b"",
        "text": b"{}" * 40,
    }
    for n, at in enumerate(rng.integers(0, len(whole), 20).tolist()):
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        wrong[f"flipped {n}"] = bytes(changed)
        wrong[f"cut {n}"] = whole[:at]
    for name, content in wrong.items():
        (tmp_path / "given").write_bytes(content)
        with pytest.raises((InputError, KeysError, CorruptError)):
            upkeep.restore(
                tmp_path / "copy",
                tmp_path / "new",
                without_removals=True,
                keys=KEYS,
                item_keys=tmp_path / "given",
                **OPTIONS,
            )
        assert not (tmp_path / "new").exists(), name
    shutil.rmtree(another)


def test_a_plain_gallery_has_no_item_keys(tmp_path):
    plain = made(keys=None)
    with pytest.raises(InputError, match="not encrypted"):
        upkeep.item_keys(plain, tmp_path / "items", keys=KEYS)
    with pytest.raises(InputError, match="not encrypted"):
        upkeep.backup(plain, tmp_path / "copy", item_keys=tmp_path / "items")
    shutil.rmtree(plain)


def test_the_log_needs_keys_for_digests_alone(place):
    from fpmatch.audit import AuditLog

    with AuditLog.open(place / "audit.sqlite", "rw") as log:
        assert log.verify().ok
        with pytest.raises(KeysError, match="encrypted"):
            log.probe_digest([b"x"])
    with opened(place) as e, pytest.raises(RefusedError):
        e.expunge("nobody", **BY)
