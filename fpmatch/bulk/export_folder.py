"""An export as a folder: a file for each impression, and a manifest that `enrol` takes."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fpmatch.bulk.manifest import COLUMNS, PROVENANCE, write_uses
from fpmatch.bulk.sources import MANIFEST
from fpmatch.bulk.writing import Row, check_free, sha256
from fpmatch.durable import storage_errors, sync_folder
from fpmatch.formats import from_templates
from fpmatch.formats import write as write_format
from fpmatch.formats.fmr_layouts import BY_NAME

STORED = "fpt"
FOLDERS = (STORED, *BY_NAME, "xyt")
ABOUT = "export.json"
_ENDINGS = {STORED: ".fpt", "xyt": ".xyt"}
_IN_ONE_FOLDER = 1000
_OURS = 0o700


class Folder:
    """Writes files, numbered, and a line of the manifest for each event that holds them.

    Parameters
    ----------
    place : Path
        An empty folder.
    format : str
        One of `FOLDERS`.
    about : str
        JSON of where all this comes from.
    manifest : text file
        Open for writing.
    """

    def __init__(self, place: Path, format: str, about: str, manifest: IO[str]) -> None:
        self._place = place
        self._format = format
        self._about = json.loads(about)
        self._rows = csv.DictWriter(manifest, (*COLUMNS, *PROVENANCE), extrasaction="ignore")
        self._rows.writeheader()
        self._record = ""
        self._written: dict[bytes, tuple[str, str]] = {}
        self._count = 0

    def add(self, row: Row) -> None:
        """Write a file and its line, or a line for a file that is there."""
        if row.info.record != self._record:
            self._record, self._written = row.info.record, {}
        if row.content not in self._written:
            self._written[row.content] = self._file(row)
        name, digest = self._written[row.content]
        values = row.values()
        self._rows.writerow(
            values
            | {
                "file": name,
                "position": values["position"] or "",
                "slap": values["slap"] or "",
                "protected": "yes" if values["protected"] else "no",
                "banned_uses": write_uses(values["banned_uses"]),
                "sha256": digest,
            }
        )

    def _file(self, row: Row) -> tuple[str, str]:
        data = row.content
        if self._format != STORED:
            data = write_format(from_templates([row.finger.template], self._format))
        # Numbered: a record's name can hold anything, a file's cannot.
        folder = f"templates/{self._count // _IN_ONE_FOLDER:06d}"
        name = f"{folder}/{self._count:09d}{_ENDINGS.get(self._format, '.fmr')}"
        if self._count % _IN_ONE_FOLDER == 0:
            (self._place / folder).mkdir(parents=True)
        (self._place / name).write_bytes(data)
        self._count += 1
        return name, sha256(data)

    def end(self, totals: Mapping[str, int]) -> None:
        """Say what it is."""
        said = json.dumps({**self._about, **totals}, indent=2, ensure_ascii=False)
        (self._place / ABOUT).write_text(said + "\n", "utf-8")


@contextmanager
def folder(target: Path, format: str, about: str) -> Iterator[Folder]:
    """A folder that is there as a whole when this ends, or not at all.

    Parameters
    ----------
    target : Path
    format : str
        One of `FOLDERS`.
    about : str
        JSON of where it comes from.

    Raises
    ------
    InputError
        If something lies there.
    WriteError
        If it cannot be written.
    """
    part = check_free(target)
    with storage_errors(str(target)):
        part.mkdir(mode=_OURS)
        try:
            with (part / MANIFEST).open("w", encoding="utf-8", newline="") as manifest:
                yield Folder(part, format, about, manifest)
                manifest.flush()
                os.fsync(manifest.fileno())
            os.replace(part, target)
            sync_folder(target.absolute().parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
