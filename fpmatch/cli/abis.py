"""``fpmatch abis``: one ABIS message from a file, its answer to a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fpmatch.cli.inputs import Extractor, Isolated, parse_pairs, split_list
from fpmatch.cli.keys import keys_of
from fpmatch.cli.output import JsonFile, check_target, emit, table
from fpmatch.cli.search import Attribute, Chain, Ori, Purpose, Role, Transaction
from fpmatch.cli.transaction import Searched, bytes_of
from fpmatch.durable import replacing
from fpmatch.errors import WriteError

Sent = Annotated[Path, typer.Argument(metavar="MESSAGE", help="JSON, as MOSIP sends it.")]
Into = Annotated[
    str, typer.Option(help="Where inserts go and references are looked for, by its name.")
]
Biometrics = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The CBEFF file, decrypted, that a referenceURL stands for."),
]
Authority = Annotated[str, typer.Option(help="By whose authority a delete expunges.")]
Target = Annotated[
    float | None,
    typer.Option(help="-10 log10 of the false positive rate, where the message does not say."),
]
Written = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write the answer there.")
]


def abis_command(
    source: Sent,
    gallery: Searched,
    ori: Ori,
    partition: Into,
    biometrics: Biometrics = None,
    out: Written = None,
    chain: Chain = None,
    transaction: Transaction = "CAR",
    purpose: Purpose = "C",
    role: Role = "",
    attribute: Attribute = None,
    authority: Authority = "",
    target_fpir: Target = None,
    least_quality: Annotated[
        int, typer.Option(help="Pictures of a lower quality, 0 to 100, are not taken.")
    ] = 0,
    threads: Annotated[int, typer.Option(help="Threads of the search.")] = 1,
    extractor: Extractor = None,
    isolated: Isolated = False,
    json_file: JsonFile = None,
) -> None:
    """Serve one ABIS message: insert, identify, delete, ping, pendingJobs or referenceCount."""
    from fpmatch.formats import abis
    from fpmatch.formats.abis_messages import Message, Operation, parse
    from fpmatch.search import Engine

    adapter = abis.Adapter(
        booking_ori=ori,
        partition=partition,
        chain=split_list(chain or ()),
        transaction=transaction,
        purpose=purpose,
        role=role,
        attributes=parse_pairs(attribute or (), "--attribute"),
        authority=authority,
        target_fpir=target_fpir,
        least_quality=least_quality,
        extractor=extractor,
        isolated=isolated,
    )
    data = bytes_of(source)
    file = None if biometrics is None else bytes_of(biometrics)
    if out is not None:
        check_target(str(out))

    def fetch(url: str) -> bytes:
        if file is None:
            raise LookupError("no --biometrics")
        return file

    said = parse(data)
    changes = isinstance(said, Message) and said.operation in (Operation.INSERT, Operation.DELETE)
    mode: Literal["r", "rw"] = "rw" if changes else "r"
    with Engine.open(str(gallery), mode, threads=threads, keys=keys_of(gallery)) as engine:
        answer = abis.handle(data, engine, adapter=adapter, fetch=fetch)
    if out is not None:
        try:
            with replacing(out) as target:
                target.write(answer)
        except OSError as error:
            raise WriteError(f"cannot write {out}: {error.strerror}") from error
    shown: dict[str, Any] = json.loads(answer)
    emit(shown, json_file, *_tables(shown))
    if shown["returnValue"] != "1":
        raise typer.Exit(1)


def _tables(answer: dict[str, Any]) -> list[Any]:
    plain = [(name, value) for name, value in answer.items() if isinstance(value, str)]
    listed = answer.get("candidateList", {}).get("candidates", [])
    rows = [
        (one["referenceId"], one["analytics"]["partition"], one["analytics"]["internalScore"])
        for one in listed
    ]
    candidates = [table(["candidate", "partition", "score"], rows, left=2)] if rows else []
    return [table(["answer", ""], plain, left=2), *candidates]
