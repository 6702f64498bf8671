"""The steps that `adversary` plays: what is called, and what its answers may be."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import policy_cases as cases
from adversary_actor import THREADS, Answer, Call, Reply
from adversary_model import Expected, Model, Waiting, catalogue, clean_policy, sections_of
from test_engine_properties import finger, random_policy

from fpmatch.policy import Policy
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


class Steps:
    """Makes steps from a random source and the state of the model."""

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
        self.waiting: list[tuple[str, str, str, bool]] = []
        self.used: list[SearchRequest] = []
        self.number = 0

    # -- choice --------------------------------------------------------------------------------

    def opening(self) -> list[Callable[[], Step]]:
        """A gallery with something in it and a policy, most of the time."""
        first: list[Callable[[], Step]] = [self.enrol] * self.rng.randint(2, 5)
        return [*first, self.publish] if self.rng.random() < 0.95 else first

    def pick(self, mode: str) -> Callable[[], Step]:
        """What comes next."""
        self.mode = mode
        if self.rng.random() < 0.15:
            self.model.now += self.rng.choice((1, 5, 20)) * (cases.day(self.rng) - cases.DAY0) / 20
        choices: dict[Callable[[], Step], float] = {
            self.search: 6,
            self.together: 5,
            self.many: 1,
            self.cancelled: 0.5,
            self.nothing: 1,
            self.same_number: 1,
            self.visit: 0.5,
            self.cascade: 1 if self.model.retained else 0,
            self.event: 4 if self.model.live() else 0,
            self.event_at_once: 4 if self.model.live() else 0,
            self.cancel: 0.5 if self.model.live() else 0,
            self.copy: 2 if self.model.copies else 0,
            self.copy_at_once: 2 if self.model.copies else 0,
            self.deliver: 1 if self.waiting else 0,
            self.deliver_at_once: 2 if self.waiting else 0,
        }
        if mode == "rw":
            choices |= {
                self.enrol: 3,
                self.enrol_at_once: 2,
                self.seal: 1.5,
                self.expunge: 1.5,
                self.publish: 1,
                self.change_during_searches: 4,
            }
        else:
            choices[self.read_only] = 0.5
        weights = [0 if make.__name__ in self.without else w for make, w in choices.items()]
        return self.rng.choices(list(choices), weights)[0]

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
        asked = SearchRequest(
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
        )
        self.used.append(asked)
        return asked

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
        for partition in expected.told:
            model.messages[request.tcn, partition] = (1, 1)
        for partition in expected.retained:
            model.retained[request.tcn, partition] = request
        for ori, content in expected.copies.items():
            model.copies[request.tcn, ori] = {content}

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

    # -- what was deferred ---------------------------------------------------------------------

    def _event(self) -> tuple[str, Call, Expected, str]:
        token, waiting = self.rng.choice(sorted(self.model.live().items()))
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
        for name in expected.told:
            self.model.messages[reply.tcn, name] = (1, 1)
        if reply.outcomes[partition] != "DEFERRED":
            self.model.spend(token)
        for name, other in reply.tokens.items():
            if other != token:
                kept = dataclasses.replace(self.model.tokens[token].request, tcn=reply.tcn)
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
                        self.model.messages[reply.tcn, name] = (1, 1)
            for reply in final:
                self.happened(token, expected, partition, reply)
            if ended:
                self.model.spend(token)

        return calls, check

    def cancel(self) -> Step:
        token = self.rng.choice(sorted(self.model.live()))

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
        partition = self.rng.choice(sorted(p for _, p in model.retained))
        probes = {tcn: r for (tcn, p), r in model.retained.items() if p == partition}
        expected = {
            tcn: model.expect(
                dataclasses.replace(r, partitions=(partition,), retain=False, copies_to=())
            )
            for tcn, r in probes.items()
        }

        def check(answers: list[Answer]) -> None:
            demand(not answers[0].error, f"cascade raised {answers[0].error}")
            done = Counter(r.tcn.rsplit("/", 1)[0] for r in answers[0].value)
            demand(done == Counter(list(probes)), "a retained probe was not searched once")
            for reply in answers[0].value:
                mine = expected[reply.tcn.rsplit("/", 1)[0]]
                self.subset(reply, [mine], exact={partition})
                for name in mine.told:
                    model.messages[reply.tcn, name] = (0, 1)

        return [Call("cascade", {"partition": partition})], check

    # -- copies and messages -------------------------------------------------------------------

    def copy(self, times: int = 1) -> Step:
        key = self.rng.choice(sorted(self.model.copies))
        call = Call("copy", {"tcn": key[0], "ori": key[1]})

        def check(answers: list[Answer]) -> None:
            got = [a.value for a in answers if not a.error]
            demand({a.error for a in answers} <= {"", REFUSED}, "copy raised another error")
            demand(len(got) <= 1, f"a copy was handed out {len(got)} times")
            for reply in got:
                demand(not reply.tokens, "a copy carries a token")
                demand(reply.content in self.model.copies[key], "a copy shows something else")
            # Of two processes that read, only the one that searched has its copies.
            if got or (key not in self.model.lost and self.mode == "rw"):
                demand(bool(got), "a copy that waits was refused")
                del self.model.copies[key]

        return [call] * times, check

    def copy_at_once(self) -> Step:
        return self.copy(THREADS)

    def deliver(self, times: int = 1) -> Step:
        name = self.rng.choice(self.waiting)[2]

        def check(answers: list[Answer]) -> None:
            true = [a.value for a in answers if a.value]
            demand(len(true) == 1, f"a message was delivered {len(true)} times")
            self.model.delivered.add(name)

        return [Call("deliver", {"name": name})] * times, check

    def deliver_at_once(self) -> Step:
        return self.deliver(THREADS)

    # -- changes -------------------------------------------------------------------------------

    def _change(self, kind: str) -> Call:
        rng = self.rng
        if kind == "publish":
            return Call("publish", {"policy": self.policy()})
        partition = rng.choice(sorted(cases.OWNERS))
        if kind == "enrol":
            records = rng.sample(self.records[partition], rng.randint(1, 3))
            return Call("enrol", {"partition": partition, "records": records})
        name = rng.choice(self.records[partition]).record
        return Call(kind, {"partition": partition, "record": name})

    def policy(self) -> Policy:
        """Of a few random policies the one under which searches end in most different ways."""
        rng, now = self.rng, self.model.now
        asked = [cases.facts(rng) for _ in range(6)]

        def kinds(policy: Policy) -> int:
            decided = [d for facts in asked for d in policy.decide(facts, now).partitions]
            return len({(d.partition, d.probe, d.view, d.deferred, d.retain) for d in decided})

        def made() -> Policy:
            declared = random_policy(rng).declared
            modes = {mode.label: mode for mode in declared.modes}
            for who in rng.sample((*cases.AGENCIES, "S1"), 3):
                name = rng.choice(("results_withheld", "deferred_disposition", "interoperable"))
                mode = dataclasses.replace(
                    cases.mode(rng, 0), mode=name, who=who, partition="immigration", until=None
                )
                modes.setdefault(mode.label, mode)
            return Policy(dataclasses.replace(declared, modes=tuple(modes.values())))

        return max((clean_policy(made) for _ in range(3)), key=kinds)

    def _changed(self, call: Call, answers: list[Answer]) -> None:
        """Done, or refused where there is nothing of that name; in the model too."""
        given = call.given
        there = "record" not in given or self.model.has(given["partition"], given["record"])
        for answer in answers:
            demand(
                answer.error == ("" if there else REFUSED),
                f"{call.kind} gave {answer.error or 'no refusal'}: {answer.text[:100]}",
            )
        self.model.change(call.kind, given)
        if call.kind == "publish":
            version = self.model.reference.policy.version
            demand(answers[0].value == version, "a published policy has another number")

    def _alone(self, kind: str, times: int = 1) -> Step:
        call = self._change(kind)
        return [call] * times, lambda answers: self._changed(call, answers)

    def enrol(self) -> Step:
        return self._alone("enrol")

    def enrol_at_once(self) -> Step:
        return self._alone("enrol", THREADS)

    def publish(self) -> Step:
        return self._alone("publish")

    def seal(self) -> Step:
        return self._alone(self.rng.choice(("seal", "unseal")))

    def expunge(self) -> Step:
        return self._alone("expunge")

    def change_during_searches(self) -> Step:
        """One change from one thread, searches from the others: each sees before or after."""
        change = self._change(self.rng.choice(("enrol", "seal", "unseal", "expunge", "publish")))
        requests = [self.request(plain=True) for _ in range(THREADS - 1)]
        before = [self.model.expect(r) for r in requests]

        def check(answers: list[Answer]) -> None:
            self._changed(change, answers[:1])
            for request, old, answer in zip(requests, before, answers[1:], strict=True):
                demand(not answer.error, f"search raised {answer.error}: {answer.text[:100]}")
                reply = answer.value
                self.outcomes.update(reply.outcomes.values())
                worlds = [old, self.model.expect(request)]
                exact = set() if change.kind == "publish" else set(reply.outcomes)
                self.subset(reply, worlds, exact)
                if change.kind == "publish":
                    self.model.loose.update(reply.tokens.values())
                else:
                    self.tokens(request, old, reply)
                for name in worlds[0].told | worlds[1].told:
                    both = change.kind != "publish" and all(name in w.told for w in worlds)
                    self.model.messages[request.tcn, name] = (int(both), 1)

        searches = [Call("search", {"request": r}) for r in requests]
        return [change, *searches], check

    def subset(self, reply: Reply, worlds: list[Expected], exact: set[str]) -> None:
        """Nothing is disclosed that no state of the world discloses; ``exact`` ones are of one."""
        for name, section in sections_of(reply.content).items():
            alike = any(w.sections.get(name) == section for w in worlds)
            shown = {(c["record"], c["score"]) for c in section.get("candidates", ())}
            allowed = set().union(*(w.seen.get(name, set()) for w in worlds))
            demand(shown <= allowed, f"{name} shows what no policy in force lets be seen")
            if "candidates" in section and name in exact:
                demand(alike, f"{name} has an answer that belongs to no state of the gallery")

    # -- other processes -----------------------------------------------------------------------

    def visit(self) -> Step:
        """Somebody else opens the gallery while searches run."""
        made = [self.search() for _ in range(THREADS - 1)]
        writer = self.rng.random() < 0.3

        def check(answers: list[Answer]) -> None:
            if writer:
                demand(answers[0].error == "StorageError", "a second process could open to write")
            for (_, each), answer in zip(made, answers[1:], strict=True):
                each([answer])

        mode = "rw" if writer else "r"
        return [
            Call("visit", {"place": self.place, "mode": mode}),
            *(calls[0] for calls, _ in made),
        ], check

    def read_only(self) -> Step:
        call = self._change(self.rng.choice(("enrol", "seal", "expunge", "publish")))

        def check(answers: list[Answer]) -> None:
            demand(answers[0].error == "ReadOnlyError", f"{call.kind} on a gallery open to read")

        return [call], check
