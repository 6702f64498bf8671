"""``fpmatch policy``: check, publish, compare and spell out policy documents."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.checks import is_folder
from fpmatch.cli.gallery import Gallery, Key
from fpmatch.cli.keys import keys_of
from fpmatch.cli.output import (
    CSV_TARGET,
    JsonFile,
    check_target,
    emit,
    progress_bar,
    table,
    write_text,
)
from fpmatch.durable import replacing
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.cli.sheets import Sheet
    from fpmatch.policy import Policy
    from fpmatch.policy.matrix import Matrix

PolicyFile = Annotated[Path, typer.Argument(metavar="POLICY", help="A policy in TOML.")]
At = Annotated[str | None, typer.Option(help="A date or time, ISO 8601; now by default.")]


def check_command(policy_file: PolicyFile, json_file: JsonFile = None) -> None:
    """Read a policy and list what a careful reader would object to; 1 on an error found."""
    from fpmatch.policy import Policy

    with progress_bar() as progress:
        policy = Policy.load(policy_file, lenient=True, progress=progress)
    findings = policy.lint()
    result = {
        **describe(policy),
        "findings": [
            {"level": f.level.value, "code": f.code, "rules": list(f.rules), "message": f.message}
            for f in findings
        ],
    }
    rows = [(f.level.value, f.code, f.message) for f in findings]
    about = f"{policy_file}: version {policy.version}, digest {policy.digest[:16]}"
    listing = table(["level", "code", "finding"], rows, left=3)
    emit(result, json_file, about, listing if rows else "No objection.", sheet=listing)
    if any(f.level.value == "error" for f in findings):
        raise typer.Exit(1)


def schema_command(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Print the JSON schema of a policy file, for editors that complete and check TOML."""
    from fpmatch.policy.schema import policy_schema

    made = policy_schema()
    if out is not None:
        write_text(str(out), json.dumps(made, indent=2) + "\n")
    elif json_file is None and CSV_TARGET.get() != "-":
        json_file = "-"
    tables = {"(top)": made} | made["$defs"]
    rows = [
        (name, key, value["description"])
        for name, one in tables.items()
        for key, value in one.get("properties", {}).items()
    ]
    listing = table(["table", "key", "meaning"], rows, left=3)
    emit(made, json_file, f"Schema in {out}." if out is not None else "", sheet=listing)


