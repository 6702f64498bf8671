"""Folders of ``<finger>_<impression>.<ext>``, the ppi map and the identities file."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpmatch.checks import is_folder
from fpmatch.errors import InputError, ResolutionError

_FILE = re.compile(
    r"(?P<finger>.+)_(?P<impression>\d+)\.(png|tiff?|bmp|jpe?g|jp2|j2k|wsq|pgm)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ImpressionFile:
    """One image of one finger."""

    path: Path
    finger: str
    impression: int


@dataclass(frozen=True, slots=True)
class Database:
    """One folder under its name in the results."""

    name: str
    path: Path
    ppi: float | None
    impressions: tuple[ImpressionFile, ...]


@dataclass(frozen=True, slots=True)
class Identities:
    """Which fingers of which databases are one finger of one person.

    ``label`` maps (database name, finger) to the label of its identity.
    """

    label: Mapping[tuple[str, str], str]

    def of(self, database: str, finger: str) -> str:
        """The identity of a finger; its own unless the identities file joins it."""
        return self.label.get((database, finger), f"{database}:{finger}")


def read_ppi_map(path: str | os.PathLike[str]) -> dict[str, float]:
    """Read a JSON object from folder key to pixels per inch.

    Raises
    ------
    InputError
        If the file is no such object.
    ResolutionError
        If a value is no number.
    """
    try:
        raw = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the ppi map {path}: {error}") from error
    if not isinstance(raw, dict):
        raise InputError(f"the ppi map {path} must be a JSON object of folder key to ppi")
    for key, value in raw.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ResolutionError(f"the ppi map {path} gives {value!r} for {key!r}: not a number")
    return {key: float(value) for key, value in raw.items()}


def read_identity_rows(path: str | os.PathLike[str]) -> list[tuple[str, str, str, str]]:
    """Read rows of folder, finger, same_as_folder, same_as_finger.

    Raises
    ------
    InputError
        If the columns are missing or a row is incomplete.
    """
    columns = ("folder", "finger", "same_as_folder", "same_as_finger")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not set(columns) <= set(reader.fieldnames or ()):
                raise InputError(f"the identities file {path} needs the columns {columns}")
            rows = [tuple((row[c] or "").strip() for c in columns) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the identities file {path}: {error}") from error
    for number, row in enumerate(rows, 2):
        if not all(row):
            raise InputError(f"{path}, line {number}: every column needs a value")
    return [(a, b, c, d) for a, b, c, d in rows]


def find_databases(
    folders: Sequence[str | os.PathLike[str]],
    *,
    ppi: float | None = None,
    ppi_map: Mapping[str, float] | None = None,
    identity_keys: Iterable[str] = (),
) -> list[Database]:
    """List the impressions of each folder, named by the longest key that ends its path.

    Parameters
    ----------
    folders : sequence of path
    ppi : float, optional
        Resolution of folders that the map does not name; None leaves it to the files.
    ppi_map : mapping, optional
        Folder key to resolution.
    identity_keys : iterable of str
        Folder keys of the identities file; they name folders as well.

    Raises
    ------
    InputError
        If a folder is absent or holds no impression, or two folders get one name.
    """
    if not folders:
        raise InputError("no folder given")
    ppi_map = ppi_map or {}
    out: list[Database] = []
    for given in folders:
        path = Path(given)
        key = match_key(path, ppi_map)
        name_key = match_key(path, [*ppi_map, *identity_keys])
        resolution = ppi_map[key] if key is not None else ppi
        text = os.fspath(given).rstrip("/\\") or os.fspath(given)
        out.append(Database(name_key or text, path, resolution, _impressions(path)))
    names = [d.name for d in out]
    for database in out:
        if names.count(database.name) > 1:
            paths = ", ".join(str(d.path) for d in out if d.name == database.name)
            raise InputError(f"{paths} would share the name {database.name!r}; use longer keys")
    return out


def match_key(path: Path, keys: Iterable[str]) -> str | None:
    """The longest key whose parts are the last parts of the path; None if there is none."""
    parts = Path(os.path.abspath(path)).parts
    resolved = path.resolve().parts
    best: tuple[int, str] | None = None
    for key in keys:
        tail = tuple(p for p in re.split(r"[/\\]", key) if p not in ("", "."))
        if not tail or (parts[-len(tail) :] != tail and resolved[-len(tail) :] != tail):
            continue
        if best is None or len(tail) > best[0]:
            best = (len(tail), key)
    return best[1] if best else None


def join_identities(
    databases: Sequence[Database], rows: Sequence[tuple[str, str, str, str]]
) -> Identities:
    """Union the fingers that the rows call the same; rows on other folders have no effect."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    names = {key: _database_of(databases, key) or key for row in rows for key in (row[0], row[2])}
    for folder, finger, same_folder, same_finger in rows:
        a, b = root((names[folder], finger)), root((names[same_folder], same_finger))
        parent[max(a, b)] = min(a, b)
    return Identities({node: ":".join(root(node)) for node in list(parent)})


def _database_of(databases: Sequence[Database], key: str) -> str | None:
    names = [d.name for d in databases if match_key(d.path, [key]) is not None]
    if len(names) > 1:
        raise InputError(f"the identities file's folder {key!r} fits {', '.join(names)}")
    return names[0] if names else None


def _impressions(folder: Path) -> tuple[ImpressionFile, ...]:
    if not is_folder(folder):
        raise InputError(f"{folder} is no folder")
    found = []
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match is not None and path.is_file():
            found.append(ImpressionFile(path, match["finger"], int(match["impression"])))
    if not found:
        raise InputError(f"{folder} holds no image named <finger>_<impression>.<ext>")
    seen: set[tuple[str, int]] = set()
    for item in found:
        if (item.finger, item.impression) in seen:
            raise InputError(f"{folder}: two images of finger {item.finger}, {item.impression}")
        seen.add((item.finger, item.impression))
    return tuple(sorted(found, key=lambda i: (i.finger, i.impression)))
