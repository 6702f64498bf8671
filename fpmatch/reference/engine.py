"""The engine as one would explain it: lists in memory, every comparison made, nothing clever.

It answers with the same `SearchResponse` as `fpmatch.Engine` at exhaustive effort. It keeps no
files, no log and no outbox: it is there to say what the answer is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fpmatch.checks import check_integer, check_number, check_several, check_text, quoted
from fpmatch.errors import InputError, RefusedError
from fpmatch.parameters import CALIBRATION
from fpmatch.policy import Policy
from fpmatch.reference import sequence
from fpmatch.reference.encode import ReferenceForm, encode
from fpmatch.reference.matcher import compare
from fpmatch.template import Template
from fpmatch.types import (
    Candidate,
    Decision,
    Facts,
    FingerPosition,
    FingerScore,
    Outcome,
    PartitionDecision,
    PartitionInfo,
    PartitionResult,
    Permission,
    Reason,
    Record,
    SearchRequest,
    SearchResponse,
)
from fpmatch.types.checked import checked

Compare = Callable[[Template, Template], float]
"""A matcher: probe and candidate to a score, -10*log10 of the false match rate."""
Form = ReferenceForm | Template
"""What is compared: the reference's search form, or prints as they are for a matcher of yours."""


@dataclass(slots=True)
class Held:
    """A record in memory: fingers by event."""

    record: str
    events: dict[str, dict[bytes, tuple[FingerPosition, Form]]]
    protected: bool = False
    sealed: bool = False
    banned: frozenset[str] = frozenset()

    def fingers(self) -> list[tuple[FingerPosition, Form]]:
        """Each impression once, though several events may hold it."""
        every: dict[bytes, tuple[FingerPosition, Form]] = {}
        for held in self.events.values():
            every.update(held)
        return list(every.values())


