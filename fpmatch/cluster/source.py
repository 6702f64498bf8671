"""The system of record, as hosts need it: which rows should exist, whose, and their templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.cluster.buckets import BucketsOf, bucket_of
from fpmatch.cluster.changes import Changes
from fpmatch.cluster.grants import Level
from fpmatch.cluster.owners import Changed, Owners, owners_from
from fpmatch.database import reading
from fpmatch.gallery import Gallery, changes
from fpmatch.gallery.gallery import ROW_BITS


@dataclass(slots=True)
class _Known:
    """What was worked out of a partition's columns; good until they change."""

    buckets: BucketsOf
    changes: int = -1
    below: int = 0


class Source:
    """What a gallery's partitions hold, cut up into buckets.

    Parameters
    ----------
    gallery : Gallery
        Open for reading or writing.
    buckets : int
    """

    def __init__(self, gallery: Gallery, buckets: int) -> None:
        self.gallery = gallery
        self.buckets = buckets
        self._known: dict[str, _Known] = {}

    def level(self, partition: str) -> Level:
        """The state that the partition's columns in memory show; whoever asks holds its lock."""
        gallery = self.gallery
        key = gallery.key_of(partition)
        with gallery.lock:
            stamps = gallery.stamps
            gallery.columns(partition)
            if gallery.mode != "rw" and key in stamps.known:
                return Level(stamps.changes.get(key, 0), stamps.known[key].hex())
            with reading(gallery.database):
                stamp = stamps.now().get(key, b"")
                return Level(changes.newest(gallery.database) or 0, stamp.hex())

    def below(self, partition: str) -> int:
        """Rows from this number on came after what the columns show."""
        known, columns = self._of(partition), self.gallery.columns(partition)
        if known.changes != columns.changes:
            owned = np.flatnonzero(columns.row_record >= 0)
            known.below = int(owned[-1]) + 1 if len(owned) else 0
            known.changes = columns.changes
        return known.below

    def bucket_of_record(self, partition: str) -> NDArray[np.int32]:
        """(N,) int32: of each record, as the columns count them, its bucket."""
        return self._of(partition).buckets.by_ordinal()

    def _of(self, partition: str) -> _Known:
        columns = self.gallery.columns(partition)
        known = self._known.get(partition)
        if known is None or known.buckets.columns is not columns:
            known = self._known[partition] = _Known(BucketsOf(columns, self.buckets))
        return known

    def since(
        self, partition: str, seq: int, buckets: Iterable[int]
    ) -> tuple[Level, Changes] | None:
        """What some buckets have to be told that have every change up to a number.

        Parameters
        ----------
        partition : str
        seq : int
        buckets : iterable of int

        Returns
        -------
        (Level, Changes), or None
            The state that they lead to; None where changes since then have been forgotten.
        """
        gallery = self.gallery
        key = gallery.key_of(partition)
        with gallery.lock, reading(gallery.database):
            found = changes.since(gallery.database, key, seq, ROW_BITS)
            last = changes.newest(gallery.database)
            stamp = gallery.stamps.now().get(key, b"")
        if found is None or last is None:
            return None
        level = Level(last, stamp.hex())
        touched = np.array(sorted(one.key for one in found), np.int64)
        of: dict[int, list[changes.Changed]] = {n: [] for n in buckets}
        for one in found:
            number = bucket_of(one.name, self.buckets) if one.name else -1
            if number in of:
                of[number].append(one)
        now = {n: Changed(touched, _owners(level, some)) for n, some in of.items()}
        return level, Changes(seq, now)

    def everything(self, partition: str, buckets: Iterable[int]) -> tuple[Level, Changes]:
        """What some buckets have to be told that have nothing yet; whoever asks holds the lock.

        Parameters
        ----------
        partition : str
        buckets : iterable of int
        """
        level = self.level(partition)
        columns = self.gallery.columns(partition)
        place = self.bucket_of_record(partition)
        there = np.flatnonzero(columns.names.there())
        keys = columns.names.keys_of(there.astype(np.int64))
        by_key = np.argsort(keys, kind="stable")
        there, keys = there[by_key], keys[by_key]
        rows = np.flatnonzero(columns.row_record >= 0).astype(np.int64)
        owner = columns.row_record[rows]
        row_bucket = place[owner]
        order = np.argsort(row_bucket, kind="stable")
        ends = np.searchsorted(row_bucket[order], np.arange(self.buckets + 1))
        where = np.full(len(columns.names), -1, np.int32)
        out = {}
        for number in buckets:
            mine = place[there] == number
            ordinals = there[mine]
            where[ordinals] = np.arange(len(ordinals), dtype=np.int32)
            some = order[ends[number] : ends[number + 1]]
            out[number] = Changed(
                None,
                Owners(
                    level,
                    keys[mine],
                    columns.protected[ordinals].astype(np.bool_),
                    columns.sealed[ordinals].astype(np.bool_),
                    columns.ban[ordinals].astype(np.int32),
                    tuple(columns.bans),
                    rows[some],
                    where[owner[some]],
                    columns.row_position[rows[some]],
                ),
            )
        return level, Changes(None, out)

    def templates(
        self, partition: str, rows: NDArray[np.int64], most: int
    ) -> Iterator[tuple[NDArray[np.int64], list[bytes]]]:
        """Stored templates of rows, so many at a time; those that are gone by now are left out.

        Parameters
        ----------
        partition : str
        rows : (K,) int64
        most : int
        """
        for first in range(0, len(rows), most):
            some = rows[first : first + most].tolist()
            found = dict(self.gallery.stored_templates(partition, some))
            yield np.array(list(found), np.int64), list(found.values())


def _owners(level: Level, some: Iterable[changes.Changed]) -> Owners:
    return owners_from(
        level,
        ((c.key, c.protected, c.sealed, c.banned, c.rows or {}) for c in some),
    )
