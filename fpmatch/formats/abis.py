"""An adapter for MOSIP's ABIS messages (specification 0.9): a message in, its answer out.

The queue, the token, the download behind a referenceURL and its decryption are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fpmatch.checks import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_pairs,
    check_several,
    check_text,
    check_word,
    quoted,
)
from fpmatch.errors import FpmatchError, InputError
from fpmatch.formats.abis_messages import LARGEST_FPIR
from fpmatch.parameters import EXTRACTOR_NAMES, SEARCH
from fpmatch.types import Ori

Fetch = Callable[[str], bytes]
"""Gives the CBEFF file, decrypted, that a referenceURL stands for.

Whatever it raises is answered as "unable to fetch" (7), `Expired` as "has expired" (17)."""

_EFFORTS = ("fast", "balanced", "scan", "exhaustive")
_MOST_AGENCIES = 64
_MOST_RESULTS = 10_000


class Expired(FpmatchError):
    """What `Fetch` raises where the address is no longer served."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """As whom messages are served. No message changes any of it.

    Parameters
    ----------
    booking_ori : str
        The agency under whose mask identify searches, contributor of what insert enrols.
    partition : str
        Where insert enrols, and where references of identify and delete are looked for.
    chain : sequence of str
        The further agencies of the chain.
    transaction, purpose, role : str
        Of the searches, as the policy knows them.
    attributes : mapping of str
        Declared facts.
    protected : bool or None
        Whether the persons searched fall under a protection flag; see `SearchRequest`. A stored
        record that is protected is searched as such in any case.
    authority : str
        By whose authority delete expunges; without one no delete is served.
    max_results, most_results : int
        Candidates where the message does not say how many, and at most.
    target_fpir : float or None
        -10*log10 of the false positive identification rate where the message does not say.
    threshold : float
        Lowest score listed where neither says.
    least_quality : int
        Pictures of a lower image quality, 0 to 100, are not taken.
    effort : str
        Of the searches.
    extractor : str or None
        See `fpmatch.template.extract`.
    isolated : bool
        Decode pictures in a process of its own; see `fpmatch.image.read_image`.
    versions : sequence of str
        Values of ``version`` that are served.
    """

    booking_ori: str
    partition: str
    chain: Sequence[str] = ()
    transaction: str = "CAR"
    purpose: str = "C"
    role: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    protected: bool | None = False
    authority: str = ""
    max_results: int = 20
    most_results: int = 100
    target_fpir: float | None = None
    threshold: float = SEARCH.hit_score
    least_quality: int = 0
    effort: str = "balanced"
    extractor: str | None = None
    isolated: bool = False
    versions: Sequence[str] = ("1.1",)

    def __post_init__(self) -> None:
        Ori(self.booking_ori)
        check_text("partition", self.partition, longest=200, empty=False)
        for ori in check_several("chain", self.chain, most=_MOST_AGENCIES):
            Ori(ori)
        check_word("transaction", self.transaction)
        check_word("purpose", self.purpose)
        check_text("role", self.role)
        check_pairs("attributes", self.attributes)
        check_flag("protected", self.protected, unknown=True)
        check_text("authority", self.authority, longest=255)
        check_integer("most_results", self.most_results, 1, _MOST_RESULTS)
        check_integer("max_results", self.max_results, 1, self.most_results)
        if self.target_fpir is not None:
            check_number("target_fpir", self.target_fpir, 0.0, LARGEST_FPIR)
        check_number("threshold", self.threshold, -1e6, 1e6)
        check_integer("least_quality", self.least_quality, 0, 100)
        check_choice("effort", self.effort, _EFFORTS)
        if self.extractor is not None:
            check_choice("extractor", self.extractor, EXTRACTOR_NAMES)
        check_flag("isolated", self.isolated)
        for version in check_several("versions", self.versions, most=100):
            check_text("a version", version, empty=False)


class Served(Protocol):
    """An engine that serves ABIS messages: `fpmatch.search.Engine`."""

    def abis(self, message: bytes, adapter: Adapter, *, fetch: Fetch, pending: int = 0) -> bytes:
        """Serve one message.

        Parameters
        ----------
        message, adapter, fetch, pending
            See `handle`.
        """
        ...


def handle(
    message: bytes, engine: Served, *, adapter: Adapter, fetch: Fetch, pending: int = 0
) -> bytes:
    """Serve one message.

    Parameters
    ----------
    message : bytes
        JSON: insert, identify, delete, ping, pendingJobs or referenceCount.
    engine : Engine
        Open; for writing where inserts and deletes come.
    adapter : Adapter
        As whom.
    fetch : callable
        Gives the CBEFF file behind a referenceURL.
    pending : int
        Messages that wait, for pendingJobs.

    Returns
    -------
    bytes
        The answer, JSON. What is wrong with the message, what it names, what could not be fetched
        and what the engine could not do is a failure reason in it.

    Raises
    ------
    InputError
        If another argument than the message is malformed, ``fetch`` gives no bytes, or there is no
        such partition.
    """
    if not callable(getattr(engine, "abis", None)):
        raise InputError(f"engine must be an Engine, not {quoted(engine)}")
    return engine.abis(message, adapter, fetch=fetch, pending=pending)
