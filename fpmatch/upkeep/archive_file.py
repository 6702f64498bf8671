"""The portable archive: a ZIP file of a Parquet table and some JSON, read by other programs too.

``records.parquet``
    A row for each impression of each event of each record: `COLUMNS`.
``gallery.json``
    Partitions with number, owner, size to come, root; requests to opt out.
``policies.json``
    Each published policy: version, digest, document.
``archive.json``
    Format, time, release, SHA-256 and length of each other member; written last.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fpmatch.durable import replacing, storage_errors
from fpmatch.errors import MALFORMED, CorruptError, FpmatchError, InputError, MissingExtra

FORMAT = 1
RECORDS, GALLERY, POLICIES, LIST = (
    "records.parquet", "gallery.json", "policies.json", "archive.json",
)  # fmt: skip
MEMBERS = (RECORDS, GALLERY, POLICIES, LIST)
COLUMNS = {
    "partition": "string",
    "record": "string",
    "identity": "string",
    "contributor": "string",
    "protected": "bool",
    "sealed": "bool",
    "banned_uses": "list<string>",
    "event": "string",
    "item": "binary",
    "position": "uint8",
    "template": "binary",
    "source": "binary",
}
"""Columns of the table and their types. ``item`` and ``source`` are SHA-256 of what an event and an
impression were made from, empty where nobody said; a template is in the stored form."""
_MOST_JSON = 1 << 28
_CHUNK = 1 << 20
_ROWS = 4096


def arrow() -> Any:
    """The modules pyarrow and pyarrow.parquet; `MissingExtra` without them."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtra("an archive needs pyarrow: pip install 'fpmatch[arrow]'") from error
    return pyarrow, parquet


class _Member(io.RawIOBase):
    """A member that is written from its start to its end, and its digest."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        self.digest.update(data)
        self.length += len(data)
        return len(data)

    def tell(self) -> int:
        return self.length


class Writer:
    """Writes an archive member by member."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members: dict[str, dict[str, Any]] = {}

    def json(self, name: str, said: Any) -> None:
        """Write a member of JSON; `CorruptError` where a value is damaged."""
        try:
            content = json.dumps(said, indent=1).encode()
        except MALFORMED as error:
            raise CorruptError(f"{name}: what is stored is damaged, and cannot be said") from error
        with self._member(name) as member:
            member.write(content)

    def rows(self, rows: Iterator[Mapping[str, Any]]) -> int:
        """Write the table; how many rows."""
        pyarrow, parquet = arrow()
        schema = schema_of(pyarrow)
        count = 0
        with self._member(RECORDS) as member, parquet.ParquetWriter(member, schema) as writer:
            few: list[Mapping[str, Any]] = []
            for row in rows:
                few.append(row)
                count += 1
                if len(few) >= _ROWS:
                    writer.write_batch(pyarrow.RecordBatch.from_pylist(few, schema=schema))
                    few = []
            if few:
                writer.write_batch(pyarrow.RecordBatch.from_pylist(few, schema=schema))
        return count

    def end(self, said: Mapping[str, Any]) -> None:
        """Write the list of members, with what is said of the whole."""
        content = {"format": FORMAT, **said, "members": self._members}
        self._archive.writestr(LIST, json.dumps(content, indent=1))

    @contextmanager
    def _member(self, name: str) -> Iterator[_Member]:
        with self._archive.open(name, "w", force_zip64=True) as file:
            member = _Member(file)
            yield member
        self._members[name] = {"sha256": member.digest.hexdigest(), "bytes": member.length}


def schema_of(pyarrow: Any) -> Any:
    """The schema of the table."""
    kinds = {
        "string": pyarrow.string(),
        "bool": pyarrow.bool_(),
        "binary": pyarrow.binary(),
        "uint8": pyarrow.uint8(),
        "list<string>": pyarrow.list_(pyarrow.string()),
    }
    return pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])


@contextmanager
def writing(target: Path) -> Iterator[Writer]:
    """An archive that is there as a whole when this ends, or not at all.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    with (
        storage_errors(target.name),
        replacing(target) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        yield Writer(archive)


class Reader:
    """An archive whose members are what its list says.

    Parameters
    ----------
    archive : zipfile.ZipFile
    name : str
        Of the file, for messages.

    Raises
    ------
    CorruptError
        If a member is missing, damaged, twice there, or not in the list.
    InputError
        If it is of a later release.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive = archive
        self._name = name
        there = sorted(info.filename for info in archive.infolist())
        if there != sorted(MEMBERS):
            raise CorruptError(f"{name} is no archive of a gallery: its members are others")
        self.said = self.json(LIST)
        version = self.said.get("format")
        if not isinstance(version, int) or isinstance(version, bool):
            raise CorruptError(f"{name} is damaged: it has no format")
        if version > FORMAT:
            raise InputError(f"{name} has format {version}; this release reads {FORMAT}")
        listed = self.said.get("members")
        if not isinstance(listed, dict) or set(listed) != set(MEMBERS) - {LIST}:
            raise CorruptError(f"{name} is damaged: its list of members is another")
        for member, wanted in listed.items():
            if not isinstance(wanted, dict) or self._digest(member) != wanted.get("sha256"):
                raise CorruptError(f"{name} is damaged: the SHA-256 of {member} differs")

    def json(self, member: str) -> dict[str, Any]:
        """A member of JSON; CorruptError if it is no object."""
        if self._archive.getinfo(member).file_size > _MOST_JSON:
            raise CorruptError(f"{self._name}: {member} is longer than any that was written")
        with self._damage(member):
            found = json.loads(self._archive.read(member))
        if not isinstance(found, dict):
            raise CorruptError(f"{self._name}: {member} is no object")
        return found

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the table, in order; CorruptError if it is another table."""
        pyarrow, parquet = arrow()
        with self._damage(RECORDS), self._archive.open(RECORDS) as file:
            table = parquet.ParquetFile(pyarrow.PythonFile(file, mode="r"))
            if not table.schema_arrow.equals(schema_of(pyarrow)):
                raise CorruptError(f"{self._name}: the columns of {RECORDS} are others")
            for batch in table.iter_batches(batch_size=_ROWS):
                yield from batch.to_pylist()

    def _digest(self, member: str) -> str:
        digest = hashlib.sha256()
        with self._damage(member), self._archive.open(member) as file:
            while piece := file.read(_CHUNK):
                digest.update(piece)
        return digest.hexdigest()

    @contextmanager
    def _damage(self, member: str) -> Iterator[None]:
        try:
            yield
        except (CorruptError, InputError, MissingExtra):
            raise
        except Exception as error:
            # Whatever three libraries make of damaged bytes.
            raise CorruptError(f"{self._name}: {member} cannot be read") from error


@contextmanager
def reading(source: Path) -> Iterator[Reader]:
    """Read an archive.

    Raises
    ------
    InputError
        If there is none, or it is of a later release.
    CorruptError
        If it is damaged, or something else.
    """
    try:
        with open(source, "rb") as file:
            try:
                archive = zipfile.ZipFile(file)
            except Exception as error:
                raise CorruptError(f"{source.name} is no archive of a gallery") from error
            yield Reader(archive, source.name)
    except FileNotFoundError:
        raise InputError(f"{source.name} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{source.name} is a folder; name the file of an archive") from None
    except FpmatchError:
        raise  # Also where it is an `OSError`, as a full disk is.
    except OSError as error:
        raise InputError(f"{source.name} cannot be read: {error.strerror}") from error
