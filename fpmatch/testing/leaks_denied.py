"""Partitions that are not granted: never searched, and nothing in them changes an answer."""

from __future__ import annotations

import itertools
from typing import Any

from fpmatch.testing.bench import Bench, Opened
from fpmatch.testing.check import Check, expect, same, same_answer
from fpmatch.testing.responses import told
from fpmatch.testing.world import (
    DEFERRED,
    OFF,
    OPAQUE,
    OPEN,
    PARTITIONS,
    POLICY,
    UNKNOWN,
    WITHHELD,
    open_policy,
    record,
    request,
    world,
)
from fpmatch.types import Outcome, SearchRequest

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

MANY = [record(f"I-{i:02d}", i, touch=1) for i in range(25)]
MOST, LAST = 64, "p63"
"""Partitions that a policy may have, and the name of the last of them here."""
DENIED = {"switched off": OFF, "waiting for an event": DEFERRED, "not known": UNKNOWN}


def is_not_searched(bench: Bench) -> None:
    """The section says so, without candidates, whatever is asked for by name."""
    opened = bench.open(world())
    for why, ori in DENIED.items():
        for more in ({}, {"partitions": ["immigration"]}, {"partitions": [9]}):
            section = opened.section(request(ori, **more), "immigration")
            searched = section.outcome in (Outcome.SEARCHED_DISCLOSED, Outcome.SEARCHED_WITHHELD)
            expect(
                not searched and section.candidates is None,
                f"immigration, for an agency that is {why}: {section.outcome}, "
                f"candidates {_ids(section.candidates)}",
            )
    expect(
        opened.names(request(OFF), "criminal")[:1] == ["C-1"],
        "an agency that is switched off for one partition is not answered from the other",
    )


def _ids(candidates: Any) -> str:
    return "none" if candidates is None else str([c.record for c in candidates])


def is_not_compared(bench: Bench) -> None:
    """Nothing in a denied partition is compared with the probe."""
    bench.needs_watching()
    opened = bench.open(world())
    for why, ori in DENIED.items():
        opened.search(request(ori))
        n = opened.compared().get("immigration", 0)
        expect(n == 0, f"immigration, for an agency that is {why}: {n} prints were compared")
    opened.search(request(OPEN, partitions=["criminal"]))
    n = opened.compared().get("immigration", 0)
    expect(n == 0, f"immigration was not asked for, and {n} of its prints were compared")


def changes_nothing(bench: Bench) -> None:
    """The bytes are those of an engine whose denied partition is empty."""
    full = bench.open({"criminal": world()["criminal"], "immigration": MANY})
    empty = bench.open({"criminal": world()["criminal"]})
    for ori in (OFF, DEFERRED, UNKNOWN):
        for person in (1, 2, 9, 77):
            for most in (1, 20):
                asked = request(ori, person, max_candidates=most)
                same_answer(
                    full.search(asked),
                    empty.search(asked),
                    "what a denied partition holds changes the answer:",
                    ("where it is full", "where it is empty"),
                )


def costs_nothing(bench: Bench) -> None:
    """As many prints are compared whatever a denied partition holds."""
    bench.needs_watching()
    full = bench.open({"criminal": world()["criminal"], "immigration": MANY})
    empty = bench.open({"criminal": world()["criminal"]})
    for why, ori in DENIED.items():
        full.search(request(ori))
        empty.search(request(ori))
        more, fewer = sum(full.compared().values()), sum(empty.compared().values())
        expect(
            more == fewer,
            f"for an agency that is {why}, {more} prints are compared where the denied partition "
            f"is full and {fewer} where it is empty: the time of an answer tells of it",
        )


def scores_stand_alone(bench: Bench) -> None:
    """A record's score is the same whoever else is enrolled."""
    few = bench.open({"criminal": [record("C-1", 1)]})
    many = bench.open(
        {"criminal": [record(f"C-{i}", i) for i in range(20)], "immigration": MANY},
    )
    asked = request(max_candidates=100)
    alone = few.section(asked, "criminal").candidates or ()
    among = many.section(asked, "criminal").candidates or ()
    one = next((c.score for c in alone if c.record == "C-1"), None)
    other = next((c.score for c in among if c.record == "C-1"), None)
    expect(one is not None and other is not None, "the mate is not found")
    expect(one == other, f"a record's score is {one} alone and {other} among others")


