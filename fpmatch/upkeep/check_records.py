"""The system of record against itself: tables, digests, templates, sums, policies."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator

from fpmatch.database import stored_uses
from fpmatch.errors import CorruptError, FpmatchError
from fpmatch.gallery import Gallery
from fpmatch.gallery.digest import Sum, record_item
from fpmatch.gallery.gallery import ROW_BITS
from fpmatch.gallery.items import held_by, shown_name
from fpmatch.policy import Policy
from fpmatch.template import Template
from fpmatch.upkeep.finding import REBUILD, Finding, of_record

_MOST = 100
"""Findings of SQLite's own check that are listed."""


def check_tables(database: sqlite3.Connection, name: str) -> Iterator[Finding]:
    """What SQLite finds: pages, indexes, references."""
    for (said,) in database.execute(f"PRAGMA integrity_check({_MOST})").fetchall():
        if said != "ok":
            yield Finding(name, str(said), "restore a backup")
    for table, row, parent, _ in database.execute("PRAGMA foreign_key_check").fetchall():
        yield Finding(name, f"row {row} of {table} refers to no {parent}", "restore a backup")


def check_policies(gallery: Gallery) -> Iterator[Finding]:
    """Each published document against its digest."""
    version = 0
    while (found := gallery.policy(version := version + 1)) is not None:
        _, document, digest = found
        try:
            policy = Policy.parse(document, f"policy version {version}").with_version(version)
            sound = policy.digest == digest
        except FpmatchError:
            sound = False
        if not sound:
            yield Finding(
                f"policy version {version}",
                "the document is not the one that was published",
                "publish a sound one; the log has the digest of each",
            )


def check_records(gallery: Gallery, partition: str) -> Iterator[Finding]:
    """Every record's digest, every template, and the partition's sum.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name.
    """
    key = gallery.key_of(partition)
    total = Sum()
    database = gallery.database
    records = database.execute(
        "SELECT id, record, identity, contributor, protected, sealed, banned, item FROM record "
        "WHERE partition = ? ORDER BY id",
        (key,),
    )
    for number, name, identity, contributor, protected, sealed, banned, item in records:
        flags = (bool(protected), bool(sealed))
        try:
            total.add(item)
            facts = gallery.cipher.facts(database, number, (name, identity, contributor))
            held = held_by(database, number)
        except CorruptError as error:
            yield of_record(partition, shown_name(database, number, name), str(error))
            continue
        if gallery.cipher.columns(database, key, facts) != (name, identity, contributor):
            yield of_record(partition, facts[0], "its facts are not what its digests are found by")
        name = facts[0]
        try:
            fits = item == record_item(*facts, flags, stored_uses(banned), held)
        except CorruptError:
            fits = False
        if not fits:
            yield of_record(partition, name, "its digest is not that of its facts")
        if not held:
            yield of_record(partition, name, "it has no finger")
        yield from _templates(gallery, partition, number, name)
    if total.root() != gallery.sum_of(partition).root():
        where = f"partition {partition!r}"
        yield Finding(where, "its root is not that of its records", REBUILD, True)
    yield from _rows(database, key, partition)


def _templates(gallery: Gallery, partition: str, number: int, name: str) -> Iterator[Finding]:
    database = gallery.database
    box = gallery.cipher.of(database, number)
    fingers = database.execute(
        "SELECT f.position, f.sha256, t.id, t.bytes FROM finger f LEFT JOIN template t "
        "ON t.id = f.template WHERE f.record = ?",
        (number,),
    )
    for position, digest, place, stored in fingers:
        if stored is None:
            yield of_record(partition, name, "a finger has no template")
            continue
        try:
            content = gallery.cipher.template(database, place, stored)
            sha256 = box.get(digest, "sha256")
        except CorruptError:
            yield of_record(partition, name, "a template cannot be decrypted")
            continue
        if hashlib.sha256(content).digest() != sha256:
            yield of_record(partition, name, "a template is damaged: its SHA-256 differs")
        else:
            try:
                own = int(Template.from_bytes(content).position)
            except FpmatchError:
                yield of_record(partition, name, "a template cannot be read")
                continue
            if own != position:
                yield of_record(partition, name, "a finger's position is not its template's")


def _rows(database: sqlite3.Connection, key: int, partition: str) -> Iterator[Finding]:
    first = key << ROW_BITS
    last = database.execute(
        "SELECT MAX(key) FROM finger WHERE key >= ? AND key < ?", (first, first + (1 << ROW_BITS))
    ).fetchone()[0]
    following = database.execute("SELECT next_row FROM partition WHERE id = ?", (key,)).fetchone()
    number = following[0]
    if not isinstance(number, int) or (last is not None and last - first >= number):
        yield Finding(
            f"partition {partition!r}",
            "rows are numbered beyond the next number: one would be used twice",
            "restore a backup",
        )
