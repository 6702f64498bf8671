"""Another engine beside the reference: generated galleries, policies and submissions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fpmatch.checks import check_integer
from fpmatch.finger import FingerPosition
from fpmatch.policy import Policy
from fpmatch.reference import ReferenceEngine
from fpmatch.reference.engine import Compare
from fpmatch.template import Template
from fpmatch.testing.adapter import Make, Seals
from fpmatch.testing.bench import Bench, bench
from fpmatch.testing.prints import Numbers, print_of, score
from fpmatch.testing.responses import differences
from fpmatch.testing.world import (
    DEFERRED,
    OFF,
    OPEN,
    PARTITIONS,
    POLICY,
    SECOND,
    UNKNOWN,
    WITHHELD,
    under,
)
from fpmatch.types import Record, SearchRequest

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

AGENCIES = (OPEN, OPEN, SECOND, OFF, WITHHELD, DEFERRED, UNKNOWN)
PERSONS = 6
POSITIONS = (FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX)
POLICIES = (POLICY, POLICY, under("results_withheld"), under("ori_deactivated"))
SEARCHES = 6
"""Submissions for each generated gallery."""


@dataclass(frozen=True, slots=True)
class Case:
    """A gallery, what is sealed in it, the policy, and what is asked.

    Parameters
    ----------
    number : int
        That it was generated from.
    people : dict of str to tuple of Record
        By partition.
    sealed : tuple of (str, str)
        Partition and record.
    policy : str
        TOML.
    requests : tuple of SearchRequest
        One after the other.
    """

    number: int
    people: dict[str, tuple[Record, ...]]
    sealed: tuple[tuple[str, str], ...]
    policy: str
    requests: tuple[SearchRequest, ...]


def case(number: int, *, several_fingers: bool = True) -> Case:
    """The generated case of a number, always the same.

    Parameters
    ----------
    number : int
        Any.
    several_fingers : bool
        Whether records and probes may have more than one finger.
    """
    numbers = Numbers("case", number)
    people = {}
    sealed = []
    for partition in PARTITIONS:
        records = tuple(
            _record(numbers, f"{partition[0].upper()}-{i}", several_fingers)
            for i in range(2 + numbers.below(5))
        )
        people[partition] = records
        sealed += [(partition, r.record) for r in records if numbers.below(6) == 0]
    requests = tuple(
        _request(numbers, f"CASE-{number}-{i}", several_fingers) for i in range(SEARCHES)
    )
    return Case(number, people, tuple(sealed), numbers.one_of(POLICIES), requests)


def _finger(numbers: Numbers, person: int) -> Template:
    position = numbers.one_of(POSITIONS)
    made = print_of(person, numbers.below(8), position)
    return replace(made, position=FingerPosition.UNKNOWN) if numbers.below(8) == 0 else made


def _fingers(numbers: Numbers, several: bool) -> list[Template]:
    person = numbers.below(PERSONS)
    count = numbers.one_of((1, 1, 2)) if several else 1
    return [_finger(numbers, person) for _ in range(count)]


def _record(numbers: Numbers, name: str, several: bool) -> Record:
    banned = numbers.one_of(("", "", "", "CNA", "purpose:F", "role:officer"))
    return Record(
        name,
        _fingers(numbers, several),
        protected=numbers.below(5) == 0,
        banned_uses=frozenset({banned} if banned else ()),
    )


def _request(numbers: Numbers, tcn: str, several: bool) -> SearchRequest:
    return SearchRequest(
        _fingers(numbers, several),
        numbers.one_of(AGENCIES),
        transaction=numbers.one_of(("CAR", "CAR", "CAR", "CNA", "XXX")),
        purpose=numbers.one_of(("C", "C", "F")),
        role=numbers.one_of(("", "", "officer", "advocate")),
        disposition=numbers.one_of((None, "convicted", "pending")),
        protected=numbers.one_of((False, False, False, False, True)),
        partitions=numbers.one_of((None, None, None, ("criminal",), (9,))),
        max_candidates=numbers.one_of((1, 2, 20)),
        threshold=numbers.one_of((0.0, 0.0, 20.0)),
        effort="exhaustive",
        tcn=tcn,
    )


def disagreement(
    made: Bench,
    this: Case,
    scores: float | None,
    notes: bool,
) -> list[str]:
    """Where an engine answers a case otherwise than the reference; the first answer that differs.

    Parameters
    ----------
    made : Bench
        Makes the engine.
    this : Case
        What is asked.
    scores : float or None
        As for `assert_same_response`.
    notes : bool
        As for `assert_same_response`.
    """
    mine = made.open(this.people, this.policy)
    reference = ReferenceEngine(mine.clock, matcher=made.compare)
    for name, (ndr, owner) in PARTITIONS.items():
        reference.add_partition(name, ndr, owner)
        reference.enrol(name, this.people[name])
    reference.publish(Policy.parse(this.policy))
    if isinstance(mine.engine, Seals):
        for partition, record in this.sealed:
            mine.seal(partition, record)
            reference.seal(partition, record)
    for asked in this.requests:
        found = differences(
            mine.search(asked),
            reference.search(asked),
            scores=scores,
            notes=notes,
            policy_version=False,
        )
        if found:
            return [f"  case {this.number}, {_asked(asked)}", *(f"  {line}" for line in found)]
    return []


def _asked(request: SearchRequest) -> str:
    ordinary = SearchRequest((), "")
    fields = ("transaction", "purpose", "role", "disposition", "protected", "partitions",
              "max_candidates", "threshold")  # fmt: skip
    said = [
        f"{name}={getattr(request, name)!r}"
        for name in fields
        if getattr(request, name) != getattr(ordinary, name)
    ]
    return ", ".join([f"{request.booking_ori} with {len(request.fingers)} finger(s)", *said])


def assert_agrees_with_reference(
    make: Make,
    *,
    compare: Compare = score,
    scores: float | None = 0.0,
    notes: bool = False,
    cases: int = 20,
    several_fingers: bool = True,
) -> None:
    """Hold an engine against `ReferenceEngine` on generated galleries, policies and submissions.

    The reference is given the same matcher, so that decisions, masks, ranks, fusion and scores can
    be equal. Both hold protected, banned and (if the engine can) sealed records.

    Parameters
    ----------
    make : callable
        ``make(setup)`` makes a new engine.
    compare : callable
        The matcher of both; the reference's by default, and yours for an engine that has its own.
    scores : float or None
        As for `assert_same_response`.
    notes : bool
        Whether the remarks on a submission's own fingers have to be the same.
    cases : int
        How many galleries, 1 to 10 000, with six submissions each.
    several_fingers : bool
        Whether records and probes may have more than one finger.

    Raises
    ------
    AssertionError
        If an answer is not the reference's; shows up to three.
    InputError
        If a value is out of range, or what ``make`` makes is no engine.
    """
    wrong = []
    for number in range(check_integer("cases", cases, 1, 10_000)):
        with bench(make, compare) as made:
            this = case(number, several_fingers=several_fingers)
            wrong += [found] if (found := disagreement(made, this, scores, notes)) else []
    if wrong:
        shown = "\n".join(line for lines in wrong[:3] for line in lines)
        raise AssertionError(
            f"in {len(wrong)} of {cases} cases the engine is not the reference's twin:\n{shown}"
        )
