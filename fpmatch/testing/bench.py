"""Where a check stands: makes engines, fills them, asks them, and sees what they compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from fpmatch.checks import quoted
from fpmatch.errors import InputError
from fpmatch.policy import Policy
from fpmatch.reference.engine import Compare
from fpmatch.template import Template
from fpmatch.testing.adapter import (
    Cascades,
    Clock,
    Closes,
    Copies,
    Counts,
    EngineUnderTest,
    Expunges,
    Make,
    Seals,
    Setup,
    a_folder,
)
from fpmatch.testing.prints import print_of, score
from fpmatch.testing.world import PARTITIONS, POLICY, request
from fpmatch.types import PartitionResult, Record, SearchRequest, SearchResponse

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

People = Mapping[str, Sequence[Record]]
"""Records by name of partition."""


class NotChecked(Exception):
    """A check that cannot be made on this engine; the message says what it would take."""


class Watch:
    """A matcher that keeps account of what it is asked, and can be made to do something once."""

    def __init__(self, compare: Compare) -> None:
        self.compare = compare
        self.seen: list[tuple[Template, Template]] = []
        self.meanwhile: Callable[[], None] | None = None

    def __call__(self, probe: Template, candidate: Template) -> float:
        """The matcher's score."""
        self.seen.append((probe, candidate))
        if self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            act()
        return self.compare(probe, candidate)


class Opened:
    """An engine under test with records and a policy.

    Parameters
    ----------
    engine : EngineUnderTest
        As it was made.
    watch : Watch
        The matcher that it was given.
    setup : Setup
        What it was made with.

    Attributes
    ----------
    last : SearchResponse
        The last answer.
    """

    def __init__(self, engine: EngineUnderTest, watch: Watch, setup: Setup) -> None:
        self.engine = engine
        self.watch = watch
        self.setup = setup
        self.holds: dict[str, dict[Template, str]] = {}
        self.last = SearchResponse("", 0, ())

    @property
    def clock(self) -> Clock:
        """The time that the engine is told."""
        return self.setup.clock

    def enrol(self, partition: str, records: Sequence[Record]) -> object:
        """Add records; what the engine answers."""
        held = self.holds.setdefault(partition, {})
        held.update({finger: r.record for r in records for finger in r.fingers})
        return self.engine.enrol(partition, list(records))

    def publish(self, policy: str | Policy) -> None:
        """Put a policy in force."""
        self.engine.publish(policy if isinstance(policy, Policy) else Policy.parse(policy))

    def search(self, request: SearchRequest) -> SearchResponse:
        """Ask; what is no answer with every section is a failure."""
        self.watch.seen.clear()
        response = self.engine.search(request)
        if not isinstance(response, SearchResponse):
            raise AssertionError(f"search gave {quoted(response)}, not a SearchResponse")
        self.last = response
        return response

    def section(self, request: SearchRequest, partition: str) -> PartitionResult:
        """Ask; the section of one partition."""
        response = self.search(request)
        for section in response:
            if section.partition == partition:
                return section
        names = ", ".join(s.partition for s in response) or "none"
        raise AssertionError(f"the answer has no section for {partition!r}, but for: {names}")

    def names(self, request: SearchRequest, partition: str) -> list[str]:
        """Ask; the records that one partition's section lists, in their order."""
        return [c.record for c in self.section(request, partition).candidates or ()]

    def seal(self, partition: str, record: str, sealed: bool = True) -> None:
        """Hide a record, or show it again.

        Parameters
        ----------
        partition : str
            Its name.
        record : str
            The record's id.
        sealed : bool
            Hide it, or show it again.

        Raises
        ------
        NotChecked
            If the engine cannot.
        """
        if not isinstance(self.engine, Seals):
            raise NotChecked("the engine has no method seal(partition, record, sealed)")
        self.engine.seal(partition, record, sealed)

    def expunge(self, partition: str, record: str) -> None:
        """Forget a record. Raises NotChecked if the engine cannot."""
        if not isinstance(self.engine, Expunges):
            raise NotChecked("the engine has no method expunge(partition, record)")
        self.engine.expunge(partition, record)

    def copy(self, tcn: str, ori: str) -> SearchResponse | None:
        """The copy that an agency gets; None where it is refused.

        Parameters
        ----------
        tcn : str
            Control number of the submission.
        ori : str
            Who asks.

        Raises
        ------
        NotChecked
            If the engine makes no copies.
        """
        if not isinstance(self.engine, Copies):
            raise NotChecked("the engine has no method copy(tcn, ori)")
        try:
            return self.engine.copy(tcn, ori)
        except Exception:
            return None

    def cascade(self, partition: str) -> list[SearchResponse]:
        """What the probes retained for a partition find. Raises NotChecked if none are kept."""
        if not isinstance(self.engine, Cascades):
            raise NotChecked("the engine has no method cascade(partition)")
        self.watch.seen.clear()
        return list(self.engine.cascade(partition))

    @property
    def watched(self) -> bool:
        """Whether the last search compared anything with the matcher that the kit sees."""
        return bool(self.watch.seen)

    def compared(self) -> dict[str, int]:
        """Prints of each partition that the last search compared. Call it after a search."""
        if isinstance(self.engine, Counts):
            return {name: int(n) for name, n in self.engine.compared().items() if n}
        return dict(Counter(name for name, _ in self._touched()))

    def records_compared(self, partition: str) -> set[str]:
        """Records of a partition that the last search compared, as far as the kit sees it."""
        return {record for name, record in self._touched() if name == partition}

    def _touched(self) -> Iterator[tuple[str, str]]:
        for pair in self.watch.seen:
            for name, held in self.holds.items():
                for one in pair:
                    if one in held:
                        yield name, held[one]


