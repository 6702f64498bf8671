"""Files whole, as they are or encrypted: bytes in, bytes out, whatever they mean.

An encrypted file, little-endian::

    0    magic "FPMENC\\r\\n", version u32, generation of the gallery's key u32, salt (32 bytes),
         length of the contents u64, length of a piece u32
    60   the pieces in order, each with 16 bytes more: AES-256-GCM

Each file has a key of its own, from the gallery's and the salt, and is written once: the nonce of
a piece is its number, and none comes twice under one key. Each piece is bound to the start of the
file, to the gallery and to the file's place in it, so that none can be moved, dropped or added.
What is read is decrypted into memory that no file is behind.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.durable import replacing, reserve
from fpmatch.encryption.chest import Chest
from fpmatch.encryption.library import aead
from fpmatch.errors import CorruptError

MAGIC = b"FPMENC\r\n"
VERSION = 1
PIECE = 1 << 20
_START = struct.Struct("<8sII32sQI")
_TAG = 16
_SALT = 32


class Filling:
    """A new file's contents, to be filled in any order.

    Parameters
    ----------
    array : (B,) uint8
        The contents, zeros at first.
    """

    def __init__(self, temporary: Path, size: int) -> None:
        self.temporary = temporary
        with open(temporary, "wb") as file:
            reserve(file, size)
        self.array: NDArray[np.uint8] = np.memmap(temporary, np.uint8, "r+")

    def finish(self, *, sync: bool = True) -> None:
        """Have all of it on the disk, under its temporary name.

        Parameters
        ----------
        sync : bool
            Wait for the disk.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if sync:
            self.array.flush()  # type: ignore[attr-defined]  # a memmap
        del self.array
        if sync:
            with open(self.temporary, "rb") as file:
                os.fsync(file.fileno())


class Files:
    """Files as they are: of a gallery that is not encrypted."""

    def load(self, path: Path) -> mmap.mmap:
        """All of a file, mapped; what is written into the map stays in this process.

        Raises
        ------
        OSError
            If it cannot be read.
        CorruptError
            If it is empty, or damaged.
        """
        with open(path, "rb") as file:
            try:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            except ValueError:
                raise CorruptError(f"{path.name}: the file is empty") from None

    def read(self, path: Path, most: int | None = None) -> NDArray[np.uint8]:
        """Contents of a file in memory: all, or at least the first `most` bytes.

        Raises
        ------
        OSError
            If it cannot be read.
        CorruptError
            If it is damaged.
        """
        if most is None:
            return np.fromfile(path, np.uint8)
        with open(path, "rb") as file:
            # What a damaged file says of its length is not what memory is made for.
            return np.frombuffer(file.read(min(most, os.fstat(file.fileno()).st_size)), np.uint8)

    def write(self, path: Path, pieces: Iterable[Any], *, sync: bool = True) -> None:
        """Write a file whole, in place of what is there; errors as for `durable.replacing`.

        Parameters
        ----------
        path : Path
        pieces : iterable of bytes or arrays
            Its contents, in order.
        sync : bool
            Wait for the disk.
        """
        with replacing(path, sync=sync) as file:
            for piece in pieces:
                file.write(piece)

    def fill(self, temporary: Path, path: Path, size: int) -> Filling:
        """Begin a new file of a known size.

        Parameters
        ----------
        temporary : Path
            Where it lies until its caller renames it.
        path : Path
            Where it will.
        size : int
            Bytes of its contents.
        """
        return Filling(temporary, size)

    def stale(self, path: Path) -> bool:
        """Whether a file is under another key than new ones are."""
        return False

    def renew(self, path: Path) -> None:
        """Write a file anew under the key of now, with the same contents."""


PLAIN_FILES = Files()


class _Encrypting(Filling):
    """A new file in memory, which is encrypted when it is finished."""

    def __init__(self, files: EncryptedFiles, temporary: Path, path: Path, size: int) -> None:
        self.temporary = temporary
        self._files = files
        self._path = path
        self._memory = private(size)
        self.array = np.frombuffer(self._memory, np.uint8)[:size]

    def finish(self, *, sync: bool = True) -> None:
        """See `Filling.finish`.

        Parameters
        ----------
        sync : bool
        """
        content, self.array = self.array, np.zeros(0, np.uint8)
        with open(self.temporary, "wb") as file:
            for piece in self._files.encrypted(self._path, content):
                file.write(piece)
            if sync:
                file.flush()
                os.fsync(file.fileno())


