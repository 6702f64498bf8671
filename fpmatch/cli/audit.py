"""``fpmatch audit``: check the log, and fix its state for a witness."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fpmatch.checks import is_folder
from fpmatch.cli.output import JsonFile, emit, table, write_text
from fpmatch.errors import InputError

Log = Annotated[Path, typer.Argument(metavar="GALLERY", help="A gallery's folder, or a log file.")]


def verify_command(
    log: Log,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A checkpoint that a witness kept.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Check every record of the log; 1 if it does not hold."""
    from fpmatch.audit import AuditLog, Checkpoint

    kept = Checkpoint.from_json(_read(checkpoint)) if checkpoint is not None else None
    with AuditLog.open(_log_of(log)) as opened:
        report = opened.verify(kept)
    rows = [
        ("records", report.records),
        ("chain and tree hold", report.ok),
        ("checked against a checkpoint", report.checkpoint_checked),
        ("searches without an outcome", len(report.dangling)),
        ("contradictions", len(report.contradictions)),
        ("times that run backwards", report.clock_reversals),
    ]
    if not report.ok:
        rows.append((f"first bad record: {report.why}", report.bad_seq or 0))
    notes = [f"Record {d.seq}: search {d.tcn} began and has no outcome." for d in report.dangling]
    notes += [f"Record {c.seq}: {c.tcn}, {c.partition}: {c.why}" for c in report.contradictions]
    emit(asdict(report), json_file, table(["audit log", "value"], rows), *notes)
    if not report.ok:
        raise typer.Exit(1)


def checkpoint_command(
    log: Log,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write it.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Fix the log as it is now, for someone outside to keep."""
    from fpmatch.audit import AuditLog

    with AuditLog.open(_log_of(log)) as opened:
        made = opened.checkpoint()
    if out is not None:
        write_text(str(out), made.to_json() + "\n")
    emit(asdict(made), json_file, table(["checkpoint", "value"], list(asdict(made).items())))


def _log_of(path: Path) -> Path:
    return path / "audit.sqlite" if is_folder(path) else path


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
