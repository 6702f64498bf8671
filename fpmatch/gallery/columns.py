"""A partition's records as columns in memory: who owns a row, and what bars it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import CorruptError
from fpmatch.gallery.names import Names
from fpmatch.gallery.snapshot import Snapshot

NO_RECORD = -1


class Columns:
    """Columns over rows and over records, grown at the end and never renumbered.

    Rows are the gallery's finger rows; a record's ordinal is its place in these columns. Readers
    take a snapshot by reading an attribute once: arrays are replaced, never shrunk.
    """

    def __init__(self) -> None:
        self.row_record: NDArray[np.int32] = np.full(0, NO_RECORD, np.int32)
        self.row_position: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.names = Names()
        self.sealed: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.protected: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.ban: NDArray[np.int32] = np.zeros(0, np.int32)
        self.bans: list[frozenset[str]] = [frozenset()]
        self.changes = 0
        self.unnamed: frozenset[int] = frozenset()
        """Keys of records whose names could not be read: such columns go into no file."""
        self._dropped = False
        self._cache: dict[tuple[bool, tuple[int, ...]], NDArray[np.bool_] | None] = {}

    @classmethod
    def of(
        cls,
        records: Iterable[tuple[int, str]],
        barred: Mapping[int, tuple[bool, bool, frozenset[str]]],
        rows: NDArray[np.int64],
        owners: NDArray[np.int64],
        positions: NDArray[np.uint8],
    ) -> Self:
        """Columns made at once: what `put_record` by key and `put_row` would make one by one.

        Parameters
        ----------
        records : iterable of (key, name)
            In any order; ordinals follow the keys.
        barred : mapping of key to (protected, sealed, banned uses)
            The records that have any of these.
        rows, owners, positions : (K,) arrays
            Finger rows, the keys of their records, their positions.

        Raises
        ------
        CorruptError
            If a row's record is not among the records.
        """
        out = cls()
        ordered = sorted(records)
        keys = np.array([key for key, _ in ordered], np.int64)
        out.names = Names.of(ordered)
        out.sealed = np.zeros(len(keys), np.bool_)
        out.protected = np.zeros(len(keys), np.bool_)
        out.ban = np.zeros(len(keys), np.int32)
        for key, (protected, sealed, banned) in sorted(barred.items()):
            out.put_record(key, "", protected=protected, sealed=sealed, banned=banned)
        places = np.searchsorted(keys, owners)
        if len(owners) and not np.array_equal(np.append(keys, -1)[places], owners):
            raise CorruptError("the gallery holds fingers of records that it does not hold")
        size = int(rows.max(initial=-1)) + 1
        out.row_record = np.full(size, NO_RECORD, np.int32)
        out.row_record[rows] = places
        out.row_position = np.zeros(size, np.uint8)
        out.row_position[rows] = positions
        return out

    @classmethod
    def from_(cls, found: Snapshot) -> Self:
        """Columns as `snapshot` gave them out."""
        out = cls()
        arrays = found.arrays
        out.names = Names(arrays["keys"], arrays["name_ends"], arrays["name_text"])
        out.sealed = arrays["sealed"]
        out.protected = arrays["protected"]
        out.ban = arrays["ban"]
        out.bans = list(found.bans)
        out.row_record = arrays["row_record"]
        out.row_position = arrays["row_position"]
        return out

    def snapshot(self) -> Snapshot:
        """What the columns hold and nothing that was dropped, as if read from the tables anew."""
        kept, keys, ends, text = self.names.pack()
        place = np.full(len(self.names) + 1, NO_RECORD, np.int32)
        place[kept] = np.arange(len(kept))
        used = np.flatnonzero(self.row_record != NO_RECORD)
        size = int(used[-1]) + 1 if len(used) else 0
        owner = place[self.row_record[:size]]
        # Numbered by first appearance, so that equal contents give equal bytes.
        numbers, first = np.unique(self.ban[kept], return_index=True)
        order = [0, *(n for n in numbers[np.argsort(first)].tolist() if n)]
        rank = np.zeros(len(self.bans), np.int32)
        rank[order] = np.arange(len(order))
        return Snapshot(
            {
                "keys": keys,
                "name_ends": ends,
                "name_text": text,
                "sealed": self.sealed[kept],
                "protected": self.protected[kept],
                "ban": rank[self.ban[kept]],
                "row_record": owner,
                "row_position": np.where(owner == NO_RECORD, 0, self.row_position[:size]).astype(
                    np.uint8
                ),
            },
            tuple(self.bans[n] for n in order),
        )

    def put_record(
        self, key: int, name: str, *, protected: bool, sealed: bool, banned: frozenset[str]
    ) -> int:
        """Add a record, or change the flags of one that is there; its ordinal.

        Parameters
        ----------
        key : int
            The record's key, or the finger's row.
        name : str
            Its id.
        protected : bool
            Shown to certain roles only.
        sealed : bool
            Hidden.
        banned : frozenset[str]
            Uses that its contributor bans.
        """
        ordinal = self.names.ordinal(key)
        if ordinal is None:
            ordinal = len(self.names)
            self.sealed = _room(self.sealed, ordinal, False)
            self.protected = _room(self.protected, ordinal, False)
            self.ban = _room(self.ban, ordinal, 0)
            self.names.add(key, name)
        if banned not in self.bans:
            self.bans.append(banned)
        self.protected[ordinal] = protected
        self.sealed[ordinal] = sealed
        self.ban[ordinal] = self.bans.index(banned)
        self._changed()
        return ordinal

    def put_row(self, row: int, key: int, position: int) -> None:
        """Add a finger row of a record that is there.

        Parameters
        ----------
        row : int
            Number of the finger in the partition.
        key : int
            The record's key, or the finger's row.
        position : int
            Of the finger.
        """
        self.row_record = _room(self.row_record, row, NO_RECORD)
        self.row_position = _room(self.row_position, row, 0)
        self.row_position[row] = position
        self.row_record[row] = self._at(key)
        self._changed()

    def set_sealed(self, key: int, sealed: bool) -> None:
        """Set or lift a record's seal."""
        self.sealed[self._at(key)] = sealed
        self._changed()

    def drop_rows(self, rows: Iterable[int]) -> None:
        """Forget rows; nothing refers to their record by them any more."""
        for row in rows:
            self.row_record[row] = NO_RECORD
        # The index may hold them still, where dropping them there failed.
        self.bar_unowned()

    def bar_unowned(self) -> None:
        """Have every search masked: an index may hold rows that are no record's any more."""
        self._dropped = True
        self._changed()

    def drop_record(self, key: int) -> None:
        """Forget a record whose rows are gone."""
        self.sealed[self.names.drop(key)] = True
        self._changed()

    def barred(self, *, sees_protected: bool, uses: frozenset[str]) -> NDArray[np.bool_]:
        """(records,) bool: which records a search of these uses must not see."""
        count = len(self.names)
        out: NDArray[np.bool_] = self.sealed[:count].copy()
        if not sees_protected:
            out |= self.protected[:count]
        for number in self._hit(uses):
            out |= self.ban[:count] == number
        return out

    def banned(self, *, uses: frozenset[str]) -> NDArray[np.bool_]:
        """(records,) bool: which are not there any more, or not to be put to one of these uses."""
        count = len(self.names)
        out = ~self.names.there()[:count]
        for number in self._hit(uses):
            out |= self.ban[:count] == number
        return out

    def banned_at_all(self) -> NDArray[np.bool_]:
        """(records,) bool: of which some use is banned, whichever."""
        some = np.array([bool(ban) for ban in self.bans])
        out: NDArray[np.bool_] = some[self.ban[: len(self.names)]]
        return out

    def allowed(self, *, sees_protected: bool, uses: frozenset[str]) -> NDArray[np.bool_] | None:
        """(rows,) bool by row id, or None where no row is barred.

        Depends on the columns and these two arguments alone, and is cached by exactly them.
        """
        key = (sees_protected, self._hit(uses))
        cache = self._cache
        if key not in cache:
            barred = self.barred(sees_protected=sees_protected, uses=uses)
            mask = None
            if self._dropped or barred.any():
                mask = ~np.append(barred, True)[self.row_record]
            cache[key] = mask
        return cache[key]

    def rows_of(self, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of some records, ascending; cost linear in all rows, one byte each.

        Parameters
        ----------
        ordinals : ndarray of int64
            Records, as the columns count them.
        """
        wanted = np.zeros(len(self.names) + 1, np.bool_)
        wanted[ordinals] = True
        wanted[NO_RECORD] = False
        return np.flatnonzero(wanted[self.row_record]).astype(np.int64)

    def _at(self, key: int) -> int:
        ordinal = self.names.ordinal(key)
        if ordinal is None:
            raise KeyError(key)
        return ordinal

    def _hit(self, uses: frozenset[str]) -> tuple[int, ...]:
        return tuple(n for n, ban in enumerate(self.bans) if ban & uses)

    def _changed(self) -> None:
        self.changes += 1
        # A new dictionary each time: a reader that began before the change fills the old one.
        self._cache = {}


def _room(array: NDArray, index: int, fill: int | bool) -> NDArray:
    if index < len(array):
        return array
    grown = np.full(max(64, 2 * len(array), index + 1), fill, array.dtype)
    grown[: len(array)] = array
    return grown
