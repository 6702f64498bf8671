"""A partition's templates out of a gallery, as far as they are open to who asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fpmatch
from fpmatch.bulk.export_folder import FOLDERS, folder
from fpmatch.bulk.export_table import TABLES, table_file
from fpmatch.bulk.writing import Row, Writer
from fpmatch.checks import check_choice, check_integer, path_of, quoted
from fpmatch.errors import InputError
from fpmatch.parameters import BULK, SEARCH
from fpmatch.search import Engine
from fpmatch.types import RecordsRequest, StoredRecord

FORMATS = (*FOLDERS, *TABLES)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote.

    Parameters
    ----------
    partition, format : str
    records, fingers : int
        What was written; an impression that several events hold counts once.
    failed : int
        Impressions that the format cannot hold.
    errors : tuple of (str, str)
        Record and reason of the first `parameters.BULK.kept_errors` of them.
    """

    partition: str
    format: str
    records: int
    fingers: int
    failed: int = 0
    errors: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return asdict(self) | {"errors": [{"record": r, "error": e} for r, e in self.errors]}


def export(
    engine: Engine,
    partition: str,
    out: str | Path,
    request: RecordsRequest,
    *,
    format: str = "fpt",
    page: int = SEARCH.page_templates,
    progress: Callable[[int], None] | None = None,
) -> ExportReport:
    """Write all templates of a partition that may leave for who asks.

    The policy is asked for each page, and the log has two records of each (TEMPLATES_ASKED,
    TEMPLATES_GIVEN). Nothing lies at ``out`` before all of it does.

    Parameters
    ----------
    engine : Engine
    partition : str
        Its name.
    out : path
        A folder or file that is not there yet; an empty folder is replaced.
    request : RecordsRequest
        Who asks; a transaction of type ``EXPORT`` to the policy. What it gets: see
        `Engine.templates`.
    format : str
        ``fpt``, ``xyt`` or a format of minutiae records in `fpmatch.formats.NAMES`: a folder with a
        file for each impression and ``manifest.csv``, which `enrol` takes. ``parquet``, ``arrow``:
        one file with a row for each.
    page : int
        Records between two looks at the policy, up to 10 000.
    progress : callable, optional
        Called with the number of records so far.

    Returns
    -------
    ExportReport

    Raises
    ------
    RefusedError
        If templates are not open to the asker, or no more in the middle; then nothing is left at
        ``out``, and the log says what had been given.
    InputError
        If a value cannot be used, or something lies at ``out``.
    WriteError
        If it cannot be written.
    MissingExtra
        If Parquet or Arrow is asked for and pyarrow is not installed.
    """
    if not isinstance(engine, Engine):
        raise InputError(f"engine must be an Engine, not {quoted(engine)}")
    check_choice("format", format, FORMATS)
    check_integer("page", page, 1, 10_000)
    if progress is not None and not callable(progress):
        raise InputError(f"progress must be callable, not {quoted(progress)}")
    target = path_of(out)
    # Who is refused shall not learn what lies there, nor leave anything.
    first = engine.templates(partition, request, limit=page)
    opened = folder if format in FOLDERS else table_file
    records = fingers = failed = 0
    errors: list[tuple[str, str]] = []
    with opened(target, format, _about(engine, partition, request, format)) as writer:
        while True:
            for one in first:
                written, wrong = _write(writer, one)
                records += bool(written)
                fingers += written
                failed += len(wrong)
                errors += wrong[: BULK.kept_errors - len(errors)]
            if progress is not None:
                progress(records)
            if not first.after:
                break
            first = engine.templates(partition, request, after=first.after, limit=page)
        writer.end({"records": records, "fingers": fingers, "failed": failed})
    return ExportReport(partition, format, records, fingers, failed, tuple(errors))


def _write(writer: Writer, record: StoredRecord) -> tuple[int, list[tuple[str, str]]]:
    """How many impressions were written, and what could not be."""
    seen: set[bytes] = set()
    wrong = []
    for finger in record.fingers:
        content = finger.template.to_bytes()
        row = Row(record.info, finger, content, content not in seen)
        try:
            writer.add(row)
            seen.add(content)
        except InputError as error:
            wrong.append((record.info.record, str(error)))
    return len(seen), wrong


def _about(engine: Engine, partition: str, request: RecordsRequest, format: str) -> str:
    """Where the export came from, as JSON."""
    policy = engine.policy
    said = {
        "partition": partition,
        "format": format,
        "asked_by": request.owner or request.booking_ori,
        "policy_version": policy.version if policy else 0,
        "policy_digest": policy.digest if policy else "",
        "fpmatch": fpmatch.__version__,
    }
    return json.dumps(said, ensure_ascii=False)
