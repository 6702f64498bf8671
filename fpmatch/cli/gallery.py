"""``fpmatch init``, ``enrol``, ``expunge`` and ``info``: what a gallery holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.checks import quoted
from fpmatch.cli.inputs import (
    EstimatePpi,
    Extractor,
    Isolated,
    Position,
    Ppi,
    TrustPpi,
    load_template,
    parse_position,
)
from fpmatch.cli.intake import Intake
from fpmatch.cli.manifest import entries
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, Sheet, emit, progress_bar, table
from fpmatch.cli.stopping import STATUS, stoppable
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.gallery import EnrolReport
    from fpmatch.template import Template

Gallery = Annotated[Path, typer.Argument(metavar="GALLERY", help="The gallery's folder.")]

Order = Annotated[str, typer.Option(help="The order that demands it.")]
Authority = Annotated[str, typer.Option(help="Who gave the order.")]
Where = Annotated[str | None, typer.Option("--partition", help="Where several hold such a record.")]
Expected = Annotated[int, typer.Option(help="Fingers a partition will hold, roughly.")]


def init_command(
    gallery: Gallery,
    partition: Annotated[
        list[str],
        typer.Option(metavar="NAME:NUMBER:OWNER", help="A partition, e.g. criminal:1:DOJ-FBI."),
    ],
    expected: Expected = 100_000,
    json_file: JsonFile = None,
) -> None:
    """Make an empty gallery with its partitions."""
    from fpmatch.search import Engine

    wanted = [_partition(text) for text in partition]
    with Engine.create(str(gallery)) as engine:
        for name, number, owner in wanted:
            engine.add_partition(name, ndr=number, owner=owner, expected_fingers=expected)
    result = {
        "gallery": str(gallery),
        "partitions": [{"name": n, "ndr": d, "owner": o} for n, d, o in wanted],
    }
    emit(result, json_file, table(["partition", "number", "owner"], wanted, text=["owner"]))


def add_partition_command(
    gallery: Gallery,
    partition: Annotated[
        str, typer.Argument(metavar="NAME:NUMBER:OWNER", help="For instance criminal:1:DOJ-FBI.")
    ],
    expected: Expected = 100_000,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Add an empty partition to a gallery."""
    name, number, owner = _partition(partition)
    with opened(gallery, engine_file, "rw") as engine:
        engine.add_partition(name, ndr=number, owner=owner, expected_fingers=expected)
    result = {"name": name, "ndr": number, "owner": owner}
    rows = [(name, number, owner)]
    emit(result, json_file, table(["partition", "number", "owner"], rows, text=["owner"]))


def enrol_command(
    gallery: Gallery,
    partition: Annotated[str, typer.Argument(help="Name of the partition.")],
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...",
            help="Images or .fpt templates, .csv manifests (columns record, file, and any of "
            "position, identity, event, contributor, protected, banned_uses), or one .parquet "
            "file.",
        ),
    ],
    record: Annotated[
        str, typer.Option(help="Take all images as the fingers of this one record.")
    ] = "",
    names: Annotated[
        str,
        typer.Option(
            help="What names a record: its file, its path below the folder that all share, or "
            "its folder, whose files are then its fingers.",
        ),
    ] = "file",
    ppi: Ppi = None,
    trust_ppi: TrustPpi = False,
    estimate_ppi: EstimatePpi = False,
    position: Position = "unknown",
    extractor: Extractor = None,
    isolated: Isolated = False,
    skip: Annotated[
        int, typer.Option(min=0, help="Leave out so many entries: those stored before.")
    ] = 0,
    json_file: JsonFile = None,
) -> None:
    """Enrol records into a partition; what cannot be read is reported, the rest is enrolled."""
    from fpmatch.search import Engine

    finger = parse_position(position)

    def read(path: Path, where: str) -> Template:
        chosen = parse_position(where) if where else finger
        return load_template(
            path,
            ppi=ppi,
            position=chosen,
            extractor=extractor,
            trust_ppi=trust_ppi,
            estimate=estimate_ppi,
            isolated=isolated,
        )

    with (
        Engine.open(str(gallery), mode="rw") as engine,
        progress_bar() as bar,
        stoppable() as stop,
    ):
        intake = Intake(stop, skip, bar)
        if len(sources) == 1 and sources[0].suffix == ".parquet":
            items = intake.table(sources[0])
        else:
            items = intake.files(entries(sources, record=record, naming=names), read)
        try:
            report = engine.enrol(partition, items, progress=intake.stored)
        except BaseException as error:
            said = intake.cut_off()
            if said or isinstance(error, KeyboardInterrupt):
                print(f"fpmatch: {said or 'nothing was stored'}", file=sys.stderr)
            raise
    _show(report, intake, json_file)
    if stop:
        raise typer.Exit(STATUS + stop.signal)
    if intake.failed or report.errors:
        raise typer.Exit(2)


