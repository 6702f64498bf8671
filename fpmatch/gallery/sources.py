"""Records from an iterable, an Arrow table or a Parquet file.

Columnar sources have one row a finger: ``record`` (text) and ``template`` (binary, the stored
form of `Template.to_bytes`) are needed; ``position`` (whole number) overrides the template's own;
``identity``, ``event``, ``contributor`` (text), ``protected`` (truth value) and ``banned_uses``
(list of text) are taken from the first finger of a record. Neighbouring rows of one record and
event are one item; a record that comes again later adds to what was enrolled.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from fpmatch.checks import path_of, quoted
from fpmatch.errors import InputError, MissingExtra
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Record

NEEDED = ("record", "template")
OPTIONAL = ("position", "identity", "event", "contributor", "protected", "banned_uses")


def records(source: Any) -> Iterator[Any]:
    """Iterate over the records of any source.

    Parameters
    ----------
    source : iterable of Record, pyarrow.Table, or path of a Parquet file

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
    if isinstance(source, (str, os.PathLike)):
        return _columnar(_parquet(source))
    if hasattr(source, "to_batches") and hasattr(source, "column_names"):
        return _columnar((source.column_names, source.to_batches()))
    if isinstance(source, Record):
        return iter([source])
    if isinstance(source, Iterable):
        return iter(source)
    raise InputError(
        "enrol takes an iterable of Record, an Arrow table or the path of a Parquet file, not "
        f"{type(source).__name__}"
    )


def _parquet(path: str | os.PathLike[str]) -> tuple[list[str], Iterable[Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Parquet needs pyarrow: pip install 'fpmatch[arrow]'") from error
    try:
        file = pq.ParquetFile(path_of(path))
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{quoted(os.fspath(path))} cannot be read as Parquet: {str(error)[:200]}"
        ) from error
    return file.schema_arrow.names, file.iter_batches(batch_size=4096)


def _columnar(source: tuple[list[str], Iterable[Any]]) -> Iterator[Any]:
    names, batches = source
    missing = [n for n in NEEDED if n not in names]
    if missing:
        raise InputError(f"the table has no column {missing[0]!r}; it needs {', '.join(NEEDED)}")
    columns = [n for n in (*NEEDED, *OPTIONAL) if n in names]
    for name in names:
        near = difflib.get_close_matches(str(name).strip().lower(), (*NEEDED, *OPTIONAL), 1, 0.75)
        if name not in columns and near:
            # A misspelt `protected` that is passed over would protect nobody.
            raise InputError(f"the table has a column {quoted(name)}; is {near[0]!r} meant?")

    def rows() -> Iterator[dict[str, Any]]:
        for batch in batches:
            yield from batch.select(columns).to_pylist()

    for _, group in groupby(rows(), key=lambda row: (row["record"], row.get("event") or "")):
        yield _record(list(group))


def _record(rows: list[dict[str, Any]]) -> Any:
    first = rows[0]
    try:
        fingers = [_finger(row) for row in rows]
        for name in ("identity", "contributor", "protected", "banned_uses"):
            if any(row.get(name) != first.get(name) for row in rows):
                raise InputError(f"rows of one record differ in {name}")
    except InputError as error:
        return Unreadable(first["record"] if isinstance(first["record"], str) else "", str(error))
    protected, banned = first.get("protected"), first.get("banned_uses")
    # Of the types that they are: what cannot be read as a ban is refused when it is enrolled.
    return Record(
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


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for an item of a columnar source that makes no record; refused when enrolled."""

    record: str
    why: str