class Bench:
    """Makes engines for one check and puts them away when it is over.

    Parameters
    ----------
    make : callable
        Makes an engine from a `Setup`.
    compare : callable
        The matcher that engines are given.

    Raises
    ------
    InputError
        If one of them cannot be called.
    """

    def __init__(self, make: Make, compare: Compare = score) -> None:
        for name, given in (("make", make), ("compare", compare)):
            if not callable(given):
                raise InputError(f"{name} must be a function, not {quoted(given)}")
        self.make = make
        self.compare = compare
        self._stack = ExitStack()

    def close(self) -> None:
        """Close every engine and remove its folder."""
        self._stack.close()

    def empty(self) -> Opened:
        """An engine with nothing in it.

        Raises
        ------
        InputError
            If what was made is no `EngineUnderTest`.
        """
        watch = Watch(self.compare)
        setup = Setup(self._stack.enter_context(a_folder()), watch)
        engine = self.make(setup)
        if not isinstance(engine, EngineUnderTest):
            wanted = ("add_partition", "enrol", "publish", "search")
            missing = ", ".join(n for n in wanted if not callable(getattr(engine, n, None)))
            raise InputError(f"{quoted(engine)} is no engine under test: it has no {missing}")
        if isinstance(engine, Closes):
            self._stack.callback(engine.close)
        return Opened(engine, watch, setup)

    def open(
        self,
        people: People,
        policy: str | Policy = POLICY,
        partitions: Mapping[str, tuple[int, str]] = PARTITIONS,
    ) -> Opened:
        """An engine with partitions, records and a policy.

        Parameters
        ----------
        people : mapping of str to sequence of Record
            By partition.
        policy : str or Policy
            TOML, or what was read from it.
        partitions : mapping of str to (int, str)
            Number and owner by name.
        """
        opened = self.empty()
        for name, (ndr, owner) in partitions.items():
            opened.engine.add_partition(name, ndr, owner)
            opened.holds.setdefault(name, {})
        for name, records in people.items():
            if records:
                opened.enrol(name, records)
        opened.publish(policy)
        return opened

    def needs_watching(self) -> None:
        """Raises NotChecked unless the kit can see what this engine compares."""
        opened = self.open({"criminal": [Record("W-1", [print_of("watched")])]})
        if isinstance(opened.engine, Counts):
            return
        opened.search(request(person="watched"))
        if not opened.watched:
            raise NotChecked(
                "the kit does not see what is compared: compare with setup.compare, or give the "
                "engine a method compared() that says how many prints of each partition"
            )


@contextmanager
def bench(make: Make, compare: Compare = score) -> Iterator[Bench]:
    """A `Bench` that is cleared when the check is over.

    Parameters
    ----------
    make : callable
        Makes an engine from a `Setup`.
    compare : callable
        The matcher that engines are given.
    """
    made = Bench(make, compare)
    try:
        yield made
    finally:
        made.close()
