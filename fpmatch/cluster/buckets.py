"""Which bucket a record is in: by its id, for as long as the cluster exists."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from fpmatch.gallery import Columns

MOST_BUCKETS = 4096


def bucket_of(record: str, buckets: int) -> int:
    """The bucket of a record: BLAKE2b of its id, so that it is the same in every process.

    Parameters
    ----------
    record : str
        Its id. All fingers and events of a record are in one bucket.
    buckets : int
        How many there are.
    """
    digest = hashlib.blake2b(record.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % buckets


class BucketsOf:
    """The buckets of a partition's records, by ordinal; each worked out once.

    Parameters
    ----------
    columns : Columns
        Whose records they are: others have other ordinals.
    buckets : int
    """

    def __init__(self, columns: Columns, buckets: int) -> None:
        self.columns = columns
        self._buckets = buckets
        self._known: NDArray[np.int32] = np.zeros(0, np.int32)

    def by_ordinal(self) -> NDArray[np.int32]:
        """(N,) int32: the bucket of each record; of one that was dropped, any."""
        names = self.columns.names
        first, last = len(self._known), len(names)
        if first < last:
            new = [bucket_of(names[n], self._buckets) for n in range(first, last)]
            self._known = np.concatenate([self._known, np.array(new, np.int32)])
        return self._known
