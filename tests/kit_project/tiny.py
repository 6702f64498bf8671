"""A small engine of one's own, as a team might have it, and the ways in which it may be wrong."""

from __future__ import annotations

import dataclasses

from fpmatch.types import (
    Candidate,
    FingerScore,
    Outcome,
    PartitionResult,
    Permission,
    Reason,
    SearchResponse,
)


class TinyEngine:
    """Lists in memory; one finger a record; asks the policy, then compares what is granted."""

    def __init__(self, setup) -> None:
        self.clock, self.compare = setup.clock, setup.compare
        self.names, self.held, self.policy = {}, {}, None
        self.infos: set = set()
        self.sealed: set = set()

    def add_partition(self, name, ndr, owner) -> None:
        self.names[ndr], self.held[name] = name, {}
        self.infos.add((name, ndr, owner))

    def enrol(self, partition, records) -> None:
        for record in records:
            self.held[partition][record.record] = record

    def publish(self, policy) -> None:
        self.check_owners({(p.name, p.ndr, p.owner) for p in policy.partitions})
        version = self.policy.version + 1 if self.policy else 0
        self.policy = policy.with_version(max(policy.version, version))

    def check_owners(self, told) -> None:
        """The policy has to speak of the partitions that are held."""
        if not self.infos <= told:
            raise ValueError("the policy speaks of other partitions")

    def seal(self, partition, record, sealed) -> None:
        (self.sealed.add if sealed else self.sealed.discard)((partition, record))

    def expunge(self, partition, record) -> None:
        del self.held[partition][record]

    def search(self, request) -> SearchResponse:
        if not request.fingers or not isinstance(request.threshold, int | float):
            raise ValueError("the submission cannot be read")
        asked = request.partitions
        named = None if asked is None else tuple(self.names.get(p, str(p)) for p in asked)
        facts = request.facts(named)
        decision = self.policy.decide(facts, self.clock())
        found = {d.partition: self.ranked(request, facts, d) for d in self.searched(decision)}
        later = self.policy.decide(facts, self.clock())
        sections = tuple(
            self.section(request, facts, decision, d, later[d.partition], found)
            for d in decision.partitions
        )
        return SearchResponse(request.tcn, decision.policy_version, sections)

    def searched(self, decision) -> list:
        """The partitions that are searched."""
        return [d for d in decision.partitions if d.probe and d.partition in self.held]

    def section(self, request, facts, decision, entry, later, found) -> PartitionResult:
        name, opaque = entry.partition, entry.opaque or later.opaque
        if decision.refused:
            return PartitionResult(name, Outcome.REFUSED, entry.reason)
        view = Permission.VIEW in entry.permissions & later.permissions
        if opaque and not view:
            return PartitionResult(name, Outcome.REFUSED, Reason.NOT_DISCLOSED)
        if not entry.probe or name not in found:
            if entry.deferred:
                return PartitionResult(name, Outcome.DEFERRED, entry.reason, token="T")
            reason = Reason.UNKNOWN_PARTITION if entry.probe else entry.reason
            return PartitionResult(name, Outcome.NOT_SEARCHED, reason)
        if not view:
            lost = Reason.RESULTS_WITHHELD if later.probe else Reason.RELEASE_DENIED
            return PartitionResult(name, Outcome.SEARCHED_WITHHELD, lost)
        shown = [c for c in found[name] if self.visible(name, c.record, facts, entry)]
        if opaque:
            shown = [
                dataclasses.replace(c, record=f"{hash((facts.chain[0], c.record)) & 2**60 - 1:x}")
                for c in shown
            ]
        return PartitionResult(
            name,
            Outcome.SEARCHED_DISCLOSED,
            entry.reason,
            tuple(shown[: request.max_candidates]),
        )

    def visible(self, partition, name, facts, entry) -> bool:
        """Whether a search may know of a record."""
        record = self.held[partition].get(name)
        if record is None or (partition, name) in self.sealed:
            return False
        uses = {facts.transaction, f"purpose:{facts.purpose}", f"role:{facts.role}"}
        return not (record.banned_uses & uses or (record.protected and not entry.sees_protected))

    def ranked(self, request, facts, entry) -> list[Candidate]:
        """Candidates, best first."""
        (probe,) = request.fingers
        found = []
        for name, record in list(self.held[entry.partition].items()):
            if not self.visible(entry.partition, name, facts, entry):
                continue
            (finger,) = record.fingers
            if finger.position in (0, probe.position) or not probe.position:
                value = self.score(probe, finger)
                if value >= request.threshold:
                    fmr = max(float(f"{10 ** (-value / 10):.5e}"), 1e-5)
                    parts = (FingerScore(probe.position, value),)
                    found.append(Candidate(name, value, fmr, parts))
        return self.order(found)

    def score(self, probe, candidate) -> float:
        return self.compare(probe, candidate)

    def order(self, found) -> list[Candidate]:
        return sorted(found, key=lambda c: (-c.score, c.record))


