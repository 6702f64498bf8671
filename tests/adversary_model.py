"""A plain model of what a gallery holds and what each party may know; see `adversary`.

Answers come from `fpmatch.reference.ReferenceEngine`, which is given only what the policy grants:
an engine that never held the rest. Everything that may happen once is counted here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from unittest import mock

import policy_cases as cases
from adversary_actor import Call

import fpmatch.reference.engine as reference_engine
from fpmatch.gallery.digest import Sum, record_item
from fpmatch.parameters import SEARCH
from fpmatch.policy import Policy
from fpmatch.reference import ReferenceEngine
from fpmatch.reference.decision import decide, facts_of
from fpmatch.reference.records import Held
from fpmatch.search.opaque_ids import opaque_id_of
from fpmatch.types import (
    Candidate,
    Decision,
    Ori,
    Outcome,
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
    copies: dict[str, bytes]


@dataclass
class Model:
    """The world as it should be.

    Parameters
    ----------
    tokens : dict
        Deferred probes that wait.
    loose : set of str
        Tokens of which it is not known how long they wait: the policy changed meanwhile.
    copies : dict of (tcn, agency, recipient) to bytes
        Copies that were not fetched yet.
    lost : set of (tcn, agency, recipient)
        Those of them that may be gone.
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
    copies: dict[Key, bytes] = field(default_factory=dict)
    retained: dict[Key, SearchRequest] = field(default_factory=dict)
    messages: dict[Key, tuple[int, int]] = field(default_factory=dict)
    answered: list[tuple[SearchRequest, object]] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)
    lost: set[Key] = field(default_factory=set)

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
            elif kind == "update":
                self._update(reference.records[partition][given["record"]], given)
            else:
                reference.seal(partition, given["record"], kind == "seal")

    def _update(self, held: Held, given: dict) -> None:
        if given["event"] is not None:
            held.events[given["event"]] = {
                finger.to_bytes(): (finger.position, self.reference._form(finger))
                for finger in given["fingers"]
            }
        if given["protected"] is not None:
            held.protected = given["protected"]
        if given["banned_uses"] is not None:
            held.banned = given["banned_uses"]

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
            {o: self._copy(request, response, lists, Ori(o)) for o in request.copies_to},
        )

    def _copy(
        self,
        request: SearchRequest,
        response: SearchResponse,
        lists: dict[str, list[Candidate]],
        recipient: Ori,
    ) -> bytes:
        """What a recipient may know: what the submitter was shown and it may see itself."""
        policy = self.reference.policy
        facts = facts_of(request, self.reference.partitions, policy)
        entries: dict = {}
        if policy is not None:
            ordinary = policy.facts(recipient, transaction=facts.transaction)
            own = dataclasses.replace(facts, chain=ordinary.chain, requested=None, role="")
            decision = policy.decide(own, self.now)
            entries = {} if decision.refused else {d.partition: d for d in decision.partitions}
        out = []
        for section in response:
            if section.outcome is Outcome.SEARCHED_DISCLOSED:
                entry = entries.get(section.partition)
                if entry is None or not (entry.probe and entry.view):
                    section = PartitionResult(
                        section.partition, Outcome.REFUSED, Reason.NOT_DISCLOSED
                    )
                elif entry.opaque:
                    found = lists[section.partition][: request.max_candidates]
                    renamed = tuple(
                        dataclasses.replace(
                            c, record=self.handle(recipient, section.partition, c.record)
                        )
                        for c in found
                    )
                    section = dataclasses.replace(section, candidates=renamed)
                elif section.candidates:
                    bare = tuple(_without_minutiae(c) for c in section.candidates)
                    section = dataclasses.replace(section, candidates=bare)
            out.append(section)
        return dataclasses.replace(response, sections=tuple(out), notes=()).to_bytes()

    def live(self) -> dict[str, Waiting]:
        """Tokens that an event may still use."""
        return {t: w for t, w in self.tokens.items() if w.expires is None or w.expires > self.now}

    def copies_may_be_lost(self) -> None:
        """The process that holds them has closed its engine."""
        self.lost = set(self.copies)

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


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """The reference engine with each encoding and comparison made once."""
    encode, compare = reference_engine.encode, reference_engine.compare
    forms: dict = {}
    scores: dict = {}

    def encoded(template):
        content = template.to_bytes()
        if content not in forms:
            forms[content] = encode(template)
        return forms[content]

    def compared(a, b, **more):
        key = (id(a), id(b), *sorted(more.items()))
        if key not in scores:
            scores[key] = compare(a, b, **more)
        return scores[key]

    with (
        mock.patch.object(reference_engine, "encode", encoded),
        mock.patch.object(reference_engine, "compare", compared),
    ):
        yield


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
