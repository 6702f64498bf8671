"""Why a search comes out as it does: the policy's words, and what the gallery itself adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fpmatch.checks import check_text
from fpmatch.errors import RefusedError
from fpmatch.policy.explain import Explanation, overruled
from fpmatch.search.decision import mismatches
from fpmatch.search.state import State
from fpmatch.types import Reason


def explain(
    state: State, ori: str, partition: str, at: Any, facts: Mapping[str, Any]
) -> Explanation:
    """See `Engine.explain`.

    Parameters
    ----------
    state : State
        The open engine.
    ori : str
        An agency.
    partition : str
        Its name.
    at : datetime, date, ISO text or None
        The time asked about; None for now.
    facts : mapping
        Further fields of `Facts`.

    Raises
    ------
    RefusedError
        If no policy is in force.
    """
    policy = state.policy
    if policy is None:
        raise RefusedError("no policy has been published: nothing is granted to anyone")
    check_text("partition", partition, longest=200)
    found = policy.explain(
        ori=ori, partition=partition, at=state.clock() if at is None else at, **facts
    )
    decided = found.decision
    mine = state.gallery.partitions
    if partition in mismatches(mine, policy.partitions) and (
        decided.permissions or decided.deferred
    ):
        return overruled(found, Reason.PARTITION_MISMATCH)
    if decided.probe and partition not in {info.name for info in mine}:
        return overruled(found, Reason.UNKNOWN_PARTITION)
    return found
