"""The engine as one would explain it: lists in memory, every comparison made, nothing clever.

It answers with the same `SearchResponse` as `fpmatch.Engine` at exhaustive effort. It keeps no
files, no log and no outbox: it is there to say what the answer is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from fpmatch.checks import check_number, check_text, quoted
from fpmatch.errors import InputError, RefusedError
from fpmatch.parameters import CALIBRATION
from fpmatch.reference import sequence
from fpmatch.reference.decision import decide, facts_of, uses_of
from fpmatch.reference.encode import encode
from fpmatch.reference.fusion import fuse
from fpmatch.reference.holdings import Holdings
from fpmatch.reference.matcher import ReferenceScore, compare
from fpmatch.reference.opaque_ids import opaque_id
from fpmatch.reference.pairing import explained
from fpmatch.reference.records import Form, Held
from fpmatch.reference.release import both, ended
from fpmatch.template import Template
from fpmatch.types import (
    Candidate,
    Facts,
    FingerPosition,
    FingerScore,
    Outcome,
    PartitionDecision,
    PartitionResult,
    Reason,
    SearchRequest,
    SearchResponse,
)
from fpmatch.types.checked import checked

Compare = Callable[[Template, Template], float]
"""A matcher: probe and candidate to a score, -10*log10 of the false match rate."""


EVENTS = {"CONVICTION": "convicted", "ACQUITTAL": "acquitted", "DISMISSAL": "dismissed"}
"""What an event makes of a case where nothing else is said."""


class ReferenceEngine(Holdings):
    """Slow, exact, obvious.

    Parameters
    ----------
    clock : callable
        Gives the current time, with a time zone.
    name : callable, optional
        ``name(recipient, partition, record)`` gives the id under which an opaque partition
        shows a record; `opaque_id` without it.
    matcher : callable, optional
        ``matcher(probe, candidate)`` gives the score of two templates, -10*log10 of the false match
        rate; `fpmatch.reference.compare` without it. It alone decides how prints may lie to each
        other, and how large: a request's ``rotation`` and ``scale`` are then not looked at.

    Raises
    ------
    InputError
        If one of them cannot be called.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        name: Callable[[str, str, str], str] = opaque_id,
        matcher: Compare | None = None,
    ) -> None:
        for what, given in (("clock", clock), ("name", name), ("matcher", matcher or compare)):
            if not callable(given):
                raise InputError(f"{what} must be a function, not {quoted(given)}")
        self.clock = clock
        self.name = name
        self.matcher = matcher
        super().__init__()
        self.waiting: dict[str, tuple[SearchRequest, str]] = {}

    def search(self, request: SearchRequest) -> SearchResponse:
        """Decide, compare with every record of every granted partition, rank.

        Raises
        ------
        InputError
            If a value of the request cannot be used.
        """
        return self._search(checked(request), "")

    def report_event(
        self, token: str, event: str, *, disposition: str | None = None, everywhere: bool = False
    ) -> SearchResponse:
        """Take up a search that waits: the policy of now decides what follows.

        Parameters
        ----------
        token : str
            From the section of the deferred partition.
        event : str
            For instance ``CONVICTION``.
        disposition : str, optional
            As coded in the policy, where the event does not settle it.
        everywhere : bool
            Search all that is granted now, not the one partition.

        Raises
        ------
        RefusedError
            If no search waits under that token.
        InputError
            If the event stands for no disposition by itself.
        """
        check_text("token", token)
        became = disposition or EVENTS.get(check_text("event", event))
        if became is None:
            raise InputError(f"event {quoted(event)} stands for no disposition; pass disposition=")
        if token not in self.waiting:
            raise RefusedError("no such record, or it is not open to you")
        request, partition = self.waiting[token]
        asked = None if everywhere else (partition,)
        again = replace(request, disposition=became, partitions=asked)
        response = self._search(checked(again), partition)
        if response[partition].outcome is not Outcome.DEFERRED:
            del self.waiting[token]
        return response

    def _search(self, request: SearchRequest, resumed: str) -> SearchResponse:
        facts = facts_of(request, self.partitions, self.policy)
        decision = decide(facts, self.clock(), self.partitions, self.policy)
        found = {
            d.partition: self._rank(request, facts, d)
            for d in decision.partitions
            if d.view and d.partition in self.partitions and not decision.refused
        }
        # Whatever happened meanwhile counts: the answer is judged once more before it leaves.
        again = decide(facts, self.clock(), self.partitions, self.policy)
        then = {d.partition: d for d in again.partitions}
        sections = tuple(
            self._section(request, facts, first, both(first, then.get(first.partition)), found)
            if not decision.refused
            else PartitionResult(first.partition, Outcome.REFUSED, first.reason)
            for first in decision.partitions
        )
        if resumed:
            sections = tuple(ended(s) if s.partition == resumed else s for s in sections)
        labels, value = self._own(request)
        return SearchResponse(
            request.tcn,
            decision.policy_version,
            sections,
            notes=sequence.notes(labels, value) + sequence.retakes(request.fingers),
        )

    def _form(self, finger: Template) -> Form:
        return encode(finger) if self.matcher is None else finger

    def _probe(self, finger: Template, request: SearchRequest) -> Form:
        """What a finger is compared as: a search form has its scale."""
        return finger if request.scale == "any" else self._form(finger)

    def _value(self, probe: Form, candidate: Form, request: SearchRequest) -> float:
        if self.matcher is None:
            how = {"rotation": request.rotation, "scale": request.scale}
            return compare(probe, candidate, **how).value
        if not (isinstance(probe, Template) and isinstance(candidate, Template)):
            raise InputError("a matcher of your own is set before anything is enrolled")
        return round(check_number("a matcher's score", self.matcher(probe, candidate), 0, 1e6), 2)

    def _own(self, request: SearchRequest) -> tuple[list[FingerPosition], sequence.Value]:
        probes = [self._probe(finger, request) for finger in request.fingers]
        forms = [self._form(finger) for finger in request.fingers]

        def value(i: int, j: int) -> float:
            return self._value(probes[i], forms[j], request)

        return [finger.position for finger in request.fingers], value

    def _section(
        self,
        request: SearchRequest,
        facts: Facts,
        first: PartitionDecision,
        entry: PartitionDecision,
        found: dict[str, list[Candidate]],
    ) -> PartitionResult:
        name = entry.partition
        searched = first.probe and name in self.partitions
        if entry.opaque and not (searched and entry.view):
            return PartitionResult(name, Outcome.REFUSED, Reason.NOT_DISCLOSED)
        if not searched:
            reason = Reason.UNKNOWN_PARTITION if first.probe else first.reason
            if first.deferred:
                return PartitionResult(
                    name, Outcome.DEFERRED, reason, token=self._wait(request, name)
                )
            return PartitionResult(name, Outcome.NOT_SEARCHED, reason)
        if not entry.view:
            denied = entry.reason is Reason.RELEASE_DENIED
            reason = Reason.RELEASE_DENIED if denied else Reason.RESULTS_WITHHELD
            return PartitionResult(name, Outcome.SEARCHED_WITHHELD, reason)
        held = self.records[name]
        uses = uses_of(facts)
        shown = [
            c
            for c in found[name]
            if c.record in held and not held[c.record].hidden(entry.sees_protected, uses)
        ][: request.max_candidates]
        if request.minutiae and entry.sees_minutiae and self.matcher is None:
            shown = [self._explained(request, held[c.record], c) for c in shown]
        if entry.opaque:
            shown = [replace(c, record=self.name(facts.chain[0], name, c.record)) for c in shown]
        return PartitionResult(
            name, Outcome.SEARCHED_DISCLOSED, entry.reason, candidates=tuple(shown)
        )

    def _explained(self, request: SearchRequest, held: Held, candidate: Candidate) -> Candidate:
        """The candidate with the comparison that each of its fingers' scores rests on."""

        def compared(probe: Template, record: Template) -> ReferenceScore:
            how = {"rotation": request.rotation, "scale": request.scale}
            return compare(self._probe(probe, request), encode(record), **how)

        under, records = self._under(request), held.impressions()
        told = (explained(f, request, under, records, compared) for f in candidate.fingers)
        return replace(candidate, fingers=tuple(told))

    def _under(self, request: SearchRequest) -> dict[FingerPosition, FingerPosition]:
        """The finger that each label of the submission counts as."""
        labels, value = self._own(request)
        return (
            sequence.merged(labels, value) if request.positions == "any" else {p: p for p in labels}
        )

    def _wait(self, request: SearchRequest, partition: str) -> str:
        for token, kept in self.waiting.items():
            if kept == (request, partition):
                return token
        token = f"D{len(self.waiting) + 1:06d}"
        self.waiting[token] = (request, partition)
        return token

    def _rank(
        self, request: SearchRequest, facts: Facts, entry: PartitionDecision
    ) -> list[Candidate]:
        probe: dict[FingerPosition, list[Form]] = {}
        under = self._under(request)
        for finger in request.fingers:
            probe.setdefault(under[finger.position], []).append(self._probe(finger, request))
        uses = uses_of(facts)
        found = []
        for held in self.records[entry.partition].values():
            if not held.hidden(entry.sees_protected, uses):
                candidate = self._candidate(held, probe, request)
                if candidate is not None and candidate.score >= request.lowest:
                    found.append(candidate)
        found.sort(key=lambda c: (-c.score, c.record))
        return found

    def _candidate(
        self, held: Held, probe: dict[FingerPosition, list[Form]], request: SearchRequest
    ) -> Candidate | None:
        scores, tries = [], []
        for position in sorted(probe):
            values = [
                self._value(impression, form, request)
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
