"""A partition's contents as one short root that is cheap to keep up to date.

The root is the hash of a homomorphic sum of the records' hashes (LtHash: Bellare and Micciancio,
1997; parameters of Lewi, Kim, Maykov and Weis, 2019: 1024 lanes of 16 bits). Records can be added
and taken out in any order at constant cost, and equal contents have equal roots whatever the
history: an engine that never held a record has the root of one that expunged it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import MALFORMED, CorruptError

LANES = 1024
EMPTY = bytes(2 * LANES)
_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True)
VERSION_DIGITS = 32
"""Of a record's version: 128 bits, so that no two states of a record share one by chance."""


def record_item(
    record: str,
    identity: str,
    contributor: str,
    flags: tuple[bool, bool],
    banned: Iterable[str],
    events: Iterable[tuple[str, int, str]],
) -> bytes:
    """SHA-256 of all that a record is.

    Parameters
    ----------
    record : str
        The record.
    identity : str
        Whose it is.
    contributor : str
        Who enrolled it.
    banned : Iterable[str]
        Uses that its contributor bans.
    flags : (bool, bool)
        Protected, sealed.
    events : iterable of (event, position, sha256)
        One entry for every event and finger that it holds.

    Raises
    ------
    CorruptError
        If a field is of another kind.
    """
    try:
        content = [record, identity, contributor, *flags, sorted(banned), sorted(events)]
        text = _JSON.encode(content)
    except MALFORMED:
        raise CorruptError("a record is stored damaged: a field is of another kind") from None
    return hashlib.sha256(b"\x00" + text.encode()).digest()


def version_of(item: bytes) -> str:
    """The version of a record as callers see it: half of the digest of what is stored of it."""
    return _item(item).hex()[:VERSION_DIGITS]


class Sum:
    """The running sum of one partition.

    Parameters
    ----------
    state : bytes
        As `state` gave it.

    Raises
    ------
    CorruptError
        If it is none; from `add` and `remove` too, for what is no digest.
    """

    def __init__(self, state: bytes = EMPTY) -> None:
        if not isinstance(state, bytes) or len(state) != 2 * LANES:
            raise CorruptError("the sum of a partition is stored damaged")
        self._lanes: NDArray[np.uint16] = np.frombuffer(state, "<u2").astype(np.uint16)

    def add(self, item: bytes) -> None:
        """Put a record in."""
        self._lanes += _spread([item])

    def remove(self, item: bytes) -> None:
        """Take a record out."""
        self._lanes -= _spread([item])

    def exchange(self, gone: Sequence[bytes], come: Sequence[bytes]) -> None:
        """Take records out and put others in.

        Parameters
        ----------
        gone, come : sequence of bytes
            Their digests; errors as for `add`.
        """
        self._lanes += _spread(come) - _spread(gone)

    def state(self) -> bytes:
        """What has to be stored to go on."""
        return self._lanes.astype("<u2").tobytes()

    def copy(self) -> Sum:
        """An independent copy."""
        return Sum(self.state())

    def root(self) -> str:
        """SHA-256 of the sum, in hexadecimal."""
        return hashlib.sha256(b"\x01" + self.state()).hexdigest()


def _spread(items: Sequence[bytes]) -> NDArray[np.uint16]:
    """The sum of what digests are spread out to."""
    spread = b"".join([hashlib.shake_128(_item(one)).digest(2 * LANES) for one in items])
    lanes = np.frombuffer(spread, "<u2").reshape(-1, LANES)
    return lanes.sum(axis=0, dtype=np.uint16)


def _item(stored: bytes) -> bytes:
    """The digest of a record, as a column holds it."""
    if not isinstance(stored, bytes):
        raise CorruptError("a record is stored damaged: its digest is none")
    return stored
