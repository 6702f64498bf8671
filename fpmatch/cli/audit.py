"""``fpmatch audit``: the log checked, read, proved and exported."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.checks import is_folder
from fpmatch.cli.output import JsonFile, check_target, emit, table, write_text
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.audit import AuditLog, AuditRecord, Checkpoint, Proof

Log = Annotated[Path, typer.Argument(metavar="GALLERY", help="A gallery's folder, or a log file.")]
Kept = Annotated[
    Path | None,
    typer.Option("--checkpoint", metavar="FILE", help="A checkpoint that a witness kept."),
]
Tcn = Annotated[str, typer.Argument(help="Control number of the search.")]
Partition = Annotated[str, typer.Argument(help="Name of the partition.")]
Cri = Annotated[
    str | None, typer.Option(help="Whose search, where several agencies used the number.")
]
ProofFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the proof.")]
Actor = Annotated[str, typer.Option(help="Who reads, for the log's record of it.")]
Unrecorded = Annotated[
    bool,
    typer.Option("--unrecorded", help="Leave no record of the reading: for a copy without a key."),
]
Kind = Annotated[str | None, typer.Option(help="Only records of this kind, e.g. OUTCOME.")]
Since = Annotated[str | None, typer.Option(help="Only from this date or time on.")]
Until = Annotated[str | None, typer.Option(help="Only before this date or time.")]


def verify_command(log: Log, checkpoint: Kept = None, json_file: JsonFile = None) -> None:
    """Check every record of the log; 1 if it does not hold."""
    from fpmatch.audit import AuditLog

    kept = read_checkpoint(checkpoint)
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
    rows = list(asdict(made).items())
    emit(asdict(made), json_file, table(["checkpoint", "value"], rows, text=["value"]))


def records_command(
    log: Log,
    kind: Kind = None,
    tcn: Annotated[str | None, typer.Option(help="Only records of this search.")] = None,
    first: Annotated[int | None, typer.Option(help="Only from this number on.")] = None,
    last: Annotated[int | None, typer.Option(help="Only up to this number.")] = None,
    since: Since = None,
    until: Until = None,
    rows: Annotated[int, typer.Option(min=0, help="Rows shown, at most.")] = 50,
    actor: Actor = "",
    unrecorded: Unrecorded = False,
    json_file: JsonFile = None,
) -> None:
    """List records of the log: a row each; all their fields with --json or --csv."""
    with read_log(log, actor, unrecorded=unrecorded) as opened:
        found = list(
            opened.records(
                kind=kind,
                tcn=tcn,
                first=first,
                last=last,
                since=_moment(since),
                until=_moment(until),
            )
        )
    short = [(r.seq, r.time_utc[:19], r.kind, r.tcn, _gist(r)) for r in islice(found, rows)]
    columns = ["record", "time", "kind", "search", "about"]
    shown: list[Any] = [table(columns, short, text=columns[1:])]
    if len(found) > len(short):
        shown.append(f"{len(found) - len(short)} more; --json or --csv writes all.")
    whole = table(
        ["record", "time", "kind", "search", "intent", "hash", "fields"],
        [
            (r.seq, r.time_utc, r.kind, r.tcn, r.intent_seq, r.hash, json.dumps(_plain(r.fields)))
            for r in found
        ],
    )
    result = [{**asdict(r), "fields": _plain(r.fields)} for r in found]
    emit(result, json_file, *shown, sheet=whole)


def prove_not_searched_command(
    log: Log,
    tcn: Tcn,
    partition: Partition,
    checkpoint: Kept = None,
    cri: Cri = None,
    out: ProofFile = None,
    actor: Actor = "",
    unrecorded: Unrecorded = False,
    json_file: JsonFile = None,
) -> None:
    """Prove that a search compared nothing in a partition, to someone without the log."""
    kept = read_checkpoint(checkpoint)
    check_target(None if out is None else str(out))
    with read_log(log, actor, unrecorded=unrecorded) as opened:
        proof = opened.prove_not_searched(tcn, partition, kept, cri=cri)
    _show_proof(proof, out, json_file)


def prove_withheld_command(
    log: Log,
    tcn: Tcn,
    partition: Partition,
    checkpoint: Kept = None,
    cri: Cri = None,
    out: ProofFile = None,
    actor: Actor = "",
    unrecorded: Unrecorded = False,
    json_file: JsonFile = None,
) -> None:
    """Prove that a partition was searched and its result withheld from the submitter."""
    kept = read_checkpoint(checkpoint)
    check_target(None if out is None else str(out))
    with read_log(log, actor, unrecorded=unrecorded) as opened:
        proof = opened.prove_withheld(tcn, partition, kept, cri=cri)
    _show_proof(proof, out, json_file)


def verify_proof_command(
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="As --out of a proof wrote it.")],
    checkpoint: Kept = None,
    json_file: JsonFile = None,
) -> None:
    """Check a proof on its own, without the log; 1 if it does not hold."""
    from fpmatch.audit import verify_proof

    kept = read_checkpoint(checkpoint)
    report = verify_proof(read_file(proof), kept)
    rows = [
        ("holds", report.ok),
        ("checked against a checkpoint", kept is not None),
        ("why not" if not report.ok else "says", report.why or report.sentence),
    ]
    emit(asdict(report), json_file, table(["proof", "value"], rows, left=2))
    if not report.ok:
        raise typer.Exit(1)


def export_command(
    log: Log,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON Lines file to write.")],
    reveal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="A field to show, e.g. '/partitions/*/outcome'; rules and outcomes without.",
        ),
    ] = None,
    kind: Kind = None,
    cri: Annotated[str | None, typer.Option(help="Only records of this agency's searches.")] = None,
    since: Since = None,
    until: Until = None,
    actor: Actor = "",
    unrecorded: Unrecorded = False,
    json_file: JsonFile = None,
) -> None:
    """Write a redacted copy of the whole log that still verifies; what is left out is struck."""
    from fpmatch.audit import PUBLIC_FIELDS

    check_target(str(out))
    start, end = _moment(since), _moment(until)
    chosen = None
    if (kind, cri, start, end) != (None, None, None, None):

        def chosen(record: AuditRecord) -> bool:
            at = _moment(record.time_utc)
            return (
                kind in (None, record.kind)
                and cri in (None, record.fields.get("cri"))
                and (start is None or at >= start)
                and (end is None or at < end)
            )

    with read_log(log, actor, unrecorded=unrecorded) as opened:
        made = opened.export(out, reveal=tuple(reveal or PUBLIC_FIELDS), where=chosen)
    result = {"file": str(out), "checkpoint": asdict(made)}
    rows = [("file", str(out)), *asdict(made).items()]
    emit(result, json_file, table(["export", "value"], rows, text=["value"]))


def verify_export_command(
    export: Annotated[Path, typer.Argument(metavar="FILE", help="As audit export wrote it.")],
    checkpoint: Kept = None,
    json_file: JsonFile = None,
) -> None:
    """Check an export on its own, without the log; 1 if it does not hold."""
    from fpmatch.audit import verify_export

    report = verify_export(export, read_checkpoint(checkpoint))
    rows = [
        ("holds", report.ok),
        ("records", report.records),
        ("fields shown", report.shown),
        ("fields struck out", report.struck),
    ]
    if not report.ok:
        rows.append((f"first bad line: {report.why}", report.bad_line or 0))
    emit(asdict(report), json_file, table(["export", "value"], rows))
    if not report.ok:
        raise typer.Exit(1)


def prune_command(
    log: Log,
    before: Annotated[str, typer.Option(help="Remove records from before this date or time.")],
    authority: Annotated[str, typer.Option(help="Who ordered it.")],
    json_file: JsonFile = None,
) -> None:
    """Remove old records, keeping what verifies the rest."""
    moment = _moment(before)
    assert moment is not None
    with read_log(log, "", unrecorded=False) as opened:
        removed = opened.prune(moment, authority)
    result = {"removed": removed, "before": moment.isoformat(), "authority": authority}
    emit(result, json_file, table(["pruned", "value"], list(result.items()), text=["value"]))


def read_log(log: Path, actor: str, *, unrecorded: bool) -> AuditLog:
    """Open a log for reading, so that it records who read unless it shall not.

    Parameters
    ----------
    log : Path
        A gallery's folder, or a log file.
    actor : str
        Who reads.
    unrecorded : bool
        Open it without its key and leave no trace.
    """
    from fpmatch.audit import AuditLog

    return AuditLog.open(_log_of(log), "r" if unrecorded else "rw", actor=actor)


def read_checkpoint(path: Path | None) -> Checkpoint | None:
    """The checkpoint in a file; None where there is no file."""
    from fpmatch.audit import Checkpoint

    return None if path is None else Checkpoint.from_json(read_file(path))


def read_file(path: Path) -> str:
    """A text file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def _show_proof(proof: Proof, out: Path | None, json_file: str | None) -> None:
    text = proof.to_json()
    if out is not None:
        write_text(str(out), text + "\n")
    about = [
        ("claim", proof.claim),
        ("search", proof.tcn),
        ("partition", proof.partition),
        ("records of the log up to", proof.checkpoint.size),
        ("root", proof.checkpoint.root),
    ]
    shown = table(["proof", "value"], about, text=["value"])
    emit(json.loads(text), json_file, proof.sentence, shown)


def _log_of(path: Path) -> Path:
    return path / "audit.sqlite" if is_folder(path) else path


def _moment(text: str | None) -> Any:
    from fpmatch.policy.instant import instant

    return None if text is None else instant(text)


def _gist(record: AuditRecord) -> str:
    """One line about a record: what became of each partition, or its first facts."""
    if record.partitions:
        said = {n: p.get("outcome") or p.get("permissions") for n, p in record.partitions.items()}
        return ", ".join(f"{name}: {what or 'nothing'}" for name, what in said.items())
    dull = ("tcn", "journal")
    plain = [(k, v) for k, v in record.fields.items() if k not in dull and isinstance(v, str) and v]
    return ", ".join(f"{k} {v if len(v) <= 24 else v[:21] + '...'}" for k, v in plain[:3])


def _plain(value: Any) -> Any:
    if hasattr(value, "items"):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
