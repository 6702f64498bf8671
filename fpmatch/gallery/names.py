"""Keys and names of records by ordinal: packed as they were loaded, lists for what came later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray


class Names:
    """``names[ordinal]`` is a record's name, "" where it was dropped; ordinals are never reused.

    Parameters
    ----------
    keys : (N,) int64
        Ascending.
    ends : (N + 1,) int64
        Name n is ``text[ends[n]:ends[n + 1]]``, in UTF-8; decoded when it is asked for.
    text : (B,) uint8
    """

    def __init__(
        self,
        keys: NDArray[np.int64] | None = None,
        ends: NDArray[np.int64] | None = None,
        text: NDArray[np.uint8] | None = None,
    ) -> None:
        self._keys = np.zeros(0, np.int64) if keys is None else keys
        self._ends = np.zeros(1, np.int64) if ends is None else ends
        self._text = np.zeros(0, np.uint8) if text is None else text
        self._later: list[tuple[int, str]] = []
        self._place: dict[int, int] = {}
        # By ordinal, with room behind: asked of every row that is compared, so that what it costs
        # may not grow with what was dropped.
        self._alive = np.ones(max(16, len(self._keys)), np.bool_)

    @classmethod
    def of(cls, records: Sequence[tuple[int, str]]) -> Names:
        """From (key, name), ascending in key."""
        return cls(np.array([key for key, _ in records], np.int64), *_packed(n for _, n in records))

    def __len__(self) -> int:
        return len(self._keys) + len(self._later)

    def __getitem__(self, ordinal: SupportsIndex) -> str:
        ordinal = int(ordinal)
        if not 0 <= ordinal < len(self):
            raise IndexError(ordinal)
        if not self._alive[ordinal]:
            return ""
        if ordinal >= len(self._keys):
            return self._later[ordinal - len(self._keys)][1]
        return self._text[self._ends[ordinal] : self._ends[ordinal + 1]].tobytes().decode()

    def ordinal(self, key: int) -> int | None:
        """Where a record is; None if it is not there (any more). Logarithmic in N."""
        if key in self._place:
            return self._place[key]
        at = int(np.searchsorted(self._keys, key))
        there = at < len(self._keys) and int(self._keys[at]) == key and self._alive[at]
        return at if there else None

    def keys_of(self, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        """Keys of some records, whether dropped or not.

        Parameters
        ----------
        ordinals : (K,) int64
            Each from 0 to ``len(self) - 1``.
        """
        out = np.zeros(len(ordinals), np.int64)
        loaded = ordinals < len(self._keys)
        out[loaded] = self._keys[ordinals[loaded]]
        later = ordinals[~loaded] - len(self._keys)
        out[~loaded] = [self._later[n][0] for n in later.tolist()]
        return out

    def ordinals_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ordinals of some records, -1 where one is not there (any more).

        Parameters
        ----------
        keys : (K,) int64
        """
        out = np.full(len(keys), -1, np.int64)
        place = np.searchsorted(self._keys, keys)
        inside = np.flatnonzero(place < len(self._keys))
        found = inside[self._keys[place[inside]] == keys[inside]]
        out[found] = place[found]
        rest = np.flatnonzero(out < 0)
        out[rest] = [self._place.get(key, -1) for key in keys[rest].tolist()]
        out[(out >= 0) & ~self._alive[out]] = -1
        return out

    def add(self, key: int, name: str) -> int:
        """Add a record; its ordinal."""
        ordinal = len(self)
        if ordinal == len(self._alive):
            self._alive = np.concatenate([self._alive, np.ones(ordinal, np.bool_)])
        self._later.append((key, name))
        self._place[key] = ordinal
        return ordinal

    def drop(self, key: int) -> int:
        """Forget a record; the ordinal that it had. KeyError if it is not there."""
        ordinal = self.ordinal(key)
        if ordinal is None:
            raise KeyError(key)
        self._alive[ordinal] = False
        self._place.pop(key, None)
        if ordinal >= len(self._keys):
            self._later[ordinal - len(self._keys)] = (key, "")
        return ordinal

    def there(self) -> NDArray[np.bool_]:
        """(N,) bool by ordinal: which were not dropped."""
        return self._alive[: len(self)].copy()

    def pack(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
        """Ordinals of the records that are there, ascending in key; their keys, ends and text."""
        keys = np.concatenate([self._keys, np.array([k for k, _ in self._later], np.int64)])
        there = self.there()
        kept = np.flatnonzero(there)
        if (np.diff(keys[kept]) > 0).all():
            loaded, later = np.split(there, [len(self._keys)])
            length = np.diff(self._ends)
            first = np.append(0, np.cumsum(length[loaded]))
            pairs = zip(self._later, later.tolist(), strict=True)
            ends, text = _packed(name for (_, name), stays in pairs if stays)
            text = np.concatenate([self._text[np.repeat(loaded, length)], text])
            return kept, keys[kept], np.concatenate([first, ends[1:] + first[-1]]), text
        kept = kept[np.argsort(keys[kept], kind="stable")]
        return kept, keys[kept], *_packed(self[n] for n in kept)


def _packed(names: object) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    encoded = [name.encode() for name in names]  # type: ignore[attr-defined]
    ends = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(name) for name in encoded], out=ends[1:])
    return ends, np.frombuffer(b"".join(encoded), np.uint8)
