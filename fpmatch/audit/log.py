"""The audit log as the engine and the auditor hold it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from fpmatch.audit import hashing, keys, retention, store
from fpmatch.audit.reader import AuditReader
from fpmatch.audit.records import OPT_OUT_STATUS, IntentRecord, Kind, OutcomeRecord
from fpmatch.audit.writer import Entry, Writer, entry, search_entry
from fpmatch.checks import path_of, quoted
from fpmatch.database import Durability
from fpmatch.encryption import PlainBox
from fpmatch.errors import InputError, KeysError, ReadOnlyError
from fpmatch.types import Candidate

_KIND = re.compile(r"[A-Z][A-Z0-9_]{1,31}")
_OWN = frozenset({Kind.GENESIS, Kind.INTENT, Kind.OUTCOME, Kind.PRUNE})


def now() -> datetime:
    """The clock used where none is given."""
    return datetime.now(UTC)


class AuditLog(AuditReader):
    """Append-only, hash-chained record of everything the engine was asked and did.

    Make one with `create`, open one with `open`; use it as a context manager. Appends are safe
    from any number of threads and processes. Everything that can be appended is committed to
    disk when the call returns (``durability="full"``).

    Parameters
    ----------
    path : Path
    writer : Writer or None
        None where the log is open for reading only.
    key : bytes or None
        Of the keyed digests.
    actor : str
        Who reads; goes into the AUDIT_READ records.
    """

    def __init__(
        self,
        path: Path,
        writer: Writer | None,
        key: bytes | None,
        actor: str,
    ) -> None:
        self.path = path
        self.actor = actor
        self._writer = writer
        self._key = key

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        clock: Callable[[], datetime] = now,
        durability: Durability = "full",
        gather_seconds: float = 0.0,
        actor: str = "",
        box: PlainBox | None = None,
    ) -> AuditLog:
        """Make a new log and its key file (``PATH.key``); parameters as for `open`.

        Parameters
        ----------
        path : str or Path
            Of the log; for a tree the hashes from leaf to root.
        clock : Callable[[], datetime]
            Gives the time of a record, with an offset.
        durability : Durability
            As for `open`.
        gather_seconds : float
            How long an append waits for others to share its sync.
        actor : str
            Who reads; goes into AUDIT_READ records.
        box : PlainBox, optional
            Encrypts the log's key.

        Raises
        ------
        AuditError
            If something lies at the path already, or cannot be written there.
        """
        path = path_of(path)
        log_id = secrets.token_hex(16)
        base = {"base_seq": "0", "base_hash": hashing.ZERO, "base_peaks": ""}
        store.create(path, {"log_id": log_id, **base})
        keys.create_key(path, box)
        log = cls.open(
            path,
            "rw",
            clock=clock,
            durability=durability,
            gather_seconds=gather_seconds,
            actor=actor,
            box=box,
        )
        log._append([entry(Kind.GENESIS, {"log_id": log_id, "format": store.FORMAT})])
        return log

    @classmethod
    def open(
        cls,
        path: str | Path,
        mode: Literal["r", "rw"] = "r",
        *,
        clock: Callable[[], datetime] = now,
        durability: Durability = "full",
        gather_seconds: float = 0.0,
        actor: str = "",
        box: PlainBox | None = None,
    ) -> AuditLog:
        """Open a log.

        Parameters
        ----------
        path : path
            The SQLite file.
        mode : {"r", "rw"}
            With "rw" records can be appended, and reading the log is itself recorded.
        clock : callable
            Gives the time of a record; time zone required.
        durability : {"full", "normal", "off"}
            "full" syncs to disk before an append returns; "normal" may lose the last appends in
            a power cut; "off" leaves it to the system. Only "full" keeps the promise that no
            search is answered without a trace.
        gather_seconds : float
            How long an append waits for others to share one sync with. Appends that arrive
            while another is being synced share the next one in any case.
        actor : str
            Who reads; goes into the AUDIT_READ records.
        box : PlainBox, optional
            Decrypts the log's key in an encrypted gallery. Without it records can be appended and
            read there, and no keyed digest made.

        Raises
        ------
        AuditError
            If the file or, for "rw", its key is missing or damaged.
        InputError
            If an option cannot be used.
        """
        path = path_of(path)
        if mode not in ("r", "rw"):
            raise InputError(f"mode must be 'r' or 'rw', not {mode!r}")
        if durability not in ("full", "normal", "off"):
            raise InputError(f"durability must be 'full', 'normal' or 'off', not {durability!r}")
        if mode == "r":
            store.connect(path, write=False).close()
            return cls(path, None, None, actor)
        key = keys.read_key(path, box)
        database = store.connect(path, write=True, durability=durability)
        return cls(path, Writer(database, clock, gather_seconds), key, actor)

    def intent(
        self, record: IntentRecord, *, once: bool = False, deadline: float | None = None
    ) -> int:
        """Write the first half of a search, before anything is compared.

        Parameters
        ----------
        record : IntentRecord
        once : bool
            Only if the agency (``cri``) has not used the control number before, as far back as
            the log goes; looked up and written in one transaction, so that of several processes
            one succeeds.
        deadline : float, optional
            `time.monotonic` until which to wait for others that write.

        Returns
        -------
        int
            Number of the record, on disk by then; `outcome` takes it.

        Raises
        ------
        AuditError
            If it could not be written, or not before the deadline: then the search must be
            refused.
        InputError
            If a field has no place in the log (floats, bytes, long text), or with `once` the
            number was used.
        """
        return self.intents([record], once=once, deadline=deadline)[0]

    def intents(
        self,
        records: Iterable[IntentRecord],
        *,
        once: bool = False,
        deadline: float | None = None,
    ) -> list[int]:
        """Write many first halves with one sync: all or none. Errors as for `intent`.

        Parameters
        ----------
        records : Iterable[IntentRecord]
            First halves of searches.
        once : bool
            As for `intent`.
        deadline : float or None
            As for `intent`.
        """
        entries = [search_entry(Kind.INTENT, r) for r in records]
        if once:
            for e in entries:
                e.once = True
        return self._append(entries, deadline)

    def outcome(self, intent_seq: int, record: OutcomeRecord) -> int:
        """Write the second half of a search, before its result is released.

        Raises
        ------
        AuditError
            If it could not be written, or the intent is missing, has another TCN or has an
            outcome already.
        InputError
            If a field has no place in the log.
        """
        return self.outcomes([(intent_seq, record)])[0]

    def outcomes(self, records: Iterable[tuple[int, OutcomeRecord]]) -> list[int]:
        """Write many second halves with one sync: all or none. Errors as for `outcome`."""
        return self._append([search_entry(Kind.OUTCOME, r, int(seq)) for seq, r in records])

    def event(self, kind: str, fields: Mapping[str, Any]) -> int:
        """Write any other record: a policy change, an enrolment, a refusal.

        Parameters
        ----------
        kind : str
            A `Kind`, or another name in capitals; not one that the log writes itself.
        fields : mapping
            Nested mappings with text, whole numbers, truth values, None and lists of these.

        Raises
        ------
        InputError
            If the kind or a field has no place in the log.
        """
        return self.events([(kind, fields)])[0]

    def events(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[int]:
        """Write many other records with one sync: all or none. Errors as for `event`.

        Parameters
        ----------
        events : iterable of (str, mapping)
            Kind and fields of each.
        """
        return self._append([entry(*_event(kind, fields)) for kind, fields in events])

    def probe_digest(self, fingers: Iterable[bytes]) -> str:
        """Keyed digest of a probe's stored templates; see `fpmatch.audit.probe_digest`."""
        return keys.probe_digest(self._secret(), fingers)

    def records_digest(self, partition: str, records: Iterable[str]) -> str:
        """Keyed digest of ids of records, in order; see `fpmatch.audit.keys.records_digest`."""
        return keys.records_digest(self._secret(), partition, records)

    def candidate_digest(self, candidates: Iterable[Candidate]) -> str:
        """Keyed digest of a ranked candidate list."""
        return keys.candidate_digest(self._secret(), candidates)

    def prune(self, before: datetime, authority: str) -> int:
        """Remove records from before a time, leaving what is needed to verify the rest.

        Checkpoints of at least that size, and proofs and exports of what is kept, still verify.

        Parameters
        ----------
        before : datetime
            At least `parameters.AUDIT.retention_days` ago.
        authority : str
            Who ordered it; goes into the PRUNE record.

        Returns
        -------
        int
            How many records were removed.

        Raises
        ------
        InputError
            If records of that time must still be kept.
        AuditError
            If the log does not verify: pruning would hide it.
        """
        writer = self._writing()
        retention.check_age(before, writer.clock())
        return retention.prune(writer, before, authority, self.verify())

    def close(self) -> None:
        """Close the file. Later appends raise `AuditError`."""
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"AuditLog({str(self.path)!r}, mode={'r' if self._writer is None else 'rw'!r})"

    def _append(self, entries: Sequence[Entry], deadline: float | None = None) -> list[int]:
        return self._writing().append(entries, deadline)

    def _writing(self) -> Writer:
        if self._writer is None:
            raise ReadOnlyError(f"the audit log {self.path} is open for reading only")
        return self._writer

    def _secret(self) -> bytes:
        if self._key is None and self._writer is not None:
            raise KeysError("the log's key is encrypted; open the gallery with its keys")
        if self._key is None:
            raise ReadOnlyError("keyed digests need the log opened 'rw', with its key")
        return self._key

    def _note(self, kind: str, said: Mapping[str, Any]) -> None:
        if self._writer is not None:
            self.event(kind, {"actor": self.actor, **said})


def _event(kind: str, fields: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """InputError unless the log takes events of that kind with these fields."""
    if not isinstance(kind, str) or kind in _OWN or _KIND.fullmatch(kind) is None:
        raise InputError(f"{quoted(kind)} is no kind of event")
    if not isinstance(fields, Mapping):
        raise InputError(f"fields must be a mapping, not {quoted(fields)}")
    if kind == Kind.OPT_OUT and fields.get("status") not in OPT_OUT_STATUS:
        raise InputError(f"status of an opt-out must be one of {', '.join(OPT_OUT_STATUS)}")
    return str(kind), fields
