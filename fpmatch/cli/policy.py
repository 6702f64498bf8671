"""``fpmatch policy``: check, publish and compare policy documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.cli.output import JsonFile, emit, progress_bar, table
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.policy import Policy

app = typer.Typer(no_args_is_help=True, help="Check, publish and compare policies.")

PolicyFile = Annotated[Path, typer.Argument(metavar="POLICY", help="A policy in TOML.")]
At = Annotated[str | None, typer.Option(help="A date or time, ISO 8601; now by default.")]


@app.command("check")
def check(policy_file: PolicyFile, json_file: JsonFile = None) -> None:
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
    listing = table(["level", "code", "finding"], rows, left=3) if rows else "No objection."
    emit(result, json_file, about, listing)
    if any(f.level.value == "error" for f in findings):
        raise typer.Exit(1)


@app.command("diff")
def diff(
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
    emit(result, json_file, table(columns, rows, left=5) if rows else "No difference.")


@app.command("publish")
def publish(
    gallery: Annotated[Path, typer.Argument(help="The gallery's folder.")],
    policy_file: PolicyFile,
    json_file: JsonFile = None,
) -> None:
    """Make a policy the one in force for every search from now on."""
    from fpmatch.policy import Policy
    from fpmatch.search import Engine

    policy = Policy.load(policy_file)
    with Engine.open(str(gallery), mode="rw") as engine:
        version = engine.publish(policy)
    result = {"version": version, "digest": policy.digest}
    emit(result, json_file, f"Published as version {version} ({policy.digest[:16]}).")


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


def _policy_of(path: Path) -> Policy:
    from fpmatch.policy import Policy

    if not path.is_dir():
        return Policy.load(path)
    from fpmatch.search import Engine

    with Engine.open(str(path)) as engine:
        policy = engine.policy
    if policy is None:
        raise InputError(f"{path} has no policy yet; publish one with fpmatch policy publish")
    return policy