class ListsProtected(TinyEngine):
    """Leaks a masked record."""

    def visible(self, partition, name, facts, entry) -> bool:
        record = self.held[partition][name]
        return (partition, name) not in self.sealed and not record.banned_uses & {"CAR"}


class CutsBeforeItHides(TinyEngine):
    """Hidden records crowd others out: the list is cut before they are taken from it."""

    def ranked(self, request, facts, entry) -> list[Candidate]:
        wide = dataclasses.replace(entry, sees_protected=True)
        return super().ranked(request, facts, wide)[: request.max_candidates]


class SearchesTheDenied(TinyEngine):
    """Searches a denied partition, and shows nothing of it."""

    def searched(self, decision) -> list:
        return [d for d in decision.partitions if d.partition in self.held]


class AnswersFromTheDenied(SearchesTheDenied):
    """Searches a denied partition and answers from it."""

    def section(self, request, facts, decision, entry, later, found) -> PartitionResult:
        told = tuple(found[entry.partition])
        return PartitionResult(entry.partition, Outcome.SEARCHED_DISCLOSED, Reason.GRANTED, told)


class RanksWrong(TinyEngine):
    """The worst first."""

    def order(self, found) -> list[Candidate]:
        return sorted(found, key=lambda c: (c.score, c.record))


class TiesByEnrolment(TinyEngine):
    """Who was enrolled first comes first."""

    def order(self, found) -> list[Candidate]:
        return sorted(found, key=lambda c: -c.score)


class WrongMatcher(TinyEngine):
    """Counts minutiae and calls it a score."""

    def score(self, probe, candidate) -> float:
        self.compare(probe, candidate)
        return float(min(len(probe), len(candidate)))


class WithheldShows(TinyEngine):
    """Says whether a withheld search had a hit."""

    def section(self, request, facts, decision, entry, later, found) -> PartitionResult:
        made = super().section(request, facts, decision, entry, later, found)
        hit = any(c.score >= 50 for c in found.get(entry.partition, ()))
        withheld = made.outcome is Outcome.SEARCHED_WITHHELD
        return dataclasses.replace(made, complete=not hit) if withheld else made


class TellsOpaque(TinyEngine):
    """Says that an opaque partition waits."""

    def section(self, request, facts, decision, entry, later, found) -> PartitionResult:
        if entry.opaque and entry.deferred:
            return PartitionResult(entry.partition, Outcome.DEFERRED, entry.reason, token="T")
        return super().section(request, facts, decision, entry, later, found)


class ForgetsToForget(TinyEngine):
    """Expunges by hiding, until the next enrolment."""

    def expunge(self, partition, record) -> None:
        self.seal(partition, record, True)

    def enrol(self, partition, records) -> None:
        super().enrol(partition, records)
        self.sealed.clear()


class DecidesOnce(TinyEngine):
    """Does not ask the policy again when an answer leaves."""

    def section(self, request, facts, decision, entry, later, found) -> PartitionResult:
        return super().section(request, facts, decision, entry, entry, found)


class Remembers(TinyEngine):
    """Answers the same print as before, whoever asks."""

    def __init__(self, setup) -> None:
        super().__init__(setup)
        self.before: dict = {}

    def ranked(self, request, facts, entry) -> list[Candidate]:
        key = request.fingers[0], entry.partition
        return self.before.setdefault(key, super().ranked(request, facts, entry))

    def visible(self, partition, name, facts, entry) -> bool:
        return True if self.before else super().visible(partition, name, facts, entry)


