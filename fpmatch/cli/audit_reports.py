"""Reports of ``fpmatch audit``: who was searched where, and did what was stated hold."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from fpmatch.cli.audit import Actor, Log, Partition, Unrecorded, read_file, read_log
from fpmatch.cli.output import JsonFile, emit, table
from fpmatch.errors import InputError
from fpmatch.parameters import AUDIT


def unknowing_command(
    log: Log,
    partition: Partition,
    actor: Actor = "",
    unrecorded: Unrecorded = False,
    json_file: JsonFile = None,
) -> None:
    """Agencies that were searched in a partition without having acknowledged it."""
    from fpmatch.audit.reports import Unknowing

    with read_log(log, actor, unrecorded=unrecorded) as opened:
        found = opened.unknowing(partition)
    _report(found, Unknowing, json_file)


def ineffective_opt_outs_command(
    log: Log, actor: Actor = "", unrecorded: Unrecorded = False, json_file: JsonFile = None
) -> None:
    """Opt-outs that are not in effect, by the log alone: each for the very agency it names."""
    from fpmatch.audit.reports import OptOut

    with read_log(log, actor, unrecorded=unrecorded) as opened:
        found = opened.ineffective_opt_outs()
    _report(found, OptOut, json_file)


def by_authority_command(
    log: Log,
    partition: Annotated[str | None, typer.Option(help="This partition only.")] = None,
    actor: Actor = "",
    unrecorded: Unrecorded = False,
    json_file: JsonFile = None,
) -> None:
    """Searches by partition, authority and outcome."""
    from fpmatch.audit.reports import ByAuthority

    with read_log(log, actor, unrecorded=unrecorded) as opened:
        found = opened.by_authority(partition)
    _report(found, ByAuthority, json_file)


def stated_against_effective_command(
    log: Log,
    stated: Annotated[
        Path,
        typer.Argument(
            metavar="STATED",
            help="A policy in TOML, or a CSV file with the columns ori, partition, searched.",
        ),
    ],
    at: Annotated[str | None, typer.Option(help="Of the policy: a date; now by default.")] = None,
    actor: Actor = "",
    unrecorded: Unrecorded = False,
    json_file: JsonFile = None,
) -> None:
    """Where the log disagrees with what was stated; 1 if it does anywhere."""
    from fpmatch.audit.reports import Difference

    wanted = _csv(stated) if stated.suffix.lower() == ".csv" else _of_policy(stated, at)
    with read_log(log, actor, unrecorded=unrecorded) as opened:
        found = opened.stated_against_effective(wanted)
    _report(found, Difference, json_file)
    if found:
        raise typer.Exit(1)


def declared_citizens_command(
    log: Log,
    partition: Partition,
    actor: Actor = "",
    unrecorded: Unrecorded = False,
    json_file: JsonFile = None,
) -> None:
    """Searches of a partition for persons declared citizens, by agency."""
    with read_log(log, actor, unrecorded=unrecorded) as opened:
        found = opened.declared_citizens(partition)
    shown = table(["agency", "searches"], list(found.items()))
    emit(found, json_file, shown if found else "None.", sheet=shown)


def aggregate_command(
    log: Log,
    hit_in: Annotated[str, typer.Option(help="Count those with a hit in this partition.")] = "",
    no_hit_in: Annotated[str, typer.Option(help="And with none in this one.")] = "",
    k: Annotated[
        int, typer.Option("--k", help="Cells of fewer searches are merged.")
    ] = AUDIT.k_anonymity,
    actor: Actor = "",
    unrecorded: Unrecorded = False,
    json_file: JsonFile = None,
) -> None:
    """Searches by agency and class of charge, fit to be published."""
    from fpmatch.audit.reports import Aggregate

    with read_log(log, actor, unrecorded=unrecorded) as opened:
        found = opened.aggregate(hit_in=hit_in, no_hit_in=no_hit_in, k=k)
    _report(found, Aggregate, json_file)


def _report(found: Sequence[Any], kind: type[Any], json_file: str | None) -> None:
    """A row for each finding, its fields as columns."""
    names = [f.name for f in fields(kind)]
    rows = [[_cell(getattr(one, name)) for name in names] for one in found]
    words = [f.name.replace("_", " ") for f in fields(kind) if "str" in str(f.type)]
    listing = table([name.replace("_", " ") for name in names], rows, left=0, text=words)
    emit([asdict(one) for one in found], json_file, listing if rows else "None.", sheet=listing)


def _cell(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, tuple) else value


def _of_policy(path: Path, at: str | None) -> dict[tuple[str, str], bool]:
    from fpmatch.policy import Policy

    found = Policy.load(path).matrix(at)
    return {(e.ori, e.partition): "probe" in e.permissions.split() for e in found}


def _csv(path: Path) -> dict[tuple[str, str], bool]:
    rows = csv.DictReader(read_file(path).splitlines())
    if not {"ori", "partition", "searched"} <= set(rows.fieldnames or ()):
        raise InputError(f"{path} needs the columns ori, partition and searched")
    out = {}
    for number, row in enumerate(rows, 2):
        said = str(row["searched"]).strip().lower()
        if said not in ("yes", "no"):
            raise InputError(f"{path}, line {number}: searched must be yes or no")
        out[row["ori"], row["partition"]] = said == "yes"
    return out
