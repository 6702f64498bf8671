"""Rows that a writer is about to add, laid out beforehand and handed to readers as a file.

A row that was added is in no segment until many have gathered. So that other processes need not
make its search forms again, each batch is written as a file of the segment's format beside the
segments, before it is committed. Nothing depends on it: no manifest names it, it is not waited for
to reach the disk, and it is believed only of rows that the system of record has with the very
templates that it says it is of.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates
from fpmatch.durable import remove_if_possible, storage_errors
from fpmatch.encryption import PLAIN_FILES, Files
from fpmatch.errors import StorageError
from fpmatch.index.build import build_arrays
from fpmatch.index.manifest import Manifest
from fpmatch.index.quantizer import quantizer
from fpmatch.index.segment import Part, Segment
from fpmatch.index.segment_format import write_segment
from fpmatch.index.writing import attributes_of

SUFFIX = ".tail"
Of = Callable[[NDArray[np.int64]], str]
"""A digest of what the system of record has of some rows, ascending: their templates."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Search forms of rows whose ids are not known yet.

    Parameters
    ----------
    part : Part
        Its rows have the numbers of the forms for ids.
    """

    part: Part

    @classmethod
    def of(cls, packed: PackedTemplates, positions: NDArray[np.uint8], lists: int) -> Batch:
        """Lay forms out; some 60 us each.

        Parameters
        ----------
        packed : PackedTemplates
        positions : (K,) uint8
        lists : int
            Of the quantizer.
        """
        rows = np.arange(len(packed))
        return cls(Part(build_arrays(rows, positions, packed, quantizer(lists))))

    def numbered(self, kept: NDArray[np.int64], row_ids: NDArray[np.int64]) -> Part | None:
        """The rows of some of the forms under their ids.

        Parameters
        ----------
        kept : (K,) int64
            Numbers of forms, ascending.
        row_ids : (K,) int64
            Ascending.

        Returns
        -------
        Part or None
            None where not all forms are kept: what is left were better laid out anew.
        """
        if len(kept) != len(self.part) or not len(kept):
            return None
        arrays = dict(self.part.arrays)
        arrays["row_ids"] = row_ids[self.part.row_ids]
        return Part(arrays)


def path_of(folder: Path, part: Part) -> Path:
    """The file of a batch."""
    return folder / f"{int(part.row_ids.min()):012d}{SUFFIX}"


def write(
    folder: Path, manifest: Manifest, part: Part, of: str, files: Files = PLAIN_FILES
) -> None:
    """Hand a batch to readers, if that is possible.

    Parameters
    ----------
    folder : Path
        Of the index.
    manifest : Manifest
        Of now.
    part : Part
        The batch.
    of : str
        What it is of; see `Of`.
    files : Files
        How files lie.
    """
    path = path_of(folder, part)
    attributes = attributes_of(manifest) | {"of": of}
    try:
        write_segment(path, attributes, part.arrays, files, sync=False)
    except StorageError as error:
        log.warning("readers make a batch's search forms themselves: %s", type(error).__name__)
        remove_if_possible(path)


def names(folder: Path) -> list[Path]:
    """The files of batches that there are."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def read(
    folder: Path,
    manifest: Manifest,
    missing: NDArray[np.int64],
    of: Of,
    files: Files = PLAIN_FILES,
) -> list[Part]:
    """The batches that hold nothing but rows that are missing.

    Parameters
    ----------
    folder : Path
        Of the index.
    manifest : Manifest
        Of now.
    missing : (K,) int64
        Row ids.
    of : Of
        Asked of each batch.
    files : Files
        How files lie.
    """
    out: list[Part] = []
    if not len(missing):
        return out
    low, high = f"{int(missing.min()):012d}", f"{int(missing.max()):012d}"
    for path in names(folder):
        if not low <= path.stem <= high:
            continue
        try:
            found = Segment(path, files=files)
            for name in found.layout.sections:
                found.ensure(name, 0, len(found.arrays[name]))
        except StorageError:
            continue  # Gone meanwhile, or cut off while it was written.
        if found.earlier:
            continue  # Of a writer of another release.
        said = found.layout.attributes
        if (said.get("parameters"), said.get("lists")) != (manifest.parameters, manifest.lists):
            continue
        ids = np.sort(found.row_ids)
        if np.isin(ids, missing).all() and said.get("of") == of(ids):
            out.append(Part(dict(found.arrays)))
    return out


def remove(folder: Path) -> None:
    """Remove the files of batches that whoever wrote before has left."""
    with storage_errors(folder.name):
        for path in names(folder):
            path.unlink(missing_ok=True)
