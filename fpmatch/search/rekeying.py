"""Other keys for an encrypted gallery, while it is searched and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fpmatch.audit import Kind
from fpmatch.audit.keys import renew_key
from fpmatch.durable import storage_errors
from fpmatch.encryption import Chest
from fpmatch.encryption.chest_box import ChestBox
from fpmatch.errors import InputError
from fpmatch.gallery import renewing
from fpmatch.index import placing
from fpmatch.ledger.renewing import renew as renew_ledger
from fpmatch.parameters import SEARCH
from fpmatch.search import pending
from fpmatch.search.crash_points import crash_point
from fpmatch.search.state import State

Progress = Callable[[int], None]
LOG = "audit.sqlite"


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What a change of keys came to.

    Parameters
    ----------
    under : str
        Name of the caller's key that the gallery's own are wrapped under now.
    generation : int
        Of the gallery's own key.
    records, probes, files : int
        How many were encrypted anew.
    """

    under: str
    generation: int
    records: int = 0
    probes: int = 0
    files: int = 0


def rekey(state: State, *, renew: bool, progress: Progress | None) -> Rekeyed:
    """See `Engine.rekey`.

    Parameters
    ----------
    state : State
        The open engine.
    renew : bool
        Whether all data is encrypted anew.
    progress : callable or None
        Called with the number of records that are done.

    Raises
    ------
    InputError
        If the gallery is not encrypted.
    """
    state.writable()
    chest = state.chest
    if chest is None:
        raise InputError("this gallery is not encrypted: it has no keys to change")
    pending.catch_up(state)
    with state.rekeying:
        if not renew:
            under = chest.rewrap()
            state.audit.event(Kind.ENGINE, {"what": "keys wrapped anew", "under": under})
            return Rekeyed(under, chest.current)
        return _renew(state, chest, progress or (lambda _: None))


def _renew(state: State, chest: Chest, progress: Progress) -> Rekeyed:
    if renewing.renewed(state.gallery) >= chest.current:
        # What other processes wrote under the last key until they heard of this one.
        _everything(state, lambda _: None)
        chest.drop_before(chest.current)
        chest.add_generation()
    else:
        chest.rewrap()  # And go on where the last time was cut off.
    crash_point("rekey.begun")
    said = {"under": chest.under, "generation": chest.current}
    state.audit.event(Kind.ENGINE, {"what": "everything is encrypted anew", **said})
    records, probes, files = _everything(state, progress)
    crash_point("rekey.renewed")
    renewing.note_renewed(state.gallery, chest.current)
    state.gallery.scrub()
    state.ledger.scrub()
    return Rekeyed(chest.under, chest.current, records, probes, files)


def _everything(state: State, progress: Progress) -> tuple[int, int, int]:
    """Whatever is under an older key, each step on its own; records, probes, files."""
    gallery = state.gallery
    assert state.chest is not None
    renewing.renew_values(gallery)
    records = last = 0
    while True:
        last, done = renewing.renew_records(gallery, last, SEARCH.enrol_batch)
        records += done
        progress(records)
        crash_point("rekey.step")
        if not last:
            break
    probes = renew_ledger(state.ledger)
    with storage_errors("the gallery's files"):
        files = renewing.renew_columns(gallery)
        files += sum(placing.renew(index) for index in list(state.indexes.values()))
        renew_key(state.folder / LOG, ChestBox(state.chest, LOG))
    return records, probes, files