def expunge_command(
    gallery: Gallery,
    record: Annotated[str, typer.Argument(help="Record id; with --level identity the identity.")],
    order: Order,
    authority: Authority,
    level: Annotated[str, typer.Option(help="event, record or identity.")] = "record",
    event: Annotated[str, typer.Option(help="Which event, with --level event.")] = "",
    partition: Where = None,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Destroy an event, a record or an identity, and print the receipt."""
    if level not in ("event", "record", "identity"):
        raise InputError(f"--level {quoted(level)} must be event, record or identity")
    with opened(gallery, engine_file, "rw") as engine:
        receipt = engine.expunge(
            record,
            order=order,
            authority=authority,
            level=level,  # type: ignore[arg-type]
            event=event,
            partition=partition,
        )
    counts = ("records", "events", "fingers", "kept", "probes", "audit_seq")
    rows = [(name.replace("_", " "), getattr(receipt, name)) for name in counts]
    rows += [("template destroyed", digest) for digest in receipt.removed]
    result = {
        "level": receipt.level,
        "order": receipt.order,
        "authority": receipt.authority,
        **{name: getattr(receipt, name) for name in counts},
        "removed": list(receipt.removed),
        "roots": [{"partition": p, "before": b, "after": a} for p, b, a in receipt.roots],
    }
    emit(result, json_file, table(["expunged", "value"], rows))


def info_command(
    gallery: Annotated[
        Path | None, typer.Argument(metavar="[GALLERY]", help="A gallery's folder, if any.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Versions and machine; with a gallery also its partitions and policy."""
    from fpmatch.evaluate.conditions import machine, parameter_hash, versions

    result: dict[str, Any] = {
        "versions": versions(),
        "machine": machine(),
        "parameters": parameter_hash(),
    }
    rows = [(k, v) for part in ("versions", "machine") for k, v in result[part].items()]
    tables = [table(["fpmatch", "value"], [*rows, ("parameters", result["parameters"])])]
    if gallery is not None:
        result["gallery"] = _describe(gallery)
        tables += _gallery_tables(result["gallery"])
    emit(result, json_file, *tables)


def _describe(gallery: Path) -> dict[str, Any]:
    from fpmatch.search import Engine

    with Engine.open(str(gallery)) as engine:
        policy = engine.policy
        return {
            "path": str(gallery),
            "partitions": [
                {"name": p.name, "ndr": p.ndr, "owner": p.owner} for p in engine.partitions
            ],
            "policy": None
            if policy is None
            else {"version": policy.version, "digest": policy.digest},
        }


def _gallery_tables(described: dict[str, Any]) -> list[Any]:
    rows = [(p["name"], p["ndr"], p["owner"]) for p in described["partitions"]]
    policy = described["policy"]
    said = f"version {policy['version']}, digest {policy['digest'][:16]}" if policy else "none"
    return [
        table(["partition", "number", "owner"], rows, text=["owner"]),
        f"Policy in force: {said}",
    ]


def _partition(text: str) -> tuple[str, int, str]:
    name, _, rest = text.partition(":")
    number, _, owner = rest.partition(":")
    if not name or not number.isdecimal() or not owner:
        raise InputError(
            f"partition {quoted(text)} must read NAME:NUMBER:OWNER, as criminal:1:DOJ-FBI"
        )
    return name, int(number), owner


def _show(report: EnrolReport, intake: Intake, json_file: str | None) -> None:
    failed = intake.failed + [
        {"record": e.record, "file": f"item {e.item}", "error": e.message} for e in report.errors
    ]
    flagged = [
        {"record": f.record, "event": f.event, "item": f.item, "score": f.score}
        for f in report.flags
    ]
    result = {
        "accepted": report.accepted,
        "fingers": report.fingers,
        "errors": failed,
        "flagged": flagged,
        "interrupted": bool(intake.stop),
        "read": intake.read,
        "notes": [{"record": n.record, "item": n.item, **n.note.to_dict()} for n in report.notes],
    }
    said = f"Enrolled: {report.accepted} records, {report.fingers} new fingers."
    rows = [(e["record"], e["file"], e["error"]) for e in failed]
    tables = [table(["not enrolled", "file", "why"], rows, left=3)] if rows else []
    if flagged:
        doubts = [(f["record"], f["event"] or "-", f["score"]) for f in flagged]
        head = "enrolled, but like none of the prints that the record held"
        tables.append(table([head, "event", "score"], doubts, left=2))
    if report.notes:
        notes = [(n.record, n.note.text) for n in report.notes]
        tables.append(table(["enrolled, but look", "at this"], notes, left=2))
    more = [f"Interrupted. {intake.go_on(intake.read)}"] if intake.stop else []
    emit(result, json_file, said, *tables, *more, sheet=_sheet(report, failed))


def _sheet(report: EnrolReport, failed: list[dict[str, str]]) -> Sheet:
    """All that a person should look at, as one table; one row says how much was taken."""
    taken = f"{report.accepted} records, {report.fingers} new fingers"
    rows: list[tuple[Any, ...]] = [("enrolled", "", "", taken, None)]
    rows += [("not enrolled", e["record"], e["file"], e["error"], None) for e in failed]
    unlike = "like none of the prints that the record held"
    rows += [("flagged", f.record, f"item {f.item}", unlike, f.score) for f in report.flags]
    rows += [("note", n.record, f"item {n.item}", n.note.text, None) for n in report.notes]
    return table(["what", "record", "file", "about", "score"], rows, left=4)
