"""``fpmatch opt-out``: requests not to be searched, and what became of them."""

from __future__ import annotations

from typing import Annotated

import typer

from fpmatch.cli.gallery import Gallery
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, Sheet, emit, table
from fpmatch.types import OptOutReceipt


def request_command(
    gallery: Gallery,
    who: Annotated[str, typer.Argument(help="ORI, or a jurisdiction of the policy.")],
    partition: Annotated[str, typer.Argument(help="Name of the partition.")],
    reason: Annotated[str, typer.Option(help="In the words of who asks.")] = "",
    name: Annotated[str, typer.Option(help="A name for the request; made up without.")] = "",
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Record that an agency or jurisdiction asks not to be searched; a policy gives it effect."""
    with opened(gallery, engine_file, "rw") as engine:
        receipt = engine.request_opt_out(who, partition, reason=reason, request=name)
    _receipt(receipt, json_file)


def answer_command(
    gallery: Gallery,
    name: Annotated[str, typer.Argument(metavar="REQUEST", help="Name of the request.")],
    status: Annotated[str, typer.Argument(help="accepted or refused.")],
    authority: Annotated[str, typer.Option(help="Who answers.")],
    answer: Annotated[str, typer.Option(help="In words.")] = "",
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Accept or refuse a request; accepting it changes no decision either."""
    with opened(gallery, engine_file, "rw") as engine:
        receipt = engine.answer_opt_out(name, status, authority=authority, answer=answer)
    _receipt(receipt, json_file)


def list_command(
    gallery: Gallery,
    status: Annotated[str | None, typer.Option(help="open, accepted or refused.")] = None,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """List requests to opt out, oldest first, and whether each is in effect."""
    with opened(gallery, engine_file) as engine:
        found = engine.opt_outs(status)
    result = [receipt.to_dict() for receipt in found]
    whole = table(list(result[0]) if result else ["request"], [tuple(r.values()) for r in result])
    emit(result, json_file, _listing(found) if found else "No request is on record.", sheet=whole)


def ineffective_command(
    gallery: Gallery, engine_file: EngineFile = None, json_file: JsonFile = None
) -> None:
    """List opt-outs that are open or refused, or accepted and yet searched, by the log."""
    with opened(gallery, engine_file) as engine:
        found = engine.ineffective_opt_outs()
    columns = ["request", "who", "partition", "asked", "status", "searches since"]
    rows = [(o.request, o.cri, o.partition, o.asked, o.status, o.searches_since) for o in found]
    listing = table(columns, rows, left=5)
    keys = [name.replace(" ", "_") for name in columns]
    result = [dict(zip(keys, row, strict=True)) for row in rows]
    emit(
        result,
        json_file,
        listing if rows else "None is open or refused, or was searched since.",
        sheet=listing,
    )


def _receipt(receipt: OptOutReceipt, json_file: str | None) -> None:
    note = (
        "In effect: no search of it can reach the partition under the policy in force."
        if receipt.in_effect
        else "Not in effect: under the policy in force it can be searched. A policy changes that."
    )
    rows = [(name.replace("_", " "), value) for name, value in receipt.to_dict().items()]
    emit(receipt.to_dict(), json_file, table(["opt-out", "value"], rows, text=["value"]), note)


def _listing(found: list[OptOutReceipt]) -> Sheet:
    rows = [(r.request, r.who, r.partition, r.status, r.asked[:10], r.in_effect) for r in found]
    columns = ["request", "who", "partition", "status", "asked", "in effect"]
    return table(columns, rows, left=6)
