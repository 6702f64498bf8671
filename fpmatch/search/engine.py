"""`Engine`: searches, and what comes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fpmatch.checks import check_flag, check_integer, check_text, quoted
from fpmatch.errors import InputError
from fpmatch.formats.abis import Adapter, Fetch
from fpmatch.formats.ebts_answering import Answering
from fpmatch.ledger import Notification
from fpmatch.policy import Explanation
from fpmatch.search import batch, explaining, handing_out, outbox, resume, run, verification
from fpmatch.search.abis import serve
from fpmatch.search.calls import counted
from fpmatch.search.enquiries import Enquiries
from fpmatch.search.replay import ReplayReport, replay
from fpmatch.search.transact import Transacted, transact
from fpmatch.types import (
    SearchRequest,
    SearchResponse,
    Verification,
)


@counted
class Engine(Enquiries):
    """Identification with access control inside the search.

    Made by `create` or `open`; use it as a context manager. One process may have a gallery open
    for writing, and any number for reading meanwhile; every search is logged in either case.
    Methods may be called from several threads.
    """

    # -- searches ------------------------------------------------------------------------------

    def search(self, request: SearchRequest, *, cancel: Any = None) -> SearchResponse:
        """One submission: decided once, logged, compared where granted, released.

        Parameters
        ----------
        request : SearchRequest
        cancel : object with ``is_set``, optional
            For instance a `threading.Event`.

        Raises
        ------
        InputError
            If the request is malformed.
        AuditError
            If the log cannot take the record: then nothing is compared.
        SearchCancelled
            If it was cancelled while partitions that the submitter sees were searched; nothing is
            released. Later a cancel changes nothing, nor does anything that goes wrong in a
            partition whose results the submitter may not see: it is logged as ``FAILED``.
        """
        return run.search(self._state, request, cancel)

    def transact(
        self,
        data: bytes,
        *,
        answering: Answering | None = None,
        stand_in: str | None = None,
        extractor: str | None = None,
        isolated: bool = False,
        **facts: Any,
    ) -> Transacted:
        """One EBTS 9.1 submission from its bytes to the bytes of its answers.

        It is searched as `search` does, with its owners' notifications, and each partition whose
        results the submitter may see has an answer of its own, which does not depend on any other.

        Parameters
        ----------
        data : bytes
            An ANSI/NIST-ITL file: CAR, CNA, NFUF, AMN, RPIS, TPIS or LFIS.
        answering : Answering, optional
            Who candidates are, what an examiner found, from which score a light is red. Without
            it nobody is named or identified.
        stand_in, extractor, isolated
            See `fpmatch.formats.ebts.submission`.
        **facts
            What no transaction says: ``purpose``, ``role``, ``charge``, ``disposition``,
            ``protected``, ``attributes``, ``threshold``, ``effort``, ``rotation``, ``scale`` and
            ``positions`` of a `SearchRequest`.

        Returns
        -------
        Transacted
            A submission that is refused, for a malformed booking station for instance, is logged
            and answered with an ERRT or ERRL.

        Raises
        ------
        FormatError
            If too little of it can be read to answer it, or it is an answer itself.
        InputError
            If an argument is malformed, or the answer would list people and ``who`` is not given.
        AuditError
            If the log cannot take the record: then nothing is compared.
        """
        self._state.limits.message(data)
        return transact(self._state, data, answering, stand_in, extractor, facts, isolated=isolated)

    def abis(self, message: bytes, adapter: Adapter, *, fetch: Fetch, pending: int = 0) -> bytes:
        """One message of MOSIP's ABIS interface, and its answer; see `fpmatch.formats.abis.handle`.

        Identify is a search of the adapter's agency: decided, logged and released as `search` is.
        Insert enrols, delete expunges, referenceCount counts as the methods of these names do.

        Parameters
        ----------
        message : bytes
            JSON.
        adapter : Adapter
            As whom: agency, partition, authority. No message changes it.
        fetch : callable
            Gives the CBEFF file behind a referenceURL.
        pending : int
            Messages that wait, for pendingJobs.

        Raises
        ------
        InputError
            If another argument than the message is malformed, or there is no such partition.
        """
        self._state.limits.message(message)
        return serve(self._state, message, adapter, fetch, pending)

    def search_many(self, requests: Sequence[SearchRequest]) -> list[SearchResponse]:
        """Many submissions, each decided and answered as if it were alone, in their order.

        Those that may see the same records share scans. All requests are checked first: a
        malformed one is an `InputError` before anything is searched. One that fails later has
        `FAILED` sections and stops nothing. All answers leave when the last is ready; a deadline
        counts from the time that the search of its own submission begins.
        """
        if isinstance(requests, str | bytes) or not isinstance(requests, Iterable):
            raise InputError(f"requests must be a list, not {quoted(requests)}")
        several = list(requests)
        self._state.limits.several(len(several))
        return batch.search_many(self._state, several)

    def verify(self, request: SearchRequest, record: str, *, partition: str | int) -> Verification:
        """Compare a submission with one record (1:1): a search that sees nothing else.

        Parameters
        ----------
        request : SearchRequest
            As for `search`, and decided, logged and released as that: under its own control
            number, withheld and hidden as its results would be; a hit is told to the owner. Its
            threshold counts. It is never kept for later and never copied.
        record : str
            Its id, or where the policy is opaque to the agency the name that its candidates have.
        partition : str or int
            Name or number of the partition that holds it.

        Returns
        -------
        Verification
            Its score is None where the record is absent, sealed, protected, banned for this use,
            or has no finger of the probe's positions: all of these look the same.

        Raises
        ------
        InputError
            If a value cannot be used, or the submission asks to be retained or copied.
        AuditError
            If the log cannot take the record: then nothing is compared.
        """
        return verification.verify(self._state, request, record, partition)

    def report_event(
        self, token: str, event: str, *, disposition: str | None = None, everywhere: bool = False
    ) -> SearchResponse:
        """Tell a deferred search that something happened; the policy of now decides what follows.

        If it grants the search, it is made, once; if it still waits, or hosts were away and it was
        made in part, the token stays good; else
        the probe is destroyed (``DEFERRED_CANCELLED``) and nothing was ever compared for it.

        Parameters
        ----------
        token : str
            From the section of the deferred partition.
        event : str
            For instance ``CONVICTION``, ``ACQUITTAL``, ``DISMISSAL``.
        disposition : str, optional
            As coded in the policy, where the event does not settle it.
        everywhere : bool
            Treat it as a new submission to every partition, not only the one that waited.

        Raises
        ------
        RefusedError
            The same for a token that never was, was used, cancelled or has expired.
        """
        if disposition is not None:
            check_text("disposition", disposition)
        return resume.report_event(
            self._state,
            check_text("token", token),
            check_text("event", event),
            disposition,
            bool(check_flag("everywhere", everywhere)),
        )

    def cancel(self, token: str, *, why: str = "cancelled") -> None:
        """Destroy a deferred probe; the log says that nothing was compared. Errors as above.

        A probe of either kind that is damaged goes by its token, or by the name that the log and
        `fpmatch.upkeep.check` give it.
        """
        resume.cancel(self._state, check_text("token", token), check_text("why", why, longest=1024))

    def cascade(self, partition: str) -> list[SearchResponse]:
        """Search a partition again with every probe retained for it, each under its own terms.

        A probe whose agency may no longer search, or no longer retain, is answered with the
        reason and compared with nothing.
        """
        return resume.cascade(self._state, check_text("partition", partition, longest=200))

    def copy(self, tcn: str, ori: str, *, booking_ori: str | None = None) -> SearchResponse:
        """The copy of a response that an agency named in ``copies_to`` gets; handed out once.

        It waits in the ledger, for thirty days, and is fetched from this or any other process; a
        vault seals it there. The policy of that moment is asked for submitter and recipient, deny
        wins, and records that were expunged, sealed, protected or banned meanwhile are left out.
        Logged (RELEASE) before it leaves; where the log fails it can be fetched later.

        Parameters
        ----------
        tcn : str
            The control number of the submission.
        ori : str
            The agency that asks for its copy.
        booking_ori : str, optional
            The agency that submitted; needed where copies of several agencies wait that used the
            same number.

        Raises
        ------
        RefusedError
            If there is none for it.
        InputError
            If copies of several agencies' submissions of that number wait for it, or the copy was
            sealed by a vault that this engine does not have.
        """
        if booking_ori is not None:
            check_text("booking_ori", booking_ori)
        tcn, ori = check_text("tcn", tcn), check_text("ori", ori)
        return handing_out.take(self._state, tcn, ori, booking_ori)

    def replay(self, seq: int, request: SearchRequest) -> ReplayReport:
        """Run a logged search again, on the gallery as it is now, and compare digests.

        Parameters
        ----------
        seq : int
            `SearchResponse.audit_seq` of that search.
        request : SearchRequest
            The original one; the log keeps no probe.

        Raises
        ------
        InputError
            If the fingers are others.
        AuditError
            If the log has no finished search of that number.
        """
        return replay(self._state, check_integer("seq", seq, 1, 2**63 - 1), request)

    def explain(self, *, ori: str, partition: str, at: Any = None, **facts: Any) -> Explanation:
        """The rule that decides for an agency, its authority, and who could change it.

        Parameters
        ----------
        ori : str
            An agency.
        partition : str
            Its name.
        at : datetime, date or ISO text, optional
            Past, now or future; the engine's clock by default.
        **facts
            ``chain`` and fields of `Facts`.

        Raises
        ------
        RefusedError
            If no policy is in force.
        """
        return explaining.explain(self._state, ori, partition, at, facts)

    # -- what owners are told ------------------------------------------------------------------

    def notifications(self, *, delivered: bool = False) -> list[Notification]:
        """Messages to partition owners that wait, or (``delivered=True``) that were delivered."""
        return outbox.waiting(self._state, delivered=bool(check_flag("delivered", delivered)))

    def deliver(self, notification: str) -> bool:
        """Mark a message as delivered; False if it was already, so that it is sent once.

        Logged (NOTIFY) before it is marked: where the log fails the message waits on.
        """
        return outbox.deliver(self._state, check_text("notification", notification))

    def envelope(self, notification: str, owner: str) -> bytes:
        """The candidates behind a message, for the partition's owner; logged (RELEASE).

        Returns
        -------
        bytes
            Canonical JSON, or what the vault made of it.

        Raises
        ------
        RefusedError
            If there is none, or it is another owner's.
        """
        check_text("notification", notification)
        check_text("owner", owner, longest=255)
        return outbox.envelope(self._state, notification, owner)
