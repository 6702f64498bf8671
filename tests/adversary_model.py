"""A plain model of what a gallery holds and what each party may know; see `adversary`.

Answers come from `fpmatch.reference.ReferenceEngine`, which is given only what the policy grants:
an engine that never held the rest. Everything that may happen once is counted here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace

import policy_cases as cases
from adversary_actor import Call

from fpmatch.gallery.digest import Sum, record_item
from fpmatch.parameters import SEARCH
from fpmatch.policy import Policy
from fpmatch.reference import ReferenceEngine
from fpmatch.reference.decision import decide, facts_of, uses_of
from fpmatch.search.opaque_ids import opaque_id_of
from fpmatch.types import (
    Candidate,
    Decision,
    Facts,
    Ori,
    Outcome,
    PartitionDecision,
    PartitionResult,
    Reason,
    Record,
    SearchRequest,
    SearchResponse,
)

EVERYTHING = 10**6
Key = tuple[str, str, str]
NUMBERS = {p.name: p.ndr for p in cases.world().partitions}


@dataclass
class Waiting:
    """A deferred probe that an event may release."""

    request: SearchRequest
    partition: str
    expires: datetime | None


@dataclass
class Listed:
    """What a recipient's copy may list of one partition, as it was when the answer left.

    Parameters
    ----------
    opaque : (bool, bool)
        Whether the partition was opaque to the submitter and to the recipient.
    """

    candidates: list[Candidate]
    sees_protected: bool
    opaque: tuple[bool, bool]


@dataclass
class Copy:
    """A copy that waits for its recipient."""

    facts: Facts
    recipient: Ori
    response: SearchResponse
    lists: dict[str, Listed]
    until: datetime


@dataclass
class Expected:
    """What an honest engine answers in one state of the world.

    Parameters
    ----------
    seen : dict of partition to set of (record, score)
        Candidates that may be disclosed, whatever the length of the list, under both names.
    told : set of str
        Partitions whose owner is told.
    """

    content: bytes
    decision: Decision
    sections: dict[str, dict]
    seen: dict[str, set]
    told: set[str]
    retained: set[str]
    copies: dict[str, Copy]


@dataclass
class Model:
    """The world as it should be.

    Parameters
    ----------
    tokens : dict
        Deferred probes that wait.
    loose : set of str
        Tokens of which it is not known how long they wait: the policy changed meanwhile.
    copies : dict of (tcn, agency, recipient) to Copy
        Copies that were not fetched yet.
    messages : dict of (tcn, agency, partition) to (int, int)
        How often, at least and at most, an owner is told.
    answered : list of (request, reply)
        Searches under their own control numbers.
    """

    key: bytes
    now: datetime
    tokens: dict[str, Waiting] = field(default_factory=dict)
    spent: list[str] = field(default_factory=list)
    loose: set[str] = field(default_factory=set)
    copies: dict[Key, Copy] = field(default_factory=dict)
    retained: dict[Key, SearchRequest] = field(default_factory=dict)
    messages: dict[Key, tuple[int, int]] = field(default_factory=dict)
    answered: list[tuple[SearchRequest, object]] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.reference = ReferenceEngine(lambda: self.now, self.handle)
        for name, owner in cases.OWNERS.items():
            self.reference.add_partition(name, NUMBERS[name], owner)

    def handle(self, recipient: str, partition: str, record: str) -> str:
        return opaque_id_of(SimpleNamespace(opaque_key=self.key), recipient, partition, record)

    # -- changes -------------------------------------------------------------------------------

    def has(self, partition: str, record: str) -> bool:
        return record in self.reference.records[partition]

    def change(self, kind: str, given: dict) -> None:
        """Do what a call should have done."""
        reference, partition = self.reference, given.get("partition", "")
        if kind == "enrol":
            reference.enrol(partition, given["records"])
        elif kind == "publish":
            reference.publish(given["policy"])
        elif self.has(partition, given["record"]):
            if kind == "expunge":
                reference.expunge(partition, given["record"])
                self._forget(partition, given["record"])
            elif kind == "update":
                reference.update(
                    partition,
                    given["record"],
                    event=given["event"],
                    fingers=None if given["event"] is None else given["fingers"],
                    protected=given["protected"],
                    banned_uses=given["banned_uses"],
                )
            else:
                reference.seal(partition, given["record"], kind == "seal")

    def _forget(self, partition: str, record: str) -> None:
        """No copy lists it any more, nor another of that name that comes later."""
        for copy in self.copies.values():
            for listed in (copy.lists[partition],) if partition in copy.lists else ():
                listed.candidates = [c for c in listed.candidates if c.record != record]

    def possible(self, call: Call) -> bool:
        """Whether a change of a record that is there can be made: of an event that it has."""
        given = call.given
        held = self.reference.records[given["partition"]][given["record"]]
        return given.get("event") is None or given["event"] in held.events

    def root(self, partition: str) -> str:
        """A partition's root, computed from what it should hold."""
        total = Sum()
        for held in self.reference.records[partition].values():
            events = [
                (event, int(position), hashlib.sha256(content).hexdigest().upper())
                for event, fingers in held.events.items()
                for content, (position, _) in fingers.items()
            ]
            flags = (held.protected, held.sealed)
            total.add(record_item(held.record, held.record, "", flags, held.banned, events))
        return total.root()

    # -- answers -------------------------------------------------------------------------------

    def expect(self, request: SearchRequest, resumed: str = "") -> Expected:
        """The answer of an engine that holds nothing but what is granted."""
        reference = self.reference
        request = dataclasses.replace(request, tcn="")
        facts = facts_of(request, reference.partitions, reference.policy)
        decision = decide(facts, self.now, reference.partitions, reference.policy)
        granted = {d.partition for d in decision.partitions if d.probe and not decision.refused}
        whole = reference.records
        reference.records = {n: r if n in granted else {} for n, r in whole.items()}
        try:
            response = reference.search(request)
            sections = tuple(_resumed(s, resumed, decision) for s in response)
            response = dataclasses.replace(response, sections=sections)
            lists, told = {}, set()
            wide = dataclasses.replace(request, max_candidates=EVERYTHING)
            hits = dataclasses.replace(wide, threshold=SEARCH.hit_score)
            for d in decision.partitions:
                if d.partition not in granted or d.partition not in whole:
                    continue
                if d.view:
                    lists[d.partition] = reference._rank(wide, facts, d)
                if d.notify and reference._rank(hits, facts, d):
                    told.add(d.partition)
            copies = {
                o: self._copy(request, facts, decision, response, Ori(o)) for o in request.copies_to
            }
        finally:
            reference.records = whole
        booking = facts.chain[0]
        seen = {
            name: {(c.record, c.score) for c in found}
            | {(self.handle(booking, name, c.record), c.score) for c in found}
            for name, found in lists.items()
        }
        kept = {d.partition for d in decision.partitions if d.partition in granted and d.retain}
        return Expected(
            response.to_bytes(),
            decision,
            {s["partition"]: s for s in response.to_dict()["partitions"]},
            seen,
            told,
            (kept & set(whole)) if request.retain else set(),
            copies,
        )

    def _own(self, facts: Facts, recipient: Ori) -> dict[str, PartitionDecision]:
        """What a recipient could search itself now."""
        policy = self.reference.policy
        if policy is None:
            return {}
        ordinary = policy.facts(recipient, transaction=facts.transaction)
        own = dataclasses.replace(facts, chain=ordinary.chain, requested=None, role="")
        return self._entries(own)

    def _entries(self, facts: Facts) -> dict[str, PartitionDecision]:
        decision = decide(facts, self.now, self.reference.partitions, self.reference.policy)
        return {} if decision.refused else {d.partition: d for d in decision.partitions}

    def _copy(
        self,
        request: SearchRequest,
        facts: Facts,
        decision: Decision,
        response: SearchResponse,
        recipient: Ori,
    ) -> Copy:
        """What a recipient may know: what the submitter was shown and it may see itself."""
        own, lists = self._own(facts, recipient), {}
        for section in response:
            name = section.partition
            entry = own.get(name)
            if section.outcome is not Outcome.SEARCHED_DISCLOSED:
                continue
            if entry is None or not (entry.probe and entry.view):
                continue
            mine = decision[name]
            sees = mine.sees_protected and entry.sees_protected
            masked = dataclasses.replace(mine, sees_protected=sees)
            found = self.reference._rank(request, facts, masked)[: request.max_candidates]
            lists[name] = Listed(found, sees, (mine.opaque, entry.opaque))
        until = self.now + timedelta(days=SEARCH.copy_days)
        return Copy(facts, recipient, response, lists, until)

    def waiting(self) -> list[Key]:
        """The copies that can still be fetched."""
        return sorted(key for key, copy in self.copies.items() if copy.until > self.now)

    def handed(self, copy: Copy) -> bytes:
        """A copy as it is handed out now: what was allowed then, and still is."""
        uses = uses_of(copy.facts)
        parties = self._entries(copy.facts), self._own(copy.facts, copy.recipient)
        sections = []
        for section in copy.response:
            name = section.partition
            listed = copy.lists.get(name)
            now = [party[name] for party in parties if name in party]
            allowed = len(now) == len(parties) and all(e.probe and e.view for e in now)
            if section.outcome is Outcome.SEARCHED_DISCLOSED and (listed is None or not allowed):
                section = PartitionResult(name, Outcome.REFUSED, Reason.NOT_DISCLOSED)
            elif listed is not None:
                sees = listed.sees_protected and all(e.sees_protected for e in now)
                held = self.reference.records[name]
                shown = [c for c in listed.candidates if not held[c.record].hidden(sees, uses)]
                opaque = [o or e.opaque for o, e in zip(listed.opaque, now, strict=True)]
                if any(opaque):
                    who = copy.recipient if opaque[1] else copy.facts.chain[0]
                    shown = [
                        dataclasses.replace(c, record=self.handle(who, name, c.record))
                        for c in shown
                    ]
                bare = tuple(_without_minutiae(c) for c in shown)
                section = dataclasses.replace(section, candidates=bare)
            sections.append(dataclasses.replace(section, token=""))
        whole = dataclasses.replace(copy.response, sections=tuple(sections), notes=())
        return whole.to_bytes()

    def live(self) -> dict[str, Waiting]:
        """Tokens that an event may still use."""
        return {t: w for t, w in self.tokens.items() if w.expires is None or w.expires > self.now}

    def spend(self, token: str) -> None:
        """A token has been used."""
        self.tokens.pop(token, None)
        self.spent.append(token)


