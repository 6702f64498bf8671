"""``fpmatch search`` and ``fpmatch explain``: what a submission gets, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.checks import is_folder
from fpmatch.cli.gallery import Gallery
from fpmatch.cli.inputs import (
    Extractor,
    Isolated,
    Position,
    Positions,
    Ppi,
    Rotation,
    load_template,
    parse_pairs,
    parse_position,
    split_list,
)
from fpmatch.cli.output import JsonFile, emit, table

if TYPE_CHECKING:
    from fpmatch.types import PartitionResult, SearchResponse

Ori = Annotated[str, typer.Option(help="The booking agency's ORI, nine characters.")]
Chain = Annotated[
    list[str] | None, typer.Option(help="Further agencies the submission passed, in order.")
]
Charge = Annotated[str | None, typer.Option(help="The charge, as the policy codes it.")]
Transaction = Annotated[str, typer.Option(help="Type of transaction.")]
Purpose = Annotated[str, typer.Option(help="Purpose code.")]
Disposition = Annotated[str | None, typer.Option(help="The court's disposition.")]
Role = Annotated[str, typer.Option(help="Role of who asks.")]
Attribute = Annotated[
    list[str] | None, typer.Option("--attribute", metavar="KEY=VALUE", help="A declared fact.")
]

MEANING = {
    "SEARCHED_DISCLOSED": "searched",
    "SEARCHED_WITHHELD": "searched, result withheld",
    "NOT_SEARCHED": "not searched",
    "DEFERRED": "waits for an event",
    "DEFERRED_CANCELLED": "cancelled, never searched",
    "REFUSED": "submission refused",
    "FAILED": "failed",
}
"""Outcomes in words."""


def search_command(
    gallery: Gallery,
    fingers: Annotated[
        list[Path], typer.Argument(metavar="FINGER...", help="Images or templates.")
    ],
    ori: Ori,
    chain: Chain = None,
    transaction: Transaction = "CAR",
    partition: Annotated[
        list[str] | None, typer.Option(help="Only this partition; all that is granted without.")
    ] = None,
    purpose: Purpose = "C",
    role: Role = "",
    charge: Charge = None,
    disposition: Disposition = None,
    attribute: Attribute = None,
    max_candidates: Annotated[int, typer.Option(help="Longest list of a partition.")] = 20,
    threshold: Annotated[float, typer.Option(help="Lowest score listed, -10 log10(FMR).")] = 0.0,
    effort: Annotated[str, typer.Option(help="fast, balanced, scan or exhaustive.")] = "balanced",
    rotation: Rotation = "upright",
    positions: Positions = "labelled",
    threads: Annotated[int, typer.Option(help="Threads of the search.")] = 1,
    ppi: Ppi = None,
    position: Position = "unknown",
    extractor: Extractor = None,
    isolated: Isolated = False,
    json_file: JsonFile = None,
) -> None:
    """Search a gallery as an agency; each partition answers under the policy in force."""
    from fpmatch.search import Engine
    from fpmatch.types import SearchRequest

    where = parse_position(position)
    how: dict[str, Any] = {"ppi": ppi, "extractor": extractor, "isolated": isolated}
    probe = [load_template(f, position=where, **how) for f in fingers]
    request = SearchRequest(
        fingers=probe,
        booking_ori=ori,
        chain=split_list(chain or ()),
        transaction=transaction,
        partitions=[_named(p) for p in partition] if partition else None,
        purpose=purpose,
        role=role,
        charge=charge,
        disposition=disposition,
        attributes=parse_pairs(attribute or (), "--attribute"),
        max_candidates=max_candidates,
        threshold=threshold,
        effort=effort,
        rotation=rotation,
        positions=positions,
    )
    with Engine.open(str(gallery), threads=threads) as engine:
        response = engine.search(request)
    emit(response.to_dict(), json_file, *response_tables(response))


def explain_command(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A gallery's folder or a policy file.")
    ],
    ori: Ori,
    partition: Annotated[str, typer.Option(help="Name of the partition.")],
    at: Annotated[
        str | None, typer.Option(help="A date or time, past or future; now by default.")
    ] = None,
    chain: Chain = None,
    transaction: Annotated[str | None, typer.Option(help="Type of transaction.")] = None,
    role: Role = "",
    charge: Charge = None,
    attribute: Attribute = None,
    json_file: JsonFile = None,
) -> None:
    """Say which rule decides for an agency and a partition, and who could change it."""
    from fpmatch.policy import Policy
    from fpmatch.search import Engine

    facts: dict[str, Any] = {"role": role, "charge": charge}
    facts["attributes"] = parse_pairs(attribute or (), "--attribute")
    if transaction is not None:
        facts["transaction"] = transaction
    if chain:
        facts["chain"] = split_list(chain)
    if is_folder(source):
        with Engine.open(str(source)) as engine:
            answer = engine.explain(ori=ori, partition=partition, at=at, **facts)
    else:
        answer = Policy.load(source).explain(ori=ori, partition=partition, at=at, **facts)
    result = {
        "ori": answer.ori,
        "partition": answer.partition,
        "at": answer.at.isoformat(),
        "reason": answer.reason.value,
        "permissions": [p.name.lower() for p in answer.permissions if p.name],
        "rule": answer.rule,
        "rules": list(answer.decision.rules),
        "authority": answer.authority,
        "author": answer.author,
        "legal_basis": answer.legal_basis,
        "changeable_by": list(answer.changeable_by),
        "text": answer.text,
    }
    emit(result, json_file, answer.text)


def _named(partition: str) -> str | int:
    return int(partition) if partition.isdecimal() else partition


def response_tables(response: SearchResponse) -> list[Any]:
    """A response as a terminal shows it: a line for each partition, then the candidates."""
    sections = [
        (s.partition, MEANING[s.outcome.value], s.reason.value, _count(s)) for s in response
    ]
    columns = ["partition", "outcome", "reason", "candidates"]
    out: list[Any] = [
        f"Transaction {response.tcn}, policy version {response.policy_version}",
        *(f"Note: {note.text}." for note in response.notes),
        table(columns, sections, left=3),
    ]
    rows = [
        (s.partition, rank, c.record, c.score, str(c.claim))
        for s in response
        for rank, c in enumerate(s.candidates or (), 1)
    ]
    if rows:
        columns = ["partition", "rank", "record", "score", "false match rate"]
        out.append(table(columns, rows, text=["record"]))
    return out


def _count(section: PartitionResult) -> int | None:
    return None if section.candidates is None else len(section.candidates)
