"""Which files make which record: folders, file names and CSV manifests."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fpmatch.errors import InputError

COLUMNS = (
    "record", "file", "position", "identity", "event", "contributor", "protected", "banned_uses",
)  # fmt: skip
NAMING = ("file", "path", "folder")
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0", "")


@dataclass(slots=True)
class Entry:
    """One record to be enrolled, before its files have been read.

    Parameters
    ----------
    record, identity, event, contributor, protected, banned_uses
        As in `fpmatch.Record`.
    files : list of (Path, str)
        Image or template files, each with its finger position as text, "" where none is stated.
    source : str
        Where the entry comes from, for messages.
    """

    record: str
    files: list[tuple[Path, str]]
    identity: str = ""
    event: str = ""
    contributor: str = ""
    protected: bool = False
    banned_uses: frozenset[str] = field(default_factory=frozenset)
    source: str = ""


def entries(sources: Sequence[Path], *, record: str = "", naming: str = "file") -> list[Entry]:
    """Records from image files and manifests; no two people become one by a shared file name.

    Parameters
    ----------
    sources : sequence of Path
        Images, templates, and ``.csv`` manifests.
    record : str
        Take all images as the fingers of this one record.
    naming : {"file", "path", "folder"}
        What a record is called that no manifest names: the file's name, its path below the
        folder that all files share, or its folder (whose files are then its fingers).

    Raises
    ------
    InputError
        If two files would get one record id, or a manifest cannot be read.
    """
    if naming not in NAMING:
        raise InputError(f"--names must be one of {', '.join(NAMING)}")
    out: dict[tuple[str, str], Entry] = {}
    images = []
    for source in sources:
        if source.suffix.lower() == ".csv":
            for entry in read_manifest(source):
                _join(out, entry)
        else:
            images.append(source)
    named = [Entry(record, [(p, "") for p in images])] if record and images else []
    listed = {name for name, _ in out}
    for entry in named or _by_name(images, naming):
        if entry.record in listed:
            raise InputError(
                f"record {entry.record!r} is named by a manifest and by {entry.files[0][0]}; "
                "list the file in the manifest or rename it"
            )
        out[entry.record, ""] = entry
    return list(out.values())


def unique_names(files: Sequence[Path], naming: str = "file") -> dict[Path, str]:
    """A name for each file, no two alike.

    Parameters
    ----------
    naming : {"file", "path"}
        The file's name without its ending, or its path below the folder that all share.

    Raises
    ------
    InputError
        If two different files would get one name; the message has both.
    """
    if naming not in ("file", "path"):
        raise InputError("--names must be file or path")
    files = list(dict.fromkeys(files))
    base = _shared_folder(files) if naming == "path" else None
    out: dict[Path, str] = {}
    taken: dict[str, Path] = {}
    for path in files:
        name = path.stem
        if base is not None:
            name = Path(os.path.abspath(path)).relative_to(base).with_suffix("").as_posix()
        other = taken.setdefault(name, path)
        if other is not path and not _same(other, path):
            raise InputError(
                f"{other} and {path} would both be called {name!r}; "
                + (
                    "rename one"
                    if naming == "path"
                    else "name them by their paths (--names path), or rename one"
                )
            )
        out[path] = name
    return out


def read_manifest(path: Path) -> list[Entry]:
    """Entries of a CSV file with the columns of `COLUMNS`; ``record`` and ``file`` are needed.

    Files are relative to the manifest's folder. A byte order mark, UTF-16 (as spreadsheets
    write it) and semicolons or tabs in place of commas are understood. ``banned_uses`` has
    spaces between its uses. Rows of one record and event make one entry.

    Raises
    ------
    InputError
        If a column is unknown or missing, a value cannot be read, or rows of one record and
        event disagree; with the line.
    """
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), delimiter=_delimiter(path))
    out: dict[tuple[str, str], Entry] = {}
    try:
        names = [(n or "").strip().lower() for n in reader.fieldnames or ()]
        _check_columns(path, names)
        reader.fieldnames = names
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row:
                raise InputError(f"{where}: more values than columns")
            _join(out, _entry(path, where, {k: (v or "").strip() for k, v in row.items()}))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from error
    return list(out.values())


def _check_columns(path: Path, names: Sequence[str]) -> None:
    missing = [c for c in ("record", "file") if c not in names]
    unknown = [n for n in names if n not in COLUMNS]
    # A misspelt `protected` that is passed over would protect nobody.
    if missing or unknown or len(set(names)) < len(names):
        said = ", ".join(repr(n[:40]) for n in names[:12]) or "none"
        raise InputError(
            f"{path}: the first line must name the columns record and file, and may name "
            f"{', '.join(COLUMNS[2:])}, each once; it has {said}"
        )


def _entry(path: Path, where: str, row: dict[str, str]) -> Entry:
    if not row["record"] or not row["file"]:
        raise InputError(f"{where}: the columns record and file need a value")
    flag = row.get("protected", "").lower()
    if flag not in (*_YES, *_NO):
        raise InputError(f"{where}: protected must be yes or no, not {flag[:40]!r}")
    return Entry(
        record=row["record"],
        files=[(path.parent / row["file"], row.get("position", ""))],
        identity=row.get("identity", ""),
        event=row.get("event", ""),
        contributor=row.get("contributor", ""),
        protected=flag in _YES,
        banned_uses=frozenset(row.get("banned_uses", "").split()),
        source=where,
    )


def _join(out: dict[tuple[str, str], Entry], entry: Entry) -> None:
    first = out.setdefault((entry.record, entry.event), entry)
    if first is entry:
        return
    for name in ("identity", "contributor", "protected", "banned_uses"):
        if getattr(first, name) != getattr(entry, name):
            raise InputError(
                f"{entry.source}: {name} differs from that of the same record in {first.source}"
            )
    first.files += entry.files


def _by_name(images: Sequence[Path], naming: str) -> list[Entry]:
    if naming != "folder":
        named = {name: path for path, name in unique_names(images, naming).items()}
        return [Entry(name, [(path, "")]) for name, path in named.items()]
    folders: dict[Path, list[Path]] = {}
    for path in dict.fromkeys(images):
        folders.setdefault(Path(os.path.abspath(path)).parent, []).append(path)
    names: dict[str, Path] = {}
    for folder in folders:
        other = names.setdefault(folder.name, folder)
        if other is not folder:
            raise InputError(f"{other} and {folder} would both be record {folder.name!r}")
    return [Entry(f.name, [(p, "") for p in paths]) for f, paths in folders.items()]


def _shared_folder(files: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([os.path.dirname(os.path.abspath(p)) for p in files]))


def _same(a: Path, b: Path) -> bool:
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is no UTF-8; save it as 'CSV UTF-8'"
        ) from error


def _delimiter(path: Path) -> str:
    head = _text(path).partition("\n")[0]
    return max(",;\t", key=head.count)