def _without_minutiae(candidate: Candidate) -> Candidate:
    """As it is copied to others: paired minutiae are the submitter's alone."""
    fingers = tuple(dataclasses.replace(f, pairing=None) for f in candidate.fingers)
    return dataclasses.replace(candidate, fingers=fingers)


def _resumed(section: PartitionResult, resumed: str, decision: Decision) -> PartitionResult:
    section = dataclasses.replace(section, token="")  # the engine's own are at random
    if section.partition == resumed and section.outcome is Outcome.NOT_SEARCHED:
        entry = decision[resumed]
        if not entry.probe and not entry.deferred:
            return PartitionResult(resumed, Outcome.DEFERRED_CANCELLED, section.reason)
    return section


def sections_of(content: bytes) -> dict[str, dict]:
    """An answer's sections by partition."""
    return {s["partition"]: s for s in json.loads(content)["partitions"]}


def clean_policy(make) -> Policy:
    """A random policy without a rule outside its author's authority: others are not published."""
    while True:
        policy = make()
        if not policy.authority_problems():
            return policy


def catalogue(rng, finger) -> dict[str, list[Record]]:
    """What may be enrolled in each partition: the same id is always the same record."""
    out: dict[str, list[Record]] = {}
    for partition in cases.OWNERS:
        out[partition] = []
        for i in range(4):
            person = rng.randrange(5)
            ban = rng.sample(("CAR", "CNA", "purpose:F", "role:officer"), rng.choice((0, 0, 1)))
            first = Record(
                f"{partition[0]}{i}",
                [finger(rng, person) for _ in range(rng.choice((1, 1, 2)))],
                protected=rng.random() < 0.2,
                banned_uses=frozenset(ban),
            )
            again = dataclasses.replace(first, event="later", fingers=[finger(rng, person)])
            out[partition] += [first, again]
    return out
