"""The file of one segment: immutable, self-describing, checked block by block.

Layout, little-endian::

    0    magic "FPMSEG\\r\\n", version u32, length of the header u32, blocks u64,
         SHA-256 of the header and the table of block checksums
    56   header (JSON): parameters, rows, sections with dtype, shape and offset
    ..   table: a 64-bit checksum for every block of the data
    ..   data, a whole number of blocks: the sections, each on a 64-byte border

The SHA-256 is checked when the file is opened, and so is its length; a block's checksum before
anything is read from the block.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.durable import put_in_place, remove_if_possible, storage_errors
from fpmatch.encryption import PLAIN_FILES, Files
from fpmatch.errors import MALFORMED, CorruptError, WriteError
from fpmatch.index._kernels import checksum_blocks
from fpmatch.parameters import INDEX

MAGIC = b"FPMSEG\r\n"
VERSION = 5
"""Of new segments: rows may be coded. Earlier ones are read too."""
READABLE = (1, 2, 3, 4, VERSION)
_PREFIX = struct.Struct("<8sIIQ32s")
_ALIGN = 64


@dataclass(frozen=True, slots=True)
class Section:
    """Where one array lies, in bytes from the start of the data."""

    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Layout:
    """A segment's header, read or about to be written."""

    attributes: Mapping[str, Any]
    sections: Mapping[str, Section]
    data_offset: int
    blocks: int
    block_bytes: int

    @property
    def file_bytes(self) -> int:
        """Length of the whole file."""
        return self.data_offset + self.blocks * self.block_bytes


