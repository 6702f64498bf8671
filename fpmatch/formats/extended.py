"""Extended data of minutiae records: ridge counts, cores and deltas."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from fpmatch.argument_types import takes
from fpmatch.errors import FormatError
from fpmatch.formats.cursor import Cursor
from fpmatch.formats.fmr_layouts import BY_NAME
from fpmatch.formats.units import other_units
from fpmatch.formats.values import CORES_AND_DELTAS, RIDGE_COUNTS, Block

_COORDINATE = 0x3FFF
_HAS_ANGLE = 0x4000
_ALL_HAVE_ANGLES = 0x40
_COUNT_BITS = 0xF
_EDGE = 3


@dataclass(frozen=True, slots=True)
class RidgeCounts:
    """Ridges between pairs of minutiae.

    Parameters
    ----------
    method : int
        How the pairs were chosen: 0 unspecified, 1 by quadrants, 2 by octants.
    edges : tuple of (int, int, int)
        Two minutia indexes and the count, as the file has them (0 to 255 each).
    spare : bytes
        What follows the last whole edge.
    """

    method: int
    edges: tuple[tuple[int, int, int], ...]
    spare: bytes = b""


@dataclass(frozen=True, slots=True)
class Singularity:
    """A core or a delta.

    Parameters
    ----------
    x, y : int
        Pixels of the source, y down.
    angles : tuple of int
        Units of the format; none, one of a core, three of a delta.
    """

    x: int
    y: int
    angles: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CoresAndDeltas:
    """Singular points of one impression."""

    cores: tuple[Singularity, ...]
    deltas: tuple[Singularity, ...]


@takes(block=Block)
def ridge_counts(block: Block) -> RidgeCounts:
    """Parse a block of kind `RIDGE_COUNTS`; the same in all standards.

    Raises
    ------
    FormatError
        If the block is empty.
    """
    if not block.data:
        raise FormatError("the block of ridge counts is empty")
    whole = 1 + (len(block.data) - 1) // _EDGE * _EDGE
    edges = tuple(
        (block.data[i], block.data[i + 1], block.data[i + 2]) for i in range(1, whole, _EDGE)
    )
    return RidgeCounts(block.data[0], edges, block.data[whole:])


@takes(counts=RidgeCounts)
def ridge_counts_block(counts: RidgeCounts) -> Block:
    """Undo `ridge_counts`; raises `FormatError` if a number does not fit its byte."""
    try:
        edges = b"".join(bytes(edge) for edge in counts.edges)
        return Block(RIDGE_COUNTS, bytes([counts.method]) + edges + counts.spare)
    except ValueError as error:
        raise FormatError(f"a ridge count does not fit its byte: {error}") from error


@takes(block=Block, format=str)
def cores_and_deltas(block: Block, format: str) -> CoresAndDeltas:
    """Parse a block of kind `CORES_AND_DELTAS`.

    Parameters
    ----------
    block : Block
    format : str
        Of the record that holds it: ISO/IEC 19794-2 says of each point whether it has angles,
        INCITS 378 says it once for all cores and once for all deltas.

    Raises
    ------
    FormatError
        If the block ends inside a point; the position counts from its start.
    """
    incits = BY_NAME[format].incits
    cursor = Cursor(block.data)
    groups = []
    for name, angles in (("cores", 1), ("deltas", 3)):
        head = cursor.number(1, f"the number of {name}")
        count = head & _COUNT_BITS if incits else head
        points = []
        for _ in range(count):
            x = cursor.number(2, f"the {name}")
            y = cursor.number(2, f"the {name}")
            having = bool(head & _ALL_HAVE_ANGLES if incits else x & _HAS_ANGLE)
            points.append(
                Singularity(
                    x & _COORDINATE,
                    y & _COORDINATE,
                    tuple(cursor.take(angles, f"the angles of {name}")) if having else (),
                )
            )
        groups.append(tuple(points))
    return CoresAndDeltas(*groups)


@takes(points=CoresAndDeltas, format=str)
def cores_and_deltas_block(points: CoresAndDeltas, format: str) -> Block:
    """Undo `cores_and_deltas`.

    Raises
    ------
    FormatError
        If a number does not fit, or the format wants angles of all points or of none and some
        have them.
    """
    incits = BY_NAME[format].incits
    parts = []
    try:
        for name, group in (("cores", points.cores), ("deltas", points.deltas)):
            having = {bool(point.angles) for point in group}
            if incits and (len(having) > 1 or len(group) > _COUNT_BITS):
                raise FormatError(f"up to 15 {name}, all with angles or none, fit {format}")
            flag = _ALL_HAVE_ANGLES if incits and having == {True} else 0
            parts.append(bytes([flag | len(group)]))
            for point in group:
                mark = _HAS_ANGLE if point.angles and not incits else 0
                parts.append(struct.pack(">HH", point.x | mark, point.y) + bytes(point.angles))
    except (ValueError, struct.error) as error:
        raise FormatError(f"a core or delta does not fit: {error}") from error
    return Block(CORES_AND_DELTAS, b"".join(parts))


def translate(block: Block, source: str, target: str) -> Block | None:
    """A block as another format holds it, or None if it cannot.

    Ridge counts are the same everywhere; cores and deltas change their angles; zonal quality
    exists in both editions of ISO/IEC 19794-2 and nowhere else; a vendor's own block stays within
    the standards of one body, whose numbering gives it its meaning.

    Parameters
    ----------
    block : Block
    source, target : str
        Names of formats.
    """
    if block.kind == RIDGE_COUNTS:
        return block
    same_body = BY_NAME[source].incits == BY_NAME[target].incits
    if same_body:
        return block
    if block.kind != CORES_AND_DELTAS:
        return None
    try:
        points = cores_and_deltas(block, source)
        turns = BY_NAME[source].turn, BY_NAME[target].turn
        groups = (
            tuple(
                Singularity(p.x, p.y, tuple(other_units(list(p.angles), *turns).tolist()))
                for p in group
            )
            for group in (points.cores, points.deltas)
        )
        return cores_and_deltas_block(CoresAndDeltas(*groups), target)
    except FormatError:
        return None
