"""``fpmatch notifications``, ``deliver`` and ``envelope``: what owners of partitions are told."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fpmatch.cli.gallery import Gallery
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, check_target, emit, table
from fpmatch.durable import replacing
from fpmatch.errors import InputError, WriteError

Name = Annotated[str, typer.Argument(help="Id of the message, from fpmatch notifications.")]


def notifications_command(
    gallery: Gallery,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Those that were delivered, not those that wait.")
    ] = False,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """List the messages to owners of partitions that wait for delivery."""
    with opened(gallery, engine_file) as engine:
        found = engine.notifications(delivered=delivered)
    result = [asdict(message) for message in found]
    columns = ["id", "partition", "owner", "office", "search", "agency"]
    rows = [(m.id, m.partition, m.owner, m.office, m.tcn, m.booking_ori) for m in found]
    whole = table(list(result[0]) if result else columns, [tuple(m.values()) for m in result])
    nothing = "No message was delivered." if delivered else "No message waits."
    emit(result, json_file, table(columns, rows, left=6) if rows else nothing, sheet=whole)


def deliver_command(
    gallery: Gallery,
    notification: Name,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Mark a message as delivered, so that it is sent once; 1 if it was already."""
    with opened(gallery, engine_file) as engine:
        first = engine.deliver(notification)
    shown = table(["message", "delivered now"], [(notification, first)], left=2)
    emit({"notification": notification, "delivered_now": first}, json_file, shown)
    if not first:
        raise typer.Exit(1)


def envelope_command(
    gallery: Gallery,
    notification: Name,
    owner: Annotated[str, typer.Argument(help="The partition's owner.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write it.")],
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Write the candidates behind a message as the vault sealed them for the owner."""
    check_target(str(out))
    if engine_file is None:
        raise InputError(
            "envelopes outlive the search that made them only where a vault keeps them: name it "
            "in the file of --engine, here and for the search"
        )
    with opened(gallery, engine_file) as engine:
        content = engine.envelope(notification, owner)
    try:
        with replacing(out) as file:
            file.write(content)
    except OSError as error:
        raise WriteError(f"cannot write {out}: {error.strerror}") from error
    result = {"notification": notification, "owner": owner, "file": str(out), "bytes": len(content)}
    emit(result, json_file, table(["envelope", "value"], list(result.items())))
