"""Expunged templates and names, byte by byte, in every kind of file that a gallery comes to be in.

The list of kinds is closed: a file of another kind fails the test until somebody has said what it
is, and a kind that no trial makes any more does too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import shutil
import sqlite3
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_helpers import HELD, KEEPS, LATER, ON, POLICY, Clock, folder, print_of, record, request
from packed_rows import pieces_of_codes

from fpmatch import upkeep
from fpmatch.cluster import Cluster
from fpmatch.descriptor import encode
from fpmatch.index import announcing
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.types import SourcedRecord

BY = {"order": "o", "authority": "a"}
KEYS = {"2026": bytes(range(32))}
OPTIONS: dict[str, Any] = {"clock": Clock(), "durability": "off"}
CONTRIBUTOR = "CA0380777"
PARTITION = r"index/\w+/"

KINDS = {
    "database": r"(gallery|ledger|audit)\.sqlite",
    "write-ahead log": r"(gallery|ledger|audit)\.sqlite-wal",
    "shared memory": r"(gallery|ledger|audit)\.sqlite-shm",
    "key of the log": r"audit\.sqlite\.key",
    "copy of columns": r"columns-\d+\.col",
    "list of segments": r"index/\w+/index\.json",
    "segment": r"index/\w+/segment-\d+\.seg",
    "tombstones": r"index/\w+/tombstones-\d+\.ids",
    "rows that were expunged": r"index/\w+/expunged-\d+\.ids",
    "batch for readers": r"index/\w+/\d+\.tail",
    "lock": r"index/\w+/lock",
    "opening": r"living/.+",
    "keys": r"keys\.json",
    "list of a backup": r"backup\.json",
}
SELDOM = {"tombstones"}
"""There between two steps of a removal alone."""
IN_ONE_PROCESS = {
    "keys", "list of a backup", "list of segments", "segment", "rows that were expunged",
    "batch for readers", "lock",
}  # fmt: skip
"""Of galleries that no hosts hold the rows of, and of backups."""
HOSTS = {
    "layout": r"layout\.json",
    "key of the hosts": r"key",
    "whose hosts they are": r"gallery",
    "size of a host's partition": r"hosts/\w+/\w+/expected",
    "whose a host's rows are": r"hosts/\w+/\w+/b\d+/owners\.fpb",
} | {
    f"a host's {kind}": rf"hosts/\w+/\w+/b\d+/{KINDS[kind].replace(PARTITION, 'index/')}"
    for kind in ("list of segments", "segment", "tombstones", "rows that were expunged", "lock")
}
"""By their path below a gallery, a backup or a cluster's folder."""


@dataclasses.dataclass(frozen=True)
class Person:
    """Somebody who is removed, with all that names and depicts them."""

    name: str
    number: int

    def record(self, **more: Any) -> SourcedRecord:
        plain = record(self.name, self.number)
        return SourcedRecord(
            record=self.name,
            fingers=plain.fingers,
            identity=f"person of {self.name}",
            event=f"arrest of {self.name}",
            contributor=CONTRIBUTOR,
            item=self.sha,
            sources=(self.sha[::-1],),
            **more,
        )

    @property
    def sha(self) -> bytes:
        return bytes(range(self.number, self.number + 32))

    def pieces(self) -> list[bytes]:
        out = [self.name.encode(), self.sha, self.sha[::-1]]
        for touch in (0, 5):
            print_ = print_of(self.number, touch)
            whole = print_.to_bytes()
            out += [whole[i : i + 16] for i in range(12, len(whole) - 16, 16)]
            form = encode(print_)
            out += [code.tobytes() for code in form.codes if any(code.tobytes())]
            out += pieces_of_codes(form)
        return out


AS_RECORD, IN_A_BATCH, AS_IDENTITY, REPLACED, ENVELOPED = (
    Person(f"Quillfeather-{n}", 20 + n) for n in range(5)
)
EVERYBODY = (AS_RECORD, IN_A_BATCH, AS_IDENTITY, REPLACED, ENVELOPED)


