"""What an engine under test has to be: four methods, and more where it can do more."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from fpmatch.policy import Policy
from fpmatch.reference.engine import Compare
from fpmatch.testing.prints import score
from fpmatch.types import Record, SearchRequest, SearchResponse

NOW = datetime(2011, 1, 15, tzinfo=UTC)
"""The time at which the checks begin."""


@runtime_checkable
class EngineUnderTest(Protocol):
    """What the kit calls. Put your own engine behind a small class that has these methods."""

    def add_partition(self, name: str, ndr: int, owner: str) -> object:
        """Add an empty partition.

        Parameters
        ----------
        name : str
            Of the partition.
        ndr : int
            Its EBTS 2.098 number.
        owner : str
            Who owns it.
        """

    def enrol(self, partition: str, records: Sequence[Record]) -> object:
        """Add records; a record that is there already gets another event."""

    def publish(self, policy: Policy) -> object:
        """Put a policy in force, in place of any before it."""

    def search(self, request: SearchRequest) -> SearchResponse:
        """Answer one submission."""


@runtime_checkable
class Seals(Protocol):
    """An engine that can hide a record from every search, and show it again."""

    def seal(self, partition: str, record: str, sealed: bool) -> object:
        """Hide a record, or show it again.

        Parameters
        ----------
        partition : str
            Its name.
        record : str
            The record's id.
        sealed : bool
            Hide it, or show it again.
        """


@runtime_checkable
class Expunges(Protocol):
    """An engine that can forget a record."""

    def expunge(self, partition: str, record: str) -> object:
        """Forget a record for good."""


@runtime_checkable
class TakesEvents(Protocol):
    """An engine that takes a deferred search up again."""

    def report_event(
        self, token: str, event: str, *, disposition: str | None, everywhere: bool
    ) -> SearchResponse:
        """Answer a search that waited; as `fpmatch.Engine.report_event`.

        Parameters
        ----------
        token : str
            From the section of the deferred partition.
        event : str
            For instance ``CONVICTION``.
        disposition : str or None
            As coded in the policy.
        everywhere : bool
            Search all that is granted now.
        """


@runtime_checkable
class Copies(Protocol):
    """An engine that gives further agencies a copy of an answer (``copies_to``)."""

    def copy(self, tcn: str, ori: str) -> SearchResponse:
        """Hand an agency its copy of a submission, once; raise where there is none for it.

        Parameters
        ----------
        tcn : str
            Control number of the submission.
        ori : str
            Who asks.
        """


@runtime_checkable
class Cascades(Protocol):
    """An engine that keeps probes (``retain``) and searches them against what comes later."""

    def cascade(self, partition: str) -> Sequence[SearchResponse]:
        """Search a partition with every probe that is retained for it."""


@runtime_checkable
class Logs(Protocol):
    """An engine with a log of what was asked and answered."""

    def logged(self, tcn: str) -> Sequence[str]:
        """What the log holds of a submission now: ``"intent"``, then ``"outcome"``."""


@runtime_checkable
class FailsToLog(Protocol):
    """An engine whose log can be made to fail, as on a full disk."""

    def fail_log(self, kind: str) -> object:
        """From now on no ``"intent"``, or no ``"outcome"``, can be written."""


@runtime_checkable
class Counts(Protocol):
    """An engine with a matcher of its own that says what it compared."""

    def compared(self) -> Mapping[str, int]:
        """Prints that the last search compared with the probe, by name of partition."""


@runtime_checkable
class Closes(Protocol):
    """An engine that has to be closed."""

    def close(self) -> object:
        """Give up what it holds."""


class Clock:
    """Time that the kit sets; an engine asks it for the time by calling it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time now, with a time zone."""
        return self.now


class Setup:
    """What an engine under test is made with; it may use as much of it as it likes.

    Parameters
    ----------
    clock : Clock
        Call it for the time. An engine that looks at another clock fails where policies have dates.
    compare : callable
        ``compare(probe, candidate)``, a matcher. The kit sees what an engine compares with it. Its
        score is -10*log10 of the false match rate, the higher the more alike.
    folder : Path
        An empty folder for an engine that keeps files. It is removed when the check is over.
    """

    def __init__(self, folder: Path, compare: Compare = score, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.compare = compare
        self.folder = folder


class Make(Protocol):
    """How the kit gets engines: each call makes a new, empty one."""

    def __call__(self, setup: Setup, /) -> EngineUnderTest:
        """A new engine without partitions, records or policy."""


@contextmanager
def a_folder() -> Iterator[Path]:
    """An empty folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="fpmatch-testing-", ignore_cleanup_errors=True) as made:
        yield Path(made)
