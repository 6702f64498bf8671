"""Names of records that mean nothing to anyone but their recipient and the owner."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace

from fpmatch.search.state import State
from fpmatch.types import Candidate


def under_opaque_ids(
    state: State, recipient: str, partition: str, candidates: Sequence[Candidate]
) -> tuple[Candidate, ...]:
    """Candidates under names that mean nothing to anyone but this recipient and the owner.

    Parameters
    ----------
    state : State
        The open engine.
    recipient : str
        Who is to read the names.
    partition : str
        Its name.
    candidates : Sequence[Candidate]
        Under their own ids.
    """
    return tuple(
        replace(c, record=opaque_id_of(state, recipient, partition, c.record)) for c in candidates
    )


def opaque_id_of(state: State, recipient: str, partition: str, record: str) -> str:
    """A record's opaque id for one recipient: keyed, so it cannot be tried out.

    Parameters
    ----------
    state : State
        The open engine.
    recipient : str
        Who is to read the names.
    partition : str
        Its name.
    record : str
        The record's id.
    """
    content = "\x00".join((recipient, partition, record)).encode()
    return "H" + hmac.new(state.opaque_key, content, hashlib.sha256).hexdigest()[:32]
