"""Records in: gallery first, then the log, then the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

import numpy as np

from fpmatch.checks import quoted
from fpmatch.descriptor import SearchTemplate, encode, pack
from fpmatch.errors import FpmatchError, InputError
from fpmatch.gallery import (
    EnrolError,
    EnrolFlag,
    EnrolNote,
    EnrolReport,
    NewRow,
    records,
    sources,
)
from fpmatch.parameters import SEARCH
from fpmatch.search import pending, resemblance, sequence
from fpmatch.search.crash_points import crash_point
from fpmatch.search.state import State
from fpmatch.template import Template
from fpmatch.types import Record

Progress = Callable[[int, int], None]


def enrol(
    state: State,
    partition: str,
    source: object,
    progress: Progress | None = None,
    accept: Callable[[Record], Record] = lambda record: record,
    on_error: Callable[[EnrolError], None] | None = None,
) -> EnrolReport:
    """See `Engine.enrol`.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    source : object
        What is to be enrolled; see `fpmatch.gallery.sources`.
    progress : Progress or None
        Called with items seen and records accepted.
    accept : callable
        Looks at each record when it is about to be stored; raises `InputError` to refuse it.
    on_error : callable or None
        Called with each item that was refused.
    """
    state.writable()
    state.gallery.key_of(partition)
    pending.catch_up(state)
    seen = Seen()
    accepted = fingers = 0
    errors: list[EnrolError] = []
    flags: list[EnrolFlag] = []
    notes: list[EnrolNote] = []
    numbered = enumerate(sources.records(source))
    failure: BaseException | None = None
    while failure is None:
        batch, failure = _read(numbered)
        if not batch:
            break
        done, doubts = _batch(state, partition, batch, accept)
        accepted += seen.add(done.keys)
        fingers += len(done.rows)
        errors += done.errors
        if on_error is not None:
            for error in done.errors:
                on_error(error)
        flags += doubts
        notes += _notes(batch, {error.item for error in done.errors})
        if progress is not None:
            progress(batch[-1][0] + 1, accepted)
    if failure is not None:
        failure.add_note(f"{accepted} records that came before are enrolled, and on disk")
        raise failure
    errors.sort(key=lambda e: e.item)
    return EnrolReport(accepted, fingers, tuple(errors), tuple(flags), tuple(notes))


def _read(
    numbered: Iterator[tuple[int, Record]],
) -> tuple[list[tuple[int, Record]], BaseException | None]:
    """The next batch, and what cut it short: what was read before that is not lost with it."""
    batch: list[tuple[int, Record]] = []
    try:
        batch.extend(islice(numbered, SEARCH.enrol_batch))
    except BaseException as error:
        return batch, error
    return batch, None


def _notes(batch: Iterable[tuple[int, Record]], refused: set[int]) -> list[EnrolNote]:
    """What there is to say of the prints of the items that were taken."""
    return [
        EnrolNote(item, record.record, note)
        for item, record in batch
        if item not in refused
        for note in sequence.retakes(record.fingers)
    ]


class Seen:
    """Which records came already, a byte for each key: a gallery's keys are close together."""

    def __init__(self) -> None:
        self._there = bytearray()

    def add(self, keys: Iterable[int]) -> int:
        """Take keys in; how many of them are new."""
        new = 0
        for key in keys:
            if key >= len(self._there):
                self._there.extend(bytes(max(key + 1, 2 * len(self._there)) - len(self._there)))
            new += not self._there[key]
            self._there[key] = 1
        return new


def _batch(
    state: State,
    partition: str,
    batch: list[tuple[int, Record]],
    accept: Callable[[Record], Record],
) -> tuple[records.Enrolled, list[EnrolFlag]]:
    crash_point("enrol.checked")
    forms = _forms(record for _, record in batch)
    with state.partition_lock(partition).writing(), _carried_through(state, partition):
        done = records.enrol(
            state.gallery, partition, batch, lambda record: accept(known_uses(state, record))
        )
        crash_point("enrol.committed")
        try:
            state.log(done.journal)
            crash_point("enrol.logged")
        finally:
            index_rows(state, partition, done.rows, forms)
        crash_point("enrol.indexed")
    return done, resemblance.doubts(state, partition, dict(batch), done.rows, forms)


def _forms(batch: Iterable[object]) -> dict[Template, SearchTemplate]:
    """Search forms of what can be enrolled: most of the work, done while searches go on."""
    out = {}
    for record in batch:
        fingers = record.fingers if isinstance(record, Record) else ()
        for finger in fingers if isinstance(fingers, list | tuple) else ():
            if isinstance(finger, Template) and len(finger):
                out[finger] = encode(finger)
    return out


@contextmanager
def _carried_through(state: State, partition: str) -> Iterator[None]:
    """Note that log and index may lack what was committed, where anything cuts this off."""
    try:
        yield
    except BaseException:
        state.behind.add(partition)
        state.unlogged = True
        raise


def known_uses(state: State, record: Record) -> Record:
    """A record whose bans name uses that the policy in force knows.

    Raises
    ------
    InputError
        If one does not: misspelt, it would protect nobody. Without a policy only its form is
        checked.
    """
    if state.policy is not None:
        strange = state.policy.unknown_uses(record.banned_uses)
        if strange:
            raise InputError(
                f"banned_uses: the policy knows no {quoted(strange[0])}; it knows the transactions "
                f"{', '.join(state.policy.declared.transactions[:20])}, its purposes and its roles"
            )
    return record


def index_rows(
    state: State,
    partition: str,
    rows: list[NewRow],
    forms: Mapping[Template, SearchTemplate] | None = None,
) -> None:
    """Bring stored rows into the partition's index.

    All of them, also where an addition raises what went wrong in the background before it.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    rows : list of NewRow
        Stored, with their templates.
    forms : mapping of Template to SearchTemplate, optional
        Search forms at hand; others are computed here.

    Raises
    ------
    FpmatchError, OSError
        The first that an addition raised.
    """
    forms = forms or {}
    first: Exception | None = None
    for few in _batched(rows, SEARCH.enrol_batch):
        stored = dict(state.gallery.templates(partition, [r.row for r in few]))
        found = [r for r in few if r.row in stored]
        if found:
            try:
                state.indexes[partition].add(
                    np.array([r.row for r in found], np.int64),
                    pack([forms.get(stored[r.row]) or encode(stored[r.row]) for r in found]),
                    np.array([int(r.position) for r in found], np.uint8),
                )
            except (OSError, FpmatchError) as error:
                first = first or error
    if first is not None:
        raise first


def _batched(rows: Iterable[NewRow], size: int) -> Iterator[list[NewRow]]:
    each = iter(rows)
    while few := list(islice(each, size)):
        yield few
