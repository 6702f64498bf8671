"""Merkle tree over the record hashes, as in RFC 6962 (Laurie, Langley, Kasper, 2013).

``node = SHA-256(0x01 || left || right)``; a tree of n leaves splits at the largest power of two
below n. `Peaks` holds the complete subtrees of the first n leaves: enough to append, to give the
root, and to stand in for leaves that were pruned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from fpmatch.errors import InputError

Peak = tuple[int, int, bytes]
"""A complete subtree: first leaf, one past its last leaf, hash."""

EMPTY_ROOT = hashlib.sha256(b"").hexdigest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Peaks:
    """The complete subtrees that cover the leaves so far, largest first."""

    __slots__ = ("peaks",)

    def __init__(self, peaks: Sequence[Peak] = ()) -> None:
        self.peaks = list(peaks)

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self.peaks[-1][1] if self.peaks else 0

    def append(self, leaf: bytes) -> None:
        """Add one leaf; amortised O(1)."""
        start, end, top = self.size, self.size + 1, leaf
        while self.peaks and end - start == self.peaks[-1][1] - self.peaks[-1][0]:
            start, _, left = self.peaks.pop()
            top = node(left, top)
        self.peaks.append((start, end, top))

    def root(self) -> str:
        """Root over all leaves so far, 64 hexadecimal digits; O(log n)."""
        if not self.peaks:
            return EMPTY_ROOT
        top = self.peaks[-1][2]
        for _, _, left in reversed(self.peaks[:-1]):
            top = node(left, top)
        return top.hex()

    def to_text(self) -> list[str]:
        """The hashes, 64 hexadecimal digits each; their ranges follow from the size."""
        return [top.hex() for _, _, top in self.peaks]

    @classmethod
    def from_text(cls, size: int, hashes: Sequence[str]) -> Peaks:
        """Read back `to_text`; `InputError` if the hashes do not fit the size."""
        if size < 0:
            raise InputError(f"a tree cannot have {size} leaves")
        ranges = []
        start = 0
        for bit in reversed(range(size.bit_length())):
            if size >> bit & 1:
                ranges.append((start, start + (1 << bit)))
                start += 1 << bit
        if len(hashes) != len(ranges):
            raise InputError(f"{size} leaves have {len(ranges)} subtrees, not {len(hashes)}")
        tops = [_digest(text) for text in hashes]
        return cls([(a, b, top) for (a, b), top in zip(ranges, tops, strict=True)])


def path_to(leaf: int, size: int, hash_of: Callable[[int, int], bytes]) -> list[str]:
    """Inclusion path of a leaf, from its own sibling up to the root's child.

    Parameters
    ----------
    leaf, size : int
        Index of the leaf, leaves of the tree.
    hash_of : callable
        Hash of the subtree over leaves [first, last).
    """
    first, last = 0, size
    path: list[str] = []
    while last - first > 1:
        middle = first + _split(last - first)
        if leaf < middle:
            path.append(hash_of(middle, last).hex())
            last = middle
        else:
            path.append(hash_of(first, middle).hex())
            first = middle
    path.reverse()
    return path


def subtree(
    first: int, last: int, leaves: Sequence[bytes], base: int, peaks: Sequence[Peak]
) -> bytes:
    """Hash over leaves [first, last), where those below `base` are known by `peaks` only.

    Parameters
    ----------
    first : int
        First leaf.
    last : int
        One past the last leaf.
    leaves : Sequence[bytes]
        Hashes of all leaves.
    base : int
        Leaves that were pruned.
    peaks : Sequence[Peak]
        Of the pruned leaves.
    """
    if first < base:
        for start, end, top in peaks:
            if (start, end) == (first, last):
                return top
    if last - first == 1:
        return leaves[first - base]
    middle = first + _split(last - first)
    return node(
        subtree(first, middle, leaves, base, peaks), subtree(middle, last, leaves, base, peaks)
    )


def root_from_path(leaf_hash: str, leaf: int, size: int, path: Sequence[str]) -> str:
    """The root that an inclusion path leads to; `InputError` if its length does not fit.

    Parameters
    ----------
    leaf_hash : str
        Of the leaf, hexadecimal.
    leaf : int
        Its number, from 0.
    size : int
        Leaves of the tree.
    path : Sequence[str]
        Of the log; for a tree the hashes from leaf to root.
    """
    if not 0 <= leaf < size:
        raise InputError(f"leaf {leaf} is outside a tree of {size}")
    sides: list[bool] = []
    first, last = 0, size
    while last - first > 1:
        middle = first + _split(last - first)
        sides.append(leaf < middle)
        first, last = (first, middle) if leaf < middle else (middle, last)
    if len(sides) != len(path):
        raise InputError(
            f"the path has {len(path)} steps; leaf {leaf} of {size} needs {len(sides)}"
        )
    top = _digest(leaf_hash)
    for left_side, sibling in zip(reversed(sides), path, strict=True):
        top = node(top, _digest(sibling)) if left_side else node(_digest(sibling), top)
    return top.hex()


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def _digest(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except (TypeError, ValueError):
        value = b""
    if len(value) != 32 or value.hex() != text:
        raise InputError(f"{str(text)[:24]!r} is no SHA-256 in hexadecimal digits")
    return value
