"""A mock ABIS: a biometric service that answers from the reference, for tests of what calls one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from fpmatch.checks import check_integer, check_number, check_text, quoted
from fpmatch.errors import InputError
from fpmatch.reference.engine import Compare
from fpmatch.template import Template
from fpmatch.testing.abis_values import AbisError, Call, Match
from fpmatch.testing.adapter import Clock
from fpmatch.testing.prints import score
from fpmatch.testing.reference import reference_engine
from fpmatch.testing.world import OPEN
from fpmatch.types import Candidate, Record, SearchRequest

if TYPE_CHECKING:
    from fpmatch.formats.abis import Adapter, Fetch

PARTITION = "abis"
PARTITIONS = {PARTITION: (1, PARTITION)}
HIT = 50.0
"""Lowest score that is listed unless told otherwise."""


@dataclass(slots=True)
class MockAbis:
    """Insert, identify, delete and the rest, with exact answers and failures on demand.

    Parameters
    ----------
    matcher : callable
        ``matcher(probe, candidate)`` gives a score; the reference's by default.
    threshold : float
        Lowest score that identify lists.
    clock : callable
        Gives the time that answers to messages bear; a fixed day by default.

    Raises
    ------
    InputError
        If one of them cannot be used.
    """

    matcher: Compare = score
    threshold: float = HIT
    clock: Callable[[], datetime] = field(default_factory=Clock)
    calls: list[Call] = field(default_factory=list, init=False)
    _held: dict[str, tuple[Template, ...]] = field(default_factory=dict, init=False)
    _requests: dict[str, str] = field(default_factory=dict, init=False)
    _failures: deque[str] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        for name, given in (("matcher", self.matcher), ("clock", self.clock)):
            if not callable(given):
                raise InputError(f"{name} must be a function, not {quoted(given)}")
        self.threshold = check_number("threshold", self.threshold, -1e6, 1e6)

    def fail_next(self, reason: str = "unavailable", times: int = 1) -> None:
        """Make the next calls fail, whatever they ask: for tests of what happens then.

        Parameters
        ----------
        reason : str
            What the `AbisError` says.
        times : int
            How many calls, 1 to 1000.

        Raises
        ------
        InputError
            If a value cannot be used.
        """
        text = check_text("reason", reason, empty=False)
        self._failures.extend([text] * check_integer("times", times, 1, 1000))

    def insert(self, reference: str, fingers: Sequence[Template], *, request: str = "") -> None:
        """Keep a registration's fingers.

        Parameters
        ----------
        reference : str
            Id of the registration.
        fingers : sequence of Template
            Its prints.
        request : str
            Id of the request, where it has one: the same again changes nothing.

        Raises
        ------
        AbisError
            ``exists`` if the reference is there, ``no data`` without a finger.
        InputError
            If a value cannot be used.
        """
        name = check_text("reference", reference, longest=255, empty=False)
        taken = _fingers(fingers)
        asked = check_text("request", request, longest=255)
        self._called("insert", name)
        if name in self._held:
            if asked and self._requests.get(name) == asked:
                return
            self._refuse("exists")
        if not taken:
            self._refuse("no data")
        self._held[name] = taken
        self._requests[name] = asked

    def identify(
        self,
        probe: str | Sequence[Template],
        *,
        gallery: Iterable[str] | None = None,
        max_results: int = 20,
        threshold: float | None = None,
    ) -> list[Match]:
        """The references that resemble a probe, best first; a reference is no match of its own.

        Parameters
        ----------
        probe : str or sequence of Template
            A reference that was inserted, or fingers.
        gallery : iterable of str, optional
            Only these references; all by default.
        max_results : int
            Most that are listed, 1 to 10 000.
        threshold : float, optional
            Lowest score listed; the mock's own by default.

        Raises
        ------
        AbisError
            ``not found`` if there is no such reference, ``no data`` without a finger.
        InputError
            If a value cannot be used.
        """
        least = self.threshold if threshold is None else threshold
        found = self.candidates(probe, gallery=gallery, max_results=max_results, threshold=least)
        return [Match(c.record, c.score) for c in found]

    def candidates(
        self,
        probe: str | Sequence[Template],
        *,
        gallery: Iterable[str] | None,
        max_results: int,
        threshold: float,
    ) -> tuple[Candidate, ...]:
        """As `identify`, with all that a candidate says.

        Parameters
        ----------
        probe : str or sequence of Template
            As there.
        gallery : iterable of str or None
            As there.
        max_results : int
            As there.
        threshold : float
            Lowest score listed.

        Raises
        ------
        AbisError
            As there.
        InputError
            If a value cannot be used.
        """
        named = probe if isinstance(probe, str) else ""
        most = check_integer("max_results", max_results, 1, 10_000)
        least = check_number("threshold", threshold, -1e6, 1e6)
        fingers = () if isinstance(probe, str) else _fingers(probe)
        if isinstance(gallery, str):
            raise InputError("gallery must be a list of references, not one text")
        within = None if gallery is None else set(gallery)
        self._called("identify", named)
        if isinstance(probe, str):
            if named not in self._held:
                self._refuse("not found")
            fingers = self._held[named]
        if not fingers:
            self._refuse("no data")
        others = [
            Record(name, held)
            for name, held in self._held.items()
            if name != named and (within is None or name in within)
        ]
        engine = reference_engine({PARTITION: others}, matcher=self.matcher, partitions=PARTITIONS)
        asked = SearchRequest(fingers, OPEN, max_candidates=most, threshold=least)
        return engine.search(asked)[PARTITION].candidates or ()

    def abis(self, message: bytes, adapter: Adapter, *, fetch: Fetch, pending: int = 0) -> bytes:
        """Answer one message of MOSIP's ABIS interface; so `formats.abis.handle` takes the mock.

        It holds one gallery of one agency: policy, contributors and seals are an engine's.

        Parameters
        ----------
        message : bytes
            JSON; see ``docs/abis.md``.
        adapter : Adapter
            As whom; its limits and thresholds count.
        fetch : callable
            Gives the CBEFF file behind a referenceURL.
        pending : int
            Messages that wait.

        Raises
        ------
        InputError
            If another argument than the message is malformed.
        """
        from fpmatch.testing.abis_messages import serve

        return serve(self, message, adapter, fetch, pending)

    def delete(self, reference: str) -> None:
        """Forget a registration.

        Raises
        ------
        AbisError
            ``not found`` if there is no such reference.
        InputError
            If it is no text.
        """
        name = check_text("reference", reference, longest=255, empty=False)
        self._called("delete", name)
        if self._held.pop(name, None) is None:
            self._refuse("not found")
        del self._requests[name]

    def ping(self) -> None:
        """Say that it is there, or raise AbisError if it was told to fail."""
        self._called("ping")

    def pending_jobs(self) -> int:
        """Calls that wait: none, for each is served at once."""
        self._called("pending_jobs")
        return 0

    def reference_count(self) -> int:
        """Registrations that are held."""
        self._called("reference_count")
        return len(self._held)

    @property
    def references(self) -> Mapping[str, tuple[Template, ...]]:
        """What is held; looking is no call."""
        return dict(self._held)

    def _called(self, operation: str, reference: str = "") -> None:
        self.calls.append(Call(operation, reference))
        if self._failures:
            self._refuse(self._failures.popleft())

    def _refuse(self, reason: str) -> None:
        last = self.calls.pop()
        self.calls.append(Call(last.operation, last.reference, reason))
        raise AbisError(reason)


def _fingers(fingers: object) -> tuple[Template, ...]:
    if isinstance(fingers, Template) or not isinstance(fingers, Sequence):
        raise InputError(f"fingers must be a list of templates, not {quoted(fingers)}")
    for one in fingers:
        if not isinstance(one, Template):
            raise InputError(f"fingers must be templates, not {quoted(one)}")
    return tuple(fingers)
