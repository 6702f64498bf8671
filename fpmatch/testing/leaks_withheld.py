"""Answers that are withheld or opaque, and what leaves with an answer."""

from __future__ import annotations

import pickle
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial

from fpmatch.testing.bench import Bench, NotChecked, Opened
from fpmatch.testing.check import Check, expect, same_answer
from fpmatch.testing.prints import bytes_of, print_of
from fpmatch.testing.world import (
    DEFERRED,
    OFF,
    OPAQUE,
    OPEN,
    POLICY,
    SECOND,
    WITHHELD,
    record,
    request,
    under,
    world,
)
from fpmatch.types import Outcome, PartitionResult, Reason

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

PATIENCE = 2.0
"""Seconds that a change is given to be made in the middle of a search."""


def _hit_and_no_hit(bench: Bench, policy: str) -> Iterator[Opened]:
    """Engines in whose immigration partition are a mate, others only, and nobody."""
    criminal = world()["criminal"]
    mate = [*world()["immigration"], *(record(f"I-1{i}", 1, touch=i) for i in range(10, 14))]
    others = [record(f"I-{i}", 20 + i) for i in range(3)]
    for held in (mate, others, []):
        yield bench.open({"criminal": criminal, "immigration": held}, policy)


def tell_nothing(bench: Bench) -> None:
    """A withheld section is a constant: the same bytes with ten hits, with none, and empty."""
    for policy in (POLICY, OPAQUE):
        asked = request(WITHHELD)
        answers = []
        for opened in _hit_and_no_hit(bench, policy):
            section = opened.section(asked, "immigration")
            answers.append(opened.last)
            expect(
                section.candidates is None,
                f"a withheld section lists {[c.record for c in section.candidates or ()]}",
            )
            if policy is POLICY:
                expect(
                    (section.outcome, section.reason)
                    == (Outcome.SEARCHED_WITHHELD, Reason.RESULTS_WITHHELD),
                    f"a withheld section says {section.outcome}, {section.reason}",
                )
        for other in answers[1:]:
            same_answer(
                answers[0],
                other,
                "withheld answers tell whether there was a hit:",
                ("with hits", "without"),
            )


def opaque_is_opaque(bench: Bench) -> None:
    """Withheld, switched off and waiting look the same where the policy is opaque."""
    constant = PartitionResult("immigration", Outcome.REFUSED, Reason.NOT_DISCLOSED)
    for opened in _hit_and_no_hit(bench, OPAQUE):
        for why, ori in (("withheld", WITHHELD), ("denied", OFF), ("waiting", DEFERRED)):
            section = opened.section(request(ori), "immigration")
            expect(
                section == constant,
                f"an opaque section, {why}, says {section.outcome}, {section.reason}"
                f"{', with a token' if section.token else ''}"
                f"{', with candidates' if section.candidates is not None else ''}, where it must "
                f"say {constant.outcome}, {constant.reason} and no more",
            )


def opaque_names(bench: Bench) -> None:
    """Where the policy is opaque a record has another name for each agency, always the same."""
    opened = bench.open(world(), OPAQUE)
    mine = opened.names(request(OPEN), "immigration")
    again = opened.names(request(OPEN), "immigration")
    other = opened.names(request(SECOND), "immigration")
    own = {r.record for r in world()["immigration"]}
    expect(bool(mine), "nothing is listed, though the agency may see it")
    leaked = sorted(name for name in (*mine, *other) for one in own if one in name)
    expect(not leaked, f"the owner's own ids are shown: {leaked}")
    expect(mine == again, f"a record's name changes from answer to answer: {mine[0]}, {again[0]}")
    shared = sorted(set(mine) & set(other))
    expect(not shared, f"two agencies are given the same names: {shared[:2]}")


def nothing_is_counted(bench: Bench) -> None:
    """No counter, no cost, and candidates only where they are disclosed."""
    opened = bench.open(world())
    for ori in (OPEN, OFF, WITHHELD, DEFERRED):
        for section in opened.search(request(ori)):
            expect(section.cost is None, f"{section.partition}: the answer has counters")
            expect(
                (section.candidates is None) == (section.outcome is not Outcome.SEARCHED_DISCLOSED),
                f"{section.partition}: {section.outcome} with candidates {section.candidates}",
            )
            expect(
                not section.token or section.outcome is Outcome.DEFERRED,
                f"{section.partition}: {section.outcome} with a token",
            )
    found = opened.names(request(max_candidates=2), "criminal")
    expect(len(found) <= 2, f"a list of at most two has {len(found)} candidates")


def representations(bench: Bench) -> None:
    """Neither answers nor engines show prints or withheld records when they are printed."""
    opened = bench.open(world())
    asked = request(WITHHELD)
    answer = opened.search(asked)
    opaque = bytes_of(print_of(1)) + bytes_of(print_of(1, 1)) + bytes_of(print_of(1, 5))
    raw = pickle.dumps(answer)
    shown = repr(answer) + repr(opened.engine) + str(opened.engine)
    expect(b"I-1" not in raw and "I-1" not in shown, "a withheld record is named")
    expect(not any(piece in raw for piece in opaque), "an answer holds bytes of a print")
    number = str(int(print_of(1).xy[0, 0]))
    held = re.sub("0x[0-9a-fA-F]+", "", repr(opened.engine))  # where it lies in memory
    expect(number not in held, "the engine shows coordinates of minutiae when it is printed")


