"""New segments: of rows in memory, and of the rows that others keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor.sketch import sketch_hash
from fpmatch.encryption import PLAIN_FILES, Files
from fpmatch.index._kernels import PADDING
from fpmatch.index.build import shapes
from fpmatch.index.list_layout import LIST_COLUMNS
from fpmatch.index.manifest import Manifest
from fpmatch.index.merging import Taken, merge_rows, take
from fpmatch.index.segment import SKETCH, Part, Segment
from fpmatch.index.segment_format import SegmentWriter, write_segment
from fpmatch.parameters import SEGMENTS

SEGMENT_ROWS = SEGMENTS.rows_most
Entry = tuple[str, str, int]
"""Name, SHA-256 and rows of a segment."""


def joined(
    parts: Sequence[Part], keep: Sequence[NDArray[np.bool_]], lists: int
) -> dict[str, NDArray]:
    """The arrays of one part with the kept rows of several.

    Parameters
    ----------
    parts : sequence of Part
    keep : sequence of (N,) bool
        Of each part the rows that are kept.
    lists : int
        Lists of the quantizer.
    """
    taken = take(parts, [np.flatnonzero(k) for k in keep])
    arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in _shapes(taken, lists)}
    merge_rows(taken, arrays)
    return arrays


def _shapes(taken: Sequence[Taken], lists: int) -> list[tuple[str, Any]]:
    rows, cylinders, size = 0, 0, PADDING
    for some in taken:
        rows += len(some.rows)
        cylinders += int(np.diff(some.part.offsets)[some.rows].sum())
        size += int(some.sizes.sum())
    return list(shapes(rows, cylinders, lists, size).items())


def write_parts(
    folder: Path,
    manifest: Manifest,
    parts: Sequence[Part],
    keep: Sequence[NDArray[np.bool_]],
    files: Files = PLAIN_FILES,
) -> tuple[Entry, ...]:
    """Write the kept rows of parts in memory, as few segments as may hold them.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    parts : sequence of Part
    keep : sequence of (N,) bool
        Of each part the rows that are kept.
    files : Files
        How files lie.

    Raises
    ------
    WriteError
        If the segment cannot be written; nothing is left of it.
    """
    rows = sum(int(np.count_nonzero(k)) for k in keep)
    if not rows:
        return ()
    if rows > SEGMENT_ROWS or rows >= SEGMENTS.coded_least:
        return write_merged(folder, manifest, parts, keep, files)
    arrays = parts[0].arrays
    if len(parts) > 1 or not keep[0].all():
        arrays = joined(parts, keep, manifest.lists)
    path = _next(folder)
    return ((path.name, write_segment(path, attributes_of(manifest), arrays, files), rows),)


def write_merged(
    folder: Path,
    manifest: Manifest,
    parts: Sequence[Part],
    keep: Sequence[NDArray[np.bool_]],
    files: Files = PLAIN_FILES,
) -> tuple[Entry, ...]:
    """Stream the kept rows of some parts into new segments, as few as may hold them.

    Rows of large segments are coded, which few searches read more than a few hundred of; of small
    galleries, where every row may be compared in every search, they are not.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    parts : sequence of Part
    keep : sequence of (N,) bool
        Of each part the rows that are kept.
    files : Files
        How files lie.

    Raises
    ------
    CorruptError
        If a block of a part fails its checksum.
    WriteError
        If a segment cannot be written.
    """
    rows = [np.flatnonzero(k) for k in keep]
    total = sum(map(len, rows))
    out = []
    # Full ones and a rest, which is merged with others later: two halves never would be. Cut at the
    # same share of each part, what was sorted stays so; a share may be a row more.
    most = max(1, total if total <= SEGMENT_ROWS else SEGMENT_ROWS - len(rows))
    for first in range(0, total, most):
        last = min(total, first + most)
        some = [r[len(r) * first // total : len(r) * last // total] for r in rows]
        taken = take(parts, some, coded=last - first >= SEGMENTS.coded_least)
        shaped = dict(_shapes(taken, manifest.lists))
        writer = SegmentWriter(_next(folder), attributes_of(manifest), shaped, files)
        arrays = {name: writer.array(name) for name in writer.layout.sections}
        merge_rows(taken, arrays)
        del arrays, taken
        out.append((writer.path.name, writer.commit(), sum(map(len, some))))
    return tuple(out)


def blank(part: Part) -> None:
    """Overwrite what a part in memory holds of its tombstoned rows; no search visits them."""
    dead = np.flatnonzero(part.live == 0)
    for row in dead.tolist():
        first, last = part.arrays["row_starts"][row : row + 2]
        part.arrays["row_bytes"][first:last] = 0
    if len(dead):
        entries = np.flatnonzero(np.isin(part.arrays["list_owners"], dead))
        for name in LIST_COLUMNS:
            if name != "list_owners":
                part.arrays[name][entries] = 0


def died_since(parts: Sequence[Part], keep: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
    """Ids of the kept rows of some parts that were tombstoned since, durably or not.

    Parameters
    ----------
    parts : sequence of Part
    keep : sequence of (N,) bool
        Of each part the rows that are kept.
    """
    dead = [p.row_ids[k & (p.live == 0)] for p, k in zip(parts, keep, strict=True)]
    return np.concatenate([np.zeros(0, np.int64), *dead])


def without_written(memory: Sequence[Part], segments: Sequence[Segment], lists: int) -> list[Part]:
    """Parts in memory without the rows that segments hold: another process has written them.

    Parameters
    ----------
    memory : sequence of Part
    segments : sequence of Segment
    lists : int
        Lists of the quantizer.
    """
    out = []
    for part in memory:
        keep = part.live.astype(np.bool_)
        for segment in segments:
            keep &= segment.find(part.row_ids) < 0
        if keep.all():
            out.append(part)
        elif keep.any():
            out.append(Part(joined([part], [keep], lists)))
    return out


def row_ids_of(segments: Sequence[Segment]) -> NDArray[np.int64]:
    """Ids of all rows of some segments."""
    return np.concatenate([np.zeros(0, np.int64), *(s.row_ids for s in segments)])


def is_small(segment: Segment) -> bool:
    """Whether a segment may be merged with others; large ones are rewritten for removals alone."""
    return len(segment) <= SEGMENT_ROWS // 2


def smaller(segments: Sequence[Segment]) -> list[Segment]:
    """The smaller segments, in the order given.

    From the smallest up as long as the next is no larger than those before it together, and one
    segment may hold them all.
    """
    chosen: set[str] = set()
    total = 0
    for segment in sorted(filter(is_small, segments), key=lambda s: (len(s), s.path.name)):
        if (len(chosen) > 1 and len(segment) > total) or total + len(segment) > SEGMENT_ROWS:
            break
        chosen.add(segment.path.name)
        total += len(segment)
    return [s for s in segments if s.path.name in chosen]


def _next(folder: Path) -> Path:
    """A name that no segment has had, nor what a write that failed has left."""
    taken = [int(p.name[8:16]) for p in folder.glob("segment-????????.seg*")]
    return folder / f"segment-{1 + max([0, *taken]):08d}.seg"


def attributes_of(manifest: Manifest) -> dict[str, Any]:
    """What a file of rows says of itself."""
    made = {"parameters": manifest.parameters, "lists": manifest.lists}
    return {**made, SKETCH: sketch_hash()}
