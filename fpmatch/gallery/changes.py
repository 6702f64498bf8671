"""Which records changed since a reader last looked, and how they are now."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable
from dataclasses import dataclass

import numpy as np

from fpmatch.database import stored_uses, transaction
from fpmatch.gallery import schema
from fpmatch.gallery.columns import Columns
from fpmatch.gallery.items import shown_name
from fpmatch.sqlite_errors import MissingTableError


@dataclass(frozen=True, slots=True)
class Changed:
    """A record as it is after a change.

    Parameters
    ----------
    key : int
    name : str
        "" where it is gone.
    protected, sealed : bool
    banned : frozenset of str
    rows : dict of int to int
        Its finger rows, each with its position.
    """

    key: int
    name: str
    protected: bool = False
    sealed: bool = False
    banned: frozenset[str] = frozenset()
    rows: dict[int, int] | None = None


def install(database: sqlite3.Connection) -> None:
    """Have the database note changes, if it does not yet, and forget the oldest of them."""
    found = database.execute(
        "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'change%'"
    ).fetchone()[0]
    if found < schema.CHANGES.count("CREATE"):
        database.executescript("BEGIN IMMEDIATE;" + schema.CHANGES + "COMMIT;")
    with transaction(database):
        database.execute(
            "DELETE FROM change WHERE seq <= (SELECT MAX(seq) FROM change) - ?",
            (schema.CHANGES_KEPT,),
        )


def newest(database: sqlite3.Connection) -> int | None:
    """The number of the last change; None where the database notes none."""
    try:
        found = database.execute("SELECT MAX(seq) FROM change").fetchone()[0]
    except MissingTableError:
        return None
    return int(found or 0)


def since(
    database: sqlite3.Connection,
    partition: int,
    seq: int,
    row_bits: int,
    only: Container[int] | None = None,
) -> list[Changed] | None:
    """Records of a partition that changed after a number, as they are now; part of a transaction.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    partition : int
        Its key.
    seq : int
        As `newest` gave it.
    row_bits : int
        Bits of a finger's key that number its row.
    only : container of int, optional
        The keys of the records that are of interest.

    Returns
    -------
    list of Changed, or None
        None if changes after that number have been forgotten.
    """
    last = newest(database)
    if last is None or last < seq:
        return None
    oldest = database.execute("SELECT MIN(seq) FROM change").fetchone()[0]
    if last > seq and oldest > seq + 1:
        return None
    keys = database.execute(
        "SELECT DISTINCT record FROM change WHERE seq > ? AND partition = ?", (seq, partition)
    ).fetchall()
    wanted = [key for (key,) in keys if only is None or key in only]
    return [_now(database, partition, key, row_bits) for key in wanted]


def _now(database: sqlite3.Connection, partition: int, key: int, row_bits: int) -> Changed:
    found = database.execute(
        "SELECT record, protected, sealed, banned FROM record WHERE id = ? AND partition = ?",
        (key, partition),
    ).fetchone()
    if found is None:
        return Changed(key, "")
    name, protected, sealed, banned = found
    name = shown_name(database, key, name)
    first = partition << row_bits
    rows = database.execute("SELECT key, position FROM finger WHERE record = ?", (key,))
    return Changed(
        key,
        name,
        bool(protected),
        bool(sealed),
        stored_uses(banned),
        {int(row) - first: int(position) for row, position in rows},
    )


def follow(columns: Columns, changed: Iterable[Changed]) -> list[int]:
    """Bring columns level with some records; the finger rows that are new.

    Parameters
    ----------
    columns : Columns
    changed : iterable of Changed
        Of the same partition.
    """
    every = list(changed)
    held = _rows_of(columns, [one.key for one in every])
    new: list[int] = []
    for one in every:
        before = held.get(one.key, set())
        rows = one.rows or {}
        gone = before - rows.keys()
        if gone:
            columns.drop_rows(sorted(gone))
        ordinal = columns.names.ordinal(one.key)
        # SQLite may give the key of a removed record to a new one.
        if ordinal is not None and columns.names[ordinal] != one.name:
            columns.drop_record(one.key)
        if not one.name:
            continue
        columns.put_record(
            one.key, one.name, protected=one.protected, sealed=one.sealed, banned=one.banned
        )
        # The highest first: so the columns grow once.
        for row in sorted(rows.keys() - before, reverse=True):
            columns.put_row(row, one.key, rows[row])
            new.append(row)
    return new


def _rows_of(columns: Columns, keys: list[int]) -> dict[int, set[int]]:
    """The rows that the columns have of some records."""
    ordinals = columns.names.ordinals_of(np.array(keys, np.int64))
    there = np.sort(ordinals[ordinals >= 0])
    out: dict[int, set[int]] = {}
    if not len(there):
        return out
    rows = columns.rows_of(there)
    owners = columns.names.keys_of(columns.row_record[rows].astype(np.int64))
    for key, row in zip(owners.tolist(), rows.tolist(), strict=True):
        out.setdefault(key, set()).add(row)
    return out
