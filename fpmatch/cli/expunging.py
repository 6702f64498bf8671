"""``fpmatch expunge``: an event, records or identities, destroyed for good."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.checks import quoted
from fpmatch.cli.gallery import Authority, Gallery, Key, Order, Where
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, check_target, emit, progress_bar, table
from fpmatch.errors import InputError
from fpmatch.parameters import SEARCH

if TYPE_CHECKING:
    from fpmatch.gallery import Receipt

COUNTS = ("records", "events", "fingers", "kept", "probes", "audit_seq")


def expunge_command(
    gallery: Gallery,
    order: Order,
    authority: Authority,
    record: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECORD...", help="Record ids; with --level identity the identities."
        ),
    ] = None,
    list_file: Annotated[
        Path | None,
        typer.Option("--list", help="A file of ids, one a line; - for standard input."),
    ] = None,
    level: Annotated[str, typer.Option(help="event, record or identity.")] = "record",
    event: Annotated[str, typer.Option(help="Which event, with --level event.")] = "",
    partition: Where = None,
    key: Key = "",
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Destroy an event, records or identities, and print the receipts."""
    if level not in ("event", "record", "identity"):
        raise InputError(f"--level {quoted(level)} must be event, record or identity")
    names = list(record or ())
    if list_file is None and len(names) == 1:
        with opened(gallery, engine_file, "rw") as engine:
            receipt = engine.expunge(
                names[0],
                order=order,
                authority=authority,
                level=level,  # type: ignore[arg-type]
                event=event,
                partition=partition,
                key=key,
            )
        _show_one(receipt, json_file)
        return
    if level == "event":
        raise InputError("--level event is for one record at a time")
    names = list(dict.fromkeys([*names, *(() if list_file is None else _listed(list_file))]))
    if not names:
        raise InputError("name a record, or a file of them with --list")
    check_target(json_file)
    receipts: list[Receipt] = []
    with (
        opened(gallery, engine_file, "rw") as engine,
        progress_bar() as bar,
        _cut_off(receipts, len(names)),
    ):
        for first in range(0, len(names), SEARCH.most_expunged):
            some = names[first : first + SEARCH.most_expunged]
            receipts += engine.expunge_many(
                some,
                order=order,
                authority=authority,
                level=level,  # type: ignore[arg-type]
                partition=partition,
                progress=_moving(bar, first, len(names)),
                key=f"{key}, from {first}" if key and first else key,
            )
    _show_many(names, receipts, json_file)


def _moving(
    bar: Callable[[str, int, int], None] | None, first: int, names: int
) -> Callable[[int, int], None] | None:
    """What moves a bar on while names from one on are taken out."""
    return None if bar is None else lambda done, _: bar("expunging", first + done, names)


def _listed(path: Path) -> Iterator[str]:
    """The ids in a file."""
    from fpmatch.cli.inputs import read_once
    from fpmatch.formats.source import read_bytes

    content = read_bytes(sys.stdin.buffer if str(path) == "-" else read_once(path))
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8") from None
    return (line.strip() for line in lines if line.strip())


@contextmanager
def _cut_off(receipts: list[Receipt], names: int) -> Iterator[None]:
    """Where something ends the command before its time, say what was done."""
    try:
        yield
    except BaseException:
        if receipts:
            done = f"the first {len(receipts)} of {names} names are expunged"
            print(f"fpmatch: {done}; leave them out of the list to go on", file=sys.stderr)
        raise


def _values(receipt: Receipt) -> dict[str, Any]:
    return {
        **{name: getattr(receipt, name) for name in COUNTS},
        "removed": list(receipt.removed),
        "roots": [{"partition": p, "before": b, "after": a} for p, b, a in receipt.roots],
    }


def _show_one(receipt: Receipt, json_file: str | None) -> None:
    rows = [(name.replace("_", " "), getattr(receipt, name)) for name in COUNTS]
    rows += [("template destroyed", digest) for digest in receipt.removed]
    said = {"level": receipt.level, "order": receipt.order, "authority": receipt.authority}
    emit({**said, **_values(receipt)}, json_file, table(["expunged", "value"], rows))


def _show_many(names: list[str], receipts: list[Receipt], json_file: str | None) -> None:
    one = receipts[0]
    pairs = list(zip(names, receipts, strict=True))
    result = {
        "level": one.level,
        "order": one.order,
        "authority": one.authority,
        "expunged": [{"name": name, **_values(receipt)} for name, receipt in pairs],
    }
    rows = [(name, *(getattr(receipt, count) for count in COUNTS)) for name, receipt in pairs]
    heads = ["expunged", *(count.replace("_", " ") for count in COUNTS)]
    emit(result, json_file, table(heads, rows))
