"""Reading the log: records, verification, proofs, export and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fpmatch.audit import canonical, export, merkle, proof, reports, store
from fpmatch.audit.checkpoint import Checkpoint
from fpmatch.audit.records import AuditRecord, Kind, time_text
from fpmatch.audit.verify import AuditReport, verify_log
from fpmatch.checks import check_integer, check_text
from fpmatch.errors import AuditError, InputError
from fpmatch.parameters import AUDIT


class AuditReader:
    """Everything that can be asked of a log. `AuditLog` adds writing.

    Opened "rw", a log records every reading of its contents, before anything is given out.
    """

    path: Path

    def records(
        self,
        *,
        kind: str | None = None,
        tcn: str | None = None,
        first: int | None = None,
        last: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[AuditRecord]:
        """Records in order, one state of the log, optionally only some.

        Opened "rw", the log records that it was read, before the first record is given.

        Parameters
        ----------
        kind, tcn : str, optional
            Only records of this kind, of this transaction.
        first, last : int, optional
            Only records with numbers in this range, ends included.
        since, until : datetime, optional
            Only records from this time on, and before that time.

        Raises
        ------
        InputError
            If a condition is of the wrong type.
        AuditError
            If the log cannot be read.
        """
        for name, value in (("kind", kind), ("tcn", tcn)):
            if value is not None:
                check_text(name, value)
        for name, number in (("first", first), ("last", last)):
            if number is not None:
                check_integer(name, number, -(2**62), 2**62)
        asked = {
            "kind": kind,
            "tcn": tcn,
            "first": first,
            "last": last,
            "since": None if since is None else time_text(since),
            "until": None if until is None else time_text(until),
        }
        shown = {k: v for k, v in asked.items() if v is not None}
        self._note(Kind.AUDIT_READ, {"what": "records", "asked": shown})
        return self._select(asked)

    def verify(self, checkpoint: Checkpoint | None = None) -> AuditReport:
        """Check the whole log; see `fpmatch.audit.verify.verify_log`."""
        return verify_log(self.path, checkpoint)

    def checkpoint(self) -> Checkpoint:
        """Fix the log as it is now, for someone outside to keep; O(n).

        Raises
        ------
        AuditError
            If the log does not verify: no checkpoint should cover that.
        """
        report = self.verify()
        if not report.ok:
            raise AuditError(f"the log does not verify at {report.bad_seq}: {report.why}")
        with store.reading(self.path) as database:
            log_id = store.meta(database, "log_id")
            last = next(store.rows(database, "seq = ?", (report.last_seq,)))
        return Checkpoint(log_id, report.last_seq, report.root, report.head, last.time)

    def prove_not_searched(
        self,
        tcn: str,
        partition: str,
        checkpoint: Checkpoint | None = None,
        *,
        cri: str | None = None,
    ) -> proof.Proof:
        """Prove that a transaction compared nothing in a partition; O(n).

        Parameters
        ----------
        tcn, partition : str
            Which transaction, which partition.
        checkpoint : Checkpoint, optional
            The one to prove against, as kept by a witness; else one of the log as it is now.
        cri : str, optional
            The agency whose transaction it is; needed where several used the same number.

        Raises
        ------
        AuditError
            If it cannot be proved: the partition was searched, the search has no outcome, the
            transaction is unknown or several agencies', or the log is not the one that the
            witness saw.
        """
        return self._prove("NOT_SEARCHED", tcn, partition, checkpoint, cri)

    def prove_withheld(
        self,
        tcn: str,
        partition: str,
        checkpoint: Checkpoint | None = None,
        *,
        cri: str | None = None,
    ) -> proof.Proof:
        """Prove that a partition was searched and its result withheld from the submitter.

        The proof is the same in form for no hit and for ten, and holds no counts. Parameters
        and errors as for `prove_not_searched`.

        Parameters
        ----------
        tcn : str
            Control number.
        partition : str
            Its name.
        checkpoint : Checkpoint or None
            That the reader can verify against.
        cri : str or None
            The agency whose search is meant.
        """
        return self._prove("WITHHELD", tcn, partition, checkpoint, cri)

    def export(
        self,
        target: str | Path,
        *,
        reveal: Sequence[str] = export.PUBLIC_FIELDS,
        where: Callable[[AuditRecord], bool] | None = None,
    ) -> Checkpoint:
        """Write a redacted copy of the whole log that still verifies; see `verify_export`.

        Parameters
        ----------
        target : path
            A JSON Lines file, replaced whole.
        reveal : sequence of str
            Patterns (``*`` and ``?``) of field paths to show, such as
            ``/partitions/*/outcome``; all other fields are struck out.
        where : callable, optional
            Records for which it is false are struck out altogether.

        Returns
        -------
        Checkpoint
            The one that the export carries.
        """
        self._note(Kind.EXPORT, {"reveal": list(reveal), "selected": where is not None})
        checkpoint = self.checkpoint()
        keep = None if where is None else lambda row: where(read_record(row))
        export.write_export(self.path, Path(target), checkpoint, reveal, keep)
        return checkpoint

    def unknowing(self, partition: str) -> list[reports.Unknowing]:
        """Agencies searched in a partition without having acknowledged it."""
        return reports.unknowing(self.records(), partition)

    def ineffective_opt_outs(
        self, path: Callable[[str], tuple[str, ...]] | None = None
    ) -> list[reports.OptOut]:
        """Opt-outs asked for and not in effect; see `reports.ineffective_opt_outs`."""
        return reports.ineffective_opt_outs(self.records(), path)

    def by_authority(self, partition: str | None = None) -> list[reports.ByAuthority]:
        """Searches by partition, authority and outcome."""
        return reports.by_authority(self.records(), partition)

    def stated_against_effective(
        self, stated: Mapping[tuple[str, str], bool]
    ) -> list[reports.Difference]:
        """Where the log disagrees with a stated policy; see `reports`."""
        return reports.stated_against_effective(self.records(), stated)

    def declared_citizens(self, partition: str) -> dict[str, int]:
        """Searches of a partition for persons declared citizens, by agency."""
        return reports.declared_citizens(self.records(), partition)

    def aggregate(
        self, *, hit_in: str = "", no_hit_in: str = "", k: int = AUDIT.k_anonymity
    ) -> list[reports.Aggregate]:
        """Searches by agency and class of charge, no cell below k; see `reports.aggregate`.

        Parameters
        ----------
        hit_in : str
            Partition with a hit.
        no_hit_in : str
            Partition without.
        k : int
            Cells smaller than this are merged.
        """
        return reports.aggregate(self.records(), hit_in=hit_in, no_hit_in=no_hit_in, k=k)

    def _note(self, kind: str, said: Mapping[str, Any]) -> None:
        """Leave a trace of a reading, where the log can be written."""

    def _prove(
        self,
        claim: proof.Claim,
        tcn: str,
        partition: str,
        checkpoint: Checkpoint | None,
        cri: str | None,
    ) -> proof.Proof:
        check_text("tcn", tcn)
        check_text("partition", partition, longest=200)
        if cri is not None:
            check_text("cri", cri)
        asked = {"tcn": tcn, "partition": partition, **({} if cri is None else {"cri": cri})}
        self._note(Kind.AUDIT_READ, {"what": f"prove {claim}", "asked": asked})
        own = checkpoint or self.checkpoint()
        base, hashes, peaks = leaf_hashes(self.path)
        if not base <= own.size <= base + len(hashes):
            raise AuditError(f"the checkpoint's {own.size} records are not those of this log")
        if merkle.subtree(0, own.size, hashes, base, peaks).hex() != own.root:
            raise AuditError("the log is not the one that the checkpoint was taken of")
        with store.reading(self.path) as database:
            rows = list(store.rows(database, "tcn = ? AND kind IN ('INTENT', 'OUTCOME')", (tcn,)))
        mine = proof.of_agency(tcn, rows, cri)
        return proof.build(claim, tcn, partition, mine, own, (base, hashes, peaks))

    def _select(self, asked: Mapping[str, Any]) -> Iterator[AuditRecord]:
        conditions = {
            "kind": "kind = ?",
            "tcn": "tcn = ?",
            "first": "seq >= ?",
            "last": "seq <= ?",
            "since": "time >= ?",
            "until": "time < ?",
        }
        used = [(conditions[k], v) for k, v in asked.items() if v is not None]
        where = " AND ".join(c for c, _ in used)
        with store.reading(self.path) as database:
            for row in store.rows(database, where, tuple(v for _, v in used)):
                yield read_record(row)


def read_record(row: store.Row) -> AuditRecord:
    """Turn a stored row into a record; `AuditError` if it is damaged."""
    try:
        fields = canonical.nest(canonical.flat_fields(row.body))
    except (InputError, TypeError) as error:
        raise AuditError(f"record {row.seq} is damaged: {error}") from None
    return AuditRecord(row.seq, row.prev, row.time, row.kind, fields, row.hash, row.intent_seq)


def leaf_hashes(path: Path) -> tuple[int, list[bytes], list[merkle.Peak]]:
    """First kept leaf's index, the hashes of all kept records, and the peaks before them.

    Raises
    ------
    AuditError
        If the log cannot be read.
    """
    with store.reading(path) as database:
        base, _, peaks = store.base(database)
        found = database.execute("SELECT hash FROM records ORDER BY seq").fetchall()
    try:
        return base, [bytes.fromhex(h) for (h,) in found], peaks.peaks
    except (TypeError, ValueError):
        raise AuditError("a record's hash is damaged; verify the log") from None
