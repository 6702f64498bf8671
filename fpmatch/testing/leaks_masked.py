"""Records that may not be seen: they change no rank, no count, no order and no amount of work."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from fpmatch.testing.bench import Bench, NotChecked, Opened
from fpmatch.testing.check import Check, expect, same_answer
from fpmatch.testing.prints import print_of
from fpmatch.testing.world import (
    DEFERRED,
    OFF,
    OPEN,
    PARTITIONS,
    POLICY,
    record,
    request,
    under,
)
from fpmatch.types import Record, SearchRequest

__tracebackhide__ = True  # pytest shows what is wrong, and not where it was found

BANNED = frozenset({"CAR"})
PROBE = 5
"""The touch of a person that is searched with; a record that holds it is the best there can be."""
FREE = {
    partition: [record(f"F-{i}", i, touch) for i in (1, 2, 3, 4, 5)]
    for touch, partition in enumerate(PARTITIONS)
}
"""What everybody may see, by partition: person 1 among four others."""


def _protected(records: Sequence[Record]) -> list[Record]:
    return [dataclasses.replace(r, protected=True) for r in records]


def _banned(records: Sequence[Record]) -> list[Record]:
    return [dataclasses.replace(r, banned_uses=BANNED) for r in records]


CROWD = {
    partition: [
        Record(f"A-{i:02d}", [dataclasses.replace(print_of(1, PROBE), image_quality=20 * n + i)])
        for i in range(12)
    ]
    for n, partition in enumerate(PARTITIONS)
}
"""Records of the very minutiae that are searched with: before any other if they counted. They
differ in a number that no matcher looks at, so that the kit can tell which one was compared."""
HIDDEN = {r.record for crowd in CROWD.values() for r in crowd}


def _kinds() -> Iterator[tuple[str, Callable[[Opened], None]]]:
    """Each way in which a record may be hidden, and how the crowd comes into the gallery."""
    yield "protected", lambda e: _enrol(e, _protected)
    yield "banned by their contributor", lambda e: _enrol(e, _banned)
    yield "sealed", _sealed


def _enrol(opened: Opened, kind: Callable[[Sequence[Record]], list[Record]]) -> None:
    for partition, crowd in CROWD.items():
        opened.enrol(partition, kind(crowd))


def _sealed(opened: Opened) -> None:
    _enrol(opened, list)
    for partition, crowd in CROWD.items():
        for one in crowd:
            opened.seal(partition, one.record)


def _hidden(bench: Bench) -> Iterator[tuple[str, Opened]]:
    """An engine for each kind of hidden record, with the crowd in it."""
    for kind, enrol in _kinds():
        opened = bench.open(FREE)
        try:
            enrol(opened)
        except NotChecked:
            continue
        yield kind, opened


def crowd_nobody_out(bench: Bench) -> None:
    """A list of one holds the best record that may be seen, however many hidden ones are better."""
    for kind, opened in _hidden(bench):
        for partition in PARTITIONS:
            found = opened.names(request(max_candidates=1), partition)
            leaked = sorted(set(found) & HIDDEN)
            expect(not leaked, f"{partition}: records that are {kind} are listed: {leaked}")
            expect(
                found == ["F-1"],
                f"{partition}: a list of one is {found} where it has to be ['F-1'], with better "
                f"records that are {kind}",
            )


def change_nothing(bench: Bench) -> None:
    """The bytes of an answer are those of an engine that never held the hidden records."""
    without = bench.open(FREE)
    for kind, opened in _hidden(bench):
        for asked in _questions():
            same_answer(
                opened.search(asked),
                without.search(asked),
                f"records that are {kind} change an answer:",
                ("with them", "without them"),
            )


def _questions() -> Iterator[SearchRequest]:
    for person in (1, 3, 77):
        for most in (1, 3, 20):
            yield request(person=person, max_candidates=most)
    yield request(role="officer")
    yield request(threshold=20.0)
    yield request(OFF)
    yield request(DEFERRED)


def are_seen_by_who_may(bench: Bench) -> None:
    """A role that may see protected records sees them; a use that is not banned is made."""
    people = {"criminal": [*FREE["criminal"], *_protected([record("A-1", 1, touch=PROBE)])]}
    opened = bench.open(people)
    found = opened.names(request(role="advocate"), "criminal")
    expect(found[:1] == ["A-1"], f"the role that may see protected records sees {found[:3]}")
    opened = bench.open(
        {"criminal": [*FREE["criminal"], *_banned([record("A-1", 1, touch=PROBE)])]}
    )
    found = opened.names(request(transaction="CNA"), "criminal")
    expect(found[:1] == ["A-1"], f"a use that is not banned lists {found[:3]}")


def are_not_compared(bench: Bench) -> None:
    """No hidden record is compared with the probe."""
    bench.needs_watching()
    for kind, opened in _hidden(bench):
        opened.search(request())
        for partition in PARTITIONS:
            seen = sorted(opened.records_compared(partition) & HIDDEN)
            expect(not seen, f"{partition}: records that are {kind} were compared: {seen[:4]}")


def cost_nothing(bench: Bench) -> None:
    """As many prints are compared as if the hidden records were not there."""
    bench.needs_watching()
    without = bench.open(FREE)
    without.search(request())
    for kind, opened in _hidden(bench):
        opened.search(request())
        expect(
            opened.compared() == without.compared(),
            f"with records that are {kind} {_counts(opened)} prints are compared, without them "
            f"{_counts(without)}: the time of an answer tells of them",
        )


def _counts(opened: Opened) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(opened.compared().items())) or "no"


def nothing_is_remembered(bench: Bench) -> None:
    """What one role saw, or a policy before, or a record before its seal, is not seen later."""
    hidden = _protected([record("A-1", 1, touch=PROBE)])
    people = {**FREE, "criminal": [*FREE["criminal"], *hidden]}
    opened = bench.open(people)
    for again in ("at first", "after another role had seen it"):
        found = opened.names(request(), "criminal")
        expect("A-1" not in found, f"a protected record is listed {again}")
        found = opened.names(request(role="advocate"), "criminal")
        expect(found[:1] == ["A-1"], f"the role that may see it is shown {found[:3]} {again}")
    opened.publish(under("ori_deactivated"))
    section = opened.section(request(), "immigration")
    expect(
        section.candidates is None,
        f"after a policy that denies it {section.partition} is still {section.outcome}",
    )
    opened.publish(POLICY)
    expect(bool(opened.names(request(), "immigration")), "a policy that grants again has no effect")
    try:
        opened.seal("immigration", "F-1")
    except NotChecked:
        return
    expect("F-1" not in opened.names(request(), "immigration"), "a sealed record is still listed")
    opened.seal("immigration", "F-1", False)
    found = opened.names(request(), "immigration")
    expect(found[:1] == ["F-1"], f"a record whose seal was taken off is not found: {found[:3]}")


def order_of_enrolment(bench: Bench) -> None:
    """Records enrolled in another order, or in another number of calls, give the same bytes."""
    people = [record(f"{name}-{i}", 1, touch=PROBE) for i in range(3) for name in ("Q", "B", "K")]
    orders = [people, people[::-1], people[4:] + people[:4]]
    asked = request(OPEN, max_candidates=4)
    answers = []
    for order in orders:
        opened = bench.open({})
        for one in order:
            opened.enrol("criminal", [one])
        answers.append(opened.search(asked))
    answers.append(bench.open({"criminal": people}).search(asked))
    for other in answers[1:]:
        same_answer(
            answers[0],
            other,
            "the order of enrolment shows in the answer:",
            ("in one order", "in another"),
        )


CHECKS = (
    Check(
        "L1",
        "masked-records-crowd-nobody-out",
        "a list of one holds the best record that may be seen",
        crowd_nobody_out,
    ),
    Check(
        "L1",
        "masked-records-change-nothing",
        "ranks, counts and order are those of an engine without the hidden records",
        change_nothing,
    ),
    Check(
        "L1",
        "masked-records-are-seen-by-who-may",
        "a role that may see protected records sees them, and a use that is not banned is made",
        are_seen_by_who_may,
    ),
    Check(
        "L5",
        "masked-records-are-not-compared",
        "no hidden record is compared with the probe",
        are_not_compared,
    ),
    Check(
        "L5",
        "masked-records-cost-nothing",
        "as many prints are compared as if the hidden records were not there",
        cost_nothing,
    ),
    Check(
        "L9",
        "nothing-is-remembered",
        "no answer depends on an earlier role, policy or seal",
        nothing_is_remembered,
    ),
    Check(
        "L13",
        "order-of-enrolment-does-not-show",
        "ties go by record, not by who was enrolled first",
        order_of_enrolment,
    ),
)
"""What holds of an engine that keeps hidden records hidden."""
