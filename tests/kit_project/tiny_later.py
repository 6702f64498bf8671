"""The small engine with what outlives an answer, and the ways in which that may be wrong."""

from __future__ import annotations

import dataclasses

from tiny import TinyEngine

from fpmatch.types import (
    FingerPosition,
    Impression,
    Ori,
    Outcome,
    Pairing,
    PartitionResult,
    Permission,
    Reason,
    SearchResponse,
)


class LaterEngine(TinyEngine):
    """It keeps probes and copies, shows paired minutiae to who may, and has a log."""

    def __init__(self, setup) -> None:
        super().__init__(setup)
        self.log, self.refused = [], ""
        self.waits, self.kept, self.copied = {}, [], {}

    # -- the log

    def logged(self, tcn) -> list[str]:
        return [kind for kind, number in self.log if number == tcn]

    def fail_log(self, kind) -> None:
        self.refused = kind

    def write(self, kind, tcn) -> None:
        if kind == self.refused:
            raise OSError("no room")
        self.log.append((kind, tcn))

    # -- answers

    def search(self, request) -> SearchResponse:
        self.write("intent", request.tcn)
        answer = self.answer(request)
        self.write("outcome", request.tcn)
        self.keep(request, answer)
        return answer

    def answer(self, request) -> SearchResponse:
        answer = super().search(request)
        decision = self.policy.decide(request.facts(request.partitions), self.clock())
        shown = tuple(self.paired(request, decision, s) if s.candidates else s for s in answer)
        return dataclasses.replace(answer, sections=shown)

    def paired(self, request, decision, section) -> PartitionResult:
        if not request.minutiae or not self.sees_minutiae(decision[section.partition]):
            return section
        one = Pairing(0, 0, FingerPosition(0), Impression.UNKNOWN, (320, 320), (320, 320), ())
        told = tuple(
            dataclasses.replace(
                c, fingers=tuple(dataclasses.replace(f, pairing=one) for f in c.fingers)
            )
            for c in section.candidates
        )
        return dataclasses.replace(section, candidates=told)

    def sees_minutiae(self, entry) -> bool:
        return entry.sees_minutiae

    # -- what outlives them

    def keep(self, request, answer) -> None:
        decision = self.policy.decide(request.facts(request.partitions), self.clock())
        for n, section in enumerate(answer):
            if section.token:
                self.waits[f"T-{request.tcn}-{n}"] = request, section.partition
        for entry in decision.partitions:
            if self.retains(request, entry):
                self.kept.append((request, entry.partition, entry.permissions))
        for ori in request.copies_to:
            self.copied[request.tcn, ori] = request, self.copy_of(request, ori, answer)

    def retains(self, request, entry) -> bool:
        return request.retain and Permission.RETAIN in entry.permissions

    def section(self, request, facts, decision, entry, later, found) -> PartitionResult:
        made = super().section(request, facts, decision, entry, later, found)
        n = [d.partition for d in decision.partitions].index(entry.partition)
        token = f"T-{request.tcn}-{n}" if made.token else ""
        return dataclasses.replace(made, token=token)

    def report_event(self, token, event, *, disposition, everywhere) -> SearchResponse:
        request, partition = self.waits.pop(token)
        again = dataclasses.replace(
            request, disposition=disposition or "convicted", partitions=(partition,)
        )
        return self.resumed(again)

    def resumed(self, request) -> SearchResponse:
        return TinyEngine.search(self, request)

    def cascade(self, partition) -> list[SearchResponse]:
        asked = [k for k in self.kept if k[1] == partition]
        return [self.again(request, partition, allowed) for request, _, allowed in asked]

    def again(self, request, partition, allowed) -> SearchResponse:
        decision = self.policy.decide(request.facts((partition,)), self.clock())
        wanted = Permission.PROBE | Permission.VIEW | Permission.RETAIN
        if wanted & ~(allowed & decision[partition].permissions):
            nothing = PartitionResult(partition, Outcome.NOT_SEARCHED, Reason.NO_GRANT)
            return SearchResponse(request.tcn, 1, (nothing,))
        return TinyEngine.search(self, dataclasses.replace(request, partitions=(partition,)))

    def own(self, request, ori):
        ordinary = self.policy.facts(Ori(ori), transaction=request.transaction)
        facts = dataclasses.replace(
            request.facts(request.partitions), chain=ordinary.chain, role=""
        )
        return self.policy.decide(facts, self.clock())

    def copy_of(self, request, ori, answer) -> SearchResponse:
        """The recipient's own list of what was answered."""
        decision = self.own(request, ori)
        plain = dataclasses.replace(request, role="", minutiae=False)
        mine = TinyEngine.search(self, plain)
        return self.cut(mine, decision, answer)

    def cut(self, mine, decision, answer) -> SearchResponse:
        sections = []
        for section in answer:
            entry = decision[section.partition]
            if section.candidates is not None and not (entry.probe and entry.view):
                section = PartitionResult(section.partition, Outcome.REFUSED, Reason.NOT_DISCLOSED)
            elif section.candidates is not None:
                section = mine[section.partition]
            sections.append(section)
        return dataclasses.replace(answer, sections=tuple(sections))

    def copy(self, tcn, ori) -> SearchResponse:
        request, made = self.taken(tcn, ori)
        return self.now(request, ori, made)

    def taken(self, tcn, ori):
        return self.copied.pop((tcn, ori))

    def now(self, request, ori, made) -> SearchResponse:
        first = self.policy.decide(request.facts(request.partitions), self.clock())
        made = self.cut(made, self.own(request, ori), self.cut(made, first, made))
        facts = dataclasses.replace(request.facts(request.partitions), role="")
        sections = []
        for section in made:
            if section.candidates is not None:
                kept = tuple(
                    c for c in section.candidates
                    if self.visible(section.partition, c.record, facts, first[section.partition])
                )  # fmt: skip
                section = dataclasses.replace(section, candidates=kept)
            sections.append(section)
        return dataclasses.replace(made, sections=tuple(sections))


