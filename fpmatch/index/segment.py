"""Parts of an index: segments mapped from files, and the tail in memory, behind one face."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, PackedTemplates
from fpmatch.descriptor.sketch import sketch_hash
from fpmatch.encryption import PLAIN_FILES, Files
from fpmatch.errors import CorruptError
from fpmatch.index._kernels import checksum_blocks, find_rows, ranges_checked
from fpmatch.index.build import build_arrays, shapes
from fpmatch.index.quantizer import quantizer
from fpmatch.index.row_layout import unpack
from fpmatch.index.segment_format import read_layout, view

log = logging.getLogger(__name__)

SKETCH = "sketch"
"""Attribute of a file: which projections its sketches are of."""
_MEASURES = ("row_ids", "list_turns", "list_starts", "row_bytes")
"""Sections that say how long all others are."""
POSITIONS = 256
"""Values of a finger position in the index (one byte)."""


class Part:
    """Rows sorted by (position, row id), with their columns and lists.

    Parameters
    ----------
    arrays : mapping of name to array
        As `build.shapes` has them.
    sound : set of str, optional
        Arrays that need no checking; all of them if not given.

    Attributes
    ----------
    row_ids : (N,) int64
    positions : (N,) uint8
    bounds : (257,) int64
        Rows of position p are ``bounds[p]`` to ``bounds[p + 1]``.
    runs : (R + 1,) int64
        The first row of each position that there is, and the number of rows.
    live : (N,) uint8
        0 where the row is tombstoned. Changes in place: a tombstone counts at once.
    sound : set of str
        Arrays that need no more checking.
    """

    def __init__(self, arrays: Mapping[str, NDArray], sound: set[str] | None = None) -> None:
        self.sound = set(arrays) if sound is None else sound
        self.arrays = arrays
        self.row_ids: NDArray[np.int64] = arrays["row_ids"]
        self.positions: NDArray[np.uint8] = arrays["positions"]
        self.offsets: NDArray[np.int64] = arrays["offsets"]
        self.bounds = np.searchsorted(self.positions, np.arange(POSITIONS + 1))
        present = np.flatnonzero(np.diff(self.bounds))
        self.runs: NDArray[np.int64] = np.append(self.bounds[present], len(self.row_ids))
        self._present = present
        self._known: NDArray[np.uint32] | None = None
        self.live = np.ones(len(self.row_ids), np.uint8)

    def __len__(self) -> int:
        return len(self.row_ids)

    def ensure(self, name: str, first: int, last: int) -> None:
        """Check the stored bytes of some entries of an array before they are used.

        Parameters
        ----------
        name : str
            Of the array.
        first, last : int
            The first entry, and the one after the last.

        Raises
        ------
        CorruptError
            If a block under them fails its checksum.
        """

    def ensure_ranges(self, name: str, ranges: NDArray[np.int64]) -> None:
        """Check the stored bytes of many ranges of entries of an array before they are used.

        Parameters
        ----------
        name : str
            Of the array.
        ranges : (K, 2) int64
            Of each the first entry, and the one after the last.

        Raises
        ------
        CorruptError
            If a block under them fails its checksum.
        """

    def ensure_rows(self, rows: NDArray[np.int64]) -> None:
        """Check the stored bytes of some rows before they are used.

        Parameters
        ----------
        rows : (K,) int64

        Raises
        ------
        CorruptError
            If a block under them fails its checksum.
        """
        self.prepare()
        if "row_bytes" not in self.sound:
            starts = self.arrays["row_starts"]
            ends = starts[rows + 1]
            # What is after the last row is read with it.
            ends[rows == len(self) - 1] = len(self.arrays["row_bytes"])
            self.ensure_ranges("row_bytes", np.stack([starts[rows], ends], axis=1))

    def forms(self, rows: NDArray[np.int64]) -> PackedTemplates:
        """Search forms of some rows, in the given order; of what is not in `HELD` zeros.

        Parameters
        ----------
        rows : (K,) int64

        Raises
        ------
        CorruptError
            If a block under them fails its checksum.
        """
        return forms_of([(self, rows)])

    def find(self, row_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each row id, -1 where this part does not hold it.

        Parameters
        ----------
        row_ids : (K,) int64
        """
        out = np.empty(len(row_ids), np.int64)
        find_rows(self.row_ids, self.runs, row_ids, out)
        return out

    def runs_for(self, position: int) -> NDArray[np.int64]:
        """Which of `runs` a probe may see: of its own and of unknown position.

        Parameters
        ----------
        position : int
            The probe's finger; 0, for unknown, sees all.
        """
        if not position:
            return np.arange(len(self._present))
        return np.flatnonzero((self._present == 0) | (self._present == position))

    def known_places(self) -> NDArray[np.uint32]:
        """Where in each list each of `runs` begins, as far as searches have found out.

        Returns
        -------
        (L, R + 1) uint32
            Counted from 1 in the list; 0 where nobody has looked. One page of memory for what lies
            together, once it is looked at; none where the part has one position.
        """
        if self._known is None:
            lists = len(self.arrays["list_starts"]) - 1 if len(self.runs) > 2 else 0
            self._known = np.zeros((lists, len(self.runs)), np.uint32)
        return self._known

    def prepare(self) -> None:
        """Have the arrays of rows and lists at hand."""

    def close(self) -> None:
        """Give the memory back."""


