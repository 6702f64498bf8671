"""``fpmatch search`` and ``fpmatch explain``: what a submission gets, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.checks import is_folder
from fpmatch.cli.gallery import Gallery
from fpmatch.cli.inputs import (
    EstimatePpi,
    Extractor,
    Isolated,
    Position,
    Positions,
    Ppi,
    Rotation,
    Scale,
    TrustPpi,
    of,
    parse_pairs,
    split_list,
)
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, Sheet, emit, table, write_text
from fpmatch.cli.submission import submission
from fpmatch.errors import InputError
from fpmatch.parameters import SEARCH

if TYPE_CHECKING:
    from fpmatch.types import PartitionResult, SearchResponse, Verification

Ori = Annotated[str, typer.Option(help="The booking agency's ORI, nine characters.")]
Chain = Annotated[
    list[str] | None, typer.Option(help="Further agencies the submission passed, in order.")
]
Charge = Annotated[str | None, typer.Option(help="The charge, as the policy codes it.")]
Transaction = Annotated[str, typer.Option(help="Type of transaction.")]
Purpose = Annotated[str, typer.Option(help="Purpose code.")]
Disposition = Annotated[str | None, typer.Option(help="The court's disposition.")]
Protected = Annotated[
    str,
    typer.Option(
        metavar="yes|no|unknown",
        help="Whether the person is under a protection flag; unknown denies.",
        autocompletion=of("yes", "no", "unknown"),
    ),
]
Fingers = Annotated[list[Path], typer.Argument(metavar="FINGER...", help="Images or templates.")]
Partitions = Annotated[
    list[str] | None,
    typer.Option("--partition", help="Only this partition; all that is granted without."),
]
MaxCandidates = Annotated[int, typer.Option(help="Longest list of a partition.")]
Threads = Annotated[int | None, typer.Option(help="Threads of the search (default 1).")]
Effort = Annotated[
    str,
    typer.Option(
        help="fast, balanced, scan or exhaustive.",
        autocompletion=of("fast", "balanced", "scan", "exhaustive"),
    ),
]
Role = Annotated[str, typer.Option(help="Role of who asks.")]
Attribute = Annotated[
    list[str] | None, typer.Option("--attribute", metavar="KEY=VALUE", help="A declared fact.")
]
Minutiae = Annotated[
    bool,
    typer.Option(
        "--minutiae", help="Ask for the paired minutiae, which policies show to named roles."
    ),
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
IN_PART = "searched in part"
"""Instead, where not all of it was compared: an empty list would else read as "no hit"."""


def search_command(
    gallery: Gallery,
    fingers: Fingers,
    ori: Ori,
    chain: Chain = None,
    transaction: Transaction = "CAR",
    partition: Partitions = None,
    purpose: Purpose = "C",
    role: Role = "",
    charge: Charge = None,
    disposition: Disposition = None,
    protected: Protected = "no",
    attribute: Attribute = None,
    retain: Annotated[
        bool, typer.Option("--retain", help="Keep the probe for later arrivals, where granted.")
    ] = False,
    copies_to: Annotated[
        list[str] | None,
        typer.Option(help="A further agency that gets a copy, under its own mask."),
    ] = None,
    copies: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Fetch the copies and write them there as JSON."),
    ] = None,
    tcn: Annotated[str, typer.Option(help="Control number; made up without.")] = "",
    tcr: Annotated[str, typer.Option(help="Control number that this one refers to.")] = "",
    deadline_ms: Annotated[float | None, typer.Option(help="Give up after so long.")] = None,
    max_candidates: MaxCandidates = 20,
    threshold: Annotated[
        float, typer.Option(help="Lowest score listed, -10 log10(FMR); 0 lists what there is.")
    ] = SEARCH.threshold,
    effort: Effort = "balanced",
    rotation: Rotation = "upright",
    scale: Scale = "stated",
    positions: Positions = "labelled",
    minutiae: Minutiae = False,
    threads: Threads = None,
    ppi: Ppi = None,
    trust_ppi: TrustPpi = False,
    estimate_ppi: EstimatePpi = False,
    position: Position = "unknown",
    extractor: Extractor = None,
    isolated: Isolated = False,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Search a gallery as an agency; each partition answers under the policy in force."""
    recipients = split_list(copies_to or ())
    _check_copies(recipients, copies)
    request = submission(
        fingers,
        ori,
        chain=chain,
        transaction=transaction,
        partition=partition,
        purpose=purpose,
        role=role,
        charge=charge,
        disposition=disposition,
        protected=protected,
        attribute=attribute,
        retain=retain,
        copies_to=recipients,
        tcn=tcn,
        tcr=tcr,
        deadline_ms=deadline_ms,
        max_candidates=max_candidates,
        threshold=threshold,
        effort=effort,
        rotation=rotation,
        scale=scale,
        positions=positions,
        minutiae=minutiae,
        ppi=ppi,
        trust_ppi=trust_ppi,
        estimate_ppi=estimate_ppi,
        position=position,
        extractor=extractor,
        isolated=isolated,
    )
    with opened(gallery, engine_file, threads=threads) as engine:
        response = engine.search(request)
        written = []
        if copies is not None:
            for to in recipients:
                copy = engine.copy(response.tcn, to, booking_ori=ori)
                written.append(_write_copy(copy, to, copies))
    emit(
        response.to_dict(),
        json_file,
        *response_tables(response),
        *written,
        sheet=candidate_sheet([response]),
    )


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

    facts: dict[str, Any] = {"role": role, "charge": charge}
    facts["attributes"] = parse_pairs(attribute or (), "--attribute")
    if transaction is not None:
        facts["transaction"] = transaction
    if chain:
        facts["chain"] = split_list(chain)
    if is_folder(source):
        with opened(source) as engine:
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
        "obstacles": [reason.value for reason in answer.obstacles],
        "possible": answer.possible,
        "text": answer.text,
    }
    rows = [(name, ", ".join(v) if isinstance(v, list) else v) for name, v in result.items()]
    emit(result, json_file, answer.text, sheet=table(["explanation", "value"], rows, left=2))