WRONG: tuple[dict[str, Any], ...] = (
    {"fingers": []},
    {"fingers": ["print"]},
    {"threshold": "high"},
    {"max_candidates": -1},
    {"partitions": ["nowhere"]},
    {"partitions": [4711]},
    {"transaction": "XXX"},
    {"role": "nobody"},
    {"rotation": "sideways"},
    {"scale": "doubled"},
)


def refusals_tell_nothing(bench: Bench) -> None:
    """What cannot be answered is refused in the same words whatever is stored."""
    full = bench.open({"criminal": world()["criminal"], "immigration": MANY})
    empty = bench.open({"criminal": world()["criminal"]})
    for more in WRONG:
        for ori in (OFF, WITHHELD):
            asked = request(ori, **more)
            said = [_said(e, asked) for e in (full, empty)]
            what = ", ".join(f"{name}={value!r}" for name, value in more.items())
            same(said[0], said[1], f"what is refused ({what}) depends on what is stored:")
            for one in MANY:
                expect(
                    one.record.encode() not in said[0],
                    f"the refusal of {what} names the record {one.record}",
                )


def _said(opened: Opened, asked: SearchRequest) -> bytes:
    try:
        return told(opened.search(asked))
    except Exception as error:
        return f"{type(error).__name__}: {error}".encode()


def enrolment_tells_nothing(bench: Bench) -> None:
    """Enrolment answers the same whether or not another partition holds the person or the name."""
    full = bench.open({"immigration": MANY})
    empty = bench.open({})
    same_person = [record("I-01", 1, touch=1), record("C-9", 2, touch=1)]
    said = [_plain(e.enrol("criminal", same_person)) for e in (full, empty)]
    same(said[0], said[1], "what enrolment answers depends on other partitions:")


def _plain(value: object) -> bytes:
    shown = repr(value)
    return (f"a {type(value).__name__}" if " at 0x" in shown else shown).encode()


MIXED = ((OPEN, "advocate"), (OFF, ""), (WITHHELD, ""), (OPEN, ""), (OFF, "officer"))
"""Who asks, one after the other, and in which role."""


def one_after_another(bench: Bench) -> None:
    """Each of many submissions is answered as if it were the only one."""
    asked = [request(ori, p, role=role) for p in (1, 7) for ori, role in MIXED]
    busy = bench.open(world())
    for number, one in enumerate(asked, 1):
        same_answer(
            busy.search(one),
            bench.open(world()).search(one),
            f"submission {number} is answered otherwise than by a new engine:",
            ("after others", "by a new engine"),
        )


def no_way_around(bench: Bench) -> None:
    """No role, purpose, effort or length of list opens what is denied."""
    opened = bench.open(world())
    roles: tuple[dict[str, Any], ...] = tuple(
        {"role": r} for r in ("admin", "root", "DHS", "DOJ-FBI", "owner", "advocate", "*")
    )
    others: tuple[dict[str, Any], ...] = (
        {"purpose": "F"},
        {"transaction": "CNA"},
        {"max_candidates": 1000},
        {"effort": "exhaustive"},
        {"positions": "any"},
        {"chain": [OPEN]},
        {"retain": True},
    )
    for more in (*roles, *others):
        section = opened.section(request(OFF, **more), "immigration")
        expect(
            section.candidates is None,
            f"{more} opens a denied partition: {_ids(section.candidates)}",
        )


def every_set(bench: Bench) -> None:
    """Of four partitions each of the sixteen sets, and of as many as a policy may have the last."""
    four = {f"p{i}": (i + 1, f"owner-{i}") for i in range(4)}
    people = {name: [record(f"{name}-1", 1)] for name in four}
    opened = bench.open(people, open_policy(four), four)
    for chosen in itertools.product((False, True), repeat=4):
        granted = [name for name, yes in zip(four, chosen, strict=True) if yes]
        opened.publish(open_policy(four, searched=granted))
        _only(opened, request(), granted)
    many = {f"p{i}": (i + 1, f"owner-{i}") for i in range(MOST)}
    opened = bench.open(
        {name: [record(f"{name}-1", 1)] for name in ("p1", "p6", LAST)},
        open_policy(many, searched=[LAST]),
        many,
    )
    _only(opened, request(), [LAST])


