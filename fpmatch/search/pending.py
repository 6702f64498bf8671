"""What a call could not finish, finished by the next one and not only by the next opening.

Between the system of record, the log, the indexes and the ledger there is always something that
says what is still to be done: the journal, the removals noted as unfinished, and the partitions
whose index may lack rows.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from fpmatch.errors import FpmatchError
from fpmatch.gallery import Receipt, updating
from fpmatch.gallery.journal import Ended
from fpmatch.gallery.removing import answer_of
from fpmatch.ledger import DEFERRED, RETAINED, DamagedProbe, KeptProbe
from fpmatch.search import copies, kept_probes, outbox
from fpmatch.search.crash_points import crash_point
from fpmatch.search.state import State

Noted = list[tuple[str, dict[str, Any]]]
"""Removals that are committed: id, fields of the note."""
log = logging.getLogger(__name__)


def catch_up(state: State) -> None:
    """Try to finish what earlier calls left; what cannot be finished now is left to the next."""
    if state.mode != "rw":
        return
    for partition in sorted(state.behind):
        with state.partition_lock(partition).writing():
            if partition in state.behind:
                _attempt(lambda p=partition: state.relevel(p))
    # Where another thread is at it, what it removes is in no search any more: none waits for it.
    if state.unfinished and state.finishing.acquire(blocking=False):
        try:
            _attempt(lambda: finish_removals(state, wait=False))
        finally:
            state.finishing.release()
    if state.unscrubbed:
        _attempt(lambda: _scrub(state, wait=False))
    if state.unlogged and state.logging.acquire(blocking=False):
        try:
            _attempt(state.log)
        finally:
            state.logging.release()


def _attempt(step: Any) -> None:
    try:
        step()
    except (FpmatchError, OSError) as error:
        log.warning("earlier work cannot be finished yet: %s", type(error).__name__)


def finish_removals(
    state: State, *, wait: bool = True, own: Collection[str] = ()
) -> dict[str, Receipt]:
    """Carry committed removals through to the disk, the indexes, kept probes and the log.

    Every step can be repeated, so that it does not matter where the last attempt was cut off. Each
    is done once for all removals: a segment is written anew once, whatever it loses.

    Parameters
    ----------
    state : State
        The open engine.
    wait : bool
        Wait for other processes that hold a write-ahead log open.
    own : collection of str
        The removals whose call is being answered; the others' are answered when they are repeated.

    Returns
    -------
    dict of str to Receipt
        By the removal's id.

    Raises
    ------
    StorageError
        If a file cannot be written or a log is held open; `state.unfinished` then stays set.
    AuditError
        If the log cannot be written.
    """
    with state.finishing:
        noted = state.gallery.unfinished()
        if noted:
            state.unfinished = True
            _finish(state, noted, wait)
            ended = [_ended(state, name, fields, own) for name, fields in noted]
            state.gallery.end_removals(ended)
            # The notes themselves named whom they were about.
            state.unscrubbed = True
            _attempt(lambda: _scrub(state, wait))
        state.unfinished = False
    return {name: receipt(fields) for name, fields in noted}


def _ended(state: State, name: str, fields: dict[str, Any], own: Collection[str]) -> Ended:
    told = name in own or fields.get("keyed") or fields["level"] == updating.LEVEL
    return Ended(name, None if told else _answer(state, fields), _answered(fields))


def _scrub(state: State, wait: bool) -> None:
    """Empty the gallery's write-ahead log of notes that are over; else a later call does."""
    state.gallery.scrub(wait=wait)
    state.unscrubbed = False


def _finish(state: State, noted: Noted, wait: bool) -> None:
    """Carry removals through; what is noted of each is told the number of its log record."""
    rows: dict[str, list[int]] = {}
    for _, fields in noted:
        for place, some in fields["rows"].items():
            rows.setdefault(place, []).extend(some)
    try:
        state.gallery.scrub(wait=wait)
        crash_point("expunge.scrubbed")
    finally:
        for place in sorted(rows):
            _drop_from_index(state, place, rows[place])
    crash_point("expunge.indexed")
    destroy_probes(state, noted)
    crash_point("expunge.probes")
    names = {(place, record) for _, fields in noted for place, record in fields["names"]}
    copies.forget(state, names)
    if any(fields.get("nameless") for _, fields in noted):
        copies.forget_unknown(state)
    state.ledger.scrub(wait=wait)
    outbox.forget(state, names)
    kinds = {"UPDATE" if f["level"] == updating.LEVEL else "EXPUNGE" for _, f in noted}
    numbers = state.numbers({fields["journal"] for _, fields in noted}, kinds)
    for _, fields in noted:
        fields["seq"] = numbers.get(fields["journal"], 0)
    crash_point("expunge.logged")


def call_of(state: State, asked: Mapping[str, Any]) -> str:
    """A name for a removal's call that tells nothing of whom it removes."""
    said = json.dumps([asked[k] for k in ("level", "name", "event", "partition")]).encode()
    return hmac.new(state.gallery.secret("removals"), said, hashlib.sha256).hexdigest()


def _answer(state: State, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"done": call_of(state, fields), **answer_of(fields), "seq": fields["seq"]}


def _answered(fields: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """What a removal under a key is answered with when it is repeated: now with its probes."""
    if fields["level"] == updating.LEVEL:
        return None
    return fields["journal"], answer_of(fields)


def _drop_from_index(state: State, partition: str, rows: list[int]) -> None:
    """Tombstone rows while nobody searches, and rewrite the files while everybody may."""
    if state.shards is not None:
        state.shards.purge(partition)
        return
    index = state.indexes.get(partition)
    if index is None:
        return
    with state.partition_lock(partition).writing():
        index.tombstone(np.array(rows, np.int64))
    if index.tombstones:
        index.purge()


def destroy_probes(state: State, noted: Noted) -> None:
    """Destroy the kept probes of identities that were removed, and note whose they were.

    Parameters
    ----------
    state : State
        The open engine.
    noted : list of (str, dict)
        Removals: id, fields of the note.
    """
    identities = {fields["name"] for _, fields in noted if fields["level"] == "identity"}
    kept = _kept_of(state, identities)
    for name, fields in noted:
        mine = kept.get(fields["name"], []) if fields["level"] == "identity" else []
        traces = sorted({*fields["probes"], *(kept_probes.trace(p.token) for p in mine)})
        if state.mode == "rw" and traces != fields["probes"]:
            fields["probes"] = traces
            state.gallery.note_removal(name, fields)
    for probe in (p for several in kept.values() for p in several):
        state.ledger.destroy(probe.token, scrub=False)


def _kept_of(state: State, identities: set[str]) -> dict[str, list[KeptProbe | DamagedProbe]]:
    out: dict[str, list[KeptProbe | DamagedProbe]] = {}
    if identities:
        ledger = state.ledger
        kept: list[KeptProbe | DamagedProbe] = [*ledger.kept(DEFERRED), *ledger.kept(RETAINED)]
        kept += ledger.damaged()
        for probe in kept:
            if probe.identity in identities:
                out.setdefault(probe.identity, []).append(probe)
    return out


def receipt(fields: Mapping[str, Any]) -> Receipt:
    """The receipt of a removal that has been carried through."""
    return Receipt(
        level=fields["level"],
        order=fields["order"],
        authority=fields["authority"],
        records=fields["records"],
        events=fields["events"],
        fingers=len(fields["removed"]),
        kept=fields["kept"],
        removed=tuple(fields["removed"]),
        probes=len(fields["probes"]),
        roots=tuple((p, a, b) for p, a, b in fields["roots"]),
        audit_seq=fields["seq"],
    )