def new_command(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The policy to write, in TOML.")],
    partition: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:NUMBER:OWNER", help="A partition, e.g. criminal:1:DOJ-FBI."),
    ] = None,
    jurisdiction: Annotated[
        str | None, typer.Option(metavar="ID[:NAME]", help="Whose policy it is, e.g. CS:Cascadia.")
    ] = None,
    agency: Annotated[
        list[str] | None,
        typer.Option(metavar="ORI[:NAME[:KIND]]", help="An agency, e.g. CS0010100:Jail:jail."),
    ] = None,
    bureau: Annotated[
        str | None, typer.Option(metavar="ORI", help="The state's bureau, if submissions pass it.")
    ] = None,
    transaction: Annotated[
        list[str] | None, typer.Option(help="A type of transaction that is accepted.")
    ] = None,
    mode: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PARTITION=MODE",
            help="What agencies get there: none, or a mode of docs/policy.md (default none).",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Write a first policy with comments, from options or, on a terminal, from a few questions."""
    from fpmatch.cli import questions
    from fpmatch.policy import Policy
    from fpmatch.policy.starter import starter

    check_target(str(out))
    if not force and out.exists():
        raise InputError(f"{out} is there already; --force replaces it")
    given = questions.Given(
        tuple(partition or ()), jurisdiction, tuple(agency or ()), bureau,
        tuple(transaction or ()), tuple(mode or ()),
    )  # fmt: skip
    text = starter(questions.answers(given))
    policy = Policy.parse(text, out.name)
    write_text(str(out), text)
    findings = [f for f in policy.lint() if f.code != "no-legal-basis"]
    rows = [(name, str(value)) for name, value in describe(policy).items()]
    shown = [f"Written: {out}. Read it, and then: fpmatch policy check {out}"]
    shown += [f"{f.level.value}: {f.message}" for f in findings]
    emit({"file": str(out), **describe(policy)}, json_file, *shown,
         sheet=table(["policy", "value"], rows, left=2))  # fmt: skip


def diff_command(
    declared: Annotated[Path, typer.Argument(help="The policy as declared.")],
    effective: Annotated[Path, typer.Argument(help="Another policy, or a gallery's own.")],
    at: At = None,
    json_file: JsonFile = None,
) -> None:
    """Every agency and partition where two policies do not do the same."""
    from fpmatch.policy import Policy

    first = Policy.load(declared)
    differences = first.diff(_policy_of(effective), at)
    result = [
        {
            "ori": d.ori,
            "partition": d.partition,
            "declared": d.declared_reason.value,
            "effective": d.effective_reason.value,
            "wider": d.wider,
        }
        for d in differences
    ]
    rows = [(r["ori"], r["partition"], r["declared"], r["effective"], r["wider"]) for r in result]
    columns = ["agency", "partition", "declared", "effective", "goes further"]
    listing = table(columns, rows, left=5)
    emit(result, json_file, listing if rows else "No difference.", sheet=listing)


def matrix_command(
    source: Annotated[Path, typer.Argument(metavar="POLICY", help="A policy, or a gallery's own.")],
    at: At = None,
    role: Annotated[str, typer.Option(help="Role of the one who searches; none by default.")] = "",
    ori: Annotated[str | None, typer.Option(help="This agency only.")] = None,
    partition: Annotated[str | None, typer.Option(help="This partition only.")] = None,
    arrow_file: Annotated[
        Path | None,
        typer.Option(
            "--arrow",
            metavar="FILE",
            help="Write all of it as Arrow; as Parquet if named .parquet.",
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="Rows shown, at most.")] = 50,
    json_file: JsonFile = None,
) -> None:
    """Who may do what in which partition, now or at a date."""
    check_target(str(arrow_file) if arrow_file is not None else None)
    found = _policy_of(source).matrix(at, role).select(ori, partition)
    if arrow_file is not None:
        _write_arrow(found, arrow_file)
    result = _matrix_json(found) if json_file is not None else {}
    emit(result, json_file, *_matrix_page(found, rows), sheet=found.to_csv)


def publish_command(
    gallery: Gallery,
    policy_file: PolicyFile,
    key: Key = "",
    json_file: JsonFile = None,
) -> None:
    """Make a policy the one in force for every search from now on."""
    from fpmatch.policy import Policy
    from fpmatch.search import Engine

    policy = Policy.load(policy_file)
    with Engine.open(str(gallery), mode="rw", keys=keys_of(gallery)) as engine:
        version = engine.publish(policy, key=key)
    result = {"version": version, "digest": policy.digest}
    said = f"Published as version {version} ({policy.digest[:16]})."
    emit(result, json_file, said, sheet=table(["version", "digest"], [(version, policy.digest)]))


def describe(policy: Policy) -> dict[str, Any]:
    """What identifies a policy, and its size."""
    declared = policy.declared
    return {
        "version": policy.version,
        "digest": policy.digest,
        "partitions": [p.name for p in policy.partitions],
        "agencies": len(declared.agencies),
        "rules": len(declared.rules),
        "modes": len(declared.modes),
    }


def _matrix_page(found: Matrix, rows: int) -> list[Sheet | str]:
    until = found.valid_until.isoformat() if found.valid_until is not None else "for ever"
    shown = [(e.ori, e.agency, e.partition, e.permissions, e.depends) for e in islice(found, rows)]
    page: list[Sheet | str] = [
        f"Policy version {found.version} at {found.at.isoformat()}, unchanged until: {until}.",
        table(["agency", "name", "partition", "may", "depends on facts"], shown, left=4),
    ]
    more = len(found) - len(shown)
    return [*page, f"{more} more rows; --csv or --arrow writes all."] if more else page


def _matrix_json(found: Matrix) -> dict[str, Any]:
    entries: dict[str, dict[str, Any]] = {}
    for e in found:
        said = {"may": e.permissions.split(), "depends": e.depends}
        entries.setdefault(e.ori, {})[e.partition] = said
    return {
        "version": found.version,
        "digest": found.digest,
        "at": found.at.isoformat(),
        "valid_until": found.valid_until.isoformat() if found.valid_until is not None else None,
        "role": found.role,
        "agencies": entries,
    }


def _write_arrow(found: Matrix, path: Path) -> None:
    arrow = found.to_arrow()
    try:
        with replacing(path) as file:
            if path.suffix == ".parquet":
                import pyarrow.parquet as pq

                pq.write_table(arrow, file)
            else:
                import pyarrow.feather as feather

                feather.write_feather(arrow, file)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def _policy_of(path: Path) -> Policy:
    from fpmatch.policy import Policy

    if not is_folder(path):
        return Policy.load(path)
    from fpmatch.search import Engine

    with Engine.open(str(path), keys=keys_of(path)) as engine:
        policy = engine.policy
    if policy is None:
        raise InputError(f"{path} has no policy yet; publish one with fpmatch policy publish")
    return policy
