"""The reference engine, ready to be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from fpmatch.argument_types import takes
from fpmatch.policy import Policy
from fpmatch.reference import ReferenceEngine
from fpmatch.reference.engine import Compare
from fpmatch.testing.adapter import Clock
from fpmatch.testing.prints import score
from fpmatch.testing.world import PARTITIONS, open_policy
from fpmatch.types import Record


@takes(people=(dict, type(None)), policy=(str, Policy, type(None)))
def reference_engine(
    people: Mapping[str, Sequence[Record]] | None = None,
    policy: Policy | str | None = None,
    *,
    matcher: Compare = score,
    clock: Callable[[], datetime] | None = None,
    partitions: Mapping[str, tuple[int, str]] = PARTITIONS,
) -> ReferenceEngine:
    """A `ReferenceEngine` with partitions, records and a policy.

    Parameters
    ----------
    people : mapping of str to sequence of Record, optional
        Records by name of partition.
    policy : Policy or str, optional
        In force, or its TOML; `open_policy` of the partitions by default.
    matcher : callable
        ``matcher(probe, candidate)`` gives a score; the reference's by default.
    clock : callable, optional
        Gives the time; a fixed day by default.
    partitions : mapping of str to (int, str)
        Number and owner by name.

    Raises
    ------
    InputError
        If a value cannot be used.
    PolicyFileError
        If the policy is malformed.
    """
    made = ReferenceEngine(Clock() if clock is None else clock, matcher=matcher)
    for name, (ndr, owner) in partitions.items():
        made.add_partition(name, ndr, owner)
    for name, records in (people or {}).items():
        made.enrol(name, records)
    if policy is None:
        policy = open_policy(partitions)
    made.publish(Policy.parse(policy) if isinstance(policy, str) else policy)
    return made