class ReferenceEngine:
    """Slow, exact, obvious.

    Parameters
    ----------
    clock : callable
        Gives the current time, with a time zone.
    name : callable, optional
        ``name(recipient, partition, record)`` gives the id under which an opaque partition
        shows a record; records' own ids without it.
    matcher : callable, optional
        ``matcher(probe, candidate)`` gives the score of two templates, -10*log10 of the false match
        rate; `fpmatch.reference.compare` without it. It alone decides how prints may lie to each
        other: a request's ``rotation`` is then not looked at.

    Raises
    ------
    InputError
        If one of them cannot be called.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        name: Callable[[str, str, str], str] = lambda recipient, partition, record: record,
        matcher: Compare | None = None,
    ) -> None:
        for what, given in (("clock", clock), ("name", name), ("matcher", matcher or compare)):
            if not callable(given):
                raise InputError(f"{what} must be a function, not {quoted(given)}")
        self.clock = clock
        self.name = name
        self.matcher = matcher
        self.policy: Policy | None = None
        self.partitions: dict[str, PartitionInfo] = {}
        self.records: dict[str, dict[str, Held]] = {}

    def add_partition(self, name: str, ndr: int, owner: str) -> None:
        """Add an empty partition.

        Parameters
        ----------
        name : str
            Of the partition.
        ndr : int
            Its EBTS 2.098 number.
        owner : str
            Who owns it.

        Raises
        ------
        InputError
            If a value cannot be used.
        """
        check_text("partition", name, longest=200, empty=False)
        number = check_integer("ndr", ndr, 0, 2**31 - 1)
        self.partitions[name] = PartitionInfo(
            name, number, check_text("owner", owner, longest=255, empty=False)
        )
        self.records.setdefault(name, {})

    def enrol(self, partition: str, records: Iterable[Record]) -> None:
        """Add records; the same again changes nothing.

        Raises
        ------
        InputError
            If there is no such partition, or something is no record.
        """
        if isinstance(records, str | bytes) or not isinstance(records, Iterable):
            raise InputError(f"records must be a list, not {quoted(records)}")
        records = list(records)
        for record in records:
            if not isinstance(record, Record):
                raise InputError(f"records must be Record, not {quoted(record)}")
            for finger in check_several("fingers", record.fingers, most=10**4):
                if not isinstance(finger, Template):
                    raise InputError(f"fingers must be templates, not {quoted(finger)}")
        if partition not in self.records:
            raise InputError(f"there is no partition {quoted(partition)}; add it first")
        for record in records:
            held = self.records[partition].setdefault(record.record, Held(record.record, {}))
            event = held.events.setdefault(record.event, {})
            for finger in record.fingers:
                event[finger.to_bytes()] = (finger.position, self._form(finger))
            held.protected |= record.protected
            held.banned |= record.banned_uses

    def publish(self, policy: Policy) -> int:
        """Put a policy in force; its version.

        Raises
        ------
        InputError
            If it is no policy.
        """
        if not isinstance(policy, Policy):
            raise InputError(f"expected a Policy, not {quoted(policy)}")
        before = self.policy.version if self.policy else 0
        self.policy = policy.with_version(max(policy.version, before + 1))
        return self.policy.version

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
        RefusedError
            If there is no such record.
        """
        self._held(partition, record).sealed = sealed

    def _held(self, partition: str, record: str) -> Held:
        held = self.records.get(partition, {}).get(record)
        if held is None:
            raise RefusedError("no such record, or it is not open to you")
        return held

    def expunge(self, partition: str, record: str, event: str | None = None) -> None:
        """Forget a record, or one event of it.

        Parameters
        ----------
        partition : str
            Its name.
        record : str
            The record's id.
        event : str or None
            One enrolment; None for the record.

        Raises
        ------
        RefusedError
            If there is no such record.
        """
        held = self._held(partition, record)
        if event is not None and event not in held.events:
            raise RefusedError("no such record, or it is not open to you")
        if event is not None:
            del held.events[event]
        if event is None or not held.events:
            del self.records[partition][record]

    def search(self, request: SearchRequest) -> SearchResponse:
        """Decide, compare with every record of every granted partition, rank.

        Raises
        ------
        InputError
            If a value of the request cannot be used.
        """
        request = checked(request)
        facts = self._facts(request)
        decision = self._decide(facts)
        sections = tuple(self._section(request, facts, decision, d) for d in decision.partitions)
        labels, value = self._own(request)
        return SearchResponse(
            request.tcn,
            decision.policy_version,
            sections,
            notes=sequence.notes(labels, value) + sequence.retakes(request.fingers),
        )

    def _form(self, finger: Template) -> Form:
        return encode(finger) if self.matcher is None else finger

    def _value(self, probe: Form, candidate: Form, rotation: str) -> float:
        if self.matcher is None:
            return compare(probe, candidate, rotation=rotation).value
        if not (isinstance(probe, Template) and isinstance(candidate, Template)):
            raise InputError("a matcher of your own is set before anything is enrolled")
        return round(check_number("a matcher's score", self.matcher(probe, candidate), 0, 1e6), 2)

    def _own(self, request: SearchRequest) -> tuple[list[FingerPosition], sequence.Value]:
        forms = [self._form(finger) for finger in request.fingers]

        def value(i: int, j: int) -> float:
            return self._value(forms[i], forms[j], request.rotation)

        return [finger.position for finger in request.fingers], value

    def _facts(self, request: SearchRequest) -> Facts:
        requested = request.partitions
        if requested is not None:
            infos = [*self.partitions.values(), *(self.policy.partitions if self.policy else ())]
            numbers = {info.ndr: info.name for info in infos}
            names = [
                numbers.get(p, f"repository {p}") if isinstance(p, int) else p for p in requested
            ]
            requested = tuple(dict.fromkeys(names))
        return request.facts(requested)

    def _decide(self, facts: Facts) -> Decision:
        at = self.clock()
        if self.policy is None:
            none = [
                PartitionDecision(n, Permission.NONE, Reason.NO_POLICY) for n in self.partitions
            ]
            return Decision(0, "", at, True, Reason.NO_POLICY, tuple(none))
        decision = self.policy.decide(facts, at)
        known = [d.partition for d in decision.partitions]
        reason = decision.reason if decision.refused else Reason.NO_GRANT
        more = [
            PartitionDecision(n, Permission.NONE, reason) for n in self.partitions if n not in known
        ]
        return replace(decision, partitions=(*decision.partitions, *more))

    def _section(
        self, request: SearchRequest, facts: Facts, decision: Decision, entry: PartitionDecision
    ) -> PartitionResult:
        name = entry.partition
        if decision.refused:
            return PartitionResult(name, Outcome.REFUSED, entry.reason)
        searched = entry.probe and name in self.partitions
        if entry.opaque and not (searched and entry.view):
            return PartitionResult(name, Outcome.REFUSED, Reason.NOT_DISCLOSED)
        if not searched:
            outcome = Outcome.DEFERRED if entry.deferred else Outcome.NOT_SEARCHED
            reason = Reason.UNKNOWN_PARTITION if entry.probe else entry.reason
            return PartitionResult(name, outcome, reason)
        if not entry.view:
            return PartitionResult(name, Outcome.SEARCHED_WITHHELD, Reason.RESULTS_WITHHELD)
        found = self._rank(request, facts, entry)
        if entry.opaque:
            found = [replace(c, record=self.name(facts.chain[0], name, c.record)) for c in found]
        return PartitionResult(
            name, Outcome.SEARCHED_DISCLOSED, entry.reason, candidates=tuple(found)
        )

    def _rank(
        self, request: SearchRequest, facts: Facts, entry: PartitionDecision
    ) -> list[Candidate]:
        probe: dict[FingerPosition, list[Form]] = {}
        labels, value = self._own(request)
        anywhere = request.positions == "any"
        under = sequence.merged(labels, value) if anywhere else {p: p for p in labels}
        for finger in request.fingers:
            probe.setdefault(under[finger.position], []).append(self._form(finger))
        uses = {facts.transaction, f"purpose:{facts.purpose}", f"role:{facts.role}"}
        found = []
        for held in self.records[entry.partition].values():
            hidden = held.protected and not entry.sees_protected
            if not (held.sealed or hidden or held.banned & uses):
                candidate = self._candidate(held, probe, request)
                if candidate is not None and candidate.score >= request.threshold:
                    found.append(candidate)
        found.sort(key=lambda c: (-c.score, c.record))
        return found[: request.max_candidates]

    def _candidate(
        self, held: Held, probe: dict[FingerPosition, list[Form]], request: SearchRequest
    ) -> Candidate | None:
        scores, tries = [], []
        for position in sorted(probe):
            values = [
                self._value(impression, form, request.rotation)
                for impression in probe[position]
                for place, form in held.fingers()
                if request.positions == "any" or 0 in (place, position) or place == position
            ]
            if values:
                scores.append(FingerScore(position, max(values)))
                tries.append(len(values))
        if not scores:
            return None
        score = fuse([s.score for s in scores], tries)
        return Candidate(
            held.record,
            score,
            max(float(f"{10 ** (-score / 10):.5e}"), CALIBRATION.least_fmr),
            tuple(scores),
        )


def fuse(values: list[float], tries: list[int]) -> float:
    """Fisher's combination of independent fingers, each the best of so many comparisons.

    Each value is a false match rate p = 10^(-value/10); the best of n has rate 1 - (1 - p)^n.
    The chance that k such rates, uniform by chance, have a product as small as theirs is
    product * sum over i < k of (-ln product)^i / i!  (Fisher 1932).
    """
    evidence = 0.0
    for value, n in zip(values, tries, strict=True):
        surprise = max(value, 0.0) * math.log(10) / 10
        if n > 1:
            rate = math.exp(-surprise)
            # 1 - (1 - p)^n is n p for the smallest rates, where the subtraction loses digits.
            if rate < 1e-9:
                surprise = max(surprise - math.log(n), 0.0)
            else:
                surprise = -math.log(-math.expm1(n * math.log1p(-rate))) if rate < 1 else 0.0
        evidence += surprise
    if len(values) > 1:
        terms = sum(evidence**i / math.factorial(i) for i in range(len(values)))
        evidence = max(evidence - math.log(terms), 0.0)
    return round(evidence * 10 / math.log(10), 2)
