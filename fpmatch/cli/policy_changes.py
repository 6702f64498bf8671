"""``fpmatch policy deactivate``, ``activate``, ``reschedule`` and ``remove``: the next version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fpmatch.cli.output import JsonFile, check_target, emit, table
from fpmatch.cli.policy import PolicyFile
from fpmatch.durable import replacing
from fpmatch.errors import WriteError

if TYPE_CHECKING:
    from fpmatch.policy import Policy

Who = Annotated[str, typer.Argument(metavar="WHO", help="An agency's ORI, or a jurisdiction.")]
Partition = Annotated[str, typer.Argument(help="Name of the partition.")]
Authority = Annotated[
    str, typer.Option(help="Who decides: the agency, a jurisdiction above, its bureau, the owner.")
]
Reason = Annotated[str, typer.Option(help="Why, in words; kept in the policy.")]
From = Annotated[str | None, typer.Option("--at", help="From when on; now by default.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write it there, not over the policy.")
]


def deactivate_command(
    policy_file: PolicyFile,
    who: Who,
    partition: Partition,
    authority: Authority,
    reason: Reason,
    at: From = None,
    out: Out = None,
    json_file: JsonFile = None,
) -> None:
    """Opt out: switch an agency or jurisdiction off, as the next version of the policy."""
    policy = _read(policy_file, out)
    changed = policy.deactivate(who, partition, authority=authority, reason=reason, at=at)
    _write(changed, out or policy_file, who, partition, json_file)


def activate_command(
    policy_file: PolicyFile,
    who: Who,
    partition: Partition,
    authority: Authority,
    reason: Reason,
    at: From = None,
    out: Out = None,
    json_file: JsonFile = None,
) -> None:
    """Switch an agency or jurisdiction on; refused where another principal's "off" stands."""
    policy = _read(policy_file, out)
    changed = policy.activate(who, partition, authority=authority, reason=reason, at=at)
    _write(changed, out or policy_file, who, partition, json_file)


def reschedule_command(
    policy_file: PolicyFile,
    who: Who,
    partition: Partition,
    date: Annotated[str, typer.Option(help="When it becomes active.")],
    authority: Authority,
    reason: Reason,
    at: From = None,
    out: Out = None,
    json_file: JsonFile = None,
) -> None:
    """Move an activation to another date of the deployment plan."""
    policy = _read(policy_file, out)
    changed = policy.reschedule(
        who, partition, date=date, authority=authority, reason=reason, at=at
    )
    _write(changed, out or policy_file, who, partition, json_file)


def remove_command(
    policy_file: PolicyFile,
    who: Who,
    partition: Partition,
    authority: Authority,
    reason: Reason,
    at: From = None,
    out: Out = None,
    json_file: JsonFile = None,
) -> None:
    """Take an agency or jurisdiction out of the deployment plan."""
    policy = _read(policy_file, out)
    changed = policy.remove(who, partition, authority=authority, reason=reason, at=at)
    _write(changed, out or policy_file, who, partition, json_file)


def _read(path: Path, out: Path | None) -> Policy:
    from fpmatch.policy import Policy

    check_target(None if out is None else str(out))
    return Policy.load(path)


def _write(policy: Policy, path: Path, who: str, partition: str, json_file: str | None) -> None:
    try:
        with replacing(path) as file:
            file.write(policy.to_toml().encode())
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from error
    result = {
        "file": str(path),
        "version": policy.version,
        "digest": policy.digest,
        "who": who,
        "partition": partition,
    }
    rows = list(result.items())
    emit(result, json_file, table(["policy", "value"], rows, text=["value"]))
