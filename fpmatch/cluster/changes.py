"""What hosts are told so that they follow the system of record: records as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_integer, check_several
from fpmatch.cluster.grants import Level
from fpmatch.cluster.owners import Changed, Owners
from fpmatch.errors import InputError
from fpmatch.search.frame import Frame, Kind, write

VERSION = 1
FIELDS = ("since", "touched", "buckets")
MOST = 1 << 40


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """How some buckets of a partition are at a level.

    What a host is told is never what happened, always how a record is now: told twice or late it
    revives nobody.

    Parameters
    ----------
    since : int or None
        The last change that a bucket must have for these to be enough; None if nothing.
    buckets : mapping of int to Changed
    """

    since: int | None
    buckets: Mapping[int, Changed]

    def to_bytes(self) -> bytes:
        """As bytes."""
        touched = next(iter(self.buckets.values())).touched if self.buckets else None
        owned = [changed.now.to_bytes() for changed in self.buckets.values()]
        fields = {
            "since": self.since,
            "touched": None if touched is None else len(touched),
            "buckets": [[n, len(b)] for n, b in zip(self.buckets, owned, strict=True)],
        }
        columns: Sequence[NDArray] = [
            *([] if touched is None else [touched]),
            *(np.frombuffer(b, np.uint8) for b in owned),
        ]
        return write(Kind.CHANGES, VERSION, fields, columns)


def read_changes(data: bytes, level: Level) -> Changes:
    """Read what `Changes.to_bytes` wrote.

    Parameters
    ----------
    data : bytes
        Of foreign origin.
    level : Level
        That the changes must lead to.

    Raises
    ------
    InputError
        On anything else.
    """
    frame = Frame(Kind.CHANGES, VERSION, data, FIELDS)
    f = frame.fields
    since = None if f["since"] is None else check_integer("since", f["since"], 0, 2**63 - 1)
    touched = None
    if f["touched"] is not None:
        touched = frame.column(np.int64, (check_integer("touched", f["touched"], 0, MOST),))
    if (since is None) != (touched is None):
        raise InputError("changes are either since a state or everything")
    buckets = {}
    for pair in check_several("buckets", f["buckets"], most=1 << 16):
        number, size = check_several("a bucket", pair, most=2)
        size = check_integer("size", size, 0, MOST)
        owned = Owners.from_bytes(frame.column(np.uint8, (size,)).tobytes())
        if owned.level != level:
            raise InputError("changes lead to another state than the grant names")
        buckets[check_integer("bucket", number, 0, 2**31)] = Changed(touched, owned)
    frame.end()
    return Changes(since, buckets)