class EncryptedFiles(Files):
    """Files under a gallery's keys.

    Parameters
    ----------
    folder : Path
        Of the gallery: a file's place is its path from there.
    chest : Chest
    """

    def __init__(self, folder: Path, chest: Chest) -> None:
        self._folder = folder
        self._chest = chest

    def load(self, path: Path) -> mmap.mmap:
        """All of a file, decrypted into memory of this process; 0.5 ms a megabyte.

        Raises
        ------
        OSError
            If it cannot be read.
        CorruptError
            If it is damaged, or not where it belongs.
        """
        with open(path, "rb") as file:
            start, size = self._start(path, file.read(_START.size))
            if os.fstat(file.fileno()).st_size != stored_size(size):
                raise CorruptError(f"{path.name}: truncated, or longer than it says")
            memory = private(size)
            at = 0
            for number in range(pieces_of(size)):
                piece = self._opened(path, start, number, file.read(PIECE + _TAG))
                memory[at : at + len(piece)] = piece
                at += len(piece)
        if at != size:
            raise CorruptError(f"{path.name}: {at} bytes instead of {size}")
        return memory

    def read(self, path: Path, most: int | None = None) -> NDArray[np.uint8]:
        """See `Files.read`."""
        if most is None:
            return np.frombuffer(self.load(path), np.uint8)
        with open(path, "rb") as file:
            start, size = self._start(path, file.read(_START.size))
            wanted = range(min(pieces_of(size), max(1, -(-most // PIECE))))
            return np.frombuffer(
                b"".join(self._opened(path, start, n, file.read(PIECE + _TAG)) for n in wanted),
                np.uint8,
            )

    def write(self, path: Path, pieces: Iterable[Any], *, sync: bool = True) -> None:
        """See `Files.write`.

        Parameters
        ----------
        path : Path
        pieces : iterable of bytes or arrays
            Its contents, in order.
        sync : bool
            Wait for the disk.
        """
        content = np.frombuffer(b"".join(bytes(piece) for piece in pieces), np.uint8)
        super().write(path, self.encrypted(path, content), sync=sync)

    def fill(self, temporary: Path, path: Path, size: int) -> Filling:
        """See `Files.fill`: in memory, so that nothing of it is on the disk before it is done.

        Parameters
        ----------
        temporary : Path
            Where it lies until its caller renames it.
        path : Path
            Where it will.
        size : int
            Bytes of its contents.
        """
        return _Encrypting(self, temporary, path, size)

    def stale(self, path: Path) -> bool:
        """See `Files.stale`."""
        with open(path, "rb") as file:
            _, _, generation, *_ = self._fields(path, file.read(_START.size))
        return generation != self._chest.current

    def renew(self, path: Path) -> None:
        """See `Files.renew`."""
        self.write(path, [self.read(path)])

    def encrypted(self, path: Path, content: NDArray[np.uint8]) -> Iterable[bytes]:
        """What is written for a file, piece by piece.

        Parameters
        ----------
        path : Path
            Where it will lie.
        content : (B,) uint8
        """
        generation = self._chest.current
        salt = os.urandom(_SALT)
        start = _START.pack(MAGIC, VERSION, generation, salt, len(content), PIECE)
        cipher = aead().AESGCM(self._chest.file_key(generation, salt))
        bound = self._bound(path, start)
        yield start
        for number in range(pieces_of(len(content))):
            piece = content[number * PIECE : (number + 1) * PIECE].tobytes()
            yield cipher.encrypt(_nonce(number), piece, bound)

    def _fields(self, path: Path, start: bytes) -> tuple[Any, ...]:
        if len(start) < _START.size:
            raise CorruptError(f"{path.name}: {len(start)} bytes are too short")
        fields = _START.unpack(start)
        if fields[0] != MAGIC:
            raise CorruptError(f"{path.name}: not an encrypted file of a gallery")
        if fields[1] != VERSION or fields[5] != PIECE:
            raise CorruptError(
                f"{path.name}: version {fields[1]} of encrypted files; this release reads {VERSION}"
            )
        return fields

    def _start(self, path: Path, start: bytes) -> tuple[tuple[Any, bytes], int]:
        """Cipher and bound data of a file, and the length of its contents."""
        _, _, generation, salt, size, _ = self._fields(path, start)
        cipher = aead().AESGCM(self._chest.file_key(generation, salt))
        return (cipher, self._bound(path, start)), size

    def _opened(self, path: Path, start: tuple[Any, bytes], number: int, piece: bytes) -> bytes:
        cipher, bound = start
        with contextlib.suppress(Exception):  # One answer, whatever is wrong with it.
            return cipher.decrypt(_nonce(number), piece, bound)
        raise CorruptError(
            f"{path.name}: piece {number} cannot be opened: it is damaged, or not where it belongs"
        )

    def _bound(self, path: Path, start: bytes) -> bytes:
        place = path.relative_to(self._folder).as_posix()
        return b"\x00".join([start, self._chest.gallery.encode(), place.encode()])


def stored_size(size: int) -> int:
    """Bytes of an encrypted file of that many bytes."""
    return _START.size + size + _TAG * pieces_of(size)


def pieces_of(size: int) -> int:
    """Pieces that so many bytes are cut into; one where there are none."""
    return max(1, -(-size // PIECE))


def private(size: int) -> mmap.mmap:
    """Memory that no file is behind, and that stays out of a dump of the process."""
    memory = mmap.mmap(-1, max(1, size))
    if hasattr(mmap, "MADV_DONTDUMP"):
        with contextlib.suppress(OSError):
            memory.madvise(mmap.MADV_DONTDUMP)
    return memory


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "little")
