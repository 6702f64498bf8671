"""``fpmatch report-event``, ``cancel``, ``cascade``, ``copy``: what a search leaves for later."""

from __future__ import annotations

from typing import Annotated

import typer

from fpmatch.cli.gallery import Gallery
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, check_target, emit, table
from fpmatch.cli.search import Disposition, candidate_sheet, response_tables

Token = Annotated[str, typer.Argument(help="From the answer of the search that waits.")]


def report_event_command(
    gallery: Gallery,
    token: Token,
    event: Annotated[str, typer.Argument(help="For instance CONVICTION, ACQUITTAL, DISMISSAL.")],
    disposition: Disposition = None,
    everywhere: Annotated[
        bool,
        typer.Option("--everywhere", help="Submit it anew to every partition, not only this one."),
    ] = False,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Tell a deferred search that something happened; the policy of now decides what follows."""
    with opened(gallery, engine_file) as engine:
        response = engine.report_event(token, event, disposition=disposition, everywhere=everywhere)
    emit(
        response.to_dict(),
        json_file,
        *response_tables(response),
        sheet=candidate_sheet([response]),
    )


def cancel_command(
    gallery: Gallery,
    token: Token,
    why: Annotated[str, typer.Option(help="Reason, for the log.")] = "cancelled",
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Destroy a probe that waits; the log says that nothing was compared for it."""
    with opened(gallery, engine_file) as engine:
        engine.cancel(token, why=why)
    emit({"cancelled": token, "why": why}, json_file, table(["cancelled", "why"], [(token, why)]))


def cascade_command(
    gallery: Gallery,
    partition: Annotated[str, typer.Argument(help="Name of the partition.")],
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Search a partition again with every probe retained for it, each under its own terms."""
    with opened(gallery, engine_file) as engine:
        responses = engine.cascade(partition)
    shown = [part for response in responses for part in response_tables(response)]
    emit(
        [response.to_dict() for response in responses],
        json_file,
        *(shown or [f"No probe is retained for {partition}."]),
        sheet=candidate_sheet(responses),
    )


def copy_command(
    gallery: Gallery,
    tcn: Annotated[str, typer.Argument(metavar="TCN", help="Control number of the search.")],
    ori: Annotated[str, typer.Option(help="The agency that gets the copy, nine characters.")],
    booking_ori: Annotated[
        str | None, typer.Option(help="Who submitted, where several used the number.")
    ] = None,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Fetch the copy of a search for an agency of its --copies-to; it is handed out once."""
    check_target(json_file)
    with opened(gallery, engine_file) as engine:
        response = engine.copy(tcn, ori, booking_ori=booking_ori)
    emit(
        response.to_dict(),
        json_file,
        *response_tables(response),
        sheet=candidate_sheet([response]),
    )
