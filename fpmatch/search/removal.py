"""Expungement and seals: from the gallery, the log, every index, and what was kept for later."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from fpmatch.errors import InputError, RefusedError
from fpmatch.gallery import Receipt, removal
from fpmatch.gallery.ledger import KeptProbe
from fpmatch.search import outbox
from fpmatch.search.state import State
from fpmatch.search.steps import reached


def expunge(
    state: State,
    name: str,
    *,
    level: str,
    event: str,
    order: str,
    authority: str,
    partition: str | None,
) -> Receipt:
    """See `Engine.expunge`."""
    state.writable()
    _ordered(order, authority)
    try:
        places = {p for p, _ in removal.targets(state.gallery, name, level, partition)}
    except RefusedError:
        state.audit.event(
            "AUTH_FAILED", {"what": "expunge", "order": order, "authority": authority}
        )
        raise
    with ExitStack() as stack:
        for place in sorted(places):
            stack.enter_context(state.gate(place).alone())
        out = removal.expunge(
            state.gallery,
            name,
            level=level,
            event=event,
            order=order,
            authority=authority,
            partition=partition,
        )
        reached("expunge.committed")
        try:
            state.gallery.scrub()
            reached("expunge.scrubbed")
        finally:
            for place, rows in out.rows.items():
                if rows:
                    state.indexes[place].tombstone(np.array(rows, np.int64))
                    state.indexes[place].compact()
        reached("expunge.indexed")
    probes = 0
    if level == "identity":
        probes = sum(state.ledger.destroy(p.token) for p in _kept_of(state, name))
    outbox.forget(state, out.names)
    seq = state.log(out.journal)
    reached("expunge.logged")
    return Receipt(
        level=level,
        order=order,
        authority=authority,
        records=out.records,
        events=out.events,
        fingers=len(out.removed),
        kept=out.kept,
        removed=tuple(out.removed),
        probes=probes,
        roots=tuple(out.roots),
        audit_seq=seq,
    )


def _kept_of(state: State, identity: str) -> list[KeptProbe]:
    kept = [*state.ledger.kept("deferred"), *state.ledger.kept("retained")]
    return [p for p in kept if p.identity == identity]


def seal(
    state: State, name: str, *, sealed: bool, order: str, authority: str, partition: str | None
) -> int:
    """See `Engine.seal` and `Engine.unseal`."""
    state.writable()
    _ordered(order, authority)
    try:
        ((place, _),) = removal.targets(state.gallery, name, "record", partition)
    except RefusedError:
        what = "seal" if sealed else "unseal"
        state.audit.event("AUTH_FAILED", {"what": what, "order": order, "authority": authority})
        raise
    with state.gate(place).alone():
        journal = removal.seal(
            state.gallery, name, sealed=sealed, order=order, authority=authority, partition=place
        )
        return state.log(journal)


def _ordered(order: str, authority: str) -> None:
    if not order or not authority:
        raise InputError("name the order and the authority that gives it; both go into the log")
