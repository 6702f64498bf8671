"""Sources of a bulk enrolment: files and manifests, tables, transactions."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from fpmatch.bulk.items import Item, Part, Source
from fpmatch.bulk.manifest import join, looks_like_one, read_manifest
from fpmatch.bulk.naming import NAMING, by_folder, files_below, unique_names
from fpmatch.checks import check_choice, check_text, is_file, is_folder, path_of, quoted
from fpmatch.errors import FormatError, FpmatchError, InputError
from fpmatch.formats import TaggedRecord, Transaction, read
from fpmatch.gallery import sources as columnar
from fpmatch.types import Record

MANIFEST = "manifest.csv"
_HEAD = 4096
"""Bytes that tell what a file is."""
_PARQUET, _ARROW = b"PAR1", b"ARROW1"
_FIELD = re.compile(r"([12])\.(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Listed:
    """Items that are known before any of them is read."""

    entries: tuple[Item, ...]

    @property
    def total(self) -> int | None:
        """How many."""
        return len(self.entries)

    def items(self) -> Iterator[Item]:
        """The items."""
        return iter(self.entries)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of an Arrow table, an Arrow file or a Parquet file; see `table`."""

    source: Any
    total: int | None = None

    def items(self) -> Iterator[Item]:
        """Neighbouring rows of one record and event are one item."""
        for made in columnar.records(self.source):
            if isinstance(made, Record):
                yield Item(made.record, event=made.event, made=made)
            else:
                yield Item(made.record, problem=("InputError", made.why))


@dataclass(frozen=True, slots=True)
class Transactions:
    """A file of ANSI/NIST-ITL for each record; see `transactions`."""

    files: tuple[Path, ...]
    fields: tuple[tuple[str, str], ...]

    @property
    def total(self) -> int | None:
        """How many."""
        return len(self.files)

    def items(self) -> Iterator[Item]:
        """Each named by its own fields; the file is read for them, and again for its fingers.

        Two files of one record and event are two people as likely as one: the second is refused.
        """
        seen: set[bytes] = set()
        for path in self.files:
            item = Item(path.stem, [Part(str(path))], where=str(path))
            try:
                content = _transaction(path)
                for name, number in self.fields:
                    setattr(item, name, _text_of(content, number, needed=name == "record"))
                _check_new(seen, item)
            except FpmatchError as error:
                item.problem = (type(error).__name__, str(error))
            yield item


def files(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    record: str = "",
    names: str = "path",
    pattern: str = "*",
) -> Source:
    """Pictures, templates and transactions, manifests of such, and folders of such files.

    Parameters
    ----------
    paths : path, or sequence of paths
        A folder stands for every file in it and below that is not hidden; one with a
        ``manifest.csv``, as an export has it, for what that lists. CSV files with a column
        ``record`` are manifests (see `read_manifest`): what is in them is named there.
    record : str
        Take all files that no manifest names as the fingers of this one record.
    names : {"path", "file", "folder"}
        What a record is called that no manifest names: its path below the folder given (or, for
        files, below the one that all share), its file's name, both without the ending; or its
        folder's name, whose files are then its fingers.
    pattern : str
        Which files of folders are meant, by name: ``*.png``.

    Raises
    ------
    InputError
        If two people would get one record id, or a manifest or folder cannot be read.
    """
    check_choice("names (--names)", names, NAMING)
    check_text("record", record, longest=255)
    check_text("pattern", pattern, empty=False)
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    if not isinstance(given, list | tuple):
        raise InputError(f"a source is a path or a list of paths, not {quoted(paths)}")
    out: dict[tuple[str, str], Item] = {}
    plain: list[Path] = []
    folders: list[tuple[Path, list[Path]]] = []
    for path in map(path_of, given):
        inside = path / MANIFEST
        if is_folder(path) and not is_file(inside):
            folders.append((path, files_below(path, pattern)))
        elif is_folder(path) or is_manifest(path):
            for item in read_manifest(inside if is_folder(path) else path):
                join(out, item)
        else:
            plain.append(path)
    named = _named(plain, folders, record, names)
    listed = {item.record for item in out.values()}
    for item in named:
        clash = item.record in listed or (item.record, "") in out
        if clash:
            raise InputError(
                f"record {item.record!r} is named twice, the second time by {item.parts[0].path}; "
                "list the file in a manifest or rename it"
            )
        out[item.record, ""] = item
    return Listed(tuple(out.values()))


def table(source: Any) -> Source:
    """Stored templates: an Arrow table, or the path of a Parquet or Arrow file.

    Parameters
    ----------
    source : pyarrow.Table or path
        The columns are those of `fpmatch.gallery.sources`, in any order.

    Raises
    ------
    InputError
        If a column is missing or misspelt, or the file is none of these.
    MissingExtra
        If pyarrow is not installed.
    """
    return Table(source, columnar.rows(source))


