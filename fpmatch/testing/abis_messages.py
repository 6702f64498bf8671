"""Messages of MOSIP's ABIS interface, answered by the mock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from fpmatch.checks import check_integer, quoted
from fpmatch.errors import InputError
from fpmatch.formats import abis_messages
from fpmatch.formats.abis import Adapter, Fetch
from fpmatch.formats.abis_messages import Failure, FailureReason, Message, Operation
from fpmatch.formats.abis_share import Refused, fetched, fingers_of
from fpmatch.parameters import CALIBRATION
from fpmatch.template import Template
from fpmatch.testing.abis_values import AbisError
from fpmatch.types import Candidate


class Serving(Protocol):
    """What a message is answered from: `fpmatch.testing.MockAbis`."""

    @property
    def clock(self) -> Callable[[], datetime]:
        """Gives the time."""
        ...

    @property
    def references(self) -> Mapping[str, tuple[Template, ...]]:
        """What is held."""
        ...

    def insert(self, reference: str, fingers: Sequence[Template], *, request: str = "") -> None:
        """See `fpmatch.testing.MockAbis.insert`.

        Parameters
        ----------
        reference : str
            As there.
        fingers : sequence of Template
            As there.
        request : str
            As there.
        """

    def candidates(
        self,
        probe: str | Sequence[Template],
        *,
        gallery: Iterable[str] | None,
        max_results: int,
        threshold: float,
    ) -> tuple[Candidate, ...]:
        """See `fpmatch.testing.MockAbis.candidates`.

        Parameters
        ----------
        probe : str or sequence of Template
            As there.
        gallery : iterable of str or None
            As there.
        max_results : int
            As there.
        threshold : float
            As there.
        """
        ...

    def delete(self, reference: str) -> None:
        """Forget a registration."""

    def ping(self) -> None:
        """Say that it is there."""

    def pending_jobs(self) -> int:
        """Calls that wait."""
        ...

    def reference_count(self) -> int:
        """Registrations that are held."""
        ...


def serve(mock: Serving, data: bytes, adapter: Adapter, fetch: Fetch, pending: int) -> bytes:
    """See `MockAbis.abis`.

    Parameters
    ----------
    mock : Serving
        Holds the gallery.
    data : bytes
        The message.
    adapter : Adapter
        As whom.
    fetch : callable
        Gives the file behind a referenceURL.
    pending : int
        Messages that wait.

    Raises
    ------
    InputError
        If another argument than the message is malformed.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"a message is bytes, not {quoted(data)}")
    if not isinstance(adapter, Adapter):
        raise InputError(f"adapter must be an Adapter, not {quoted(adapter)}")
    if not callable(fetch):
        raise InputError(f"fetch must be a function, not {quoted(fetch)}")
    waiting = check_integer("pending", pending, 0, 2**63 - 1)
    asked = abis_messages.parse(bytes(data), tuple(adapter.versions))
    if isinstance(asked, Failure):
        return abis_messages.failed(asked, mock.clock())
    try:
        more = _served(mock, asked, adapter, fetch, waiting)
    except Refused as refused:
        reason = refused.reason
    except AbisError as error:
        reason = reason_of(error.reason)
    else:
        return abis_messages.succeeded(asked, mock.clock(), more)
    failure = Failure(asked.operation.value, asked.request, reason, "")
    return abis_messages.failed(failure, mock.clock())


NAMED = {
    "exists": FailureReason.EXISTS,
    "not found": FailureReason.NOT_FOUND,
    "no data": FailureReason.NO_DATA,
}


def reason_of(text: str) -> FailureReason:
    """The failure reason of a text: one of ours, a name or a number of the table, else internal."""
    known = {**NAMED, **{r.name.lower().replace("_", " "): r for r in FailureReason}}
    known |= {str(int(r)): r for r in FailureReason}
    return known.get(text.lower(), FailureReason.INTERNAL)


def _served(
    mock: Serving, asked: Message, adapter: Adapter, fetch: Fetch, pending: int
) -> Mapping[str, Any]:
    operation = asked.operation
    if operation is Operation.INSERT:
        known = asked.reference in mock.references
        fingers = () if known else fingers_of(adapter, fetched(fetch, asked.url))
        mock.insert(asked.reference, fingers, request=asked.request)
        return {}
    if operation is Operation.IDENTIFY:
        return {"candidateList": _identified(mock, asked, adapter, fetch)}
    if operation is Operation.DELETE:
        if not adapter.authority:
            raise Refused(FailureReason.ABORTED, "no authority is configured")
        mock.delete(asked.reference)
        return {}
    if operation is Operation.PENDING:
        mock.pending_jobs()
        return {"jobscount": str(pending)}
    if operation is Operation.COUNT:
        return {"count": str(mock.reference_count())}
    mock.ping()
    return {}


def _identified(mock: Serving, asked: Message, adapter: Adapter, fetch: Fetch) -> Mapping[str, Any]:
    if asked.max_results == 0:
        raise Refused(FailureReason.INVALID_REQUEST, "maxResults 0 asks for nothing")
    most = min(asked.max_results or adapter.max_results, adapter.most_results)
    probe = asked.reference or fingers_of(adapter, fetched(fetch, asked.url))
    target = adapter.target_fpir if asked.target_fpir is None else asked.target_fpir
    threshold, listed = adapter.threshold, {}
    if target is not None:
        records = len(mock.references)
        compared = records if asked.gallery is None else min(records, len(asked.gallery))
        threshold = target + 10 * math.log10(max(compared, 1))
        known = threshold <= -10 * math.log10(CALIBRATION.least_fmr)
        said = {"targetFPIR": f"{target:g}", "targetFPIREvidenced": "true" if known else "false"}
        listed = {"analytics": said}
    found = mock.candidates(probe, gallery=asked.gallery, max_results=most, threshold=threshold)
    candidates = [_candidate(c, adapter.partition) for c in found]
    return {"count": str(len(candidates)), "candidates": candidates, **listed}


def _candidate(candidate: Candidate, partition: str) -> dict[str, Any]:
    claim = candidate.claim
    whole = {
        "internalScore": f"{candidate.score:.2f}",
        "fmr": f"{claim.fmr:.1e}",
        "fmrBelow": "true" if claim.below else "false",
    }
    fingers = {str(int(f.position)): f"{f.score:.2f}" for f in candidate.fingers}
    return {
        "referenceId": candidate.record,
        "analytics": {**whole, "partition": partition},
        "modalities": [{"biometricType": "FIR", "analytics": {**whole, "fingers": fingers}}],
    }