def plan(arrays: Mapping[str, tuple[np.dtype, tuple[int, ...]]]) -> tuple[dict[str, Section], int]:
    """Place arrays one after the other; returns the sections and the bytes they take."""
    sections = {}
    at = 0
    for name, (dtype, shape) in arrays.items():
        section = Section(np.dtype(dtype), tuple(shape), at)
        sections[name] = section
        at += -(-section.nbytes // _ALIGN) * _ALIGN
    return sections, at


class SegmentWriter:
    """Writes one segment under a temporary name; `commit` gives it its own.

    Parameters
    ----------
    path : Path
        Final name.
    attributes : mapping
        Plain values for the header.
    arrays : mapping of name to (dtype, shape)
        Everything that will be written, in order.
    files : Files
        How files lie.
    """

    def __init__(
        self,
        path: Path,
        attributes: Mapping[str, Any],
        arrays: Mapping[str, tuple[np.dtype, tuple[int, ...]]],
        files: Files = PLAIN_FILES,
    ) -> None:
        self.path = path
        self.temporary = path.with_name(path.name + ".part")
        sections, total = plan(arrays)
        blocks = max(1, -(-total // INDEX.block_bytes))
        header = {
            "attributes": dict(attributes),
            "block_bytes": INDEX.block_bytes,
            "sections": {n: [s.dtype.str, list(s.shape), s.offset] for n, s in sections.items()},
        }
        self._header = json.dumps(header, sort_keys=False, separators=(",", ":")).encode()
        start = _PREFIX.size + len(self._header) + 8 * blocks
        start = -(-start // 4096) * 4096
        self.layout = Layout(dict(attributes), sections, start, blocks, INDEX.block_bytes)
        try:
            with storage_errors(path.name):
                self._filling = files.fill(self.temporary, path, self.layout.file_bytes)
        except WriteError:
            remove_if_possible(self.temporary)
            raise

    def array(self, name: str) -> NDArray:
        """The section to be filled, mapped."""
        return view(self._filling.array[self.layout.data_offset :], self.layout.sections[name])

    def commit(self, *, sync: bool = True) -> str:
        """Checksum, flush, rename; returns the SHA-256 of header and table, hexadecimal.

        Parameters
        ----------
        sync : bool
            Wait until all of it is on the disk.
        """
        table = np.zeros(self.layout.blocks, "<u8")
        words = self._filling.array[self.layout.data_offset :].view(np.uint64)
        checksum_blocks(words, self.layout.block_bytes // 8, 0, len(table), table)
        digest = hashlib.sha256(self._header + table.tobytes())
        prefix = _PREFIX.pack(MAGIC, VERSION, len(self._header), len(table), digest.digest())
        head = np.frombuffer(prefix + self._header + table.tobytes(), np.uint8)
        self._filling.array[: len(head)] = head
        del words
        with storage_errors(self.path.name):
            self._filling.finish(sync=sync)
            put_in_place(self.temporary, self.path, sync=sync)
        return digest.hexdigest()


def write_segment(
    path: Path,
    attributes: Mapping[str, Any],
    arrays: Mapping[str, NDArray],
    files: Files = PLAIN_FILES,
    *,
    sync: bool = True,
) -> str:
    """Write a segment of arrays that are there; returns the SHA-256 of header and table.

    Parameters
    ----------
    path, attributes, files
        As in `SegmentWriter`.
    arrays : mapping of name to array
        In order.
    sync : bool
        Wait until all of it is on the disk.

    Raises
    ------
    WriteError
        If it cannot be written; nothing is left of it but its temporary file.
    """
    shaped = {name: (array.dtype, array.shape) for name, array in arrays.items()}
    writer = SegmentWriter(path, attributes, shaped, files)
    for name, array in arrays.items():
        writer.array(name)[...] = array
    return writer.commit(sync=sync)


def view(data: NDArray[np.uint8], section: Section) -> NDArray:
    """The array of a section, without a copy.

    Parameters
    ----------
    data : (B,) uint8
        The segment's data.
    section : Section
    """
    part = data[section.offset : section.offset + section.nbytes]
    return np.asarray(part).view(section.dtype).reshape(section.shape)


def read_layout(path: Path, content: mmap.mmap) -> tuple[Layout, NDArray[np.uint64], str]:
    """Read and check the header of a segment; cost follows the header and table, not the data.

    Parameters
    ----------
    path : Path
        Of the file, for messages.
    content : mmap
        All of it.

    Raises
    ------
    CorruptError
        If the magic, the length or the SHA-256 does not fit.
    """
    size = len(content)
    if size < _PREFIX.size:
        raise CorruptError(f"{path.name}: {size} bytes are too short for a segment")
    magic, version, length, blocks, digest = _PREFIX.unpack(content[: _PREFIX.size])
    if magic != MAGIC:
        raise CorruptError(f"{path.name}: not an index segment (wrong magic)")
    if version not in READABLE:
        raise CorruptError(
            f"{path.name}: segment version {version}; this release reads "
            f"{READABLE[0]} to {READABLE[-1]}"
        )
    if _PREFIX.size + length + 8 * blocks > size:
        raise CorruptError(f"{path.name}: truncated inside its header")
    body = content[_PREFIX.size : _PREFIX.size + length + 8 * blocks]
    if hashlib.sha256(body).digest() != digest:
        raise CorruptError(f"{path.name}: header checksum does not match: the file is damaged")
    start = -(-(_PREFIX.size + length + 8 * blocks) // 4096) * 4096
    try:
        layout = _layout(json.loads(body[:length]), start, blocks)
    except MALFORMED as error:
        raise CorruptError(f"{path.name}: damaged header ({type(error).__name__})") from error
    if size != layout.file_bytes:
        raise CorruptError(f"{path.name}: {size} bytes, its header says {layout.file_bytes}")
    return layout, np.frombuffer(body, "<u8", offset=length).astype(np.uint64), digest.hex()


def _layout(header: Any, start: int, blocks: int) -> Layout:
    """A header as it was read; one of `MALFORMED` if a segment cannot have it."""
    sections = {
        str(name): Section(np.dtype(dtype), tuple(map(int, shape)), int(offset))
        for name, (dtype, shape, offset) in header["sections"].items()
    }
    layout = Layout(dict(header["attributes"]), sections, start, blocks, int(header["block_bytes"]))
    if layout.block_bytes <= 0 or layout.block_bytes % 8:
        raise ValueError("blocks of another size than any were written in")
    for section in sections.values():
        # As Python counts, which no large number overflows.
        size = math.prod(section.shape) * section.dtype.itemsize
        inside = 0 <= section.offset <= section.offset + size <= blocks * layout.block_bytes
        if section.dtype.hasobject or min(section.shape, default=0) < 0 or not inside:
            raise ValueError("a section lies outside of its file")
    return layout
