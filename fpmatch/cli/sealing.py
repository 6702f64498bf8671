"""``fpmatch seal`` and ``unseal``: hide a record from every search, and show it again."""

from __future__ import annotations

from typing import Annotated

import typer

from fpmatch.cli.gallery import Authority, Gallery, Key, Order, Where
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, emit, table

Record = Annotated[str, typer.Argument(help="Record id.")]


def seal_command(
    gallery: Gallery,
    record: Record,
    order: Order,
    authority: Authority,
    partition: Where = None,
    key: Key = "",
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Hide a record from every search until it is unsealed."""
    with opened(gallery, engine_file, "rw") as engine:
        seq = engine.seal(record, order=order, authority=authority, partition=partition, key=key)
    _show("sealed", record, seq, json_file)


def unseal_command(
    gallery: Gallery,
    record: Record,
    order: Order,
    authority: Authority,
    partition: Where = None,
    key: Key = "",
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Lift a seal: searches see the record again."""
    with opened(gallery, engine_file, "rw") as engine:
        seq = engine.unseal(record, order=order, authority=authority, partition=partition, key=key)
    _show("unsealed", record, seq, json_file)


def _show(what: str, record: str, seq: int, json_file: str | None) -> None:
    result = {what: record, "audit_seq": seq}
    emit(result, json_file, table([what, "record of the log"], [(record, seq)]))