class NormalisesScores(TinyEngine):
    """Scores relative to the best of all partitions."""

    def score(self, probe, candidate) -> float:
        every = [f for held in self.held.values() for r in held.values() for f in r.fingers]
        most = max(len(f) for f in every)
        return round(self.compare(probe, candidate) * len(every) / (most + len(every)), 2)


class TellsWhoIsAsked(TinyEngine):
    """An opaque partition that is asked for by name tells whether it was searched."""

    def section(self, request, facts, decision, entry, later, found) -> PartitionResult:
        made = super().section(request, facts, decision, entry, later, found)
        told = request.partitions and entry.opaque and not entry.probe
        return dataclasses.replace(made, reason=Reason.NOT_REQUESTED) if told else made


class EnrolmentTells(TinyEngine):
    """Says at enrolment whether a person is known, in whatever partition."""

    def enrol(self, partition, records) -> list[str]:
        known = [f for held in self.held.values() for r in held.values() for f in r.fingers]
        super().enrol(partition, records)
        return [r.record for r in records if any(self.compare(r.fingers[0], f) > 50 for f in known)]


class GrowsTired(TinyEngine):
    """From its third submission on it gives up early."""

    asked = 0

    def search(self, request) -> SearchResponse:
        self.asked += 1
        made = super().search(request)
        late = tuple(dataclasses.replace(s, complete=self.asked < 3) for s in made)
        return dataclasses.replace(made, sections=late)


class OpenWithoutPolicy(TinyEngine):
    """Where no policy is in force it shows everything."""

    def search(self, request) -> SearchResponse:
        if self.policy is not None:
            return super().search(request)
        shown = tuple(
            PartitionResult(
                name,
                Outcome.SEARCHED_DISCLOSED,
                Reason.GRANTED,
                tuple(Candidate(r, 0.0, 1.0) for r in held),
            )
            for name, held in self.held.items()
        )
        return SearchResponse(request.tcn, 0, shown)


class MistakesOwners(TinyEngine):
    """Goes by a partition's name alone."""

    def check_owners(self, told) -> None:
        pass


class KeepsFiles(TinyEngine):
    """Prints are kept in files, which go with their records."""

    def __init__(self, setup) -> None:
        super().__init__(setup)
        self.folder = setup.folder

    def enrol(self, partition, records) -> None:
        super().enrol(partition, records)
        for record in records:
            content = b"".join(f.to_bytes() for f in record.fingers)
            (self.folder / f"{partition}-{record.record}").write_bytes(content)

    def expunge(self, partition, record) -> None:
        super().expunge(partition, record)
        (self.folder / f"{partition}-{record}").unlink()


class LeavesFiles(KeepsFiles):
    """Prints are kept in files, which stay."""

    def expunge(self, partition, record) -> None:
        TinyEngine.expunge(self, partition, record)


BROKEN = {
    ListsProtected: "L1-masked-records-crowd-nobody-out",
    CutsBeforeItHides: "L1-masked-records-crowd-nobody-out",
    SearchesTheDenied: "L5-denied-partition-is-not-compared",
    AnswersFromTheDenied: "L5-denied-partition-is-not-searched",
    TiesByEnrolment: "L13-order-of-enrolment-does-not-show",
    WithheldShows: "L4-withheld-answers-tell-nothing",
    TellsOpaque: "L4-opaque-answers-are-opaque",
    ForgetsToForget: "L17-expunged-never-comes-back",
    DecidesOnce: "L10-policy-changes-during-a-search",
    Remembers: "L9-nothing-is-remembered",
    NormalisesScores: "L3-scores-stand-alone",
    TellsWhoIsAsked: "L4-asking-by-name-does-not-tell",
    EnrolmentTells: "L8-enrolment-tells-nothing",
    GrowsTired: "L11-one-submission-after-another",
    OpenWithoutPolicy: "L14-nothing-without-a-policy",
    MistakesOwners: "L14-another-owners-rules-grant-nothing",
    LeavesFiles: "L17-no-bytes-are-left",
}
"""Engines that leak, and the check that has to say so."""
