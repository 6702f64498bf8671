"""Several buckets of a host as one shard of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpmatch.cluster.held import Seen
from fpmatch.cluster.owners import Mask, Owners
from fpmatch.index.segment import Part


class View:
    """Buckets as one search found them: all their segments side by side.

    Row ids are the partition's. Records are numbered here from 0 in the order of their keys, so
    that the work of a search takes room for the records of these buckets only.

    Parameters
    ----------
    seen : sequence of Seen
        Of each bucket.
    """

    def __init__(self, seen: Sequence[Seen]) -> None:
        self.by_bucket: tuple[tuple[Part, ...], ...] = tuple(one.parts for one in seen)
        self.parts: tuple[Part, ...] = tuple(part for parts in self.by_bucket for part in parts)
        none = np.zeros(0, np.int64)
        self.tombstoned = np.sort(np.concatenate([none, *(one.tombstoned for one in seen)]))
        self._owners: dict[int, Owners] = {
            id(part): one.owners for one in seen for part in one.parts
        }
        self._buckets = tuple(one.owners for one in seen)

    def owners_of(self, part: Part) -> Owners:
        """Whose rows a part holds."""
        return self._owners[id(part)]

    def masked(self, mask: Mask) -> Masked:
        """What a search may see of it."""
        return Masked(self, mask)

    def records(self) -> Records:
        """Which rows belong together."""
        return Records(self, np.sort(np.concatenate([o.keys for o in self._buckets])))


@dataclass(frozen=True, slots=True)
class Masked:
    """A `RowMask` made where the rows are.

    Parameters
    ----------
    view : View
    mask : Mask
    """

    view: View
    mask: Mask

    def of(self, part: Part) -> NDArray[np.bool_]:
        """See `RowMask`."""
        return self.view.owners_of(part).mask(part, self.mask)


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The `Groups` of a view: a group is a record, its id the record's key.

    Parameters
    ----------
    view : View
    keys : (N,) int64, ascending
    """

    view: View
    keys: NDArray[np.int64]
    _numbers: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """See `Groups`."""
        return len(self.keys)

    def of(self, part: Part, rows: NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.int64]:
        """See `Groups`.

        Parameters
        ----------
        part : Part
        rows : (K,) int64, or (N,) bool
        """
        owners = self.view.owners_of(part)
        if id(owners) not in self._numbers:
            self._numbers[id(owners)] = np.searchsorted(self.keys, owners.keys)
        return self._numbers[id(owners)][owners.of(part)[rows]]

    def ids(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Groups`.

        Parameters
        ----------
        numbers : (K,) int64
        """
        return self.keys[numbers]

    def last(self, group: int) -> int:
        """See `Groups`."""
        return int(np.searchsorted(self.keys, group, side="right")) - 1
