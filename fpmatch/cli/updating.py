"""``fpmatch update``: change what is stored of a record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fpmatch.cli.gallery import Authority, Gallery, Key, Order
from fpmatch.cli.inputs import (
    EstimatePpi,
    Extractor,
    Isolated,
    Position,
    Ppi,
    TrustPpi,
    load_template,
    parse_position,
    split_list,
)
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, emit, table
from fpmatch.errors import InputError

Partition = Annotated[str, typer.Argument(help="Name of the partition.")]
Record = Annotated[str, typer.Argument(help="Record id.")]
Fingers = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FINGER]...", help="All impressions of the event from now on: images or templates."
    ),
]
Version = Annotated[
    str | None,
    typer.Option(help="Only if it is still this version: fpmatch record --owner shows it."),
]
Identity = Annotated[str | None, typer.Option(help="Whose it is; empty: the record's own id.")]
Contributor = Annotated[
    str | None, typer.Option(help="ORI of the agency that gave it; empty: none.")
]
Protected = Annotated[str | None, typer.Option(metavar="yes|no", help="A protected person's.")]
Banned = Annotated[
    list[str] | None,
    typer.Option("--banned-use", help="All uses that are banned from now on, as CAR or role:X."),
]
NoBans = Annotated[bool, typer.Option("--no-bans", help="No use is banned from now on.")]
Event = Annotated[
    str | None, typer.Option(help="Whose fingers these are, where the record has several events.")
]


def update_command(
    gallery: Gallery,
    partition: Partition,
    record: Record,
    order: Order,
    authority: Authority,
    fingers: Fingers = None,
    version: Version = None,
    identity: Identity = None,
    contributor: Contributor = None,
    protected: Protected = None,
    banned_use: Banned = None,
    no_bans: NoBans = False,
    event: Event = None,
    key: Key = "",
    ppi: Ppi = None,
    trust_ppi: TrustPpi = False,
    estimate_ppi: EstimatePpi = False,
    position: Position = "unknown",
    extractor: Extractor = None,
    isolated: Isolated = False,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Change the facts of a record, or its fingers; what is replaced is destroyed."""
    bans = split_list(banned_use or ())
    if bans and no_bans:
        raise InputError("--banned-use and --no-bans contradict each other")
    if protected not in (None, "yes", "no"):
        raise InputError("--protected must be yes or no")
    how: dict[str, Any] = {"ppi": ppi, "trust_ppi": trust_ppi, "estimate": estimate_ppi}
    how |= {"position": parse_position(position), "extractor": extractor, "isolated": isolated}
    with opened(gallery, engine_file, "rw") as engine:
        receipt = engine.update(
            partition,
            record,
            order=order,
            authority=authority,
            version=version,
            identity=identity,
            contributor=contributor,
            protected=None if protected is None else protected == "yes",
            banned_uses=frozenset(bans) if bans or no_bans else None,
            fingers=[load_template(path, **how) for path in fingers] if fingers else None,
            event=event,
            key=key,
        )
    before, after = receipt.roots
    result = {
        "partition": receipt.partition,
        "record": receipt.record,
        "order": receipt.order,
        "authority": receipt.authority,
        "changed": list(receipt.changed),
        "lifted": list(receipt.lifted),
        "added": receipt.added,
        "kept": receipt.kept,
        "removed": list(receipt.removed),
        "version": receipt.version,
        "roots": {"before": before, "after": after},
        "audit_seq": receipt.audit_seq,
    }
    rows: list[tuple[str, Any]] = [
        ("changed", ", ".join(receipt.changed) or "nothing: it was so already"),
        ("lifted", ", ".join(receipt.lifted) or "nothing"),
        ("impressions added", receipt.added),
        ("impressions kept for another event", receipt.kept),
        *(("template destroyed", digest) for digest in receipt.removed),
        ("version", receipt.version),
        ("record of the log", receipt.audit_seq),
    ]
    emit(result, json_file, table(["updated", "value"], rows))