def forms_of(chosen: Sequence[tuple[Part, NDArray[np.int64]]]) -> PackedTemplates:
    """Search forms of some rows of several parts, in order; of what is not in `HELD` zeros.

    Parameters
    ----------
    chosen : sequence of (Part, (K,) int64)

    Raises
    ------
    CorruptError
        If a block under them fails its checksum.
    """
    stored = []
    for part, rows in chosen:
        part.ensure_rows(rows)
        arrays = part.arrays
        stored.append((arrays["row_bytes"], arrays["row_starts"], part.offsets, rows))
    return unpack(stored)


class Segment(Part):
    """A part mapped read-only from its file; pages are shared between processes.

    Where files are encrypted, all of it is decrypted into memory of this process when it is opened.

    Opening reads the header, the table of checksums and the few arrays that every search uses
    (row ids, positions, offsets: 17 bytes a finger).

    Parameters
    ----------
    path : Path
    digest : str, optional
        SHA-256 of header and table, as a manifest names it.
    files : Files
        How files lie.

    Raises
    ------
    CorruptError
        At open if the file is truncated or its header damaged, and from any later call that
        would use a block whose checksum does not match.
    """

    def __init__(self, path: Path, digest: str | None = None, files: Files = PLAIN_FILES) -> None:
        self.path = path
        try:
            self._map = files.load(path)
        except OSError as error:
            raise CorruptError(f"{path.name}: cannot be read ({error.strerror})") from error
        self.layout, self._table, found = read_layout(path, self._map)
        if digest is not None and digest != found:
            raise CorruptError(f"{path.name}: not the segment that the manifest names")
        self.digest = found
        data = np.frombuffer(self._map, np.uint8)[self.layout.data_offset :]
        self._words = data.view(np.uint64)
        self._checked = np.zeros(self.layout.blocks, np.bool_)
        self._laying_out, self._laid_out = threading.Lock(), False
        self.sound = set()
        arrays = {name: view(data, s) for name, s in self.layout.sections.items()}
        for name in ("row_ids", "positions", "offsets", "list_starts", "row_starts"):
            if name == "row_starts" and "row_bytes" not in arrays:
                continue
            if name not in arrays:
                raise CorruptError(f"{path.name}: has no section {name}")
            self.ensure(name, 0, len(arrays[name]))
        if not self.earlier:
            self._check_sections()
        try:
            super().__init__(arrays, self.sound)
        except (KeyError, ValueError) as error:
            raise CorruptError(f"{path.name}: sections do not fit: {error}") from error

    def _check_sections(self) -> None:
        """Refuse a file that says to be of today and does not hold what one does."""
        held = self.layout.sections
        long = {n: math.prod(held[n].shape) if n in held else 0 for n in _MEASURES}
        rows, cylinders, starts, size = (long[n] for n in _MEASURES)
        for name, wanted in shapes(rows, cylinders, starts - 1, size).items():
            if name not in held or (held[name].dtype, held[name].shape) != wanted:
                raise CorruptError(f"{self.path.name}: section {name} does not fit")

    def ensure(self, name: str, first: int, last: int) -> None:
        """Check the blocks under some entries of an array, each once.

        Parameters
        ----------
        name : str
            Of the array.
        first, last : int
            The first entry, and the one after the last.

        Raises
        ------
        CorruptError
            If one fails its checksum.
        """
        if last <= first or name in self.sound:
            return
        section = self.layout.sections[name]
        each = section.nbytes // max(1, section.shape[0])
        size = self.layout.block_bytes
        start = (section.offset + first * each) // size
        stop = -(-(section.offset + last * each) // size)
        if not self._checked[start:stop].all():
            self._check(np.flatnonzero(~self._checked[start:stop]) + start)

    def ensure_ranges(self, name: str, ranges: NDArray[np.int64]) -> None:
        """Check the blocks under many ranges of entries of an array, each once.

        Parameters
        ----------
        name : str
            Of the array.
        ranges : (K, 2) int64
            Of each the first entry, and the one after the last.

        Raises
        ------
        CorruptError
            If one fails its checksum.
        """
        if name in self.sound:
            return
        section = self.layout.sections[name]
        size = self.layout.block_bytes
        each = section.nbytes // max(1, section.shape[0])
        if not ranges_checked(self._checked, size, section.offset, each, ranges):
            ranges = ranges[ranges[:, 1] > ranges[:, 0]]
            first = (section.offset + ranges[:, 0] * each) // size
            last = (section.offset + ranges[:, 1] * each - 1) // size
            blocks = self.layout.blocks + 1
            step = np.bincount(first, minlength=blocks) - np.bincount(last + 1, minlength=blocks)
            self._check(np.flatnonzero((np.cumsum(step[:-1]) > 0) & ~self._checked))
        start = section.offset // size
        stop = -(-(section.offset + section.nbytes) // size)
        if self._checked[start:stop].all():
            self.sound.add(name)

    def _check(self, blocks: NDArray[np.int64]) -> None:
        out = np.zeros(1, np.uint64)
        for block in blocks:
            checksum_blocks(self._words, self.layout.block_bytes // 8, block, block + 1, out)
            if out[0] != self._table[block]:
                raise CorruptError(
                    f"{self.path.name}: block {block} fails its checksum; "
                    "rebuild the index from the gallery"
                )
            self._checked[block] = True

    @property
    def earlier(self) -> bool:
        """Whether the file is of a version before today's, or its sketches are others."""
        return self.layout.attributes.get(SKETCH) != sketch_hash()

    def prepare(self) -> None:
        """Lay out what an earlier release has written as today's, once, in memory: 0.2 ms a row.

        Raises
        ------
        CorruptError
            If a block of what it is made from fails its checksum.
        """
        if not self.earlier or self._laid_out:
            return
        with self._laying_out:
            if self._laid_out:
                return
            log.warning(
                "%s was written by an earlier release: it is laid out anew in memory; "
                "compacting the index stores that",
                self.path.name,
            )
            try:
                lists = quantizer(len(self.arrays["list_starts"]) - 1)
                made = build_arrays(self.row_ids, self.positions, self._stored(), lists)
            except (KeyError, ValueError) as error:
                raise CorruptError(f"{self.path.name}: sections do not fit: {error}") from error
            self.sound.update(made)
            self.arrays = made
            self._laid_out = True

    def _stored(self) -> PackedTemplates:
        """The search forms of all rows of an earlier file."""
        names = ("row_bytes", "row_starts") if "row_bytes" in self.arrays else tuple(COLUMNS)
        for name in names:
            self.ensure(name, 0, len(self.arrays[name]))
        if "row_bytes" in self.arrays:
            rows = np.arange(len(self))
            return unpack(
                [(self.arrays["row_bytes"], self.arrays["row_starts"], self.offsets, rows)]
            )
        columns = {name: self.arrays[name] for name in COLUMNS}
        return PackedTemplates(offsets=self.offsets, **columns)

    def close(self) -> None:
        """Drop the views; the mapping goes with the last of them."""
        self.arrays = {}
