"""A bucket's files, read at one host and written at another: segments are not made anew."""

from __future__ import annotations

from pathlib import Path

from fpmatch.checks import check_integer, check_text, quoted
from fpmatch.durable import storage_errors
from fpmatch.errors import InputError

PIECE = 8 << 20
"""Bytes that travel at a time."""
LOCK = "lock"


def files(folder: Path) -> list[list[object]]:
    """Names, below a bucket's folder, and sizes of its files; its lock is its own."""
    found = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != LOCK)
    return [[p.relative_to(folder).as_posix(), p.stat().st_size] for p in found]


def read(folder: Path, name: str, first: int, most: int) -> bytes:
    """A piece of a file.

    Parameters
    ----------
    folder : Path
    name : str
        As `files` told it.
    first, most : int
        Where to begin, and how many bytes.

    Raises
    ------
    InputError
        If there is no such file.
    StorageError
        If it cannot be read.
    """
    path = _inside(folder, name)
    check_integer("from", first, 0, 2**62)
    with storage_errors("a bucket's file"), open(path, "rb") as file:
        file.seek(first)
        return file.read(check_integer("most", most, 1, PIECE))


def write(folder: Path, name: str, first: int, content: bytes) -> None:
    """Put a piece of a file where it belongs.

    Parameters
    ----------
    folder : Path
    name : str
    first : int
        How long the file is before; 0 begins it.
    content : bytes

    Raises
    ------
    InputError
        If it is no name of a bucket's file.
    StorageError
        If it cannot be written.
    """
    path = _inside(folder, name)
    check_integer("from", first, 0, 2**62)
    with storage_errors("a bucket's file"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "r+b" if first else "wb") as file:
            file.seek(first)
            file.write(content)


def _inside(folder: Path, name: str) -> Path:
    parts = check_text("file", name, empty=False).split("/")
    odd = [p for p in parts if p in ("", ".", "..") or "\\" in p or "\0" in p]
    if odd or len(parts) > 2:
        raise InputError(f"a bucket has no file {quoted(name)}")
    return folder.joinpath(*parts)
