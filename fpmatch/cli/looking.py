"""``fpmatch records``, ``record``, ``count`` and ``verify``: looking at what a gallery holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    parse_pairs,
    split_list,
)
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, emit, table
from fpmatch.cli.search import (
    Attribute,
    Chain,
    Charge,
    Disposition,
    Fingers,
    Minutiae,
    Ori,
    Protected,
    Purpose,
    Role,
    Transaction,
    meaning,
)
from fpmatch.cli.submission import submission
from fpmatch.parameters import SEARCH

if TYPE_CHECKING:
    from fpmatch.types import RecordInfo, RecordsRequest

Partition = Annotated[str, typer.Argument(help="Name of the partition.")]
Record = Annotated[str, typer.Argument(help="Record id.")]
Agency = Annotated[str, typer.Option("--ori", help="The agency that asks: its ORI.")]
Owner = Annotated[str, typer.Option(help="Instead of --ori: the partition's owner asks.")]


def records_command(
    gallery: Gallery,
    partition: Partition,
    ori: Agency = "",
    owner: Owner = "",
    chain: Chain = None,
    purpose: Purpose = "C",
    role: Role = "",
    attribute: Attribute = None,
    after: Annotated[str, typer.Option(help="Begin behind this name.")] = "",
    limit: Annotated[int, typer.Option(help="Most records listed.")] = SEARCH.page_records,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """List the records of a partition that an agency, or the partition's owner, may see."""
    request = request_of(ori, owner, chain, purpose, role, attribute)
    with opened(gallery, engine_file) as engine:
        page = engine.records(partition, request, after=after, limit=limit)
    result = {
        "partition": page.partition,
        "records": [r.to_dict() for r in page],
        "after": page.after,
    }
    more = [f"There are more: --after {page.after}"] if page.after else []
    emit(result, json_file, _table(page.records, own=bool(owner)), *more)


def record_command(
    gallery: Gallery,
    partition: Partition,
    record: Record,
    ori: Agency = "",
    owner: Owner = "",
    chain: Chain = None,
    purpose: Purpose = "C",
    role: Role = "",
    attribute: Attribute = None,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Show what is stored of one record, as far as it is open to who asks."""
    request = request_of(ori, owner, chain, purpose, role, attribute)
    with opened(gallery, engine_file) as engine:
        found = engine.record(partition, record, request)
    emit(found.to_dict(), json_file, _table([found], own=bool(owner)))


def count_command(
    gallery: Gallery,
    partition: Partition,
    ori: Agency = "",
    owner: Owner = "",
    chain: Chain = None,
    purpose: Purpose = "C",
    role: Role = "",
    attribute: Attribute = None,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Count the records of a partition that an agency, or the partition's owner, may see."""
    request = request_of(ori, owner, chain, purpose, role, attribute)
    with opened(gallery, engine_file) as engine:
        found = engine.count(partition, request)
    result = {"partition": found.partition, "records": found.records, "fingers": found.fingers}
    rows = [(found.partition, found.records, found.fingers)]
    emit(result, json_file, table(["partition", "records", "fingers"], rows))


def verify_command(
    gallery: Gallery,
    record: Record,
    fingers: Fingers,
    partition: Annotated[str, typer.Option(help="The partition that holds the record.")],
    ori: Ori,
    chain: Chain = None,
    transaction: Transaction = "CAR",
    purpose: Purpose = "C",
    role: Role = "",
    charge: Charge = None,
    disposition: Disposition = None,
    protected: Protected = "no",
    attribute: Attribute = None,
    rotation: Rotation = "upright",
    scale: Scale = "stated",
    positions: Positions = "labelled",
    minutiae: Minutiae = False,
    ppi: Ppi = None,
    trust_ppi: TrustPpi = False,
    estimate_ppi: EstimatePpi = False,
    position: Position = "unknown",
    extractor: Extractor = None,
    isolated: Isolated = False,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Compare fingers with one record, as an agency (1:1); under the policy of a search."""
    from fpmatch.types import claim_of

    request = submission(
        fingers,
        ori,
        chain=chain,
        transaction=transaction,
        purpose=purpose,
        role=role,
        charge=charge,
        disposition=disposition,
        protected=protected,
        attribute=attribute,
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
    with opened(gallery, engine_file) as engine:
        found = engine.verify(request, record, partition=partition)
    rows = [
        (found.partition, meaning(found), found.reason.value, record)
        + ((found.score, str(claim_of(found.score))) if found.score is not None else (None, None))
    ]
    columns = ["partition", "outcome", "reason", "record", "score", "false match rate"]
    emit(found.to_dict(), json_file, table(columns, rows, left=4))


def request_of(
    ori: str,
    owner: str,
    chain: list[str] | None,
    purpose: str,
    role: str,
    attribute: list[str] | None,
) -> RecordsRequest:
    """Who asks, from options.

    Parameters
    ----------
    ori, owner : str
        One of both.
    chain : list of str or None
        Agencies, also several in one value.
    purpose, role : str
    attribute : list of str or None
        ``key=value``.
    """
    from fpmatch.types import RecordsRequest

    return RecordsRequest(
        booking_ori=ori,
        owner=owner,
        chain=split_list(chain or ()),
        purpose=purpose,
        role=role,
        attributes=parse_pairs(attribute or (), "--attribute"),
    )


def _table(records: tuple[RecordInfo, ...] | list[RecordInfo], *, own: bool) -> Any:
    """A line for each record; its facts only where the owner asks."""
    columns = ["record", "fingers"]
    if own:
        columns += ["identity", "contributor", "events", "protected", "sealed", "bans"]
    rows: list[tuple[Any, ...]] = []
    for r in records:
        row: tuple[Any, ...] = (r.record, ", ".join(str(int(p)) for p in r.positions))
        if own:
            events = ", ".join(e or "-" for e in r.events)
            bans = " ".join(sorted(r.banned_uses))
            row += (r.identity, r.contributor, events, r.protected, r.sealed, bans)
        rows.append(row)
    return table(columns, rows, left=len(columns))