class Scan:
    """What of some people is where, and of which kinds the files were."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, root: Path, people: tuple[Person, ...], kinds: dict = KINDS) -> set[str]:
        wanted = [piece for person in people for piece in person.pieces()]
        found = set()
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            kind = self._kind(str(path.relative_to(root)), kinds)
            content = path.read_bytes()
            if any(piece in content for piece in wanted):
                found.add(kind)
        return found

    def _kind(self, name: str, kinds: dict) -> str:
        (kind,) = [k for k, pattern in kinds.items() if re.fullmatch(pattern, name)] or [name]
        assert kind in kinds, f"{name}: a kind of file that nobody has listed here"
        self.seen.add(kind)
        return kind


@pytest.fixture(autouse=True)
def batches_of_any_size(monkeypatch):
    smallest = dataclasses.replace(announcing.SEGMENTS, tail_least=1)
    monkeypatch.setattr(announcing, "SEGMENTS", smallest)


@pytest.fixture
def root() -> Iterator[Path]:
    path = folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


def filled(place: Path, **how: Any) -> None:
    with Engine.create(place, **OPTIONS, **how) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.publish(Policy.parse(POLICY))
        others = [record(f"C-{n}", 100 + n, identity=f"P-{n}") for n in range(30)]
        e.enrol("criminal", [AS_RECORD.record(), *others, AS_IDENTITY.record()])
        e.enrol("immigration", [ENVELOPED.record(), REPLACED.record()], key="k")


def used(e: Engine) -> None:
    """Everything that stores something of a person outside the gallery's own tables."""
    e.enrol("criminal", [IN_A_BATCH.record()])
    mine = {"attributes": {"identity": AS_IDENTITY.record().identity}}
    e.search(request(LATER, AS_IDENTITY.number, **mine))
    e.search(request(KEEPS, AS_IDENTITY.number, retain=True, **mine))
    e.search(request(HELD, ENVELOPED.number))
    e.search(request(ON, ENVELOPED.number, copies_to=[KEEPS]))


def removed(e: Engine) -> Iterator[tuple[Person, ...]]:
    """Remove them, one after the other; who is gone by now."""
    e.expunge(AS_RECORD.name, **BY)
    yield EVERYBODY[:1]
    e.expunge(IN_A_BATCH.name, **BY)
    yield EVERYBODY[:2]
    assert e.expunge(AS_IDENTITY.record().identity, level="identity", **BY).probes == 2
    yield EVERYBODY[:3]
    e.expunge_many([REPLACED.name, ENVELOPED.name], **BY)
    yield EVERYBODY


def rows_of(archive: Path) -> bytes:
    """What an archive holds, out of its columns' compression."""
    from pyarrow import parquet

    with zipfile.ZipFile(archive) as members:
        table = parquet.read_table(io.BytesIO(members.read("records.parquet")))
        rest = b"".join(members.read(n) for n in members.namelist() if n.endswith(".json"))
    cells = [cell for column in table.columns for cell in column.to_pylist()]
    return rest + b"\0".join(c if isinstance(c, bytes) else str(c).encode() for c in cells)


