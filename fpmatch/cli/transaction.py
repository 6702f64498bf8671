"""``fpmatch transaction``: an EBTS submission, searched as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fpmatch.cli.inputs import Extractor, parse_pairs
from fpmatch.cli.output import JsonFile, emit, table
from fpmatch.cli.search import Attribute, Charge, Role, response_tables
from fpmatch.errors import FormatError

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


def transaction_command(
    source: Submitted,
    gallery: Searched,
    stand_in: StandIn = None,
    purpose: Annotated[str, typer.Option(help="Purpose code.")] = "C",
    role: Role = "",
    charge: Charge = None,
    disposition: Annotated[str | None, typer.Option(help="The court's disposition.")] = None,
    attribute: Attribute = None,
    effort: Annotated[str, typer.Option(help="fast, balanced, scan or exhaustive.")] = "balanced",
    threads: Annotated[int, typer.Option(help="Threads of the search.")] = 1,
    extractor: Extractor = None,
    json_file: JsonFile = None,
) -> None:
    """Search a gallery with a transaction file: its station, chain, type and fingers."""
    from fpmatch.formats import Transaction, ebts, read
    from fpmatch.search import Engine

    content = read(source)
    if not isinstance(content, Transaction):
        raise FormatError(f"{source} is no transaction")
    asked = ebts.submission(content, stand_in=stand_in, extractor=extractor)
    request = replace(
        asked.request,
        purpose=purpose,
        role=role,
        charge=charge,
        disposition=disposition,
        attributes=parse_pairs(attribute or (), "--attribute"),
        effort=effort,
    )
    with Engine.open(str(gallery), threads=threads) as engine:
        response = engine.search(request)
    deviations = [{"at": d.at, "what": d.what} for d in content.deviations]
    result = {
        "fingers": [int(finger.position) for finger in request.fingers],
        "passed_over": list(asked.passed_over),
        "deviations": deviations,
        "response": response.to_dict(),
    }
    notes = [("passed over", what) for what in asked.passed_over]
    notes += [("deviation", f"byte {d['at']}: {d['what']}") for d in deviations]
    shown = [table(["of the file", ""], notes, left=2)] if notes else []
    emit(result, json_file, *shown, *response_tables(response))
