"""Whole sources into a partition: read by several processes, written by this one."""

from __future__ import annotations

import dataclasses
import os
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from fpmatch.bulk.items import Item, Job, Outcome, Reading, Source
from fpmatch.bulk.pool import Pool
from fpmatch.bulk.reading import in_this_process
from fpmatch.bulk.report import BulkReport, ItemError, OnError, OnProgress, Progress, Rejects
from fpmatch.bulk.sources import source_of
from fpmatch.checks import check_choice, check_flag, check_integer, check_number, path_of, quoted
from fpmatch.errors import ChangedError, InputError
from fpmatch.gallery import EnrolError
from fpmatch.parameters import BULK, EXTRACTOR_NAMES
from fpmatch.search import Engine
from fpmatch.template.template import code_of
from fpmatch.types import FingerPosition, SourcedRecord

_KEY = 8
"""Bytes of a digest that tell the items of one source apart."""


def enrol(
    engine: Engine,
    partition: str,
    source: Any,
    *,
    workers: int | None = None,
    ppi: float | None = None,
    position: FingerPosition = FingerPosition.UNKNOWN,
    extractor: str | None = None,
    trust_ppi: bool = False,
    estimate: bool = False,
    isolated: bool = False,
    resume: bool = True,
    skip: int = 0,
    max_errors: int | None = None,
    item_seconds: float = BULK.item_seconds,
    rejects: str | Path | None = None,
    on_error: OnError | None = None,
    progress: OnProgress | None = None,
    cancel: Any = None,
) -> BulkReport:
    """Enrol all that a source holds; what cannot be taken is reported and stops nothing.

    Items are enrolled in the order of the source, as one call of `Engine.enrol` would enrol them.

    Parameters
    ----------
    engine : Engine
        Open for writing; this process alone writes to it, in batches that are on disk before the
        next one (as far as its ``durability`` says so).
    partition : str
        Its name.
    source : path, list of paths, pyarrow.Table or Source
        A folder, a manifest, pictures, templates, a Parquet or Arrow file; or what `files`,
        `table` or `transactions` made, which say more.
    workers : int, optional
        Processes that read and extract, each on one thread. 0: none, in this process, which a
        picture that crashes a decoder ends. By default as many as there are cores, and none where
        the source is known to have no more than `parameters.BULK.few` items.
    ppi : float, optional
        Resolution of pictures where they do not say, pixels per inch.
    position : FingerPosition
        Which finger, where nothing says.
    extractor : str, optional
        See `fpmatch.template.extract`.
    trust_ppi, estimate : bool
        Believe stated resolutions against the ridges; estimate those that nothing states. See
        `fpmatch.image.read_image`.
    isolated : bool
        Decode each picture in one more process of its own; for ``workers=0``.
    resume : bool
        Leave out items that were enrolled from the same contents before, and refuse those whose
        record and event were enrolled from others (`ChangedError`). Without it all is read again;
        nothing is stored twice all the same, and what is new is added to the record.
    skip : int
        Items left out at the front, unseen.
    max_errors : int, optional
        More errors than that end the run, with what came before on disk.
    item_seconds : float
        Longest time that one item may take in a process of its own.
    rejects : path, optional
        A file for the errors, replaced: ``.csv``, or else JSON Lines.
    on_error : callable, optional
        Called with each `ItemError` as it comes.
    progress : callable, optional
        Called with a `Progress` after each item, and after each batch that was stored.
    cancel : object with ``is_set``, optional
        For instance a `threading.Event`: what was read by then is stored.

    Returns
    -------
    BulkReport

    Raises
    ------
    InputError
        If a value or the source as a whole cannot be used, before anything is enrolled.
    ReadOnlyError
        If the engine is open for reading only.
    WorkerError
        If no process can be started.
    WriteError, AuditError
        If gallery, log or rejects cannot be written: what was stored before stays.

    Notes
    -----
    Can be killed at any moment and called again: no item is lost and none enrolled twice. Memory
    is that of the batch and of `parameters.BULK.ahead` items, of the manifest if there is one
    (700 bytes a row), and 85 bytes an item.
    """
    if not isinstance(engine, Engine):
        raise InputError(f"engine must be an Engine, not {quoted(engine)}")
    for name, value in (("on_error", on_error), ("progress", progress)):
        if value is not None and not callable(value):
            raise InputError(f"{name} must be callable, not {quoted(value)}")
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise InputError(f"cancel must have is_set(), as threading.Event has, not {quoted(cancel)}")
    reading = dataclasses.replace(
        _reading(ppi, position, extractor),
        trust_ppi=bool(check_flag("trust_ppi", trust_ppi)),
        estimate=bool(check_flag("estimate", estimate)),
        isolated=bool(check_flag("isolated", isolated)),
    )
    seconds = check_number("item_seconds", item_seconds, 1e-3, 1e9)
    wanted = None if workers is None else check_integer("workers", workers, 0, BULK.most_workers)
    most = None if max_errors is None else check_integer("max_errors", max_errors, 0, 1 << 62)
    engine.taken(partition, "")
    found = source_of(source)
    with ExitStack() as stack:
        run = _Run(
            engine, partition, found,
            reading=reading,
            resume=bool(check_flag("resume", resume)),
            skip=check_integer("skip", skip, 0, 1 << 62),
            max_errors=most,
            on_error=on_error,
            progress=progress,
            stopping=cancel.is_set if cancel is not None else lambda: False,
            rejects=None if rejects is None else stack.enter_context(Rejects(path_of(rejects))),
        )  # fmt: skip
        count = _workers(wanted, found)
        pool = stack.enter_context(Pool(count, seconds)) if count else None
        return run.enrol(pool)