def shows(content: bytes, people: tuple[Person, ...]) -> list[str]:
    return [p.name for p in people if any(piece in content for piece in p.pieces())]


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_who_was_expunged_is_in_no_file(root, encrypted):
    if encrypted:
        pytest.importorskip("cryptography")
    keys: dict[str, Any] = {"keys": KEYS} if encrypted else {}
    apart: dict[str, Any] = {"item_keys": root / "items"} if encrypted else {}
    place, scan = root / "g.fpm", Scan()
    filled(place, **keys)
    with Engine.open(place, "rw", **OPTIONS, **keys) as e:
        reader = Engine.open(place, "r", **OPTIONS, **keys)
        used(e)
        reader.search(request(ON, 105))
        before = scan(place, EVERYBODY)
        shown = {"database", "write-ahead log", "segment", "batch for readers", "copy of columns"}
        # The test shows something only where there is something to be left.
        assert before == (set() if encrypted else shown)
        upkeep.backup(place, root / "old.tar", **keys, **apart)
        upkeep.export_archive(place, root / "old.zip", **keys)
        assert shows(rows_of(root / "old.zip"), EVERYBODY) == [p.name for p in EVERYBODY]
        secrets = sealed_values(place) if encrypted else {}
        for gone in removed(e):
            assert scan(place, gone) == set(), gone[-1].name
        reader.search(request(ON, 105))
        upkeep.backup(place, root / "new", **keys, **apart)
        upkeep.backup(place, root / "new.tar", **keys, **apart)
        upkeep.export_archive(place, root / "new.zip", **keys)
        reader.close()
    assert scan(place, EVERYBODY) == set()
    assert scan(root / "new", EVERYBODY) == set()
    with tarfile.open(root / "new.tar") as tar:
        assert {scan._kind(name, KINDS) for name in tar.getnames()}
    removals = upkeep.removals(place, **keys)
    assert shows(removals, EVERYBODY) == []
    assert shows((root / "new.tar").read_bytes(), EVERYBODY) == []
    assert shows((root / "new.zip").read_bytes() + rows_of(root / "new.zip"), EVERYBODY) == []
    upkeep.restore(root / "old.tar", root / "r.fpm", removals=removals, **OPTIONS, **keys, **apart)
    assert scan(root / "r.fpm", EVERYBODY) == set()
    upkeep.import_archive(root / "new.zip", root / "i.fpm", **OPTIONS, **keys)
    assert scan(root / "i.fpm", EVERYBODY) == set()
    if encrypted:
        now = sealed_values(place)
        dead = {where: value for where, value in secrets.items() if now.get(where) != value}
        told = Counter(where for where, _ in dead)
        # A key of each record and of each template, and the two probes'.
        assert told == {"gallery.data_key": 10, "gallery.template": 5, "ledger.data_key": 2}
        for path in root.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            if path == root / "old.tar":  # Has the templates, and no key of any.
                values = [v for (where, _), v in secrets.items() if where.endswith("data_key")]
            else:
                values = list(dead.values())
            assert not any(value in content for value in values), path
    assert scan.seen == KINDS.keys() - SELDOM - (set() if encrypted else {"keys"})


def sealed_values(place: Path) -> dict[tuple[str, int], bytes]:
    """Every wrapped key and every encrypted template, by where it is."""
    out = {}
    for file, table, column in (
        ("gallery", "data_key", "wrapped"),
        ("gallery", "template", "bytes"),
        ("ledger", "data_key", "wrapped"),
    ):
        with contextlib.closing(sqlite3.connect(place / f"{file}.sqlite")) as base:
            rows = base.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
        out |= {(f"{file}.{table}", number): bytes(value) for number, value in rows}
    return out


@pytest.mark.slow
def test_who_was_expunged_is_at_no_host(root):
    scan = Scan()
    with (
        Cluster.start(root / "cluster", ("a", "b", "c"), buckets=8) as cluster,
        contextlib.ExitStack() as stack,
    ):
        filled(root / "g.fpm")
        e = stack.enter_context(Engine.open(root / "g.fpm", "rw", shards=cluster, **OPTIONS))
        used(e)
        for host in cluster.transport.running.values():
            for name in ("criminal", "immigration"):
                for bucket in host._shelf.partition(name).buckets.values():
                    bucket.commit(final=True)
        assert scan(root / "cluster", EVERYBODY, HOSTS) == {"a host's segment"}
        for gone in removed(e):
            assert scan(root / "cluster", gone, HOSTS) == set(), gone[-1].name
            assert scan(root / "g.fpm", gone) == set(), gone[-1].name
    assert scan(root / "cluster", EVERYBODY, HOSTS) == set()
    assert scan.seen == {*HOSTS, *KINDS} - IN_ONE_PROCESS - {*SELDOM, "a host's tombstones"}