class Meanwhile:
    """Something that another thread does when the next search makes its first comparison.

    An engine that lets it wait until the search is over is not held up.

    Parameters
    ----------
    opened : Opened
        The engine.
    what : callable
        What is done.
    """

    def __init__(self, opened: Opened, what: Callable[[], None]) -> None:
        self._what = what
        self._opened = opened
        self._error = ""
        self.in_time = False
        self._thread = threading.Thread(target=self._act, daemon=True)
        opened.watch.meanwhile = self._start

    def _act(self) -> None:
        try:
            self._what()
        except Exception as error:
            self._error = f"{type(error).__name__}: {error}"

    def _start(self) -> None:
        self._thread.start()
        self._thread.join(PATIENCE)
        self.in_time = not self._thread.is_alive()

    def was_in_time(self) -> bool:
        """Whether it was done before the search was over.

        Raises
        ------
        NotChecked
            If the search compared nothing that the kit sees, or it could not be done.
        """
        if self._opened.watch.meanwhile is not None:
            raise NotChecked("it takes an engine that compares with setup.compare")
        self._thread.join(PATIENCE)
        if self._error:
            raise NotChecked(f"it could not be done from another thread: {self._error}")
        return self.in_time


def changes_meanwhile(bench: Bench) -> None:
    """A policy published during a search counts when its answer leaves; deny wins."""
    for mode, what in (("ori_deactivated", "denies"), ("results_withheld", "withholds")):
        opened = bench.open(world())
        change = Meanwhile(opened, partial(opened.publish, under(mode)))
        section = opened.section(request(), "immigration")
        if change.was_in_time():
            expect(
                section.candidates is None,
                f"a policy that {what}, published during the search, did not keep the answer back",
            )
    opened = bench.open(world())
    wider = POLICY.replace("results_withheld", "interoperable")
    change = Meanwhile(opened, partial(opened.publish, wider))
    section = opened.section(request(WITHHELD), "immigration")
    expect(
        section.candidates is None or not change.was_in_time(),
        "a policy that opens, published during the search, opened an answer decided before",
    )


def sealed_meanwhile(bench: Bench) -> None:
    """A record sealed during a search is not released."""
    opened = bench.open(world())
    opened.seal("criminal", "C-1")
    opened.seal("criminal", "C-1", False)
    change = Meanwhile(opened, partial(opened.seal, "criminal", "C-1"))
    found = opened.names(request(), "criminal")
    expect(
        "C-1" not in found or not change.was_in_time(),
        "a record sealed during the search is listed in its answer",
    )


def expunged_never_returns(bench: Bench) -> None:
    """A record that was expunged is in no later answer, whatever is enrolled or published then."""
    opened = bench.open(world())
    before = opened.names(request(), "criminal")
    expect(before[:1] == ["C-1"], f"the mate is not found before it is expunged: {before[:3]}")
    opened.expunge("criminal", "C-1")
    expect("C-1" not in opened.names(request(), "criminal"), "an expunged record is listed")
    opened.enrol("criminal", [record("C-5", 1, touch=2), record("C-6", 6)])
    found = opened.names(request(), "criminal")
    expect("C-1" not in found, "an expunged record is back after an enrolment")
    expect(found[:1] == ["C-5"], f"another record of the person is not found: {found[:3]}")
    opened.publish(POLICY)
    expect("C-1" not in opened.names(request(), "criminal"), "it is back after a new policy")
    opened.enrol("criminal", [record("C-1", 50)])
    best = opened.names(request(max_candidates=1), "criminal")
    expect(best == ["C-5"], f"the id, given to another person, brings the old print back: {best}")
    never = bench.open(
        {
            "criminal": [
                *(r for r in world()["criminal"] if r.record != "C-1"),
                record("C-5", 1, touch=2),
                record("C-6", 6),
                record("C-1", 50),
            ],
            "immigration": world()["immigration"],
        }
    )
    never.publish(POLICY)
    asked = request()
    same_answer(
        opened.search(asked),
        never.search(asked),
        "an answer is not that of an engine that never held the record:",
        ("it was expunged", "it never was there"),
    )


def no_bytes_left(bench: Bench) -> None:
    """No file of the engine's folder holds bytes of an expunged print."""
    opened = bench.open({"criminal": [record(f"C-{i}", i) for i in range(1, 5)]})
    opened.expunge("criminal", "C-1")
    files = [p for p in sorted(opened.setup.folder.rglob("*")) if p.is_file()]
    if not files:
        raise NotChecked("the engine keeps no files in setup.folder")
    gone = bytes_of(print_of(1))
    left = [p.name for p in files if any(piece in p.read_bytes() for piece in gone)]
    expect(not left, f"bytes of an expunged print are left in {', '.join(left)}")


CHECKS = (
    Check("L4", "withheld-answers-tell-nothing",
          "the same bytes with ten hits, with none, and from an empty partition", tell_nothing),
    Check("L4", "opaque-answers-are-opaque",
          "withheld, denied and waiting look the same where the policy is opaque",
          opaque_is_opaque),
    Check("L4", "nothing-is-counted",
          "no counters, and candidates only where they are disclosed", nothing_is_counted),
    Check("L7", "opaque-names",
          "where the policy is opaque a record has another name for each agency", opaque_names),
    Check("L10", "policy-changes-during-a-search",
          "the policy in force when an answer leaves can only narrow it", changes_meanwhile),
    Check("L10", "sealed-during-a-search",
          "a record sealed during a search is not released", sealed_meanwhile),
    Check("L15", "nothing-in-representations",
          "neither answers nor engines show prints or withheld records", representations),
    Check("L17", "expunged-never-comes-back",
          "an expunged record is in no later answer", expunged_never_returns),
    Check("L17", "no-bytes-are-left",
          "no file of the engine's folder holds bytes of an expunged print", no_bytes_left),
)  # fmt: skip
"""What holds of an engine that tells no more than it may."""
