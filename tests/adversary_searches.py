"""Searches, events and what they may answer; see `adversary`."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import policy_cases as cases
from adversary_actor import THREADS, Answer, Call, Message, Reply
from adversary_model import Expected, Model, Waiting, catalogue, sections_of
from test_engine_properties import finger

from fpmatch.types import Facts, SearchRequest

Check = Callable[[list[Answer]], None]
Step = tuple[list[Call], Check]
EVENTS = {"CONVICTION": "convicted", "ACQUITTAL": "acquitted", "DISMISSAL": "dismissed"}
NOTHING = ("x", "", "D" + "0" * 32, "N1-0000000000000000")
REFUSED = "RefusedError"


class Violation(Exception):
    """The engine did what it must not."""


def demand(true: bool, text: str) -> None:
    if not true:
        raise Violation(text)


class Searches:
    """Steps that search, made from a random source and the state of the model."""

    def __init__(
        self,
        rng: random.Random,
        model: Model,
        place: Path,
        outcomes: Counter,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.rng, self.model, self.place, self.outcomes = rng, model, place, outcomes
        self.without = without
        self.records = catalogue(rng, finger)
        self.mode = ""
        self.waiting: list[Message] = []
        self.number = 0

    # -- searches ------------------------------------------------------------------------------

    def request(self, plain: bool = False) -> SearchRequest:
        rng = self.rng
        facts = cases.facts(rng)
        for _ in range(3):
            if self.promising(facts):
                break
            facts = cases.facts(rng)
        self.number += 1
        person = rng.randrange(5)
        return SearchRequest(
            fingers=[finger(rng, person) for _ in range(rng.choice((1, 1, 2)))],
            booking_ori=facts.chain[0],
            chain=facts.chain[1:],
            transaction=facts.transaction,
            partitions=facts.requested,
            purpose=facts.purpose,
            role=facts.role,
            charge=facts.charge,
            disposition=facts.disposition,
            protected=facts.protected,
            attributes=facts.attributes,
            retain=not plain and rng.random() < 0.3,
            copies_to=() if plain else tuple(rng.sample(cases.AGENCIES, rng.choice((0, 0, 1, 2)))),
            tcn=f"T{self.number}",
            max_candidates=rng.choice((1, 2, 20)),
            threshold=rng.choice((0.0, 0.0, 20.0)),
            effort=rng.choice(("fast", "balanced", "scan", "exhaustive")),
            minutiae=rng.random() < 0.5,
        )

    def promising(self, facts: Facts) -> bool:
        """Whether anything but a plain denial comes of it: most random searches meet that."""
        policy = self.model.reference.policy
        decided = () if policy is None else policy.decide(facts, self.model.now).partitions
        return any(d.probe or d.deferred for d in decided)

    def search(self) -> Step:
        request = self.request()
        expected = self.model.expect(request)

        def check(answers: list[Answer]) -> None:
            self.answered(request, expected, answers[0])

        return [Call("search", {"request": request})], check

    def answered(self, request: SearchRequest, expected: Expected, answer: Answer) -> None:
        """One search alone: the bytes, and all that comes of it."""
        demand(not answer.error, f"search raised {answer.error}: {answer.text[:100]}")
        self.replied(request, expected, answer.value)

    def replied(self, request: SearchRequest, expected: Expected, reply: Reply) -> None:
        model = self.model
        self.outcomes.update(reply.outcomes.values())
        demand(reply.tcn == request.tcn, "the answer has another control number")
        demand(
            reply.content == expected.content,
            f"the answer is not that of an engine without the denied data: {reply.content!r} "
            f"for {expected.content!r}",
        )
        self.tokens(request, expected, reply)
        booking = request.booking_ori
        for partition in expected.told:
            model.messages[request.tcn, booking, partition] = (1, 1)
        for partition in expected.retained:
            model.retained[request.tcn, booking, partition] = request
        for ori, content in expected.copies.items():
            model.copies[request.tcn, booking, ori] = content
        model.answered.append((request, reply))

    def tokens(self, request: SearchRequest, expected: Expected, reply: Reply) -> None:
        deferred = {p for p, outcome in reply.outcomes.items() if outcome == "DEFERRED"}
        demand(set(reply.tokens) == deferred, "tokens and deferred partitions differ")
        for partition, token in reply.tokens.items():
            until = expected.decision[partition].defer_expires
            self.model.tokens[token] = Waiting(request, partition, until)

    def many(self) -> Step:
        requests = [self.request() for _ in range(self.rng.randint(2, 4))]
        expected = [self.model.expect(r) for r in requests]

        def check(answers: list[Answer]) -> None:
            demand(not answers[0].error, f"search_many raised {answers[0].error}")
            for one in zip(requests, expected, answers[0].value, strict=True):
                self.replied(*one)

        return [Call("many", {"requests": requests})], check

    def together(self) -> Step:
        """Several searches at once, which have nothing to do with each other."""
        made = [self.search() for _ in range(THREADS)]

        def check(answers: list[Answer]) -> None:
            for (_, each), answer in zip(made, answers, strict=True):
                each([answer])

        return [calls[0] for calls, _ in made], check

    def cancelled(self) -> Step:
        request = self.request()

        def check(answers: list[Answer]) -> None:
            demand(answers[0].error == "SearchCancelled", "a cancelled search was answered")

        return [Call("cancelled", {"request": request})], check

    def same_number(self) -> Step:
        """A control number again, at once from all threads: one search and its repetitions."""
        request = self.request()
        expected = self.model.expect(request)

        def check(answers: list[Answer]) -> None:
            good = [a for a in answers if not a.error]
            demand(bool(good), "of several searches with one number none was answered")
            first = good[0].value
            for answer in good[1:]:
                demand(answer.value == first, "one number has two answers")
            self.replied(request, expected, first)

        return [Call("search", {"request": request})] * THREADS, check

    def number_again(self) -> Step:
        """A control number of before with other fingers: refused, or the answer of before."""
        before, reply = self.rng.choice(self.model.answered)
        request = dataclasses.replace(before, fingers=self.request().fingers)

        def check(answers: list[Answer]) -> None:
            again = answers[0].value
            demand(bool(answers[0].error) or again == reply, "one number has two answers")

        return [Call("search", {"request": request})], check

    def number_of_another(self) -> Step:
        """The control number of another agency: that one's answers, copies and messages stay."""
        before, _ = self.rng.choice(self.model.answered)
        fresh = self.request()
        taken = {r.booking_ori for r, _ in self.model.answered if r.tcn == before.tcn}
        if fresh.booking_ori not in taken:
            fresh = dataclasses.replace(fresh, tcn=before.tcn, copies_to=before.copies_to)
        expected = self.model.expect(fresh)

        def check(answers: list[Answer]) -> None:
            self.answered(fresh, expected, answers[0])

        return [Call("search", {"request": fresh})], check

    # -- what was deferred ---------------------------------------------------------------------

    def _event(self) -> tuple[str, Call, Expected, str]:
        token, waiting = self.rng.choice(list(self.model.live().items()))
        name = self.rng.choice(sorted(EVENTS))
        everywhere = self.rng.random() < 0.2
        request = dataclasses.replace(
            waiting.request,
            disposition=EVENTS[name],
            partitions=None if everywhere else (waiting.partition,),
            retain=False,
            copies_to=(),
        )
        expected = self.model.expect(request, waiting.partition)
        call = Call("event", {"token": token, "event": name, "everywhere": everywhere})
        return token, call, expected, waiting.partition

    def happened(self, token: str, expected: Expected, partition: str, reply: Reply) -> None:
        self.outcomes.update(reply.outcomes.values())
        demand(
            reply.content == expected.content,
            f"after an event: {reply.content!r} for {expected.content!r}",
        )
        asked = self.model.tokens[token].request
        for name in expected.told:
            self.model.messages[reply.tcn, asked.booking_ori, name] = (1, 1)
        if reply.outcomes[partition] != "DEFERRED":
            self.model.spend(token)
        for name, other in reply.tokens.items():
            if other != token:
                kept = dataclasses.replace(asked, tcn=reply.tcn)
                until = expected.decision[name].defer_expires
                event = dataclasses.replace(kept, disposition=None, partitions=(name,))
                self.model.tokens[other] = Waiting(event, name, until)

    def event(self) -> Step:
        token, call, expected, partition = self._event()

        def check(answers: list[Answer]) -> None:
            demand(not answers[0].error, f"a token that waits was refused: {answers[0].error}")
            self.happened(token, expected, partition, answers[0].value)

        return [call], check

    def event_at_once(self) -> Step:
        """One token's event from all threads, one of them a cancel at times: once."""
        token, call, expected, partition = self._event()
        calls = [call] * THREADS
        booking = self.model.tokens[token].request.booking_ori
        if self.rng.random() < 0.4:
            calls[0] = Call("cancel", {"token": token})

        def check(answers: list[Answer]) -> None:
            errors = {a.error for a in answers} - {"", REFUSED}
            demand(not errors, f"a token used at once raised {errors}")
            replies = [a.value for a in answers if isinstance(a.value, Reply)]
            final = [r for r in replies if r.outcomes[partition] != "DEFERRED"]
            ended = sum(
                c.kind == "cancel" and not a.error for c, a in zip(calls, answers, strict=True)
            )
            waits = expected.sections[partition]["outcome"] == "DEFERRED"
            demand(len(final) + ended <= 1, f"a token was used {len(final) + ended} times")
            demand(waits or len(final) + ended == 1, "a token that waits was used up for nothing")
            for reply in replies:
                if reply.outcomes[partition] == "DEFERRED":
                    self.model.loose.update(set(reply.tokens.values()) - {token})
                    demand(reply.content == expected.content, "an event has another answer")
                    for name in expected.told:
                        self.model.messages[reply.tcn, booking, name] = (1, 1)
            for reply in final:
                self.happened(token, expected, partition, reply)
            if ended:
                self.model.spend(token)

        return calls, check

    def cancel(self) -> Step:
        token = self.rng.choice(list(self.model.live()))

        def check(answers: list[Answer]) -> None:
            demand(not answers[0].error, f"cancel raised {answers[0].error}")
            self.model.spend(token)

        return [Call("cancel", {"token": token})], check

    def nothing(self) -> Step:
        """What is not there: one refusal for all."""
        model = self.model
        over = [t for t in model.tokens if t not in model.live()]
        token = self.rng.choice([*NOTHING, *model.spent, *over])
        call = self.rng.choice(
            (
                Call("event", {"token": token, "event": "CONVICTION", "everywhere": False}),
                Call("cancel", {"token": token}),
                Call("copy", {"tcn": "nowhere", "ori": "AA0000001"}),
                Call("envelope", {"name": token, "owner": "DHS"}),
            )
        )

        def check(answers: list[Answer]) -> None:
            demand(answers[0].error == REFUSED, f"{call.kind}: {answers[0].error or 'answered'}")
            for name in over:
                model.spend(name)

        return [call], check

    def cascade(self) -> Step:
        model = self.model
        partition = self.rng.choice(sorted(p for _, _, p in model.retained))
        probes = [r for (_, _, p), r in model.retained.items() if p == partition]
        expected: dict[str, list[tuple[SearchRequest, Expected]]] = {}
        for probe in probes:
            again = dataclasses.replace(probe, partitions=(partition,), retain=False, copies_to=())
            expected.setdefault(probe.tcn, []).append((probe, model.expect(again)))

        def check(answers: list[Answer]) -> None:
            demand(not answers[0].error, f"cascade raised {answers[0].error}")
            done = Counter(r.tcn.rsplit("/", 1)[0] for r in answers[0].value)
            asked = Counter(probe.tcn for probe in probes)
            demand(done == asked, "a retained probe was not searched once")
            for reply in answers[0].value:
                mine = expected[reply.tcn.rsplit("/", 1)[0]]
                self.subset(reply, [e for _, e in mine], exact={partition})
                for probe, each in mine:
                    for name in each.told:
                        model.messages[reply.tcn, probe.booking_ori, name] = (0, 1)

        return [Call("cascade", {"partition": partition})], check

    def subset(self, reply: Reply, worlds: list[Expected], exact: set[str]) -> None:
        """Nothing is disclosed that no state of the world discloses; ``exact`` ones are of one."""
        for name, section in sections_of(reply.content).items():
            alike = any(w.sections.get(name) == section for w in worlds)
            shown = {(c["record"], c["score"]) for c in section.get("candidates", ())}
            allowed = set().union(*(w.seen.get(name, set()) for w in worlds))
            demand(shown <= allowed, f"{name} shows what no policy in force lets be seen")
            if "candidates" in section and name in exact:
                demand(alike, f"{name} has an answer that belongs to no state of the gallery")