def transactions(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    record: str = "1.009",
    identity: str = "",
    event: str = "",
    contributor: str = "",
    pattern: str = "*",
) -> Source:
    """ANSI/NIST-ITL transactions, a record each: all its single fingers.

    Parameters
    ----------
    paths : path, or sequence of paths
        Files, or folders of them.
    record, identity, event, contributor : str
        The field of Type-1 or Type-2 that each is taken from: ``1.009`` is the control number,
        which every transaction has; ``2.009`` the agency's case, ``2.014`` the FBI number,
        ``2.073`` the booking station. Empty: none. A transaction that lacks the record's field is
        refused; one that lacks another has none of that. Two of one record and event are refused
        too: where a person has several transactions, name a field for the event.
    pattern : str
        Which files of folders are meant, by name: ``*.an2``.

    Raises
    ------
    InputError
        If a field is none of these, or a folder cannot be read.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    if not isinstance(given, list | tuple):
        raise InputError(f"a source is a path or a list of paths, not {quoted(paths)}")
    asked = {"record": record, "identity": identity, "event": event, "contributor": contributor}
    for name, number in asked.items():
        check_text(f"the field of {name}", number, empty=name != "record")
        if number and _FIELD.fullmatch(number) is None:
            raise InputError(
                f"the field of {name} must read like 1.009 or 2.014, not {quoted(number)}"
            )
    check_text("pattern", pattern, empty=False)
    found = [path_of(one) for one in given]
    every = chain.from_iterable(files_below(p, pattern) if is_folder(p) else [p] for p in found)
    return Transactions(tuple(every), tuple((k, v) for k, v in asked.items() if v))


def source_of(given: Any) -> Source:
    """The source that is meant: one made here as it is, a path or a table by its content.

    Raises
    ------
    InputError
        If it is none.
    """
    if callable(getattr(given, "items", None)) and hasattr(given, "total"):
        found: Source = given
        return found
    if hasattr(given, "to_batches") and hasattr(given, "column_names"):
        return table(given)
    if isinstance(given, str | os.PathLike) and is_table(path_of(given)):
        return table(given)
    return files(given)


def is_table(path: Path) -> bool:
    """Whether a file is of Parquet or Arrow, by how it begins."""
    return _head(path).startswith((_PARQUET, _ARROW))


def is_manifest(path: Path) -> bool:
    """Whether a file is a manifest: it is called ``.csv``, or begins as one."""
    return path.suffix.lower() == ".csv" or looks_like_one(_head(path))


def _head(path: Path) -> bytes:
    try:
        # What is read twice has to be a file: a pipe gives its bytes once.
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _named(
    plain: list[Path], folders: list[tuple[Path, list[Path]]], record: str, names: str
) -> Iterator[Item]:
    every = list(chain(plain, *(found for _, found in folders)))
    if record:
        if every:
            yield Item(record, [Part(str(p)) for p in every])
    elif names == "folder":
        for name, paths in by_folder(every).items():
            yield Item(name, [Part(str(p)) for p in paths])
    elif names == "file":
        yield from _single(unique_names(every, names))
    else:
        for base, some in [(None, plain), *folders]:
            yield from _single(unique_names(some, names, base))


def _single(named: dict[Path, str]) -> Iterator[Item]:
    """An item for each name; what has one name is one file."""
    for name, path in {name: path for path, name in named.items()}.items():
        yield Item(name, [Part(str(path))])


def _check_new(seen: set[bytes], item: Item) -> None:
    key = hashlib.sha256(f"{item.record}\x00{item.event}".encode("utf-8", "replace")).digest()[:8]
    if key in seen:
        raise InputError(
            f"an earlier file has the record {quoted(item.record)} and the event "
            f"{quoted(item.event)} too; name a field that tells events apart, or take it out"
        )
    seen.add(key)


def _transaction(path: Path) -> Transaction:
    content = read(path)
    if not isinstance(content, Transaction):
        raise FormatError("it is no ANSI/NIST-ITL transaction")
    return content


def _text_of(content: Transaction, number: str, *, needed: bool) -> str:
    found = _FIELD.fullmatch(number)
    assert found is not None
    kind, field = int(found[1]), int(found[2])
    records = [r for r in content.of_type(kind) if isinstance(r, TaggedRecord)]
    values = [value for record in records for value in record.all(field)]
    if len(values) > 1:
        raise FormatError(f"field {number} stands {len(values)} times", values[1].at)
    text = values[0].text.strip() if values else ""
    if needed and not text:
        raise FormatError(f"field {number} is absent: nothing says which record it is")
    return text
