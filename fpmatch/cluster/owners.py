"""Whose rows a bucket holds and what bars them: values that are replaced whole, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_integer, check_several, check_uses
from fpmatch.cluster.grants import Level
from fpmatch.errors import CorruptError, InputError
from fpmatch.index.segment import Part
from fpmatch.search.frame import Frame, Kind, write

VERSION = 1
NOBODY = Level(0, "")
"""The level of a bucket that was never brought level."""
FIELDS = ("seq", "stamp", "records", "rows", "bans")
_MOST = 2**40
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))

Mask = tuple[bool, frozenset[str], int]
"""What a search may see: protected records, its uses, and rows below a number."""


@dataclass(frozen=True, slots=True, eq=False)
class Owners:
    """The records of a bucket and their rows: what masks need, and nothing else of a record.

    Parameters
    ----------
    level : Level
        The state of the system of record that this shows.
    keys : (N,) int64, ascending
        Of the records.
    protected, sealed : (N,) bool
    ban : (N,) int32
        Of each record the number of its banned uses in `bans`.
    bans : tuple of frozenset of str
    rows : (K,) int64, ascending
        Of their fingers.
    owner : (K,) int32
        Of each row the place of its record.
    positions : (K,) uint8
    """

    level: Level
    keys: NDArray[np.int64]
    protected: NDArray[np.bool_]
    sealed: NDArray[np.bool_]
    ban: NDArray[np.int32]
    bans: tuple[frozenset[str], ...]
    rows: NDArray[np.int64]
    owner: NDArray[np.int32]
    positions: NDArray[np.uint8]
    _parts: dict[int, tuple[Part, NDArray[np.int32]]] = field(default_factory=dict)
    _masks: dict[tuple[int, Mask], tuple[Part, NDArray[np.bool_]]] = field(default_factory=dict)

    @classmethod
    def nothing(cls, level: Level = NOBODY) -> Self:
        """No record."""
        none, flags = np.zeros(0, np.int64), np.zeros(0, np.bool_)
        ban, positions = np.zeros(0, np.int32), np.zeros(0, np.uint8)
        return cls(level, none, flags, flags, ban, (frozenset(),), none, ban, positions)

    def of(self, part: Part) -> NDArray[np.int32]:
        """(N,) int32: of each row of a part the place of its record; -1 for nobody's."""
        found = self._parts.get(id(part))
        if found is not None and found[0] is part:
            return found[1]
        out = np.full(len(part), -1, np.int32)
        if len(self.rows):
            at = np.minimum(np.searchsorted(self.rows, part.row_ids), len(self.rows) - 1)
            here = self.rows[at] == part.row_ids
            out[here] = self.owner[at[here]]
        if len(self._parts) >= _KEPT:
            # Of segments that were merged since: what is kept must not keep them.
            self._parts.clear()
            self._masks.clear()
        self._parts[id(part)] = (part, out)
        return out

    def mask(self, part: Part, mask: Mask) -> NDArray[np.bool_]:
        """(N,) bool: which rows of a part a search may see.

        Parameters
        ----------
        part : Part
        mask : (bool, frozenset of str, int)
            See `Mask`.
        """
        key = (id(part), mask)
        owner = self.of(part)
        # Of this part itself: others come to lie where one lay that was merged.
        found = self._masks.get(key)
        if found is None or found[0] is not part:
            sees_protected, uses, below = mask
            barred = self.sealed.copy()
            if not sees_protected:
                barred |= self.protected
            for number, ban in enumerate(self.bans):
                if ban & uses:
                    barred |= self.ban == number
            out = ~np.append(barred, True)[owner]
            if len(part) and int(part.row_ids.max()) >= below:
                out &= part.row_ids < below
            if len(self._masks) >= _MASKS:
                self._masks.clear()
            found = self._masks[key] = (part, out)
        return found[1]

    def digest(self) -> int:
        """Of all of it, as a number of 64 bits; the sum over buckets is that of the partition.

        It tells apart states that came to be by mistake, not ones that somebody made up.
        """
        return digest_of(self)

    def to_bytes(self) -> bytes:
        """As bytes, with a checksum."""
        fields = {
            "seq": self.level.seq,
            "stamp": self.level.stamp,
            "records": len(self.keys),
            "rows": len(self.rows),
            "bans": [sorted(ban) for ban in self.bans],
        }
        return write(Kind.BUCKET, VERSION, fields, [getattr(self, name) for name, _ in _COLUMNS])

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises
        ------
        CorruptError
            On anything else.
        """
        try:
            frame = Frame(Kind.BUCKET, VERSION, data, FIELDS)
            f = frame.fields
            sizes = {name: check_integer(name, f[name], 0, _MOST) for name in ("records", "rows")}
            bans = bans_of(f["bans"])
            arrays: dict[str, Any] = {
                name: frame.column(dtype, (sizes["rows" if name in OF_ROWS else "records"],))
                for name, dtype in _COLUMNS
            }
            frame.end()
            level = Level(int(f["seq"]), str(f["stamp"]))
            out = cls(level, bans=bans, **arrays)
        except (InputError, TypeError, ValueError) as error:
            raise CorruptError(f"what a bucket's rows belong to cannot be read: {error}") from None
        out.check()
        return out

    def check(self) -> None:
        """Whether it holds together.

        Raises
        ------
        CorruptError
            If it does not.
        """
        records = len(self.keys)
        if not (
            (np.diff(self.keys) > 0).all()
            and (np.diff(self.rows) > 0).all()
            and int(self.rows.min(initial=0)) >= 0
            and (records or not len(self.rows))
            and int(self.owner.min(initial=0)) >= 0
            and int(self.owner.max(initial=-1)) < records
            and 0 <= int(self.ban.min(initial=0)) <= int(self.ban.max(initial=0)) < len(self.bans)
        ):
            raise CorruptError("the records and rows of a bucket do not fit together")


_COLUMNS = (
    ("keys", np.int64), ("protected", np.bool_), ("sealed", np.bool_), ("ban", np.int32),
    ("rows", np.int64), ("owner", np.int32), ("positions", np.uint8),
)  # fmt: skip
OF_ROWS = frozenset({"rows", "owner", "positions"})
_MASKS = 64
_KEPT = 64
"""Masks, and parts, for which what was worked out is kept."""


def digest_of(owners: Any) -> int:
    """See `Owners.digest`; of anything with the same columns.

    Parameters
    ----------
    owners : Owners
    """
    bans = np.array([_number(",".join(sorted(ban))) for ban in owners.bans], np.uint64)
    keys = owners.keys.astype(np.uint64)
    flags = owners.protected.astype(np.uint64) + np.uint64(2) * owners.sealed.astype(np.uint64)
    with np.errstate(over="ignore"):
        records = _mixed(_mixed(keys) + flags + bans[owners.ban])
        fingers = owners.rows.astype(np.uint64) * np.uint64(256) + owners.positions
        rows = _mixed(_mixed(fingers) + _mixed(keys[owners.owner] + np.uint64(1)))
        total = records.sum(dtype=np.uint64) + rows.sum(dtype=np.uint64)
    return int(total)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bits spread out (splitmix64; Steele, Lea and Flood, 2014)."""
    z = values + _MIX[0]
    z = (z ^ (z >> np.uint64(30))) * _MIX[1]
    z = (z ^ (z >> np.uint64(27))) * _MIX[2]
    return z ^ (z >> np.uint64(31))


