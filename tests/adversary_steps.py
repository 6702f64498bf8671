"""The steps that `adversary` plays: what is called, and what its answers may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import policy_cases as cases
from adversary_actor import THREADS, Answer, Call
from adversary_model import clean_policy
from adversary_searches import REFUSED, Searches, Step, Violation, demand
from test_engine_properties import random_policy

from fpmatch.policy import Policy

__all__ = ["Steps", "Violation"]
CHANGES = ("enrol", "update", "seal", "unseal", "expunge", "publish")


class Steps(Searches):
    """All steps, and which comes next."""

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
            self.number_again: 0.5 if self.model.answered else 0,
            self.number_of_another: 0.5 if self.model.answered else 0,
            self.visit: 0.5,
            self.cascade: 1 if self.model.retained else 0,
            self.event: 4 if self.model.live() else 0,
            self.event_at_once: 4 if self.model.live() else 0,
            self.cancel: 0.5 if self.model.live() else 0,
            self.copy: 3 if self.model.waiting() else 0,
            self.copy_at_once: 3 if self.model.waiting() else 0,
            self.deliver: 1 if self.waiting else 0,
            self.deliver_at_once: 2 if self.waiting else 0,
        }
        if mode != "r":
            choices |= {
                self.enrol: 3,
                self.enrol_at_once: 2,
                self.seal: 1.5,
                self.update: 1.5,
                self.expunge: 1.5,
                self.publish: 1,
                self.change_during_searches: 4,
                self.changes_at_once: 3,
            }
        else:
            choices[self.read_only] = 0.5
        weights = [0 if make.__name__ in self.without else w for make, w in choices.items()]
        return self.rng.choices(list(choices), weights)[0]

    # -- copies and messages -------------------------------------------------------------------

    def copy(self, times: int = 1) -> Step:
        key = self.rng.choice(self.model.waiting())
        tcn, booking, ori = key
        others = sum(k[0] == tcn and k[2] == ori for k in self.model.waiting())
        named = others > 1 or self.rng.random() < 0.5
        call = Call("copy", {"tcn": tcn, "ori": ori, "booking": booking if named else None})

        def check(answers: list[Answer]) -> None:
            got = [a.value for a in answers if not a.error]
            demand({a.error for a in answers} <= {"", REFUSED}, "copy raised another error")
            demand(len(got) <= 1, f"a copy was handed out {len(got)} times")
            for reply in got:
                demand(not reply.tokens, "a copy carries a token")
                demand(
                    reply.content == self.model.handed(self.model.copies[key]),
                    "a copy shows something else",
                )
            demand(bool(got), "a copy that waits was refused")
            del self.model.copies[key]

        return [call] * times, check

    def copy_at_once(self) -> Step:
        return self.copy(THREADS)

    def deliver(self, times: int = 1) -> Step:
        name = self.rng.choice(self.waiting).id

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
        more = self._wanted(partition) if kind == "update" else {}
        return Call(kind, {"partition": partition, "record": name, **more})

    def _wanted(self, partition: str) -> dict:
        """How a record shall be from now on."""
        rng = self.rng
        event = rng.choice((None, "", "", "later"))
        others = rng.sample(self.records[partition], 2)
        fingers = [finger for other in others for finger in other.fingers]
        uses = ("CAR", "CNA", "purpose:F", "role:officer")
        flags = {
            "protected": rng.choice((None, False, True)),
            "banned_uses": rng.choice((None, frozenset(), frozenset((rng.choice(uses),)))),
        }
        if event is None and set(flags.values()) == {None}:
            flags["protected"] = False
        return {"event": event, "fingers": None if event is None else fingers, **flags}

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
        possible = not there or call.kind != "update" or self.model.possible(call)
        wanted = REFUSED if not there else "" if possible else "InputError"
        for answer in answers:
            demand(
                answer.error == wanted,
                f"{call.kind} gave {answer.error or 'no refusal'}: {answer.text[:100]}",
            )
        if not possible:
            return
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

    def update(self) -> Step:
        return self._alone("update", self.rng.choice((1, 1, THREADS)))

    def expunge(self) -> Step:
        return self._alone("expunge")

    def changes_at_once(self) -> Step:
        """Changes of different partitions from all threads."""
        made: dict[str, Call] = {}
        while len(made) < THREADS:
            call = self._change(self.rng.choice(("enrol", "enrol", "update", "seal", "expunge")))
            made.setdefault(call.given["partition"], call)
        calls = list(made.values())

        def check(answers: list[Answer]) -> None:
            for call, answer in zip(calls, answers, strict=True):
                self._changed(call, [answer])

        return calls, check

    def change_during_searches(self) -> Step:
        """One change from one thread, searches from the others: each sees before or after."""
        change = self._change(self.rng.choice(CHANGES))
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
                    self.model.messages[request.tcn, request.booking_ori, name] = (int(both), 1)

        searches = [Call("search", {"request": r}) for r in requests]
        return [change, *searches], check

    # -- other processes -----------------------------------------------------------------------

    def visit(self) -> Step:
        """Somebody else opens the gallery while searches run."""
        made = [self.search() for _ in range(THREADS - 1)]
        writer = self.rng.random() < 0.3

        def check(answers: list[Answer]) -> None:
            if writer and self.mode != "r":
                demand(answers[0].error == "LockedError", "a second process could open to write")
            else:
                demand(not answers[0].error, "another process could not open the gallery")
            for (_, each), answer in zip(made, answers[1:], strict=True):
                each([answer])

        mode = "rw" if writer else "r"
        return [
            Call("visit", {"place": self.place, "mode": mode}),
            *(calls[0] for calls, _ in made),
        ], check

    def read_only(self) -> Step:
        call = self._change(self.rng.choice(("enrol", "update", "seal", "expunge", "publish")))

        def check(answers: list[Answer]) -> None:
            demand(answers[0].error == "ReadOnlyError", f"{call.kind} on a gallery open to read")

        return [call], check