def _reading(ppi: float | None, position: FingerPosition, extractor: str | None) -> Reading:
    """Checked: what is wrong with it would be wrong for every item."""
    if extractor is not None:
        check_choice("extractor", extractor, EXTRACTOR_NAMES)
    if ppi is not None:
        ppi = check_number("ppi", ppi, 1, 1e5)
    return Reading(ppi, code_of(FingerPosition, position), extractor)


def _workers(wanted: int | None, source: Source) -> int:
    if wanted is not None:
        return wanted
    if source.total is not None and source.total <= BULK.few:
        return 0
    available = getattr(os, "sched_getaffinity", None)
    cores = len(available(0)) if available else os.cpu_count() or 1
    return min(cores, BULK.most_workers)


def _where(item: Item) -> str:
    return item.where or (item.parts[0].path if item.parts else "")


@dataclasses.dataclass(slots=True)
class _Run:
    """One call of `enrol`, and its counts."""

    engine: Engine
    partition: str
    source: Source
    reading: Reading
    resume: bool
    skip: int
    max_errors: int | None
    on_error: OnError | None
    progress: OnProgress | None
    stopping: Callable[[], bool]
    rejects: Rejects | None
    read: int = 0
    stored: int = 0
    records: int = 0
    skipped: int = 0
    failed: int = 0
    stopped: str = ""
    errors: list[ItemError] = dataclasses.field(default_factory=list)
    passed_over: list[tuple[int, str, str]] = dataclasses.field(default_factory=list)
    seen: set[bytes] = dataclasses.field(default_factory=set)
    pending: dict[int, tuple[str, str]] = dataclasses.field(default_factory=dict)
    yielded: array[int] = dataclasses.field(default_factory=lambda: array("Q"))

    def enrol(self, pool: Pool | None) -> BulkReport:
        """Read, store, and say what became of it."""
        self.read = self.stored = self.skip
        jobs = self._jobs()
        outcomes = pool.read(jobs) if pool else in_this_process(jobs, self.stopping)
        done = self.engine.enrol(
            self.partition,
            self._records(outcomes),
            progress=self._stored,
            on_error=self._refused,
        )
        self.stored = self.read
        self.errors.sort(key=lambda error: error.item)
        return BulkReport(
            self.read,
            done.accepted,
            done.fingers,
            self.skipped,
            self.failed,
            tuple(self.errors),
            tuple(dataclasses.replace(f, item=self.yielded[f.item]) for f in done.flags),
            tuple(dataclasses.replace(n, item=self.yielded[n.item]) for n in done.notes),
            tuple(self.passed_over),
            self.stopped,
        )

    def _jobs(self) -> Iterator[Job]:
        """Items to be read, with what is known of their events; ends early where it shall."""
        numbered = islice(enumerate(self.source.items()), self.skip, None)
        while not self._ended():
            number, item = next(numbered, (0, None))
            if item is None:
                return
            known: frozenset[bytes] = frozenset()
            if self.resume and item.problem is None:
                known = self._known(item.record, item.event)
            yield Job(number, item, self.reading, known)

    def _known(self, record: object, event: object) -> frozenset[bytes]:
        try:
            return self.engine.taken(self.partition, record, event)  # type: ignore[arg-type]
        except InputError:
            # No such name can have been stored; it is refused when it is enrolled.
            return frozenset()

    def _ended(self) -> bool:
        if not self.stopped and self.stopping():
            self.stopped = "cancelled"
        return bool(self.stopped)

    def _records(self, outcomes: Iterator[tuple[Job, Outcome]]) -> Iterator[SourcedRecord]:
        for job, outcome in outcomes:
            if self.stopped == "max_errors":
                return
            item = job.item
            for failure in outcome.failures:
                what = failure.file or _where(item), failure.error, failure.message
                self._failed(job.number, item.record, item.event, *what)
            room = BULK.kept_errors - len(self.passed_over)
            where = _where(item)
            self.passed_over += [(job.number, where, what) for what in outcome.passed_over[:room]]
            if outcome.whole:
                self.read = job.number + 1
            else:
                self.stopped = "cancelled"
            record = self._settled(job, outcome)
            if record is not None:
                self.yielded.append(job.number)
                self.pending[job.number] = where, record.event
                yield record
            self._tell()

    def _settled(self, job: Job, outcome: Outcome) -> SourcedRecord | None:
        """What of an item is to be enrolled."""
        mark = outcome.digest[:_KEY]
        if outcome.skipped:
            self.skipped += 1
            self.seen.add(mark)
            return None
        if any(known[:_KEY] not in self.seen for known in job.known):
            # Of its record and event something else is enrolled that this source has not shown.
            if not outcome.failures and outcome.whole:
                self._failed(
                    job.number, job.item.record, job.item.event, _where(job.item),
                    ChangedError.__name__,
                    "the record and event were enrolled from something else before; "
                    "give it another event, or enrol without resume to add to it",
                )  # fmt: skip
            return None
        if mark:
            self.seen.add(mark)
        return outcome.record

    def _failed(
        self, item: int, record: object, event: object, file: str, error: str, message: str
    ) -> None:
        name = record if isinstance(record, str) else ""
        said = ItemError(item, name, event if isinstance(event, str) else "", file, error, message)
        self.failed += 1
        if len(self.errors) < BULK.kept_errors:
            self.errors.append(said)
        if self.rejects is not None:
            self.rejects.add(said)
        if self.on_error is not None:
            self.on_error(said)
        if self.max_errors is not None and self.failed > self.max_errors:
            self.stopped = self.stopped or "max_errors"

    def _stored(self, items: int, records: int) -> None:
        """A batch is on disk."""
        self.stored = self.yielded[items - 1] + 1 if items else self.stored
        self.records = records
        self.pending.clear()
        self._tell()

    def _refused(self, error: EnrolError) -> None:
        """What the engine itself refused."""
        number = self.yielded[error.item]
        where, event = self.pending[number]
        self._failed(number, error.record, event, where, InputError.__name__, error.message)

    def _tell(self) -> None:
        if self.progress is not None:
            total = self.source.total
            self.progress(
                Progress(self.read, self.stored, total, self.records, self.skipped, self.failed)
            )
