"""``fpmatch replay``: a logged search once more, to see whether the same comes out."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated

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
)
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, emit, table
from fpmatch.cli.search import (
    Attribute,
    Chain,
    Charge,
    Disposition,
    Effort,
    Fingers,
    MaxCandidates,
    Ori,
    Partitions,
    Protected,
    Purpose,
    Role,
    Transaction,
)
from fpmatch.cli.submission import submission


def replay_command(
    gallery: Gallery,
    seq: Annotated[int, typer.Argument(help="The search's number in the log (its INTENT).")],
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
    max_candidates: MaxCandidates = 20,
    threshold: Annotated[
        float | None, typer.Option(help="Lowest score listed, if the search said one.")
    ] = None,
    effort: Effort = "balanced",
    rotation: Rotation = "upright",
    scale: Scale = "stated",
    positions: Positions = "labelled",
    ppi: Ppi = None,
    trust_ppi: TrustPpi = False,
    estimate_ppi: EstimatePpi = False,
    position: Position = "unknown",
    extractor: Extractor = None,
    isolated: Isolated = False,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Run a logged search again and compare digests; 1 if anything differs."""
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
        max_candidates=max_candidates,
        effort=effort,
        rotation=rotation,
        scale=scale,
        positions=positions,
        ppi=ppi,
        trust_ppi=trust_ppi,
        estimate_ppi=estimate_ppi,
        position=position,
        extractor=extractor,
        isolated=isolated,
    )
    if threshold is not None:
        request = replace(request, threshold=threshold)
    with opened(gallery, engine_file) as engine:
        report = engine.replay(seq, request)
    rows = [(name, ", ".join(differs) or "nothing") for name, differs in report.partitions]
    outcome = "the same came out" if report.ok else "NOT the same came out"
    said = f"Search {report.tcn}, record {report.seq} of the log: {outcome}."
    result = {**asdict(report), "ok": report.ok}
    emit(result, json_file, said, table(["partition", "what differs"], rows, left=2))
    if not report.ok:
        raise typer.Exit(1)
