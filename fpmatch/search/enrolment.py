"""Records in: gallery first, then the log, then the index."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fpmatch.checks import quoted
from fpmatch.errors import InputError, StorageError
from fpmatch.gallery import (
    EnrolError,
    EnrolFlag,
    EnrolNote,
    EnrolReport,
    NewRow,
    answers,
    batch_answers,
    facts,
    records,
    sources,
)
from fpmatch.gallery.answers import Answer, Once
from fpmatch.gallery.putting import Contents, stored_form
from fpmatch.parameters import SEARCH
from fpmatch.search import pending, resemblance, sequence
from fpmatch.search.crash_points import crash_point
from fpmatch.search.indexing import Ready
from fpmatch.search.once import check_key, turn
from fpmatch.search.state import State
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Record

Progress = Callable[[int, int], None]


def enrol(
    state: State,
    partition: str,
    source: object,
    progress: Progress | None = None,
    accept: Callable[[Record], Record] = lambda record: record,
    *,
    on_error: Callable[[EnrolError], None] | None = None,
    key: str = "",
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
    key : str
        The caller's.
    """
    state.writable()
    state.gallery.key_of(partition)
    check_key(key)
    pending.catch_up(state)
    seen = Seen()
    accepted = fingers = 0
    errors: list[EnrolError] = []
    flags: list[EnrolFlag] = []
    notes: list[EnrolNote] = []
    numbered = enumerate(sources.records(source))
    batches = _Batches(state.limits.source(source, numbered), bool(key))
    while batches.failure is None:
        if state.ending.is_set():
            batches.failure = StorageError("this engine is being closed")
            break
        batch = batches.read()
        # Of a batch that was cut short under a key it is not known what the whole one is.
        if not batch or (key and batches.failure is not None):
            break
        contents: Contents = {}
        said = _said(partition, batch, contents, last=batches.last) if key else None
        with turn(state, key, said, batches.number) as act:
            if act.answer is None:
                ready = Ready.of(state, partition, batch, contents)
                done, doubts = _batch(ready, batch, accept, act.once)
            else:
                done, doubts = _repeated(state, partition, dict(batch), act.answer)
        accepted += seen.add(done.keys)
        fingers += done.fingers
        errors += done.errors
        if on_error is not None:
            for error in done.errors:
                on_error(error)
        flags += doubts
        notes += _notes(batch, {error.item for error in done.errors})
        if progress is not None:
            progress(batch[-1][0] + 1, accepted)
    if batches.failure is not None:
        batches.failure.add_note(f"{accepted} records that came before are enrolled, and on disk")
        raise batches.failure
    errors.sort(key=lambda e: e.item)
    return EnrolReport(accepted, fingers, tuple(errors), tuple(flags), tuple(notes))


class _Batches:
    """A source in batches; what was read before it fails is not lost with it.

    Parameters
    ----------
    numbered : iterator of (int, Record)
    ahead : bool
        Whether to read an item further, to know which batch is the last.
    """

    def __init__(self, numbered: Iterator[tuple[int, Record]], ahead: bool) -> None:
        self.failure: BaseException | None = None
        self.number = -1
        self._numbered = numbered
        self._ahead = int(ahead)
        self._next: list[tuple[int, Record]] = []

    @property
    def last(self) -> bool:
        """Whether no item comes after the batch that was read."""
        return not self._next

    def read(self) -> list[tuple[int, Record]]:
        """The next batch, whole unless there is a failure."""
        batch, self._next = self._next, []
        self.number += 1
        try:
            batch.extend(islice(self._numbered, SEARCH.enrol_batch - len(batch)))
            self._next.extend(islice(self._numbered, self._ahead))
        except BaseException as error:
            self.failure = error
        return batch


def _said(
    partition: str,
    batch: list[tuple[int, Record]],
    contents: Contents,
    *,
    last: bool,
) -> list[object]:
    """All that is asked of a batch, as JSON can write it."""
    items = [[number, *_content(item, contents)] for number, item in batch]
    return ["enrol", partition, last, items]


def _content(item: object, contents: Contents) -> list[object]:
    """What an item says; of one that is none, as much as a message would show."""
    if not isinstance(item, Record):
        return [type(item).__name__, getattr(item, "why", "") or quoted(item)]
    fingers = item.fingers if isinstance(item.fingers, list | tuple) else [item.fingers]
    banned = item.banned_uses
    facts = (item.record, item.identity, item.event, item.contributor, item.protected)
    return [
        [value if isinstance(value, str | bool) else quoted(value) for value in facts],
        sorted(map(str, banned)) if isinstance(banned, set | frozenset) else quoted(banned),
        [
            hashlib.sha256(stored_form(f, contents)).hexdigest()
            if isinstance(f, Template)
            else quoted(f)
            for f in fingers
        ],
        [str(getattr(item, name, "")) for name in ("item", "sources")],
    ]


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
    ready: Ready,
    batch: list[tuple[int, Record]],
    accept: Callable[[Record], Record],
    once: Once | None = None,
) -> tuple[_Done, list[EnrolFlag]]:
    crash_point("enrol.checked")
    state, partition = ready.state, ready.partition
    lock = state.partition_lock(partition)
    with lock.changing(), _carried_through(state, partition):
        done = records.enrol(
            state.gallery,
            partition,
            batch,
            lambda record: accept(known_uses(state, record)),
            once,
            ready.announce,
            contents=ready.contents,
        )
        crash_point("enrol.committed")
        try:
            state.log(done.journal)
            crash_point("enrol.logged")
        finally:
            # Searches wait for this alone: all else is done while they go on.
            with lock.writing():
                records.show(state.gallery, partition, done)
                ready.add(done.rows)
        crash_point("enrol.indexed")
    ready.settle()
    forms = ready.forms
    fresh = {one.key for one in done.taken if one.fresh}
    flags = resemblance.doubts(state, partition, dict(batch), done.rows, forms, fresh)
    if once is not None:
        crash_point("enrol.compared")
        said = batch_answers.answer(dict(batch), done.keys, done.rows, done.errors)
        _flagged(state, done.journal, said, flags)
    return _Done(done.keys, len(done.rows), done.errors), flags


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of a batch, done now or before."""

    keys: list[int]
    fingers: int
    errors: list[EnrolError]


def _flagged(
    state: State, journal: str, fields: dict[str, Any], flags: Iterable[EnrolFlag]
) -> None:
    """Complete the answer that is kept of a batch."""
    said = [[flag.item, flag.score] for flag in flags]
    with state.gallery.transaction() as database:
        answers.amend(database, journal, {**fields, "rows": [], "flags": said})


def _repeated(
    state: State, partition: str, items: dict[int, Record], answer: Answer
) -> tuple[_Done, list[EnrolFlag]]:
    """The answer that the same batch was given."""
    fields = answer.fields
    done = _Done(
        fields["keys"], fields["fingers"], batch_answers.errors_of(items, fields["errors"])
    )
    if fields["flags"] is not None:
        return done, [
            EnrolFlag(item, items[item].record, items[item].event, score)
            for item, score in fields["flags"]
        ]
    # Cut off before the fingers were compared with those that were there before them.
    there = {
        (row, key)
        for key in {key for _, _, key, _ in fields["rows"]}
        for row, _ in facts.rows(state.gallery, key)
    }
    rows = [
        NewRow(row, FingerPosition(position), key, item)
        for row, position, key, item in fields["rows"]
        if (row, key) in there
    ]
    flags = resemblance.doubts(state, partition, items, rows, {})
    _flagged(state, answer.journal, fields, flags)
    return done, flags


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
