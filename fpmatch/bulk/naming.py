"""What records are called that no manifest names: by file, by path or by folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from fpmatch.checks import check_choice, check_path, check_paths, check_several, is_file
from fpmatch.errors import InputError

NAMING = ("file", "path", "folder")


def unique_names(
    files: Sequence[Path], naming: str = "file", base: Path | None = None
) -> dict[Path, str]:
    """A name for each file, no two alike.

    Parameters
    ----------
    files : sequence of Path
        A file that is named twice is one file.
    naming : {"file", "path"}
        The file's name without its ending, or its path below the folder that all share.
    base : Path, optional
        The folder that counts as shared.

    Raises
    ------
    InputError
        If two different files would get one name; the message has both.
    """
    check_choice("the naming of files", naming, NAMING[:2])
    files = list(
        dict.fromkeys(check_paths("files", list(check_several("files", files, most=1 << 31))))
    )
    if base is not None:
        check_path("base", base)
    shared = (base or _shared_folder(files)) if naming == "path" and files else None
    out: dict[Path, str] = {}
    taken: dict[str, Path] = {}
    for path in files:
        name = path.stem
        if shared is not None:
            below = os.path.relpath(os.path.abspath(path), os.path.abspath(shared))
            name = Path(below).with_suffix("").as_posix()
        other = taken.setdefault(name, path)
        if other is not path and not _same(other, path):
            raise InputError(
                f"{other} and {path} would both be called {name!r}; "
                + (
                    "rename one, or say which are meant (--pattern '*.png')"
                    if naming == "path"
                    else "say which are meant (--pattern '*.png'), name them by their paths "
                    "(--names path), or rename one"
                )
            )
        out[path] = name
    return out


def by_folder(files: Sequence[Path]) -> dict[str, list[Path]]:
    """The files of each folder, by the folder's name.

    Raises
    ------
    InputError
        If two folders have one name.
    """
    folders: dict[Path, list[Path]] = {}
    for path in dict.fromkeys(files):
        folders.setdefault(Path(os.path.abspath(path)).parent, []).append(path)
    names: dict[str, Path] = {}
    for folder in folders:
        other = names.setdefault(folder.name, folder)
        if other is not folder:
            raise InputError(f"{other} and {folder} would both be record {folder.name!r}")
    return {folder.name: paths for folder, paths in folders.items()}


def files_below(folder: Path, pattern: str = "*") -> list[Path]:
    """Every file in a folder and those below it, in the order of their paths; hidden ones not.

    Parameters
    ----------
    folder : Path
    pattern : str
        What names have to match, as ``*.png``.

    Raises
    ------
    InputError
        If a folder cannot be read.
    """
    out: list[Path] = []

    def fail(error: OSError) -> None:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from error

    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        named = (name for name in names if fnmatchcase(name, pattern))
        out += [Path(place, name) for name in named if not name.startswith(".")]
    # Links to files are files; pipes and sockets are none, and would be waited for.
    return sorted(path for path in out if is_file(path))


def _shared_folder(files: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([os.path.dirname(os.path.abspath(p)) for p in files]))


def _same(a: Path, b: Path) -> bool:
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False
