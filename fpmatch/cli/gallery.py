"""``fpmatch init``, ``add-partition`` and ``info``: what a gallery holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fpmatch.checks import quoted
from fpmatch.cli.inputs import split_list
from fpmatch.cli.keys import keys_given, keys_of
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, emit, table
from fpmatch.errors import InputError

Gallery = Annotated[Path, typer.Argument(metavar="GALLERY", help="The gallery's folder.")]

Order = Annotated[str, typer.Option(help="The order that demands it.")]
Authority = Annotated[str, typer.Option(help="Who gave the order.")]
Key = Annotated[
    str, typer.Option(help="A name of yours for this act: repeated under it, it is done once.")
]
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
    with Engine.create(str(gallery), keys=keys_given()) as engine:
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


def info_command(
    gallery: Annotated[
        Path | None, typer.Argument(metavar="[GALLERY]", help="A gallery's folder, if any.")
    ] = None,
    ori: Annotated[str, typer.Option(help="Count the records that this agency may see.")] = "",
    owner: Annotated[str, typer.Option(help="Or those of the partitions that it owns.")] = "",
    chain: Annotated[
        list[str] | None, typer.Option(help="Further agencies the question passed, in order.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Versions and machine; with a gallery its partitions, their records, and its policy."""
    from fpmatch.evaluate.conditions import machine, parameter_hash, versions

    result: dict[str, Any] = {
        "versions": versions(),
        "machine": machine(),
        "parameters": parameter_hash(),
    }
    rows = [(k, v) for part in ("versions", "machine") for k, v in result[part].items()]
    tables = [table(["fpmatch", "value"], [*rows, ("parameters", result["parameters"])])]
    if gallery is not None:
        result["gallery"] = _describe(gallery, ori, owner, split_list(chain or ()))
        tables += _gallery_tables(result["gallery"])
    emit(result, json_file, *tables)


def _describe(gallery: Path, ori: str, owner: str, chain: tuple[str, ...]) -> dict[str, Any]:
    from fpmatch.search import Engine
    from fpmatch.types import RecordsRequest

    asks = RecordsRequest(ori, owner, chain) if ori or owner or chain else None
    with Engine.open(str(gallery), keys=keys_of(gallery)) as engine:
        return {"path": str(gallery), **engine.info(asks).to_dict()}


def _gallery_tables(described: dict[str, Any]) -> list[Any]:
    columns = ("name", "ndr", "owner", "records", "fingers")
    rows = [tuple(p[name] for name in columns) for p in described["partitions"]]
    policy = described["policy"]
    said = f"version {policy['version']}, digest {policy['digest'][:16]}" if policy else "none"
    counted = any(row[-1] is not None for row in rows)
    hint = "" if counted else "Records are counted for who may see them: --ori or --owner. "
    headings = ["partition", "number", "owner", "records", "fingers"]
    return [table(headings, rows, text=["owner"]), f"{hint}Policy in force: {said}"]


def _partition(text: str) -> tuple[str, int, str]:
    name, _, rest = text.partition(":")
    number, _, owner = rest.partition(":")
    if not name or not number.isdecimal() or not owner:
        raise InputError(
            f"partition {quoted(text)} must read NAME:NUMBER:OWNER, as criminal:1:DOJ-FBI"
        )
    return name, int(number), owner
