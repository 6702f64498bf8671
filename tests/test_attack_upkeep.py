"""Files of a gallery and what travels with it, as somebody hostile would write them."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
import shutil
import struct
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_helpers import KEEPS, LATER, ON, POLICY, Clock, folder, found, record, request

from fpmatch import upkeep
from fpmatch.errors import CorruptError, FpmatchError, InputError, StorageError
from fpmatch.index import manifest, segment_format
from fpmatch.index.segment import Segment
from fpmatch.parameters import SEGMENTS
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.upkeep.removals import _digest

OPTIONS: dict[str, Any] = {"clock": Clock(), "durability": "off"}
BY = {"order": "o", "authority": "a"}
KEYS = {"k": bytes(range(32))}
DEEP = "[" * 100_000
HALF = "\ud800"


def made(keys: Any = None) -> Path:
    path = folder()
    shutil.rmtree(path)
    with Engine.create(path, keys=keys, **OPTIONS) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.enrol("criminal", [record(f"C-{n}", n, identity=f"person {n}") for n in range(1, 5)])
        e.publish(Policy.parse(POLICY))
        e.seal("C-4", **BY)
    return path


@contextmanager
def copied(source: Path) -> Iterator[Path]:
    path = folder()
    shutil.copytree(source, path, dirs_exist_ok=True)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def plain() -> Iterator[Path]:
    path = made()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def sealed() -> Iterator[Path]:
    pytest.importorskip("cryptography")
    path = made(KEYS)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def place(plain: Path) -> Iterator[Path]:
    with copied(plain) as path:
        yield path


@pytest.fixture
def locked(sealed: Path) -> Iterator[Path]:
    with copied(sealed) as path:
        yield path


def refused(call: Callable[[], object], kind: type[FpmatchError] = FpmatchError) -> None:
    """An error of ours, which says so in few words."""
    with pytest.raises(kind) as caught:
        call()
    assert len(str(caught.value)) < 400
    str(caught.value).encode()


# -- keys.json, and what databases say of themselves -----------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {**s, "gallery": HALF},
        lambda s: {**s, "keys": [{**s["keys"][0], "generation": float("inf")}]},
        lambda s: {**s, "keys": [{**s["keys"][0], "under": "x" * 10**6}]},
        lambda s: {**s, "keys": [{**s["keys"][0], "under": HALF}]},
        lambda s: {**s, "format": float("-inf"), "keys": {}},
    ],
)
def test_keys_of_a_gallery_that_say_something_absurd(locked, change):
    said = json.loads((locked / "keys.json").read_text())
    (locked / "keys.json").write_text(json.dumps(change(said)))
    refused(lambda: Engine.open(locked, keys=KEYS, **OPTIONS), StorageError)


@pytest.mark.parametrize("file", ["gallery.sqlite", "ledger.sqlite"])
@pytest.mark.parametrize("value", ["'x'", "X'00'", "NULL", "1e999"])
def test_a_format_that_is_no_number(place, file, value):
    import sqlite3

    with sqlite3.connect(place / file) as database:
        database.execute(f"UPDATE meta SET value = {value} WHERE key = 'format'")
    database.close()
    refused(lambda: Engine.open(place, **OPTIONS), CorruptError)


def test_what_a_database_has_no_value_for_is_refused(tmp_path):
    from fpmatch.database import make

    database = make(tmp_path / "a", "CREATE TABLE t (a);")
    for value in (10**30, HALF):
        refused(lambda v=value: database.execute("INSERT INTO t VALUES (?)", (v,)), InputError)
        refused(
            lambda v=value: database.executemany("INSERT INTO t VALUES (?)", [(v,)]), InputError
        )
    database.close()


def test_a_policy_of_brackets_without_end():
    refused(lambda: Policy.parse("a = " + DEEP), InputError)


WRONG = [
    ("gallery", "finger", "sha256"),
    ("gallery", "finger", "record"),
    ("gallery", "finger", "position"),
    ("gallery", "record", "record"),
    ("gallery", "record", "identity"),
    ("gallery", "record", "item"),
    ("gallery", "event", "event"),
    ("gallery", "template", "bytes"),
    ("gallery", "partition", "name"),
    ("gallery", "partition", "owner"),
    ("gallery", "partition", "ndr"),
    ("gallery", "partition", "sum"),
    ("gallery", "partition", "next_row"),
    ("gallery", "stamp", "value"),
    ("gallery", "withdrawn", "mark"),
    ("gallery", "answered", "call"),
    ("gallery", "answered", "seq"),
    ("gallery", "answered", "answer"),
    ("ledger", "probe", "request"),
    ("ledger", "probe", "owner"),
    ("ledger", "probe", "claimed"),
    ("ledger", "template", "id"),
]


@pytest.mark.parametrize(("file", "table", "column"), WRONG)
def test_a_column_that_holds_a_value_of_another_kind(place, tmp_path, file, table, column):
    """SQLite keeps any value in any column: what is read is of its kind, or an error of ours."""
    import contextlib
    import sqlite3

    from fpmatch.types import RecordsRequest

    with Engine.open(place, "rw", **OPTIONS) as e:
        e.enrol("criminal", [record("C-5", 5)], key="k")
        e.search(request(KEEPS, 3, retain=True, attributes={"identity": "person 3"}))
        e.search(request(LATER, 3, attributes={"identity": "person 3"}))
    own = RecordsRequest(owner="DOJ-FBI")
    for number, value in enumerate(("'x'", "123456789012345678", "X'0102'", "1e999")):
        copy = tmp_path / str(number)
        shutil.copytree(place, copy)
        with (
            contextlib.closing(sqlite3.connect(copy / f"{file}.sqlite")) as database,
            contextlib.suppress(sqlite3.IntegrityError),  # Keys of rows are numbers, always.
        ):
            database.execute(
                f"UPDATE OR IGNORE {table} SET {column} = {value} "
                f"WHERE {column} IN (SELECT {column} FROM {table} LIMIT 1)"
            )
            database.commit()
        calls: list[Callable[[Engine], object]] = [
            lambda e: e.search(request(ON, 3)),
            lambda e: e.record("criminal", "C-1", own),
            lambda e: e.templates("criminal", own),
            lambda e: e.cascade("immigration"),
            lambda e: e.enrol("criminal", [record("C-5", 5)], key="k"),
            lambda e: e.enrol("criminal", [record("C-1", 6, event="more")]),
            lambda e: e.update("criminal", "C-1", protected=True, **BY),
            lambda e: e.expunge("C-1", **BY),
            lambda e: e.expunge("person 3", level="identity", **BY),
        ]
        with contextlib.suppress(FpmatchError):
            upkeep.removals(copy)
        with contextlib.suppress(FpmatchError):
            upkeep.export_archive(copy, tmp_path / f"{number}.zip")
        upkeep.check(copy)
        for mode in ("r", "rw"):
            with contextlib.suppress(FpmatchError), Engine.open(copy, mode, **OPTIONS) as e:
                for call in calls:
                    with contextlib.suppress(FpmatchError):
                        call(e)


@pytest.mark.parametrize("name", ["..", "../..", "a/b", "/tmp", ""])
def test_a_partition_of_a_hostile_database_has_no_folder_above_the_gallery(name):
    """It is made, and removed where it is damaged."""
    from fpmatch.gallery.partition_names import folder_name

    inside = Path("index") / folder_name(name)
    assert inside.parent == Path("index")
    assert inside.name not in ("", ".", "..")
    assert folder_name("criminal") == "criminal"


# -- the index -------------------------------------------------------------------------------------


def forged(path: Path, header: Any) -> None:
    """A segment whose digests fit, with another header."""
    content = path.read_bytes()
    start = segment_format._PREFIX
    magic, version, length, blocks, _ = start.unpack(content[: start.size])
    table = content[start.size + length : start.size + length + 8 * blocks]
    new = header if isinstance(header, bytes) else json.dumps(header).encode()
    digest = hashlib.sha256(new + table).digest()
    whole = start.pack(magic, version, len(new), blocks, digest) + new + table
    old_data = -(-(start.size + length + 8 * blocks) // 4096) * 4096
    path.write_bytes(whole + bytes(-len(whole) % 4096) + content[old_data:])


HEADERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "brackets": lambda h: DEEP.encode(),
    "no object": lambda h: [1],
    "no sections": lambda h: {**h, "sections": 3},
    "a section less": lambda h: {**h, "sections": dict(list(h["sections"].items())[1:])},
    "no blocks": lambda h: {**h, "block_bytes": 0},
    "odd blocks": lambda h: {**h, "block_bytes": 7},
    "blocks without end": lambda h: {**h, "block_bytes": float("inf")},
    "objects": lambda h: {**h, "sections": {k: ["|O", *v[1:]] for k, v in h["sections"].items()}},
    "no type": lambda h: {**h, "sections": {k: ["?!", *v[1:]] for k, v in h["sections"].items()}},
    "too many": lambda h: {
        **h,
        "sections": {k: [v[0], [2**62, 8], v[2]] for k, v in h["sections"].items()},
    },
    "less than none": lambda h: {
        **h,
        "sections": {k: [v[0], [-1], v[2]] for k, v in h["sections"].items()},
    },
    "behind the end": lambda h: {
        **h,
        "sections": {k: [v[0], v[1], 2**70] for k, v in h["sections"].items()},
    },
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_segment_whose_header_says_something_absurd(place, name):
    path = next(place.rglob("*.seg"))
    content = path.read_bytes()
    size = segment_format._PREFIX.size
    header = json.loads(content[size : size + segment_format._PREFIX.unpack(content[:size])[2]])
    forged(path, header)
    Segment(path).close()  # The forgery itself is sound.
    forged(path, HEADERS[name](header))
    refused(lambda: Segment(path), CorruptError)
    # As a batch that a writer hands to readers it is passed over.
    shutil.copyfile(path, path.with_name(f"{0:012d}.tail"))
    from fpmatch.index import tail

    folder_ = path.parent
    read = tail.read(folder_, manifest.read(folder_), np.arange(9), lambda _: "")
    assert read == []


@pytest.mark.parametrize("name", ["../../gallery.sqlite", "/etc/hostname", ".."])
def test_a_manifest_names_files_of_its_own_folder_alone(place, name):
    """They are read, copied into backups, and removed when they are replaced."""
    index = next(place.rglob("index.json")).parent
    said = manifest.read(index)
    import dataclasses

    for other in (
        dataclasses.replace(said, tombstones=name),
        dataclasses.replace(said, segments=((name, "", 1),)),
    ):
        manifest.write(index, other)
        refused(lambda: manifest.read(index), CorruptError)


@pytest.mark.parametrize("content", [DEEP, '{"manifest": 1e999}', "[]", "3"])
def test_a_manifest_that_says_something_absurd(place, content):
    index = next(place.rglob("index.json")).parent
    (index / "index.json").write_text(content)
    refused(lambda: manifest.read(index), CorruptError)


def test_no_memory_is_made_for_a_length_that_a_damaged_file_states(place, monkeypatch):
    from fpmatch.encryption import PLAIN_FILES
    from fpmatch.gallery import snapshot

    path = next(place.glob("columns-*.col"))
    content = bytearray(path.read_bytes())
    content[12:16] = struct.pack("<I", 2**32 - 1)  # the length of the header
    path.write_bytes(content)
    asked: list[int] = []
    real = np.fromfile
    monkeypatch.setattr(
        np, "fromfile", lambda f, d, count=-1: (asked.append(count), real(f, d, count))[1]
    )
    assert not snapshot.claims(path, bytes(16))
    assert len(PLAIN_FILES.read(path, 2**40)) == len(content)
    assert max(asked, default=0) <= len(content)
    with Engine.open(place, "rw", **OPTIONS) as e:
        assert found(e, 3) == ["C-3"]


# -- backups ---------------------------------------------------------------------------------------


def restored(source: Path, to: Path, **more: Any) -> upkeep.Restored:
    return upkeep.restore(source, to, **{"without_removals": True, **OPTIONS, **more})


LISTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "files a number": lambda s: {**s, "files": 5},
    "files lists": lambda s: {**s, "files": [[1]]},
    "files nothing": lambda s: {**s, "files": None},
    "a digest that is none": lambda s: {**s, "files": dict.fromkeys(s["files"], 1)},
    "half a name": lambda s: {**s, "files": {**s["files"], HALF: ""}},
    "a removal that is none": lambda s: {**s, "withdrawn": "x"},
    "a later removal": lambda s: {**s, "withdrawn": s["withdrawn"] + 1},
    "an earlier removal": lambda s: {**s, "withdrawn": 0},
    "another policy": lambda s: {**s, "policy": 9},
    "other records": lambda s: {**s, "records": {}},
    "another root": lambda s: {**s, "roots": dict.fromkeys(s["roots"], "0")},
    "a time that is none": lambda s: {**s, "made": {}},
    "a format without end": lambda s: {**s, "format": float("inf")},
}


@pytest.mark.parametrize("name", LISTS)
def test_a_backup_that_says_something_else_than_it_holds(place, tmp_path, name):
    """Its list is under no digest: one bit of `withdrawn`, and a removal would not be repeated."""
    upkeep.backup(place, tmp_path / "b")
    with Engine.open(place, "rw", **OPTIONS) as e:
        e.expunge("C-3", **BY)
    listed = upkeep.removals(place)
    said = json.loads((tmp_path / "b" / "backup.json").read_text())
    (tmp_path / "b" / "backup.json").write_text(json.dumps(LISTS[name](said)))
    refused(lambda: restored(tmp_path / "b", tmp_path / "n", removals=listed), StorageError)
    refused(lambda: restored(tmp_path / "b", tmp_path / "n"), StorageError)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b"]
    (tmp_path / "b" / "backup.json").write_text('{"a": ' + DEEP)
    refused(lambda: restored(tmp_path / "b", tmp_path / "n"), CorruptError)


def tar_of(**values: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        one = tarfile.TarInfo("x")
        one.pax_headers = values.pop("pax", {})
        for name, value in values.items():
            setattr(one, name, value)
        tar.addfile(one)
    return out.getvalue()


def test_a_packed_backup_that_cannot_be_unpacked(place, tmp_path):
    upkeep.backup(place, tmp_path / "b.tar")
    packed = bytearray(lzma.compress((tmp_path / "b.tar").read_bytes()))
    packed[len(packed) // 2] ^= 0x55
    for content in (
        bytes(packed),
        tar_of(pax={"path": "../x"}),
        tar_of(pax={"path": "x" * 5000}),
        tar_of(mtime=1e30),
        tar_of(type=tarfile.FIFOTYPE),
        tar_of(type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    ):
        (tmp_path / "c.tar").write_bytes(content)
        refused(lambda: restored(tmp_path / "c.tar", tmp_path / "n"), StorageError)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["b.tar", "c.tar"]


@pytest.mark.parametrize(
    "change",
    [
        {"last": float("inf")},
        {"last": -1, "marks": [[1, "record", "00"]]},
        {"marks": [[float("inf"), "record", "00"]]},
        {"marks": [[2**63, "record", "00"]], "last": 2**64},
        {"marks": [[9, "bars " + DEEP, "00" * 32]], "last": 9},
        {"marks": [[9, "bars [1e999, 3]", "00" * 32]], "last": 9},
        {"policy": [float("inf"), ""]},
        {"policy": [99, "a = " + DEEP]},
        {"policy": [10**30, POLICY]},
    ],
)
def test_a_list_of_removals_that_says_something_absurd(place, tmp_path, change):
    upkeep.backup(place, tmp_path / "b")
    body = {**json.loads(upkeep.removals(place))["removals"], **change}
    if change.get("marks") and "bars" in change["marks"][0][1]:
        from fpmatch.gallery import Gallery, withdrawn

        gallery = Gallery.open(place)
        mark = withdrawn.mark(gallery.secret("withdrawn"), "criminal", "C-1")
        gallery.close()
        body["marks"] = [[9, change["marks"][0][1], mark.hex()]]
    text = json.dumps({"format": 2, "sha256": _digest(body), "removals": body}).encode()
    refused(lambda: restored(tmp_path / "b", tmp_path / "n", removals=text))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b"]


def test_a_later_list_of_removals_is_told_from_a_damaged_one(place):
    said = json.loads(upkeep.removals(place))
    from fpmatch.upkeep.removals import read_removals

    refused(lambda: read_removals(json.dumps({**said, "format": 9}).encode()), InputError)
    refused(lambda: read_removals(DEEP.encode()), CorruptError)


def test_item_keys_that_say_something_absurd(locked, tmp_path):
    upkeep.backup(locked, tmp_path / "b", keys=KEYS, item_keys=tmp_path / "good")
    gallery = json.loads((locked / "keys.json").read_text())["gallery"]
    key = struct.pack("<QI", 2**64 - 1, 4) + struct.pack("<I", 1)
    stores = [["gallery", 10**6, 1], ["ledger", 10**6, 0]]
    text = json.dumps({"gallery": gallery, "stores": stores})
    for header in (text, text.replace("1000000", "1e999"), DEEP):
        content = struct.pack("<8sII", b"FPMKEYS\n", 1, len(header)) + header.encode() + key
        (tmp_path / "bad").write_bytes(content + hashlib.sha256(content).digest())
        refused(
            lambda: restored(tmp_path / "b", tmp_path / "n", keys=KEYS, item_keys=tmp_path / "bad"),
            CorruptError,
        )


def test_a_record_that_came_after_the_first_backup_stays_gone_by_way_of_a_second(place, tmp_path):
    """Restored from the first, asked for a list, restored from the second: as it was expunged."""
    upkeep.backup(place, tmp_path / "first")
    with Engine.open(place, "rw", **OPTIONS) as e:
        e.enrol("criminal", [record("C-9", 9)])
        e.seal("C-2", **BY)
        upkeep.backup(place, tmp_path / "second")
        e.expunge("C-9", **BY)
    listed = upkeep.removals(place)
    restored(tmp_path / "first", tmp_path / "new", removals=listed)
    later = upkeep.removals(tmp_path / "new")
    restored(tmp_path / "second", tmp_path / "again", removals=later)
    with Engine.open(tmp_path / "again", **OPTIONS) as e:
        assert [found(e, n) for n in (1, 2, 3, 9)] == [["C-1"], [], ["C-3"], []]
    assert json.loads(later)["removals"]["last"] >= json.loads(listed)["removals"]["last"]


@pytest.mark.parametrize("named", [True, False])
def test_no_copy_of_a_restored_gallery_names_who_was_destroyed(locked, tmp_path, named):
    """Taken out unread where its keys are gone: a copy that waits must not name it either."""
    with Engine.open(locked, "rw", keys=KEYS, **OPTIONS) as e:
        e.search(request(ON, 3, tcn="T-1", copies_to=[KEEPS], threshold=30))
        e.search(request(ON, 2, tcn="T-2", copies_to=[KEEPS], threshold=30))
        upkeep.backup(locked, tmp_path / "b", keys=KEYS, item_keys=tmp_path / "items")
        e.expunge("C-3", **BY)
    upkeep.item_keys(locked, tmp_path / "items", keys=KEYS)
    listed = {"removals": upkeep.removals(locked, keys=KEYS)} if named else {}
    restored(tmp_path / "b", tmp_path / "n", keys=KEYS, item_keys=tmp_path / "items", **listed)
    with Engine.open(tmp_path / "n", "rw", keys=KEYS, **OPTIONS) as e:
        bodies = [copy.body for copy in e._state.ledger.copies.every()]
        assert len(bodies) == 2
        assert not any(b'"C-3"' in body for body in bodies)
        e.enrol("criminal", [record("C-3", 77)])  # somebody else of that name
        assert e.copy("T-1", KEEPS)["criminal"].candidates == ()
        assert [c.record for c in e.copy("T-2", KEEPS)["criminal"].candidates] == ["C-2"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="which file is synced: Linux")
@pytest.mark.parametrize("how", ["restore", "import"])
def test_what_is_restored_or_imported_is_on_the_disk(place, tmp_path, monkeypatch, how):
    """Whoever is told that it is there may take the backup away."""
    if how == "import":
        pytest.importorskip("pyarrow")
        upkeep.export_archive(place, tmp_path / "a.zip")
    else:
        upkeep.backup(place, tmp_path / "b")
    synced: set[str] = set()
    real, rename = os.fsync, Path.rename
    before: list[set[str]] = []

    def fsync(handle: int) -> None:
        synced.add(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    def renamed(self: Path, to: Any) -> Path:
        if self.name == "n.making":
            inside = {str(p) for p in self.rglob("*")} | {str(self)}
            before.append(inside - synced)
            synced.clear()
        return rename(self, to)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", renamed)
    options = {**OPTIONS, "durability": "full"}
    if how == "import":
        upkeep.import_archive(tmp_path / "a.zip", tmp_path / "n", **options)
    else:
        restored(tmp_path / "b", tmp_path / "n", **options)
    assert before == [set()]
    assert str(tmp_path) in synced


def test_a_segment_that_got_the_name_of_another_is_copied_again(place, tmp_path, monkeypatch):
    """What was copied under that name may hold rows that have been expunged meanwhile."""
    import dataclasses
    import importlib

    backup = importlib.import_module("fpmatch.upkeep.backup")
    index = next(p for p in place.rglob("index.json") if list(p.parent.glob("*.seg"))).parent
    true = manifest.read(index)
    name, _, rows = true.segments[0]
    gone = dataclasses.replace(true, segments=((name, "0" * 64, rows), ("gone.seg", "1", 1)))
    answers = [gone, true]
    old = b"of before"
    whole = (index / name).read_bytes()
    (index / name).write_bytes(old)

    def read(_: Path) -> manifest.Manifest:
        if len(answers) == 1:
            (index / name).write_bytes(whole)
        return answers.pop(0)

    monkeypatch.setattr(backup.manifests, "read", read)
    backup._copy_index(index, tmp_path / "copy")
    assert (tmp_path / "copy" / name).read_bytes() == whole


# -- media that cannot be written ------------------------------------------------------------------


def test_a_gallery_that_is_written_under_a_log_apart_is_not_searched_as_it_was(place, tmp_path):
    """Nobody may write it; who does all the same must not have a seal passed over."""
    with Engine.open(place, apart=tmp_path / "log", **OPTIONS) as e:
        assert found(e, 3) == ["C-3"]
        with Engine.open(place, "rw", **OPTIONS) as w:
            w.seal("C-3", **BY)
            refused(lambda: found(e, 3), StorageError)
        refused(lambda: found(e, 3), StorageError)
    with Engine.open(place, apart=tmp_path / "log", **OPTIONS) as e:
        assert found(e, 3) == []
        assert found(e, 1) == ["C-1"]


def test_nor_is_what_was_compared_before_released(place, tmp_path, monkeypatch):
    from fpmatch.search import run

    with Engine.open(place, apart=tmp_path / "log", **OPTIONS) as e:
        real = run.run_comparisons

        def compared(*args: Any, **more: Any) -> Any:
            out = real(*args, **more)
            with Engine.open(place, "rw", **OPTIONS) as w:
                w.seal("C-3", **BY)
            return out

        monkeypatch.setattr(run, "run_comparisons", compared)
        refused(lambda: found(e, 3), StorageError)


# -- other keys, beside others ---------------------------------------------------------------------


def test_no_batch_stays_under_an_older_key(locked):
    from fpmatch.encryption import EncryptedFiles

    with Engine.open(locked, "rw", keys=KEYS, **OPTIONS) as e:
        e.enrol("criminal", [record(f"C-{n}", n) for n in range(9, 9 + SEGMENTS.tail_least)])
        assert list(locked.rglob("*.tail"))
        e.rekey(renew=True)
        files = EncryptedFiles(locked, e._state.chest)
        under = [*locked.rglob("*.tail"), *locked.rglob("*.seg"), *locked.rglob("*.col")]
        assert under
        assert not any(files.stale(path) for path in under)
        with Engine.open(locked, keys=KEYS, **OPTIONS) as reader:
            assert found(reader, 9) == ["C-9"]


@pytest.mark.parametrize("what", ["kept", "find", "contents"])
@pytest.mark.parametrize("meanwhile", ["cancelled", "other keys"])
def test_a_probe_is_read_in_one_state_with_its_key(locked, monkeypatch, what, meanwhile):
    from fpmatch.ledger.renewing import renew

    with Engine.open(locked, "rw", keys=KEYS, **OPTIONS) as w:
        answer = w.search(request(LATER, 3, attributes={"identity": "person 3"}))
        token = answer["immigration"].token
        with Engine.open(locked, keys=KEYS, **OPTIONS) as reader:
            ledger = reader._state.ledger
            real = ledger.cipher.names
            done: list[int] = []

            def names(text: str) -> Any:
                if not done:
                    done.append(1)
                    # Emptying the log would wait for the reader, which is this thread.
                    if meanwhile == "cancelled":
                        w._state.ledger.destroy(token, scrub=False)
                    else:
                        w._state.chest.add_generation()
                        renew(w._state.ledger)
                return real(text)

            monkeypatch.setattr(ledger.cipher, "names", names)
            read = {
                "kept": lambda: ledger.kept("deferred"),
                "find": lambda: ledger.find(token),
                "contents": lambda: ledger.contents(token),
            }[what]
            assert read()
            assert done


def test_a_template_is_read_in_one_state_with_its_key(locked, monkeypatch):
    with (
        Engine.open(locked, "rw", keys=KEYS, **OPTIONS) as w,
        Engine.open(locked, keys=KEYS, **OPTIONS) as reader,
    ):
        gallery = reader._state.gallery
        real = gallery.cipher.template

        def template(database: Any, number: int, stored: Any) -> bytes:
            with w._state.gallery.transaction() as other:
                w._state.gallery.cipher.drop_template(other, number)
            return real(database, number, stored)

        monkeypatch.setattr(gallery.cipher, "template", template)
        assert [row for row, _ in gallery.templates("criminal", [0])] == [0]


# -- archives --------------------------------------------------------------------------------------


def test_paths_that_no_file_can_have(place, tmp_path):
    pytest.importorskip("pyarrow")
    long = tmp_path / ("x" * 300)
    upkeep.export_archive(place, tmp_path / "a.zip")
    refused(lambda: upkeep.export_archive(place, long), StorageError)
    refused(lambda: upkeep.import_archive(long, tmp_path / "n"), InputError)
    refused(lambda: upkeep.import_archive(tmp_path / "a.zip", long, **OPTIONS), StorageError)
    refused(lambda: upkeep.backup(place, long), StorageError)
    refused(lambda: restored(place, long), StorageError)


@pytest.mark.parametrize("version", [10**30, 2**63])
def test_an_archive_of_a_policy_with_a_number_that_cannot_be_stored(place, tmp_path, version):
    pytest.importorskip("pyarrow")
    from test_archive import written_again

    upkeep.export_archive(place, tmp_path / "a.zip")
    digest = Policy.parse(POLICY).with_version(version).digest
    change = {"version": version, "digest": digest}
    written_again(
        tmp_path / "a.zip",
        tmp_path / "b.zip",
        policies=lambda p: {"policies": [{**p["policies"][0], **change}]},
    )
    refused(lambda: upkeep.import_archive(tmp_path / "b.zip", tmp_path / "n", **OPTIONS))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "b.zip"]


@pytest.mark.parametrize(
    "change", [{"reason": -1}, {"policy_version": []}, {"in_effect": "no"}, {"audit_seq": 1e999},
               {"answer": "x" * 10**5}, {"decided": None}],
)  # fmt: skip
def test_an_archive_of_a_request_whose_fields_are_of_other_kinds(place, tmp_path, change):
    pytest.importorskip("pyarrow")
    from test_archive import written_again

    with Engine.open(place, "rw", **OPTIONS) as e:
        e.request_opt_out(ON, "immigration", reason="a vote")
    upkeep.export_archive(place, tmp_path / "a.zip")
    written_again(
        tmp_path / "a.zip",
        tmp_path / "b.zip",
        gallery=lambda g: {**g, "opt_outs": [{**one, **change} for one in g["opt_outs"]]},
    )
    refused(lambda: upkeep.import_archive(tmp_path / "b.zip", tmp_path / "n", **OPTIONS))
