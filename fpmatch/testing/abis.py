"""A mock ABIS: a biometric service that answers from the reference, for tests of what calls one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fpmatch.checks import check_integer, check_number, check_text, quoted
from fpmatch.errors import FpmatchError, InputError
from fpmatch.reference.engine import Compare
from fpmatch.template import Template
from fpmatch.testing.prints import score
from fpmatch.testing.reference import reference_engine
from fpmatch.testing.world import OPEN
from fpmatch.types import Record, SearchRequest

PARTITION = "abis"
PARTITIONS = {PARTITION: (1, PARTITION)}
HIT = 50.0
"""Lowest score that is listed unless told otherwise."""


class AbisError(FpmatchError):
    """What a biometric service answers that cannot do what it is asked.

    Parameters
    ----------
    reason : str
        ``exists``, ``not found``, ``no data`` or what `MockAbis.fail_next` was told.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Match:
    """A reference that resembles the probe.

    Parameters
    ----------
    reference : str
        Its id.
    score : float
        -10*log10 of the false match rate.
    """

    reference: str
    score: float


@dataclass(frozen=True, slots=True)
class Call:
    """What the mock was asked.

    Parameters
    ----------
    operation : str
        ``insert``, ``identify``, ``delete``, ``ping``, ``pending_jobs`` or ``reference_count``.
    reference : str
        The reference it named; "" where none.
    failed : str
        Why it was not served; "" where it was.
    """

    operation: str
    reference: str = ""
    failed: str = ""


@dataclass(slots=True)
class MockAbis:
    """Insert, identify, delete and the rest, with exact answers and failures on demand.

    Parameters
    ----------
    matcher : callable
        ``matcher(probe, candidate)`` gives a score; the reference's by default.
    threshold : float
        Lowest score that identify lists.

    Raises
    ------
    InputError
        If one of them cannot be used.
    """

    matcher: Compare = score
    threshold: float = HIT
    calls: list[Call] = field(default_factory=list, init=False)
    _held: dict[str, tuple[Template, ...]] = field(default_factory=dict, init=False)
    _failures: deque[str] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        if not callable(self.matcher):
            raise InputError(f"matcher must be a function, not {quoted(self.matcher)}")
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

    def insert(self, reference: str, fingers: Sequence[Template]) -> None:
        """Keep a registration's fingers.

        Raises
        ------
        AbisError
            ``exists`` if the reference is there, ``no data`` without a finger.
        InputError
            If a value cannot be used.
        """
        name = check_text("reference", reference, longest=255, empty=False)
        taken = _fingers(fingers)
        self._called("insert", name)
        if name in self._held:
            self._refuse("exists")
        if not taken:
            self._refuse("no data")
        self._held[name] = taken

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
        named = probe if isinstance(probe, str) else ""
        most = check_integer("max_results", max_results, 1, 10_000)
        least = self.threshold if threshold is None else threshold
        check_number("threshold", least, -1e6, 1e6)
        fingers = () if isinstance(probe, str) else _fingers(probe)
        if isinstance(gallery, str):
            raise InputError("gallery must be a list of references, not one text")
        within = None if gallery is None else set(gallery)
        self._called("identify", named)
        if named:
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
        found = engine.search(asked)[PARTITION].candidates or ()
        return [Match(c.record, c.score) for c in found]

    def delete(self, reference: str) -> None:
        """Forget a registration.

        Raises
        ------
        AbisError
            ``not found`` if there is no such reference.
        """
        name = check_text("reference", reference, longest=255, empty=False)
        self._called("delete", name)
        if self._held.pop(name, None) is None:
            self._refuse("not found")

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
