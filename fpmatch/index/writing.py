"""New segments: of rows in memory, and of the rows that others keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.encryption import PLAIN_FILES, Files
from fpmatch.index.build import build_arrays, join, select_rows, shapes, stream_arrays
from fpmatch.index.manifest import Manifest
from fpmatch.index.quantizer import quantizer
from fpmatch.index.segment import Part, Segment
from fpmatch.index.segment_format import SegmentWriter

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
    pairs = [(part, np.flatnonzero(k)) for part, k in zip(parts, keep, strict=True)]
    return build_arrays(
        np.concatenate([p.row_ids[k] for p, k in pairs]),
        np.concatenate([p.positions[k] for p, k in pairs]),
        join([select_rows(p.packed, k) for p, k in pairs]),
        quantizer(lists),
    )


def write_parts(
    folder: Path,
    manifest: Manifest,
    parts: Sequence[Part],
    keep: Sequence[NDArray[np.bool_]],
    files: Files = PLAIN_FILES,
) -> Entry | None:
    """Write the kept rows of parts in memory; None if there are none.

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
    if not any(k.any() for k in keep):
        return None
    arrays = parts[0].arrays
    if len(parts) > 1 or not keep[0].all():
        arrays = joined(parts, keep, manifest.lists)
    shaped = {n: (a.dtype, a.shape) for n, a in arrays.items()}
    writer = _writer(folder, manifest, shaped, files)
    for section, array in arrays.items():
        writer.array(section)[...] = array
    return writer.path.name, writer.commit(), len(arrays["row_ids"])


def write_merged(
    folder: Path,
    manifest: Manifest,
    segments: Sequence[Segment],
    keep: Sequence[NDArray[np.bool_]],
    files: Files = PLAIN_FILES,
) -> Entry | None:
    """Stream the kept rows of some segments into a new one; None if there are none.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    segments : sequence of Segment
    keep : sequence of (N,) bool
        Of each segment the rows that are kept.
    files : Files
        How files lie.

    Raises
    ------
    CorruptError
        If a block of a segment fails its checksum.
    WriteError
        If the segment cannot be written.
    """
    rows = [np.flatnonzero(k) for k in keep]
    total = sum(map(len, rows))
    if not total:
        return None
    pairs = zip(segments, rows, strict=True)
    cylinders = sum(int((s.offsets[r + 1] - s.offsets[r]).sum()) for s, r in pairs)
    writer = _writer(folder, manifest, shapes(total, cylinders, manifest.lists), files)
    arrays = {name: writer.array(name) for name in writer.layout.sections}
    stream_arrays(segments, rows, arrays, quantizer(manifest.lists))
    del arrays
    return writer.path.name, writer.commit(), total


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


def smaller(segments: Sequence[Segment]) -> list[Segment]:
    """The smaller segments, in the order given.

    From the smallest up as long as the next is no larger than those before it together.
    """
    chosen: set[str] = set()
    total = 0
    for segment in sorted(segments, key=lambda s: (len(s), s.path.name)):
        if len(chosen) > 1 and len(segment) > total:
            break
        chosen.add(segment.path.name)
        total += len(segment)
    return [s for s in segments if s.path.name in chosen]


def _writer(
    folder: Path,
    manifest: Manifest,
    arrays: Mapping[str, tuple[np.dtype, tuple[int, ...]]],
    files: Files,
) -> SegmentWriter:
    taken = [int(p.name[8:16]) for p in folder.glob("segment-????????.seg*")]
    name = f"segment-{1 + max([0, *taken]):08d}.seg"
    attributes = {"parameters": manifest.parameters, "lists": manifest.lists}
    return SegmentWriter(folder / name, attributes, arrays, files)