def _number(text: str) -> int:
    import zlib

    return zlib.crc32(text.encode()) if text else 0


def bans_of(said: Any) -> tuple[frozenset[str], ...]:
    """Sets of banned uses, from lists of a message.

    Raises
    ------
    InputError
        If they are none.
    """
    sets = check_several("bans", said, most=1 << 20)
    found = tuple(frozenset(check_uses("banned uses", uses)) for uses in sets)
    if not found or found[0]:
        raise InputError("the first set of banned uses is the empty one")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """Records of a bucket as they are now, and what else may be there under these keys.

    Parameters
    ----------
    touched : (T,) int64
        Keys of which nothing stays but what comes now; everything, if None.
    now : Owners
        The records that there are, at the new level.
    """

    touched: NDArray[np.int64] | None
    now: Owners


def applied(old: Owners, changed: Changed) -> Owners:
    """The owners after a change: old records that were not touched, and the new ones.

    Parameters
    ----------
    old : Owners
    changed : Changed
    """
    new = changed.now
    if changed.touched is None or not len(old.keys):
        return new
    stay = ~np.isin(old.keys, changed.touched)
    if stay.all() and not len(new.keys):
        return _at(old, new.level)
    bans, numbers = _joined(old.bans, new.bans)
    keys = np.concatenate([old.keys[stay], new.keys])
    order = np.argsort(keys, kind="stable")
    # Where each old and each new record comes to be.
    place = np.empty(len(keys), np.int32)
    place[order] = np.arange(len(keys), dtype=np.int32)
    kept = int(stay.sum())
    of_old = np.full(len(old.keys), -1, np.int32)
    of_old[stay] = place[:kept]
    left = of_old[old.owner] >= 0
    rows = np.concatenate([old.rows[left], new.rows])
    owner = np.concatenate([of_old[old.owner[left]], place[kept:][new.owner]])
    positions = np.concatenate([old.positions[left], new.positions])
    by_row = np.argsort(rows, kind="stable")
    return Owners(
        new.level,
        keys[order],
        np.concatenate([old.protected[stay], new.protected])[order],
        np.concatenate([old.sealed[stay], new.sealed])[order],
        np.concatenate([old.ban[stay], numbers[new.ban]])[order],
        bans,
        rows[by_row],
        owner[by_row],
        positions[by_row],
    )


