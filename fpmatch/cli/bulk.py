"""``fpmatch enrol`` and ``export-records``: whole sources in, whole partitions out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.cli.gallery import Gallery
from fpmatch.cli.inputs import (
    EstimatePpi,
    Extractor,
    Isolated,
    Position,
    Ppi,
    TrustPpi,
    parse_position,
)
from fpmatch.cli.keys import keys_of
from fpmatch.cli.looking import Agency, Owner, request_of
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, Sheet, check_target, emit, progress_bar, table
from fpmatch.cli.search import Attribute, Chain, Purpose, Role
from fpmatch.cli.stopping import STATUS, stoppable
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.bulk import BulkReport, Progress
    from fpmatch.bulk.items import Source
    from fpmatch.cli.output import Progress as Bar

Partition = Annotated[str, typer.Argument(help="Name of the partition.")]
Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE...",
        help="Images, templates and transactions, folders of such, .csv manifests (columns record, "
        "file, and any of position, identity, event, contributor, protected, banned_uses), or one "
        "Parquet or Arrow file.",
    ),
]
OneRecord = Annotated[
    str, typer.Option("--record", help="Take all images as the fingers of this one record.")
]
Names = Annotated[
    str,
    typer.Option(
        help="What names a record: its file, its path below the folder that all share, or "
        "its folder, whose files are then its fingers.",
    ),
]
Pattern = Annotated[str, typer.Option(help="Which files of folders are meant, as '*.png'.")]
RecordField = Annotated[
    str,
    typer.Option(
        metavar="FIELD",
        help="All sources are ANSI/NIST-ITL transactions, a record each, named by this field, as "
        "1.009.",
    ),
]
IdentityField = Annotated[
    str, typer.Option(metavar="FIELD", help="Of transactions: where the identity stands.")
]
EventField = Annotated[
    str, typer.Option(metavar="FIELD", help="Of transactions: where the event stands.")
]
ContributorField = Annotated[
    str, typer.Option(metavar="FIELD", help="Of transactions: where the contributor stands.")
]
Skip = Annotated[int, typer.Option(min=0, help="Leave out so many entries: those stored before.")]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Leave out what was enrolled from the same files before, and refuse what was enrolled "
        "from others.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0, help="Processes that read; 0: this one alone. As many as cores if not given."
    ),
]
MaxErrors = Annotated[
    int | None, typer.Option(min=0, help="End when there are more errors than that.")
]
RejectsFile = Annotated[
    Path | None,
    typer.Option("--rejects", metavar="FILE", help="Write errors there: .csv, or JSON Lines."),
]

ExportFormat = Annotated[
    str,
    typer.Option(
        help="fpt, xyt, iso2005, iso2011, incits2004, incits2009, incits2009am1 or incits2007: a "
        "folder of templates; parquet or arrow: one file.",
    ),
]


def enrol_command(
    gallery: Gallery,
    partition: Partition,
    sources: Sources,
    record: OneRecord = "",
    names: Names = "file",
    pattern: Pattern = "*",
    record_field: RecordField = "",
    identity_field: IdentityField = "",
    event_field: EventField = "",
    contributor_field: ContributorField = "",
    ppi: Ppi = None,
    trust_ppi: TrustPpi = False,
    estimate_ppi: EstimatePpi = False,
    position: Position = "unknown",
    extractor: Extractor = None,
    isolated: Isolated = False,
    skip: Skip = 0,
    resume: Resume = False,
    workers: Workers = None,
    max_errors: MaxErrors = None,
    rejects: RejectsFile = None,
    json_file: JsonFile = None,
) -> None:
    """Enrol records into a partition; what cannot be read is reported, the rest is enrolled."""
    from fpmatch import bulk
    from fpmatch.search import Engine

    finger = parse_position(position)
    fields = {
        "record": record_field, "identity": identity_field,
        "event": event_field, "contributor": contributor_field,
    }  # fmt: skip
    check_target(None if rejects is None else str(rejects))
    last: list[Progress] = []
    with (
        Engine.open(str(gallery), mode="rw", keys=keys_of(gallery)) as engine,
        progress_bar() as bar,
        stoppable() as stop,
    ):
        source = _source(sources, fields, record=record, names=names, pattern=pattern)
        try:
            report = bulk.enrol(
                engine,
                partition,
                source,
                ppi=ppi,
                position=finger,
                extractor=extractor,
                trust_ppi=trust_ppi,
                estimate=estimate_ppi,
                isolated=isolated,
                skip=skip,
                resume=resume,
                workers=workers,
                max_errors=max_errors,
                rejects=rejects,
                cancel=stop,
                progress=lambda now: _told(last, bar, now),
            )
        except BaseException as error:
            said = _cut_off(last)
            if said or isinstance(error, KeyboardInterrupt):
                print(f"fpmatch: {said or 'nothing was stored'}", file=sys.stderr)
            raise
    _show(report, interrupted=bool(stop), json_file=json_file)
    if stop:
        raise typer.Exit(STATUS + stop.signal)
    if not report.ok:
        raise typer.Exit(2)


def _source(sources: list[Path], fields: dict[str, str], **more: Any) -> Source:
    from fpmatch import bulk
    from fpmatch.bulk.sources import is_table

    if any(fields.values()):
        if not fields["record"]:
            raise InputError("--identity-field, --event-field and --contributor-field go with "
                             "--record-field")  # fmt: skip
        return bulk.transactions(sources, pattern=more["pattern"], **fields)
    tables = [path for path in sources if is_table(path)]
    if tables and len(sources) > 1:
        raise InputError(f"{tables[0]} is a table: it is enrolled alone")
    return bulk.table(tables[0]) if tables else bulk.files(sources, **more)


def _told(last: list[Progress], bar: Bar | None, now: Progress) -> None:
    last[:] = [now]
    if bar is not None:
        bar("enrolling", now.read, now.total or now.read)


def _cut_off(last: list[Progress]) -> str:
    """What is to be said where something ends the command before its time; "" for nothing."""
    if not last or not last[0].records:
        return ""
    return f"stored before that: {last[0].records} records. {_go_on(last[0].stored)}"


def _go_on(entries: int) -> str:
    """How the command is taken up again behind so many entries."""
    return f"To go on, repeat the command with --skip {entries}."


def _show(report: BulkReport, *, interrupted: bool, json_file: str | None) -> None:
    whole = report.to_dict()
    failed = [
        {
            "record": e.record,
            "event": e.event,
            "file": e.file or f"item {e.item}",
            "error": e.message,
            "kind": e.error,
        }
        for e in report.errors
    ]
    result = {**whole, "errors": failed, "interrupted": interrupted}
    said = f"Enrolled: {report.accepted} records, {report.fingers} new fingers."
    if report.skipped:
        said += f" Enrolled before: {report.skipped} entries."
    rows = [(e["record"], e["file"], e["error"]) for e in failed]
    tables: list[Any] = [table(["not enrolled", "file", "why"], rows, left=3)] if rows else []
    if report.failed > len(rows):
        tables.append(f"and {report.failed - len(rows)} errors more; --rejects has all of them")
    if report.passed_over:
        passed = [(file, what) for _, file, what in report.passed_over]
        tables.append(table(["file", "passed over"], passed, left=2))
    if report.flags:
        doubts = [(f.record, f.event or "-", f.score) for f in report.flags]
        head = "enrolled, but like none of the prints that the record held"
        tables.append(table([head, "event", "score"], doubts, left=2))
    if report.notes:
        notes = [(n.record, n.note.text) for n in report.notes]
        tables.append(table(["enrolled, but look", "at this"], notes, left=2))
    if interrupted:
        tables.append(f"Interrupted. {_go_on(report.read)}")
    elif report.stopped:
        tables.append(f"Too many errors. {_go_on(report.read)}")
    emit(result, json_file, said, *tables, sheet=_sheet(report, failed))


def _sheet(report: BulkReport, failed: list[dict[str, str]]) -> Sheet:
    """All that a person should look at, as one table; one row says how much was taken."""
    taken = f"{report.accepted} records, {report.fingers} new fingers"
    rows: list[tuple[Any, ...]] = [("enrolled", "", "", taken, None)]
    rows += [("not enrolled", e["record"], e["file"], e["error"], None) for e in failed]
    rows += [("passed over", "", file, what, None) for _, file, what in report.passed_over]
    unlike = "like none of the prints that the record held"
    rows += [("flagged", f.record, f"item {f.item}", unlike, f.score) for f in report.flags]
    rows += [("note", n.record, f"item {n.item}", n.note.text, None) for n in report.notes]
    return table(["what", "record", "file", "about", "score"], rows, left=4)


def export_command(
    gallery: Gallery,
    partition: Partition,
    out: Annotated[Path, typer.Argument(help="A folder or file that is not there yet.")],
    ori: Agency = "",
    owner: Owner = "",
    chain: Chain = None,
    purpose: Purpose = "C",
    role: Role = "",
    attribute: Attribute = None,
    format: ExportFormat = "fpt",
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Write the templates of a partition that may leave for who asks, with a manifest."""
    from fpmatch import bulk

    request = request_of(ori, owner, chain, purpose, role, attribute)
    check_target(json_file)
    with opened(gallery, engine_file) as engine, progress_bar() as bar:
        report = bulk.export(
            engine,
            partition,
            out,
            request,
            format=format,
            progress=None if bar is None else lambda done: bar("exporting", done, done),
        )
    rows = [(report.partition, report.format, report.records, report.fingers, report.failed)]
    columns = ["partition", "format", "records", "impressions", "failed"]
    tables: list[Any] = [table(columns, rows, left=2)]
    if report.errors:
        tables.append(table(["not exported", "why"], report.errors, left=2))
    emit(report.to_dict() | {"out": str(out)}, json_file, *tables)
    if report.failed:
        raise typer.Exit(2)
