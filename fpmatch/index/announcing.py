"""Rows that are about to be added: laid out, handed to readers, joined in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates
from fpmatch.durable import storage_errors
from fpmatch.encryption import PLAIN_FILES, Files
from fpmatch.errors import ReadOnlyError
from fpmatch.index import tail
from fpmatch.index.held import Held
from fpmatch.index.segment import Part
from fpmatch.index.writing import died_since, joined
from fpmatch.parameters import SEGMENTS


class Announcing(Held):
    """Base of `Store`: what it does with batches before they are in a segment.

    Parameters
    ----------
    folder : Path
    mode : str
        ``r`` or ``rw``.
    files : Files
        How files lie.
    """

    def __init__(self, folder: Path, mode: str, files: Files = PLAIN_FILES) -> None:
        super().__init__(folder, mode, files)
        self._announced: dict[Path, NDArray[np.int64]] = {}

    def batch(self, packed: PackedTemplates, positions: NDArray[np.uint8]) -> tail.Batch:
        """See `PartitionIndex.batch`.

        Parameters
        ----------
        packed : PackedTemplates
        positions : (K,) uint8
        """
        return tail.Batch.of(packed, positions, self.manifest.lists)

    def announce(self, part: Part, of: str) -> None:
        """See `PartitionIndex.announce`.

        Parameters
        ----------
        part : Part
        of : str

        Raises
        ------
        ReadOnlyError
        """
        self._writable()
        if len(part) < SEGMENTS.tail_least:
            return
        self._announced[tail.path_of(self.folder, part)] = part.row_ids
        tail.write(self.folder, self.manifest, part, of, self._files)

    def join_memory(self) -> None:
        """See `PartitionIndex.join_memory`."""
        self._writable()
        while True:
            with self._lock:
                pair = self._joinable()
                keep = [part.live.astype(np.bool_) for part in pair or ()]
            if pair is None:
                return
            part = Part(joined(pair, keep, self.manifest.lists))
            with self._lock:
                if [id(now) for now in self._memory[-2:]] != [id(then) for then in pair]:
                    return  # Written meanwhile, or joined by a search.
                part.live[part.find(died_since(pair, keep))] = 0
                self._memory[-2:] = [part]

    def _unannounce(self, row_ids: NDArray[np.int64]) -> None:
        """Remove the files of batches that hold any of these rows."""
        for path, held in list(self._announced.items()):
            if np.isin(held, row_ids).any():
                with storage_errors(path.name):
                    path.unlink(missing_ok=True)
                del self._announced[path]

    def _writable(self) -> None:
        if self.mode != "rw":
            raise ReadOnlyError("the index is open for reading only")