def _at(old: Owners, level: Level) -> Owners:
    """The same at another level, with what was worked out for it."""
    return Owners(
        level, old.keys, old.protected, old.sealed, old.ban, old.bans, old.rows, old.owner,
        old.positions, old._parts, old._masks,
    )  # fmt: skip


def _joined(
    old: tuple[frozenset[str], ...], new: tuple[frozenset[str], ...]
) -> tuple[tuple[frozenset[str], ...], NDArray[np.int32]]:
    """Sets of banned uses of both, and the number of each new one among them."""
    every = list(old)
    numbers = []
    for ban in new:
        if ban not in every:
            every.append(ban)
        numbers.append(every.index(ban))
    return tuple(every), np.array(numbers, np.int32)


def owners_from(
    level: Level,
    records: Iterable[tuple[int, bool, bool, frozenset[str], Mapping[int, int]]],
) -> Owners:
    """Owners of some records, each told by itself.

    Parameters
    ----------
    level : Level
    records : iterable of (key, protected, sealed, banned uses, rows with positions)
    """
    every = sorted(records, key=lambda r: r[0])
    bans: list[frozenset[str]] = [frozenset()]
    ban = []
    rows: list[tuple[int, int, int]] = []
    for place, (_, _, _, banned, fingers) in enumerate(every):
        if banned not in bans:
            bans.append(banned)
        ban.append(bans.index(banned))
        rows += [(row, place, position) for row, position in fingers.items()]
    rows.sort()
    return Owners(
        level,
        np.array([key for key, *_ in every], np.int64),
        np.array([protected for _, protected, *_ in every], np.bool_),
        np.array([sealed for _, _, sealed, *_ in every], np.bool_),
        np.array(ban, np.int32),
        tuple(bans),
        np.array([row for row, _, _ in rows], np.int64),
        np.array([place for _, place, _ in rows], np.int32),
        np.array([position for _, _, position in rows], np.uint8),
    )
