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
from collections.abc import Mapping
from typing import Any

import numpy as np

from fpmatch.errors import FpmatchError
from fpmatch.gallery import Receipt, removal, updating
from fpmatch.ledger import DEFERRED, RETAINED, DamagedProbe, KeptProbe
from fpmatch.search import copies, kept_probes, outbox
from fpmatch.search.crash_points import crash_point
from fpmatch.search.state import State

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


def finish_removals(state: State, *, wait: bool = True, own: str = "") -> dict[str, Receipt]:
    """Carry committed removals through to the disk, the indexes, kept probes and the log.

    Every step can be repeated, so that it does not matter where the last attempt was cut off.

    Parameters
    ----------
    state : State
        The open engine.
    wait : bool
        Wait for other processes that hold a write-ahead log open.
    own : str
        The removal whose call is being answered; the others' are answered when they are repeated.

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
    out = {}
    with state.finishing:
        for name, fields in state.gallery.unfinished():
            state.unfinished = True
            fields["seq"] = _finish(state, name, fields, wait)
            told = name == own or fields.get("keyed") or fields["level"] == updating.LEVEL
            state.gallery.end_removal(
                name, None if told else _answer(state, fields), answered=_answered(fields)
            )
            # The note itself named whom it was about.
            state.unscrubbed = True
            _attempt(lambda: _scrub(state, wait))
            out[name] = receipt(fields)
        state.unfinished = False
    return out


def _scrub(state: State, wait: bool) -> None:
    """Empty the gallery's write-ahead log of notes that are over; else a later call does."""
    state.gallery.scrub(wait=wait)
    state.unscrubbed = False


def _finish(state: State, name: str, fields: dict[str, Any], wait: bool) -> int:
    places = sorted(fields["rows"])
    try:
        state.gallery.scrub(wait=wait)
        crash_point("expunge.scrubbed")
    finally:
        for place in places:
            _drop_from_index(state, place, fields["rows"][place])
    crash_point("expunge.indexed")
    destroy_probes(state, name, fields)
    crash_point("expunge.probes")
    names = {(place, record) for place, record in fields["names"]}
    copies.forget(state, names)
    if fields.get("nameless"):
        copies.forget_unknown(state)
    state.ledger.scrub(wait=wait)
    outbox.forget(state, names)
    seq = state.log(fields["journal"])
    crash_point("expunge.logged")
    return seq


def call_of(state: State, asked: Mapping[str, Any]) -> str:
    """A name for a removal's call that tells nothing of whom it removes."""
    said = json.dumps([asked[k] for k in ("level", "name", "event", "partition")]).encode()
    return hmac.new(state.gallery.secret("removals"), said, hashlib.sha256).hexdigest()


def _answer(state: State, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"done": call_of(state, fields), **removal.answer_of(fields), "seq": fields["seq"]}


def _answered(fields: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """What a removal under a key is answered with when it is repeated: now with its probes."""
    if fields["level"] == updating.LEVEL:
        return None
    return fields["journal"], removal.answer_of(fields)


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


def destroy_probes(state: State, name: str, fields: dict[str, Any]) -> None:
    """Destroy the kept probes of an identity that was removed, and note whose they were.

    Parameters
    ----------
    state : State
        The open engine.
    name : str
        Its name.
    fields : dict[str, Any]
        Of the note.
    """
    kept = _kept_of(state, fields)
    if not kept:
        return
    traces = sorted({*fields["probes"], *(kept_probes.trace(p.token) for p in kept)})
    if state.mode == "rw" and traces != fields["probes"]:
        fields["probes"] = traces
        state.gallery.note_removal(name, fields)
    for probe in kept:
        state.ledger.destroy(probe.token, scrub=False)


def _kept_of(state: State, fields: Mapping[str, Any]) -> list[KeptProbe | DamagedProbe]:
    if fields["level"] != "identity":
        return []
    ledger = state.ledger
    kept: list[KeptProbe | DamagedProbe] = [*ledger.kept(DEFERRED), *ledger.kept(RETAINED)]
    kept += ledger.damaged()
    return [p for p in kept if p.identity == fields["name"]]


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