def _only(opened: Opened, asked: SearchRequest, granted: list[str]) -> None:
    answer = opened.search(asked)
    disclosed = [s.partition for s in answer if s.outcome is Outcome.SEARCHED_DISCLOSED]
    expect(disclosed == granted, f"granted are {granted}, and answered are {disclosed}")
    for section in answer:
        found = [c.record for c in section.candidates or ()]
        wanted = [f"{section.partition}-1"] if section.partition in granted else []
        expect(found == wanted, f"{section.partition}: lists {found}, where it must list {wanted}")


def nothing_without_a_policy(bench: Bench) -> None:
    """An engine in which no policy was ever published searches nothing."""
    opened = bench.empty()
    opened.engine.add_partition("criminal", 1, "DOJ-FBI")
    opened.enrol("criminal", world()["criminal"])
    try:
        answer = opened.search(request())
    except Exception:
        return
    listed = [c.record for s in answer for c in s.candidates or ()]
    expect(not listed, f"without any policy {listed} are listed")


def other_owners_rules(bench: Bench) -> None:
    """Rules written for a partition of another owner, or another number, grant nothing."""
    for number, owner in ((9, "somebody else"), (7, "DHS")):
        opened = bench.empty()
        opened.engine.add_partition("criminal", *PARTITIONS["criminal"])
        opened.engine.add_partition("immigration", number, owner)
        for name, records in world().items():
            opened.enrol(name, records)
        try:
            opened.publish(POLICY)
            answer = opened.search(request())
        except AssertionError:
            raise
        except Exception:
            continue  # refused, as it may be
        listed = [
            c.record for s in answer if s.partition == "immigration" for c in s.candidates or ()
        ]
        expect(
            not listed,
            f"the policy speaks of immigration as number 9 of DHS; the one held is number {number} "
            f"of {owner}, and {listed} are listed",
        )


def asking_does_not_tell(bench: Bench) -> None:
    """A partition that is opaque and denied answers alike whether it is asked for or not."""
    full = bench.open({"criminal": world()["criminal"], "immigration": MANY}, OPAQUE)
    asked = full.section(request(OFF, partitions=["immigration"]), "immigration")
    other = full.section(request(WITHHELD, partitions=["immigration"]), "immigration")
    expect(asked == other, f"asked for by name, denied is {asked} and withheld {other}")


CHECKS = (
    Check("L2", "denied-data-changes-nothing",
          "the bytes are those of an engine whose denied partition is empty", changes_nothing),
    Check("L3", "scores-stand-alone",
          "a record's score does not depend on who else is enrolled", scores_stand_alone),
    Check("L5", "denied-partition-is-not-searched",
          "its section says so and has no candidates", is_not_searched),
    Check("L5", "denied-partition-is-not-compared",
          "nothing in it is compared with the probe", is_not_compared),
    Check("L5", "denied-partition-costs-nothing",
          "as many prints are compared whatever it holds", costs_nothing),
    Check("L6", "refusals-tell-nothing",
          "what is refused is refused in the same words whatever is stored", refusals_tell_nothing),
    Check("L8", "enrolment-tells-nothing",
          "enrolment answers the same whatever other partitions hold", enrolment_tells_nothing),
    Check("L11", "one-submission-after-another",
          "each is answered as if it were the only one", one_after_another),
    Check("L14", "no-way-around",
          "no role, purpose or other field opens what is denied", no_way_around),
    Check("L14", "nothing-without-a-policy",
          "where no policy is in force nothing is searched", nothing_without_a_policy),
    Check("L14", "another-owners-rules-grant-nothing",
          "rules for a partition of another owner or number open none", other_owners_rules),
    Check("L16", "every-set-of-partitions",
          "exactly the granted partitions are answered, for every set of them", every_set),
    Check("L4", "asking-by-name-does-not-tell",
          "denied and withheld look the same where the policy is opaque", asking_does_not_tell),
)  # fmt: skip
"""What holds of an engine that leaves denied partitions alone."""
