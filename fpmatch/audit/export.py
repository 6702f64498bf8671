"""Export for people outside: every record, with only the chosen fields shown, still verifiable.

JSON Lines. The first line names the log and gives a checkpoint; each further line is a record in
disclosed form (`disclosure`). Struck-out records stay as lines of commitments, so that nobody can
leave one out unseen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from fpmatch.argument_types import takes
from fpmatch.audit import disclosure, merkle, store
from fpmatch.audit.checkpoint import Checkpoint
from fpmatch.checks import check_path
from fpmatch.durable import replacing
from fpmatch.errors import AuditError, InputError

PUBLIC_FIELDS: tuple[str, ...] = (
    "/log_id",
    "/format",
    "/intent_seq",
    "/cri",
    "/ori",
    "/chain",
    "/transaction",
    "/purpose",
    "/role",
    "/charge",
    "/disposition",
    "/requested",
    "/policy_version",
    "/policy_digest",
    "/release_policy_*",
    "/matcher_version",
    "/parameters_digest",
    "/effort",
    "/rotation",
    "/scale",
    "/positions",
    "/duration",
    "/result",
    "/through_seq",
    "/root",
    "/status",
    "/partition",
    "/partitions/*/permissions",
    "/partitions/*/reason",
    "/partitions/*/rules",
    "/partitions/*/authority",
    "/partitions/*/agreement",
    "/partitions/*/legal_basis",
    "/partitions/*/consent_overridden",
    "/partitions/*/acknowledged",
    "/partitions/*/defer_until",
    "/partitions/*/outcome",
    "/partitions/*/complete",
)
"""What an export shows unless told otherwise: rules and outcomes, nothing of a person or a hit."""

_HEADER = {"fpmatch_audit_export", "log_id", "base_seq", "base_hash", "base_peaks", "checkpoint"}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What a check of an export found; ``bad_line`` counts from 1, the header."""

    ok: bool
    records: int
    shown: int
    struck: int
    log_id: str
    bad_line: int | None = None
    why: str = ""


def write_export(
    log_path: Path,
    target: Path,
    checkpoint: Checkpoint,
    reveal: Sequence[str],
    where: Callable[[store.Row], bool] | None,
) -> int:
    """Write records up to a checkpoint; whole or not at all. Returns how many.

    Parameters
    ----------
    log_path : Path
        Of the log.
    target : Path
        File to be written.
    checkpoint : Checkpoint
        That the reader can verify against.
    reveal : Sequence[str]
        Which fields are shown; the others leave as commitments.
    where : Callable[[store.Row], bool] or None
        Which records go out.

    Raises
    ------
    AuditError
        If a record is damaged or the file cannot be written.
    """

    @cache
    def shown(path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in reveal)

    count = 0
    try:
        with store.reading(log_path) as database, replacing(target) as file:
            base, head, peaks = store.base(database)
            header = {
                "fpmatch_audit_export": 1,
                "log_id": store.meta(database, "log_id"),
                "base_seq": base,
                "base_hash": head,
                "base_peaks": peaks.to_text(),
                "checkpoint": {"checkpoint": 1, **asdict(checkpoint)},
            }
            file.write(_line(header))
            for row in store.rows(database, "seq <= ?", (checkpoint.size,)):
                keep = where is None or where(row)
                file.write(_line(disclosure.disclose(row, shown if keep else _nothing)))
                count += 1
    except (OSError, InputError) as error:
        raise AuditError(f"the export {target} cannot be written: {error}") from error
    return count


@takes(path=check_path, checkpoint=(Checkpoint, type(None)))
def verify_export(path: str | Path, checkpoint: Checkpoint | None = None) -> ExportReport:
    """Check an export on its own: no database, no key.

    Parameters
    ----------
    path : path
        The JSON Lines file.
    checkpoint : Checkpoint, optional
        One kept by a witness, of any size within the export.

    Raises
    ------
    InputError
        If the file cannot be read or is no export.
    """
    try:
        lines = disclosure.lines_of(Path(path).read_bytes(), "the export")
    except OSError as error:
        raise InputError(f"the export {path} cannot be read: {error}") from None
    header, own, peaks = _header(next(lines, (1, None))[1])
    wanted = [own] + ([checkpoint] if checkpoint else [])
    if checkpoint is not None and checkpoint.size < header["base_seq"]:
        raise InputError("the checkpoint is older than the first record of the export")
    log_id = header["log_id"]
    if any(point.log_id != log_id for point in wanted):
        return ExportReport(False, 0, 0, 0, log_id, 1, "the checkpoint is of another log")
    seq, prev = header["base_seq"], header["base_hash"]
    shown = struck = 0
    why = _against(wanted, seq, prev, None, peaks)
    if why:
        return ExportReport(False, 0, 0, 0, log_id, 1, why)
    number = 1
    for number, line in lines:
        record = disclosure.check(line)
        count = seq - header["base_seq"]
        if record.seq != seq + 1 or record.prev != prev:
            why = f"record {record.seq} does not follow record {seq}"
            return ExportReport(False, count, shown, struck, log_id, number, why)
        seq, prev = record.seq, record.hash
        peaks.append(bytes.fromhex(record.hash))
        shown, struck = shown + len(record.fields), struck + len(record.struck)
        why = _against(wanted, seq, prev, record.time, peaks)
        if why:
            return ExportReport(False, count, shown, struck, log_id, number, why)
    count = seq - header["base_seq"]
    if any(point.size > seq for point in wanted):
        why = f"cut off: the export ends at record {seq}"
        return ExportReport(False, count, shown, struck, log_id, number, why)
    if own.size != seq:
        why = f"the export goes past its own checkpoint of {own.size} records"
        return ExportReport(False, count, shown, struck, log_id, number, why)
    return ExportReport(True, count, shown, struck, log_id)


def _header(said: Any) -> tuple[dict[str, Any], Checkpoint, merkle.Peaks]:
    if not isinstance(said, dict) or set(said) != _HEADER or said["fpmatch_audit_export"] != 1:
        raise InputError("no audit export: its first line is not the header of one")
    if type(said["base_seq"]) is not int or not 0 <= said["base_seq"] < 2**53:
        raise InputError("no audit export: base_seq must be a whole number from 0")
    if not isinstance(said["log_id"], str) or not isinstance(said["base_hash"], str):
        raise InputError("no audit export: log_id and base_hash must be text")
    if not isinstance(said["base_peaks"], list):
        raise InputError("no audit export: base_peaks must be a list")
    peaks = merkle.Peaks.from_text(said["base_seq"], said["base_peaks"])
    return said, Checkpoint.from_dict(said["checkpoint"]), peaks


def _against(
    wanted: Sequence[Checkpoint], seq: int, head: str, time: str | None, peaks: merkle.Peaks
) -> str:
    for point in wanted:
        if point.size == seq and not point.fits(peaks.root(), head, time):
            return f"the records up to {seq} are not those of the checkpoint"
    return ""


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _nothing(path: str) -> bool:
    return False