def _check_copies(recipients: tuple[str, ...], folder: Path | None) -> None:
    """Copies are handed out once, so their place is made before the search."""
    if folder is None:
        return
    if not recipients:
        raise InputError("--copies says where copies are written; --copies-to, who gets one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error


def _write_copy(copy: SearchResponse, ori: str, folder: Path) -> str:
    path = folder / f"{ori}.json"
    write_text(str(path), json.dumps(copy.to_dict(), indent=2, ensure_ascii=False) + "\n")
    return f"Copy for {ori}: {path}"


def response_tables(response: SearchResponse) -> list[Any]:
    """A response as a terminal shows it: a line for each partition, then the candidates."""
    sections = [(s.partition, meaning(s), s.reason.value, _count(s)) for s in response]
    columns = ["partition", "outcome", "reason", "candidates"]
    tokens = [f"Token of {s.partition}, for later: {s.token}" for s in response if s.token]
    partly = [_incomplete(s) for s in response if not s.complete]
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
        out.append(table(columns, rows, text=["record", "false match rate"]))
    return [*out, *partly, *tokens]


def meaning(answer: PartitionResult | Verification) -> str:
    """An outcome in words; that of a search which was not completed says so."""
    return MEANING[answer.outcome.value] if answer.complete else IN_PART


def _incomplete(section: PartitionResult) -> str:
    covered = section.coverage
    how = "" if covered is None or covered.whole else f" ({covered.text})"
    return (
        f"The search of {section.partition} was not completed{how}: what it lists may lack records."
    )


def candidate_sheet(responses: Iterable[SearchResponse]) -> Sheet:
    """Responses as one table: a row for each candidate, and for each partition without any."""
    columns = ["tcn", "partition", "outcome", "reason", "complete", "rank", "record", "score"]
    columns += ["fmr", "fmr_below", "fmr_comparisons"]
    rows: list[tuple[Any, ...]] = []
    for response in responses:
        for s in response:
            head = (response.tcn, s.partition, s.outcome.value, s.reason.value, s.complete)
            listed = [
                (*head, rank, c.record, c.score, c.fmr, c.claim.below, c.claim.comparisons)
                for rank, c in enumerate(s.candidates or (), 1)
            ]
            rows += listed or [(*head, *(None,) * 6)]
    return table(columns, rows, left=len(columns))


def _count(section: PartitionResult) -> int | None:
    return None if section.candidates is None else len(section.candidates)
