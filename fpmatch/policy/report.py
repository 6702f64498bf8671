"""Reports over a whole policy: declared against effective, coverage, unmet requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fpmatch.policy.decide import decide
from fpmatch.policy.model import OptOutRequest
from fpmatch.policy.ordinary import ordinary
from fpmatch.policy.possible import can_grant
from fpmatch.policy.registry import Registry
from fpmatch.types import Permission, Reason


@dataclass(frozen=True, slots=True)
class Difference:
    """One agency and partition where two policies do not do the same.

    Permissions are those of an ordinary search whose charge and other facts are unknown.
    """

    ori: str
    partition: str
    declared: Permission
    effective: Permission
    declared_reason: Reason
    effective_reason: Reason

    @property
    def wider(self) -> bool:
        """Whether what is done goes beyond what is declared."""
        return bool(self.effective & ~self.declared)

    def __str__(self) -> str:
        return (
            f"{self.ori} on {self.partition!r}: declared {self.declared_reason}, "
            f"effective {self.effective_reason}{' (goes further)' if self.wider else ''}"
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a partition reaches: what is searched in it at a time."""

    sites: int
    counties: int
    states: int
    conditional_sites: int


def diff(declared: Registry, effective: Registry, at: datetime) -> list[Difference]:
    """Compare agency by agency, for those and the partitions that the declared policy names.

    Parameters
    ----------
    declared : Registry
        What is said.
    effective : Registry
        What is done.
    at : datetime
        The time asked about, with an offset.
    """
    out = []
    names = list(declared.partitions)
    for agency in declared.declared.agencies:
        if agency.relay:
            continue
        said = decide(declared, ordinary(declared, agency.ori), at, "")
        done = decide(effective, ordinary(effective, agency.ori), at, "")
        known = {p.partition: p for p in done.partitions}
        for name in names:
            now = known.get(name)
            permissions = now.permissions if now else Permission.NONE
            reason = now.reason if now else Reason.UNKNOWN_PARTITION
            if permissions != said[name].permissions or reason != said[name].reason:
                out.append(
                    Difference(
                        agency.ori,
                        name,
                        said[name].permissions,
                        permissions,
                        said[name].reason,
                        reason,
                    )
                )
    return out


_CONDITIONAL = (Reason.CONDITION_NOT_MET, Reason.CONDITION_UNKNOWN, Reason.AWAITING_EVENT)


def coverage(registry: Registry, at: datetime) -> dict[str, Coverage]:
    """Per partition the sites that are searched there, and the counties and states they lie in."""
    active: dict[str, list[str]] = {name: [] for name in registry.partitions}
    conditional = dict.fromkeys(registry.partitions, 0)
    for agency in registry.declared.agencies:
        if agency.relay:
            continue
        for entry in decide(registry, ordinary(registry, agency.ori), at, "").partitions:
            if entry.probe:
                active[entry.partition].append(agency.ori)
            elif entry.reason in _CONDITIONAL:
                conditional[entry.partition] += 1
    return {
        name: Coverage(
            len(oris),
            len(_above(registry, oris, "county")),
            len(_above(registry, oris, "state")),
            conditional[name],
        )
        for name, oris in active.items()
    }


def _above(registry: Registry, oris: list[str], kind: str) -> set[str]:
    return {
        node
        for ori in oris
        for node in registry.path(ori)
        if node in registry.jurisdictions and registry.jurisdictions[node].kind == kind
    }


def unmet_requests(registry: Registry, at: datetime) -> list[OptOutRequest]:
    """Requests, made by then, of agencies that can be searched all the same."""
    return [
        request
        for request in registry.declared.optouts
        if request.requested <= at and reaches(registry, request.who, request.partition, at)
    ]


def reaches(registry: Registry, who: str, partition: str, at: datetime) -> bool:
    """Whether any search of an agency, or of one below a jurisdiction, can reach a partition.

    With whatever facts: an opt-out that a charge, a role or an event would undo is not in effect.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    who : str
        The agency or jurisdiction.
    partition : str
        Name of the partition; one that the policy does not know is not reached.
    at : datetime
        The time asked about, with an offset.
    """
    known = registry.partitions.get(partition)
    if known is None:
        return False
    below = (
        a.ori for a in registry.declared.agencies if not a.relay and who in registry.path(a.ori)
    )
    return any(can_grant(registry, ori, known, at) for ori in below)