class AnswersWhatWaited(LaterEngine):
    """An event is enough: the policy is not asked again."""

    def report_event(self, token, event, *, disposition, everywhere) -> SearchResponse:
        request, partition = self.waits.pop(token)
        everybody = {d: r for d, r in self.held.items() if d == partition}
        found = tuple(
            candidate
            for name in everybody
            for candidate in self.ranked(
                request, request.facts(None),
                dataclasses.replace(
                    self.policy.decide(request.facts((name,)), self.clock())[name],
                    permissions=Permission.PROBE,
                ),
            )
        )  # fmt: skip
        told = PartitionResult(partition, Outcome.SEARCHED_DISCLOSED, Reason.GRANTED, found)
        return SearchResponse(request.tcn, 1, (told,))


class RetainsForEver(LaterEngine):
    """A retained probe keeps the rights that it came with."""

    def again(self, request, partition, allowed) -> SearchResponse:
        policy, self.policy = self.policy, self.first
        try:
            return super().again(request, partition, allowed)
        finally:
            self.policy = policy

    def publish(self, policy) -> None:
        super().publish(policy)
        self.first = getattr(self, "first", self.policy)


class RetainedProbesGain(LaterEngine):
    """A retained probe is searched under the policy of now alone."""

    def again(self, request, partition, allowed) -> SearchResponse:
        return super().again(request, partition, ~Permission.NONE)


class RetainsUnasked(LaterEngine):
    """Every probe is kept."""

    def retains(self, request, entry) -> bool:
        return Permission.RETAIN in entry.permissions


class CopiesOutlive(LaterEngine):
    """What was copied stays as it was."""

    def now(self, request, ori, made) -> SearchResponse:
        return made


class CopiesAgain(LaterEngine):
    """A copy is handed out as often as it is asked for."""

    def taken(self, tcn, ori):
        return self.copied[tcn, ori]


class CopiesForAnybody(LaterEngine):
    """A copy is the submitter's answer, for whoever is named."""

    def copy_of(self, request, ori, answer) -> SearchResponse:
        return answer

    def own(self, request, ori):
        return self.policy.decide(request.facts(request.partitions), self.clock())


class CopiesOfTheSubmittersList(LaterEngine):
    """The submitter's list with the hidden records struck out: others were crowded out of it."""

    def copy_of(self, request, ori, answer) -> SearchResponse:
        return self.cut(answer, self.own(request, ori), answer)


class CopiesWithMinutiae(CopiesOfTheSubmittersList):
    """The same; the paired minutiae are in it."""


class LogsAfterwards(LaterEngine):
    """Intent and outcome are written when all is done."""

    def search(self, request) -> SearchResponse:
        answer = self.answer(request)
        self.write("intent", request.tcn)
        self.write("outcome", request.tcn)
        self.keep(request, answer)
        return answer


class LogsHitsOnly(LaterEngine):
    """A submission that searched nothing is not logged."""

    def search(self, request) -> SearchResponse:
        answer = super().search(request)
        if not any(s.candidates for s in answer):
            self.log = [entry for entry in self.log if entry[1] != request.tcn]
        return answer


class AnswersUnlogged(LaterEngine):
    """A log that fails is passed over."""

    def write(self, kind, tcn) -> None:
        if kind != self.refused:
            super().write(kind, tcn)


class MinutiaeForAll(LaterEngine):
    """Whoever asks for paired minutiae gets them."""

    def sees_minutiae(self, entry) -> bool:
        return True


class MinutiaeAtOnce(LaterEngine):
    """The roles that may see minutiae are those of the first policy."""

    def publish(self, policy) -> None:
        super().publish(policy)
        self.first = getattr(self, "first", self.policy)

    def paired(self, request, decision, section) -> PartitionResult:
        first = self.first.decide(request.facts(request.partitions), self.clock())
        return super().paired(request, first, section)


BROKEN = {
    AnswersWhatWaited: "L12-deferred-probes-do-not-outlive-an-opt-out",
    RetainsForEver: "L12-retained-probes-do-not-outlive-an-opt-out",
    RetainedProbesGain: "L12-retained-probes-do-not-outlive-an-opt-out",
    RetainsUnasked: "L12-retained-probes-do-not-outlive-an-opt-out",
    CopiesOutlive: "L12-copies-do-not-outlive-an-opt-out",
    CopiesAgain: "L12-copies-do-not-outlive-an-opt-out",
    CopiesForAnybody: "L12-copies-do-not-outlive-an-opt-out",
    CopiesOfTheSubmittersList: "L12-copies-show-no-hidden-records",
    LogsHitsOnly: "L18-every-answer-is-logged",
    LogsAfterwards: "L18-intent-before-comparison",
    AnswersUnlogged: "L18-no-log-no-answer",
    MinutiaeForAll: "L19-minutiae-for-named-roles-only",
    MinutiaeAtOnce: "L19-minutiae-for-named-roles-only",
    CopiesWithMinutiae: "L19-minutiae-for-named-roles-only",
}
"""Engines that leak by what outlives an answer, and the check that has to say so."""
