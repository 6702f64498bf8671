"""``fpmatch transaction``: an EBTS submission, searched as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.cli.inputs import (
    Extractor,
    Isolated,
    Positions,
    Rotation,
    Scale,
    parse_pairs,
    parse_protected,
)
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, emit, table
from fpmatch.cli.people import read_people
from fpmatch.cli.search import (
    Attribute,
    Charge,
    Disposition,
    Effort,
    Protected,
    Purpose,
    Role,
    Threads,
    candidate_sheet,
    response_tables,
)
from fpmatch.durable import replacing
from fpmatch.errors import FormatError, InputError, WriteError
from fpmatch.parameters import FORMATS

if TYPE_CHECKING:
    from fpmatch.formats.ebts_answers import Answer
    from fpmatch.search import Transacted
    from fpmatch.types import SearchResponse

Submitted = Annotated[
    Path, typer.Argument(metavar="IN", help="A transaction of ANSI/NIST-ITL, EBTS 9.1.")
]
Searched = Annotated[Path, typer.Option("--gallery", help="The gallery's folder.")]
StandIn = Annotated[
    str | None,
    typer.Option(
        metavar="ORI",
        help="Whose mask to search under where a TPIS or LFIS names no station, by the policy.",
    ),
]


Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write the answers there, a file for each."),
]
People = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="Who candidates are: partition,record,ucn,name. Without it nobody is named.",
    ),
]


def transaction_command(
    source: Submitted,
    gallery: Searched,
    out: Out = None,
    people: People = None,
    red: Annotated[
        float, typer.Option(help="Score from which a rapid search is red.")
    ] = FORMATS.red_score,
    yellow: Annotated[
        float, typer.Option(help="Score from which it is yellow.")
    ] = FORMATS.yellow_score,
    sender: Annotated[
        str, typer.Option(metavar="ORI", help="Who answers, if not whom it was sent to.")
    ] = "",
    stand_in: StandIn = None,
    purpose: Purpose = "C",
    role: Role = "",
    charge: Charge = None,
    disposition: Disposition = None,
    protected: Protected = "no",
    attribute: Attribute = None,
    threshold: Annotated[
        float | None, typer.Option(help="Lowest score listed, -10 log10(FMR).")
    ] = None,
    effort: Effort = "balanced",
    rotation: Rotation = "upright",
    scale: Scale = "stated",
    positions: Positions = "labelled",
    threads: Threads = None,
    extractor: Extractor = None,
    isolated: Isolated = False,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Search a gallery with a transaction file, and answer it with transactions."""
    from fpmatch.formats.ebts_answering import Answering, Lights

    facts: dict[str, Any] = {
        "purpose": purpose,
        "role": role,
        "charge": charge,
        "disposition": disposition,
        "attributes": parse_pairs(attribute or (), "--attribute"),
        "effort": effort,
        "rotation": rotation,
        "scale": scale,
        "positions": positions,
        "protected": parse_protected(protected),
    }
    if threshold is not None:
        facts["threshold"] = threshold
    if out is None:
        if people is not None:
            raise InputError("--people names candidates in answers, which --out writes")
        how = {"stand_in": stand_in, "extractor": extractor, "isolated": isolated}
        content, asked = _read(source, how)
        with opened(gallery, engine_file, threads=threads) as engine:
            response = engine.search(replace(asked.request, **facts))
        _show(content, asked, response, json_file)
        return
    who = None if people is None else read_people(people)
    answering = Answering(who=who, lights=Lights(red, yellow), sender=sender)
    data = bytes_of(source)
    _folder(out)
    with opened(gallery, engine_file, threads=threads) as engine:
        done = engine.transact(
            data,
            answering=answering,
            stand_in=stand_in,
            extractor=extractor,
            isolated=isolated,
            **facts,
        )
    if done.error is not None and done.response is not None:
        raise done.error
    _report(done, _written(done, out), json_file)
    if done.error is not None:
        raise typer.Exit(1)


def _read(source: Path, how: dict[str, Any]) -> tuple[Any, Any]:
    """A transaction, and what it asks for."""
    from fpmatch.formats import Transaction, ebts, read

    content = read(source)
    if not isinstance(content, Transaction):
        raise FormatError(f"{source} is no transaction")
    return content, ebts.submission(content, **how)


def _show(content: Any, asked: Any, response: SearchResponse, json_file: str | None) -> None:
    """The search alone: what it found is shown, and no answer is written."""
    deviations = [{"at": d.at, "what": d.what} for d in content.deviations]
    result = {
        "fingers": [int(finger.position) for finger in asked.request.fingers],
        "passed_over": list(asked.passed_over),
        "deviations": deviations,
        "response": response.to_dict(),
    }
    notes = [("passed over", what) for what in asked.passed_over]
    notes += [("deviation", f"byte {d['at']}: {d['what']}") for d in deviations]
    shown = [*_notes(notes), *response_tables(response)]
    emit(result, json_file, *shown, sheet=candidate_sheet([response]))


def bytes_of(source: Path) -> bytes:
    """All of a file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return source.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}") from error


def _folder(out: Path) -> None:
    """Make the folder before the search, whose control number counts once."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}") from error


def _written(done: Transacted, out: Path) -> list[dict[str, Any]]:
    """Write every answer under its type and number, and say what was written."""
    rows = []
    addressed: list[tuple[str, Iterable[Answer]]] = [(done.address.recipient, done.answers)]
    addressed += done.copies.items()
    for ori, answers in addressed:
        for answer in answers:
            path = out / f"{answer.kind}-{answer.control}.an2"
            try:
                with replacing(path) as file:
                    file.write(answer.data)
            except OSError as error:
                raise WriteError(f"cannot write {path}: {error.strerror}") from error
            rows.append(
                {
                    "file": str(path),
                    "kind": answer.kind,
                    "partition": answer.partition,
                    "to": ori,
                    "unnamed": list(answer.unnamed),
                }
            )
    return rows


def _report(done: Transacted, written: list[dict[str, Any]], json_file: str | None) -> None:
    passed_over = () if done.submission is None else done.submission.passed_over
    response: SearchResponse | None = done.response
    result = {
        "answers": written,
        "error": None if done.error is None else str(done.error),
        "passed_over": list(passed_over),
        "response": None if response is None else response.to_dict(),
    }
    notes = [("passed over", what) for what in passed_over]
    notes += [
        ("not named", f"{record} of {row['partition']}")
        for row in written
        for record in row["unnamed"]
    ]
    if done.error is not None:
        notes.append(("not searched", str(done.error)))
    columns = ["answer", "partition", "to", "file"]
    rows = [(row["kind"], row["partition"], row["to"], row["file"]) for row in written]
    shown = [*_notes(notes), table(columns, rows, left=4)]
    shown += response_tables(response) if response is not None else ()
    emit(result, json_file, *shown, sheet=table(columns, rows, left=4))


def _notes(rows: list[tuple[str, str]]) -> list[Any]:
    return [table(["of the file", ""], rows, left=2)] if rows else []
