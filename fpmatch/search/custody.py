"""What is done to records: taken in, changed, hidden, destroyed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from fpmatch.checks import check_flag, quoted
from fpmatch.errors import InputError
from fpmatch.gallery import EnrolError, EnrolReport, Receipt, UpdateReceipt
from fpmatch.gallery.updating import Wanted
from fpmatch.search import enrolment, rekeying, removal, updating
from fpmatch.search.administration import Administration
from fpmatch.template import Template


class Custody(Administration):
    """Acts on records, each of them logged; between `Administration` and `Enquiries`."""

    def enrol(
        self,
        partition: str,
        records: Any,
        *,
        progress: enrolment.Progress | None = None,
        on_error: Callable[[EnrolError], None] | None = None,
        key: str = "",
    ) -> EnrolReport:
        """Enrol records; the next search sees them.

        Parameters
        ----------
        partition : str
        records : iterable of Record, pyarrow.Table, or path of a Parquet or Arrow file
            See `fpmatch.gallery.sources` for the columns.
        progress, on_error : callable, optional
            Called as ``progress(items seen, records accepted)`` after each batch, and before that
            with the entry of each refused item.
        key : str
            A name of the caller's for this act, up to 255 characters: the same call under it again
            changes nothing and gives the first answer, for 30 days. Empty: no such name.

        Returns
        -------
        EnrolReport
            Accepted records are on disk; a refused one has an entry and stops nothing. The same
            again changes nothing. Fingers that resemble none of those held are stored and flagged.

        Raises
        ------
        ConflictError
            If the key was used for something else; batches before the first that differs were
            answered, and are as they were.

        Notes
        -----
        What was read before the source raises, or Ctrl-C is pressed, is stored, and told in a note.
        Under a key whole batches alone are (of 256), and a call that was cut off goes on where it
        ended when it is repeated.
        """
        return enrolment.enrol(
            self._state, partition, records, progress, on_error=on_error, key=key
        )

    def update(
        self,
        partition: str,
        record: str,
        *,
        order: str,
        authority: str,
        version: str | None = None,
        identity: str | None = None,
        contributor: str | None = None,
        protected: bool | None = None,
        banned_uses: Collection[str] | None = None,
        fingers: Sequence[Template] | None = None,
        event: str | None = None,
        key: str = "",
    ) -> UpdateReceipt:
        """Change the facts of a record, the impressions of one of its events, or both: at once.

        What is None stays as it is. It can do what enrolment never does: lift protection and bans,
        give a record to another identity, and take impressions out. What it replaces is destroyed
        as `expunge` destroys it.

        Parameters
        ----------
        partition : str
        record : str
            Its id.
        order, authority : str
            The order and who gave it; both go into the log.
        version : str, optional
            `RecordInfo.version` as it was when the record was looked at: if it has changed since,
            nothing is done. Without it the record is changed in whatever state it is.
        identity : str, optional
            Whose it is; empty: the record's own id.
        contributor : str, optional
            ORI of the agency that gave it; empty: none.
        protected : bool, optional
            Whether it is shown to certain roles alone.
        banned_uses : collection of str, optional
            All uses that are banned from now on; empty: none.
        fingers : sequence of Template, optional
            All impressions of the event from now on, at least one.
        event : str, optional
            Which event's; needed where the record has several.
        key : str
            A name of the caller's for this act, up to 255 characters: the same call under it again
            changes nothing and gives the first answer, for 30 days. Empty: no such name.

        Returns
        -------
        UpdateReceipt
            What is other than before, the digests of what was destroyed, and the new version.

        Raises
        ------
        ConflictError
            If the record is there in another version, or the key was used for something else.
        RefusedError
            If there is no such record.
        InputError
            If a value cannot be used, the record has no such event, or nothing is to be changed.
        """
        wanted = Wanted(
            version=version,
            identity=identity,
            contributor=contributor,
            protected=protected,
            banned_uses=banned_uses,  # type: ignore[arg-type]  # checked there
            fingers=fingers,  # type: ignore[arg-type]
            event=event,
        )
        return updating.update(
            self._state, partition, record, wanted, order=order, authority=authority, key=key
        )

    # -- removal -------------------------------------------------------------------------------

    def expunge(
        self,
        record: str,
        *,
        order: str,
        authority: str,
        level: Literal["event", "record", "identity"] = "record",
        event: str = "",
        partition: str | None = None,
        key: str = "",
    ) -> Receipt:
        """Destroy an event, a record, or all records of an identity.

        Parameters
        ----------
        level : Literal['event', 'record', 'identity']
            How much goes: one event, a record, or all records of an identity.
        record : str
            Record id; with level "identity" the identity.
        order, authority : str
            The order and who gave it; both go into the log.
        event : str
            With level "event": which.
        partition : str, optional
            Needed if several partitions hold a record of that id.
        key : str
            A name of the caller's for this act, up to 255 characters: the same call under it again
            changes nothing and gives the first answer, for 30 days. Empty: no such name.

        Returns
        -------
        Receipt
            With the digests of what was destroyed. No byte of it is in any file any more.

        Raises
        ------
        RefusedError
            If there is nothing of that name.
        ConflictError
            If the key was used for something else.
        CorruptError
            If one event shall go, of a record that cannot be read; all of it can.
        """
        return removal.expunge(
            self._state,
            record,
            level=level,
            event=event,
            order=order,
            authority=authority,
            partition=partition,
            key=key,
        )

    def expunge_many(
        self,
        records: Sequence[str],
        *,
        order: str,
        authority: str,
        level: Literal["record", "identity"] = "record",
        partition: str | None = None,
        progress: Callable[[int, int], None] | None = None,
        key: str = "",
    ) -> tuple[Receipt, ...]:
        """Destroy many records, or all records of many identities: all of them or none.

        Each has an entry in the log and a receipt of its own, as if `expunge` had been called for
        each; but every file is written anew once for all of them.

        Parameters
        ----------
        records : sequence of str
            Record ids, each once; with level "identity" the identities. Up to 10 000
            (`parameters.SEARCH.most_expunged`).
        order, authority : str
            The order and who gave it; both go into the log.
        level : Literal['record', 'identity']
            How much goes of each.
        partition : str, optional
            Needed if several partitions hold a record of one of the ids.
        progress : callable, optional
            Called as ``progress(names done, names in all)`` before they are committed: what it
            raises undoes all of them.
        key : str
            A name of the caller's for this act, up to 255 characters: the same call under it again
            changes nothing and gives the first answer, for 30 days. Empty: no such name.

        Returns
        -------
        tuple of Receipt
            One for each name, in order. No byte of what they tell of is in any file any more.

        Raises
        ------
        RefusedError
            If there is nothing of one of the names: its number is in the message.
        InputError
            If a name is there twice, or two are of one record.
        ConflictError
            If the key was used for something else.

        Notes
        -----
        Searches go on meanwhile. Cut off before all are committed, nothing was done; after that,
        the next call or opening finishes it, and the same call again gives the receipts.
        """
        return removal.expunge_many(
            self._state,
            records,
            level=level,
            order=order,
            authority=authority,
            partition=partition,
            progress=progress,
            key=key,
        )

    def seal(
        self,
        record: str,
        *,
        order: str,
        authority: str,
        partition: str | None = None,
        key: str = "",
    ) -> int:
        """Hide a record from every search until `unseal`; the audit record's number.

        Parameters
        ----------
        record : str
            The record's id.
        order : str
            By which it was ordered.
        authority : str
            Who ordered it.
        partition : str or None
            Its name.
        key : str
            A name of the caller's for this act, up to 255 characters: the same call under it again
            changes nothing and gives the first answer, for 30 days. Empty: no such name.

        Raises
        ------
        RefusedError
            If there is no such record.
        ConflictError
            If the key was used for something else.
        """
        return removal.seal(
            self._state,
            record,
            sealed=True,
            order=order,
            authority=authority,
            partition=partition,
            key=key,
        )

    def unseal(
        self,
        record: str,
        *,
        order: str,
        authority: str,
        partition: str | None = None,
        key: str = "",
    ) -> int:
        """Lift a seal; the audit record's number. Errors as for `seal`.

        Parameters
        ----------
        record : str
            The record's id.
        order : str
            By which it was ordered.
        authority : str
            Who ordered it.
        partition : str or None
            Its name.
        key : str
            As for `seal`.
        """
        return removal.seal(
            self._state,
            record,
            sealed=False,
            order=order,
            authority=authority,
            partition=partition,
            key=key,
        )

    # -- keys ----------------------------------------------------------------------------------

    def rekey(
        self, *, renew: bool = False, progress: Callable[[int], None] | None = None
    ) -> rekeying.Rekeyed:
        """Put an encrypted gallery under other keys, while searches and changes go on.

        The caller's keys are asked for anew. The gallery's own key is wrapped under the current one
        of them, which takes milliseconds: the older one is then of no use for this folder.

        Parameters
        ----------
        renew : bool
            Also make another key for the gallery, and others for all records, templates and
            probes, and encrypt everything anew with them, some records at a time: what somebody
            has learnt of the old ones opens nothing any more. Called again after it was cut off,
            it goes on. Backups made before need the item keys of before (`upkeep.item_keys`).
        progress : callable, optional
            Called with the number of records that are done, after each step.

        Returns
        -------
        Rekeyed

        Raises
        ------
        InputError
            If the gallery is not encrypted, or an argument cannot be used.
        KeysError
            If the caller's keys cannot be had.
        CorruptError
            If something stored cannot be decrypted: then what is left stays under its old keys.
        """
        if progress is not None and not callable(progress):
            raise InputError(f"progress must be callable, not {quoted(progress)}")
        return rekeying.rekey(
            self._state, renew=bool(check_flag("renew", renew)), progress=progress
        )
