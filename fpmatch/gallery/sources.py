"""Records from an iterable, an Arrow table, a Parquet or an Arrow file.

Columnar sources have one row a finger: ``record`` (text) and ``template`` (binary, the stored
form of `Template.to_bytes`) are needed; ``position`` (whole number) overrides the template's own;
``identity``, ``event``, ``contributor`` (text), ``protected`` (truth value) and ``banned_uses``
(list of text) are taken from the first finger of a record; ``source_sha256`` (text, hexadecimal)
says which file a template was taken from. Neighbouring rows of one record and event are one item;
a record that comes again later adds to what was enrolled.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from fpmatch.checks import path_of, quoted
from fpmatch.errors import InputError, MissingExtra
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Record, SourcedRecord

NEEDED = ("record", "template")
OPTIONAL = (
    "position", "identity", "event", "contributor", "protected", "banned_uses", "source_sha256",
)  # fmt: skip
_ARROW = b"ARROW1"
_BATCH = 4096


def records(source: Any) -> Iterator[Any]:
    """Iterate over the records of any source.

    Parameters
    ----------
    source : iterable of Record, pyarrow.Table, or path of a Parquet or Arrow file

    Yields
    ------
    Record, or `Unreadable` for an item of a columnar source that makes none

    Raises
    ------
    InputError
        If the source is none of these, or lacks a column.
    MissingExtra
        If it needs pyarrow and that is not installed.
    """
    if _is_columnar(source):
        return _columnar(*_opened(source)[:2])
    if isinstance(source, Record):
        return iter([source])
    if isinstance(source, Iterable):
        return iter(source)
    raise InputError(
        "enrol takes an iterable of Record, an Arrow table or the path of a Parquet or Arrow "
        "file, not "
        f"{type(source).__name__}"
    )


def rows(source: Any) -> int:
    """How many rows a columnar source has; its columns are checked, and no row is read.

    Raises
    ------
    InputError
        If it is none, lacks a column or seems to misspell one.
    MissingExtra
        If it needs pyarrow and that is not installed.
    """
    if not _is_columnar(source):
        raise InputError(f"{quoted(source)} is no table and no path of one")
    names, _, count = _opened(source)
    _columns(names)
    return count


def _is_columnar(source: Any) -> bool:
    table = hasattr(source, "to_batches") and hasattr(source, "column_names")
    return table or isinstance(source, str | os.PathLike)


def _opened(source: Any) -> tuple[list[str], Iterable[Any], int]:
    """Columns, batches and number of rows."""
    if not isinstance(source, str | os.PathLike):
        return source.column_names, source.to_batches(_BATCH), source.num_rows
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra(
            "Parquet and Arrow need pyarrow: pip install 'fpmatch[arrow]'"
        ) from error
    path = path_of(source)
    try:
        with open(path, "rb") as file:
            arrow = file.read(len(_ARROW)) == _ARROW
        if not arrow:
            found = pq.ParquetFile(path)
            count = found.metadata.num_rows
            return found.schema_arrow.names, _told(path, found.iter_batches(_BATCH)), count
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        kept = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        return reader.schema.names, _told(path, _valid(kept)), sum(b.num_rows for b in kept)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _valid(batches: Iterable[Any]) -> Iterator[Any]:
    """Batches of a file that was mapped as it lies, each looked through before it is used."""
    for batch in batches:
        batch.validate(full=True)
        yield batch


def _told(path: Any, batches: Iterable[Any]) -> Iterator[Any]:
    """The batches; what is damaged further on is told of in our words."""
    import pyarrow as pa

    try:
        yield from batches
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Any, error: Exception) -> InputError:
    return InputError(
        f"{quoted(os.fspath(path))} cannot be read as Parquet or Arrow: {str(error)[:200]}"
    )


def _columns(names: Sequence[str]) -> list[str]:
    """Those that are read, of all that a source has."""
    missing = [n for n in NEEDED if n not in names]
    if missing:
        raise InputError(f"the table has no column {missing[0]!r}; it needs {', '.join(NEEDED)}")
    columns = [n for n in (*NEEDED, *OPTIONAL) if n in names]
    for name in names:
        near = difflib.get_close_matches(str(name).strip().lower(), (*NEEDED, *OPTIONAL), 1, 0.75)
        if name not in columns and near:
            # A misspelt `protected` that is passed over would protect nobody.
            raise InputError(f"the table has a column {quoted(name)}; is {near[0]!r} meant?")

    if len(set(names)) < len(names):
        raise InputError("the table has two columns of one name")
    return columns


def _columnar(names: Sequence[str], batches: Iterable[Any]) -> Iterator[Any]:
    columns = _columns(names)

    def each() -> Iterator[dict[str, Any]]:
        for batch in batches:
            yield from batch.select(columns).to_pylist()

    groups = groupby(each(), key=lambda row: (row["record"], row.get("event") or ""))
    return (_record(list(group)) for _, group in groups)


def _record(rows: list[dict[str, Any]]) -> Any:
    first = rows[0]
    try:
        fingers = [_finger(row) for row in rows]
        made_from = tuple(_digest(row) for row in rows)
        for name in ("identity", "contributor", "protected", "banned_uses"):
            if any(row.get(name) != first.get(name) for row in rows):
                raise InputError(f"rows of one record differ in {name}")
    except InputError as error:
        return Unreadable(first["record"] if isinstance(first["record"], str) else "", str(error))
    protected, banned = first.get("protected"), first.get("banned_uses")
    # Of the types that they are: what cannot be read as a ban is refused when it is enrolled.
    return SourcedRecord(
        sources=made_from if any(made_from) else (),
        record=first["record"],
        fingers=fingers,
        identity=first.get("identity") or "",
        event=first.get("event") or "",
        contributor=first.get("contributor") or "",
        protected=False if protected is None else protected,
        banned_uses=frozenset() if banned is None else banned,
    )


def _finger(row: dict[str, Any]) -> Template:
    if not isinstance(row["template"], bytes):
        raise InputError("the template column must be binary")
    template = Template.from_bytes(row["template"])
    position = row.get("position")
    if position is None:
        return template
    try:
        return dataclasses.replace(template, position=FingerPosition(position))
    except ValueError as error:
        raise InputError(f"{quoted(position)} is no finger position 0..10") from error


def _digest(row: dict[str, Any]) -> bytes:
    """The file that a template was taken from."""
    said = row.get("source_sha256") or ""
    try:
        found = bytes.fromhex(said)
    except (TypeError, ValueError):
        found = b"?"
    if len(found) not in (0, 32):
        raise InputError("source_sha256 must be 64 hexadecimal digits")
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for an item of a columnar source that makes no record; refused when enrolled."""

    record: str
    why: str
