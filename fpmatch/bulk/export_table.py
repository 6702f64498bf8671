"""An export as one Parquet or Arrow file, with a row for each impression."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fpmatch.bulk.writing import Row, check_free, sha256
from fpmatch.durable import replacing, storage_errors
from fpmatch.errors import InputError, MissingExtra

PARQUET, ARROW = TABLES = ("parquet", "arrow")
_ROWS = 4096
"""Rows held until they are written."""
_OURS = 0o600


class TableFile:
    """Writes rows in groups.

    Parameters
    ----------
    writer : pyarrow.parquet.ParquetWriter or pyarrow.ipc.RecordBatchFileWriter
    schema : pyarrow.Schema
    """

    def __init__(self, writer: Any, schema: Any) -> None:
        self._writer = writer
        self._schema = schema
        self._rows: list[dict[str, Any]] = []

    def add(self, row: Row) -> None:
        """Keep a row, and write where there are many."""
        self._rows.append(row.values() | {"template": row.content, "sha256": sha256(row.content)})
        if len(self._rows) >= _ROWS:
            self._write()

    def end(self, totals: Mapping[str, int]) -> None:
        """Write what is left."""
        self._write()

    def _write(self) -> None:
        import pyarrow as pa

        rows, self._rows = self._rows, []
        self._writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=self._schema))


@contextmanager
def table_file(target: Path, format: str, about: str) -> Iterator[TableFile]:
    """A file that is there as a whole when this ends, or not at all.

    Parameters
    ----------
    target : Path
    format : str
        One of `TABLES`.
    about : str
        JSON of where it comes from; kept in the schema's metadata.

    Raises
    ------
    InputError
        If something lies there.
    WriteError
        If it cannot be written.
    MissingExtra
        If pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra(
            "Parquet and Arrow need pyarrow: pip install 'fpmatch[arrow]'"
        ) from error
    check_free(target)
    if target.exists():
        raise InputError(f"{target} is a folder; {format} is one file")
    text = pa.string()
    schema = pa.schema(
        [
            ("record", text), ("template", pa.binary()), ("position", pa.uint8()),
            ("identity", text), ("event", text), ("contributor", text), ("protected", pa.bool_()),
            ("banned_uses", pa.list_(text)), ("sha256", text), ("source_sha256", text),
            ("extractor", text), ("slap", pa.uint8()),
        ],
        metadata={"fpmatch": about},
    )  # fmt: skip
    with storage_errors(str(target)), replacing(target) as file:
        os.chmod(file.name, _OURS)
        opened = (
            pq.ParquetWriter(file, schema, compression="zstd")
            if format == PARQUET
            else pa.ipc.new_file(file, schema)
        )
        with opened as writer:
            yield TableFile(writer, schema)
