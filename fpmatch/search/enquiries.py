"""What can be asked of an engine beside searches: records, and requests to opt out."""

from __future__ import annotations

from fpmatch.audit.reports import OptOut
from fpmatch.monitoring import CallCount
from fpmatch.parameters import SEARCH
from fpmatch.search import exporting, looking, opting_out, summary
from fpmatch.search.custody import Custody
from fpmatch.types import (
    GalleryInfo,
    OptOutReceipt,
    RecordCount,
    RecordInfo,
    RecordPage,
    RecordsRequest,
    TemplatePage,
)


class Enquiries(Custody):
    """Looking at records, and opting out; between `Custody` and `Engine`."""

    def counters(self) -> tuple[CallCount, ...]:
        """How many calls ended how since this engine was opened, and how long they took.

        Names of methods and of errors, and numbers: nothing of what was asked or found.
        """
        _ = self._state
        return self._calls.counts()

    # -- looking at records --------------------------------------------------------------------

    def records(
        self,
        partition: str,
        request: RecordsRequest,
        *,
        after: str = "",
        limit: int = SEARCH.page_records,
    ) -> RecordPage:
        """The records of a partition that the asker may see, some at a time, by name.

        An agency sees what its searches could show it: nothing sealed, protected (unless its role
        sees that) or banned for this use by the contributor. The owner of the partition sees its
        seals and protected records too, and all facts.

        Parameters
        ----------
        partition : str
        request : RecordsRequest
            Who asks. To the policy this is a transaction of type ``RECORDS``.
        after : str
            Begin behind this name: `RecordPage.after` of the page before.
        limit : int
            Most records of one page, up to 10 000.

        Returns
        -------
        RecordPage

        Raises
        ------
        RefusedError
            If the records are not open to the asker. Where the policy is opaque to it the words
            are those for a record that is not there.
        InputError
            If a value cannot be used.
        AuditError
            If the log cannot take the record: then nothing is read.

        Notes
        -----
        Each page is decided and logged (LOOK before anything is read, SHOWN before it leaves).
        About 30 us a record; where the policy is opaque and candidates have other names than the
        records' own, about 10 us more for every record of the partition.
        """
        return looking.records(self._state, partition, request, after, limit)

    def record(self, partition: str, record: str, request: RecordsRequest) -> RecordInfo:
        """The facts of one record; a transaction of type ``RECORD`` to the policy.

        Parameters
        ----------
        partition : str
        record : str
            Its id, or where the policy is opaque to the asker the name that its candidates have.
        request : RecordsRequest
            Who asks.

        Returns
        -------
        RecordInfo

        Raises
        ------
        RefusedError
            In the same words if it is absent, sealed, protected or banned for this use. Other
            errors as for `records`.
        """
        return looking.record(self._state, partition, record, request)

    def count(self, partition: str, request: RecordsRequest) -> RecordCount:
        """How many records the asker may see; a transaction of type ``COUNT`` to the policy.

        Parameters
        ----------
        partition : str
        request : RecordsRequest
            Who asks.

        Returns
        -------
        RecordCount
            Of what `records` would show, and nothing else. Errors as for `records`.
        """
        return looking.count(self._state, partition, request)

    def info(self, request: RecordsRequest | None = None) -> GalleryInfo:
        """The partitions, the policy in force, and how many records the asker may see in each.

        Parameters
        ----------
        request : RecordsRequest, optional
            Who asks. Each partition is counted as `count` does it, under the policy and logged;
            an owner's own ones alone. Without it nothing is counted and nothing logged.

        Returns
        -------
        GalleryInfo
            A partition whose records are not open to the asker has no count.

        Raises
        ------
        InputError
            If a value cannot be used.
        AuditError
            If the log cannot take a record: then nothing is counted.
        """
        return summary.info(self._state, request)

    # -- templates, out and in -----------------------------------------------------------------

    def templates(
        self,
        partition: str,
        request: RecordsRequest,
        *,
        after: str = "",
        limit: int = SEARCH.page_templates,
    ) -> TemplatePage:
        """Records with their templates, some at a time, by name; `fpmatch.bulk.export` takes all.

        Nothing sealed leaves, whoever asks, and nothing banned for this use. To an agency leaves
        what `records` would show it, without what any use is banned of: it is not told of bans,
        and a copy would be free of them. The owner of the partition gets the bans with the record.

        Parameters
        ----------
        partition : str
        request : RecordsRequest
            Who asks. To the policy this is a transaction of type ``EXPORT``.
        after : str
            Begin behind this name: `TemplatePage.after` of the page before.
        limit : int
            Most records of one page, up to 10 000.

        Returns
        -------
        TemplatePage

        Raises
        ------
        RefusedError
            If templates are not open to the asker; never where the policy is opaque to it.
        InputError
            If a value cannot be used.
        AuditError
            If the log cannot take the record: then nothing is read.

        Notes
        -----
        Each page is decided and logged: TEMPLATES_ASKED before anything is read, TEMPLATES_GIVEN
        before it leaves.
        """
        return exporting.templates(self._state, partition, request, after, limit)

    def taken(self, partition: str, record: str, event: str = "") -> frozenset[bytes]:
        """What a record's event was enrolled from: `SourcedRecord.item` of each item.

        Parameters
        ----------
        partition : str
        record : str
            Its id.
        event : str
            Which event.

        Returns
        -------
        frozenset of bytes
            Empty where nobody said, or there is no such record.

        Raises
        ------
        ReadOnlyError
            If the engine is open for reading only: who may write may know what was written.
        InputError
            If a value cannot be used.
        """
        return exporting.taken(self._state, partition, record, event)

    # -- opting out ----------------------------------------------------------------------------

    def request_opt_out(
        self, who: str, partition: str, *, reason: str = "", request: str = ""
    ) -> OptOutReceipt:
        """Record that an agency or jurisdiction asks not to be searched in a partition.

        It has no effect on any decision: a policy has (`Policy.deactivate`, `publish`). It stays
        on record whatever policies follow, and in the report of opt-outs that are not effective.

        Parameters
        ----------
        who : str
            ORI, or a jurisdiction of the policy.
        partition : str
        reason : str
            In the words of who asks; kept with the request, not in the log.
        request : str
            A name for it; one is made if it is empty.

        Returns
        -------
        OptOutReceipt
            With the log's number (OPT_OUT) and whether it is so already.

        Raises
        ------
        InputError
            If agency or partition are not registered, or the name is taken.
        ReadOnlyError
            If the engine is open for reading only.
        """
        return opting_out.request(self._state, who, partition, reason, request)

    def answer_opt_out(
        self, request: str, status: str, *, authority: str, answer: str = ""
    ) -> OptOutReceipt:
        """Accept or refuse a request; accepting it changes no decision either.

        Parameters
        ----------
        request : str
            Its name.
        status : {"accepted", "refused"}
        authority : str
            Who answers: whoever may decide about that agency and partition under the policy.
        answer : str
            In words; kept with the request.

        Returns
        -------
        OptOutReceipt
            ``in_effect`` says whether the policy in force keeps what was accepted.

        Raises
        ------
        InputError
            If there is no open request of that name.
        PolicyError
            If the authority may not decide about it; logged as AUTH_FAILED.
        """
        return opting_out.answer(self._state, request, status, authority, answer)

    def opt_outs(self, status: str | None = None) -> list[OptOutReceipt]:
        """Requests to opt out, oldest first: all, or those ``open``, ``accepted`` or ``refused``.

        Those that a published policy declares (``[[optout]]``) are among them.
        """
        return opting_out.listed(self._state, status)

    def ineffective_opt_outs(self) -> list[OptOut]:
        """Opt-outs that are open or refused, or accepted and yet searched, by the log.

        Searches of every agency below a jurisdiction that asked count, by the policy in force.
        """
        return opting_out.ineffective(self._state)
